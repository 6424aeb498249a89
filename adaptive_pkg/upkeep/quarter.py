"""The quarter's backtests: what every one of them shares, and the run of the settings in force."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.cache import JobCache
from adaptive_pkg.evaluation.strategy.conditions import Conditions, read_conditions
from adaptive_pkg.evaluation.strategy.jobs import JobResult, StrategyJob
from adaptive_pkg.evaluation.strategy.runner import Runner
from adaptive_pkg.upkeep.inspection import Inspection

BURN_IN_DAYS = 60  # before the span: Kelly's ledger and the open trades as they would be on its first day
REVIEWED = 3  # quarters that the review goes back
TRAIN_DAYS = 365
GRACE = pd.Timedelta(days=2)  # by which candles may end before the span does


@dataclass(frozen=True)
class Quarter:
    """The last whole days, up to the candles' end.

    Args:
        out: folder in which finished backtests are kept; the same ones are not made again.
        forecast: with the config's FreqAI model, where it has one.
        start, end: [start, end), midnights. pairs: those with candles; without: the others.
    """

    seen: Inspection
    out: Path
    console: Console
    forecast: bool
    workers: int | None
    start: pd.Timestamp
    end: pd.Timestamp
    pairs: tuple[str, ...]
    without: tuple[str, ...]
    _kept: dict[str, JobResult] = field(default_factory=dict, repr=False)

    @cached_property
    def conditions(self) -> Conditions:
        """Raises DataError, SettingsError (perpetuals among them)."""
        config = deepcopy(dict(self.seen.config))
        if not self.forecast:
            config["freqai"] = {"enabled": False}
        return read_conditions(
            self.seen.datadir,
            config,
            self.pairs,
            shelf=self.out / "candles",
            user_data=self.seen.user_data,
        )

    @cached_property
    def runner(self) -> Runner:
        return Runner(self.conditions, JobCache(self.out / "jobs"), self.console, self.workers)

    def backtest(self) -> JobResult:
        """The settings in force, from `BURN_IN_DAYS` before the quarter on. Raises DataError."""
        if "full" not in self._kept:
            begins = self.start - pd.Timedelta(days=BURN_IN_DAYS)
            job = StrategyJob(self.pairs, begins, self.end)
            self._kept.update(self.runner.run({"full": job}, "backtest of the quarter"))
        return self._kept["full"]

    @property
    def trades(self) -> pd.DataFrame:
        """Trades of the backtest that were opened in the quarter."""
        trades = self.backtest().trades
        return trades[(trades["open_date"] >= self.start) & (trades["open_date"] < self.end)]


def quarter_of(
    seen: Inspection, out: Path, console: Console, *, forecast: bool = True, workers: int | None = None
) -> Quarter:
    """The quarter that ends with the last whole day before now that the candles reach.

    Raises:
        DataError: no candle folder, or no pair whose candles come near now.
    """
    candles, missing = seen.all_candles()
    last = {pair: frame["date"].iloc[-1] + seen.candle for pair, frame in candles.items()}
    fresh = {pair: at for pair, at in last.items() if at >= seen.now.floor("D") - GRACE}
    if not fresh:
        newest = max(last.values(), default=None)
        raise DataError(
            f"{seen.datadir}: no pair's candles reach {seen.now:%Y-%m-%d}"
            + (f" (the newest end {newest:%Y-%m-%d})" if newest is not None else "")
            + f"; freqtrade download-data --timeframes {seen.timeframe} 4h 1d"
        )
    end = min([seen.now.floor("D"), *(at.floor("D") for at in fresh.values())])
    start = end - pd.Timedelta(days=seen.period.days)
    listed = seen.config.get("exchange", {}).get("pair_whitelist") or list(fresh)
    pairs = tuple(pair for pair in dict.fromkeys(listed) if pair in fresh)
    without = tuple(pair for pair in dict.fromkeys([*listed, *missing]) if pair not in fresh)
    if not pairs:
        raise DataError(f"{seen.datadir}: none of {', '.join(listed)} has candles up to {end:%Y-%m-%d}")
    uses = forecast and bool(seen.config.get("freqai", {}).get("enabled"))
    return Quarter(seen, out, console, uses, workers, start, end, pairs, without)
