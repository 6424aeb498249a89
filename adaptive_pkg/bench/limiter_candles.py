"""What a bot asks of the venue each time its candles close, for the candles of a folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.limiter_venue import Scenario
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.reports.regimes import find_candle_files, read_candles
from adaptive_pkg.simulator.weights import weight_of

CLOSES = 2000  # the newest ones; more than any run gets through
SHARE = 0.1  # of the address; a bot that is always behind has the rest
# what is asked for each pair, and once for all of them
EACH = (("klines", {}), ("depth", {"limit": "100"}), ("openOrders", {"symbol": "X"}))
ONCE = (("account", {}), ("ticker/bookTicker", {}))


@dataclass(frozen=True)
class CandleLoad:
    """Weights of the requests at each candle's close, oldest first."""

    pairs: tuple[str, ...]
    timeframe: str
    closes: tuple[tuple[int, ...], ...]

    def figures(self) -> dict:
        """For JSON."""
        return {
            "pairs": list(self.pairs),
            "timeframe": self.timeframe,
            "closes": len(self.closes),
            "most_weight_per_close": max(map(sum, self.closes)),
        }


def candle_load(choice: CandleChoice) -> CandleLoad:
    """The requests at the closes of these candles, up to the newest that all pairs have.

    For each pair whose candle closes: its candles, those of higher timeframes that close then as well, the
    order book and its open orders; once for all, the account and the best prices. Outages leave pairs out.

    Raises:
        DataError: no such candles, or a pair that never traded.
    """
    length = pd.Timedelta(hours=timeframe_hours(choice.timeframe))
    files = find_candle_files(choice.datadir, choice.pairs, choice.timeframe)
    traded = {pair: read_candles(path).query("volume > 0")["date"] for pair, path in files.items()}
    if idle := [pair for pair, dates in traded.items() if dates.empty]:
        raise DataError(f"{choice.datadir}: {', '.join(idle)} never traded; leave such pairs out")
    newest = min(dates.max() for dates in traded.values())  # that all pairs have
    ends = {pair: dates[dates <= newest].tail(CLOSES) + length for pair, dates in traded.items()}
    every, counts = np.unique(np.concatenate(list(ends.values())), return_counts=True)
    closes = []
    for at, count in zip(every[-CLOSES:], counts[-CLOSES:].tolist(), strict=True):
        one = [_weight(*request) for request in EACH]
        for higher in HIGHER_TIMEFRAMES:
            hours = timeframe_hours(higher)
            if pd.Timedelta(hours=hours) > length and pd.Timestamp(at).value % int(hours * 3600e9) == 0:
                one.append(_weight("klines", {}))
        closes.append(tuple(one * count + [_weight(*request) for request in ONCE]))
    return CandleLoad(tuple(files), choice.timeframe, tuple(closes))


def candle_scenario(load: CandleLoad) -> Scenario:
    """A bot that makes these requests, beside one that is always behind."""
    return Scenario("candle closes beside a busy bot", 0.2, bots=(1.0 - SHARE, SHARE), closes=load.closes)


def _weight(name: str, query: dict[str, str]) -> int:
    return weight_of("GET", f"/api/v3/{name}", query)
