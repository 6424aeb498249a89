"""What caused a drawdown: the trades that were closed on the way down, by pair, regime and exit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from adaptive_pkg.evaluation.strategy.attribution import KEYS
from adaptive_pkg.evaluation.strategy.performance import Episode
from adaptive_pkg.evaluation.strategy.trading import checked_trades

MOST = 3  # causes named of each kind


@dataclass(frozen=True)
class Cause:
    """A drawdown and the trades closed from its peak to its lowest day. Amounts are of the stake currency.

    pairs, regimes, exits: (name, profit), the most costly first. worst: (pair, day of closing, profit) of the
    single most costly trade. market: change of the market over it, NaN where it is not given.
    """

    episode: Episode
    trades: int
    losing: int
    profit_abs: float
    pairs: tuple[tuple[str, float], ...]
    regimes: tuple[tuple[str, float], ...]
    exits: tuple[tuple[str, float], ...]
    worst: tuple[str, str, float] | None
    market: float

    @property
    def answer(self) -> str:
        """One plain sentence."""
        span = f"{self.episode.start:%Y-%m-%d} to {self.episode.trough:%Y-%m-%d}"
        start = f"{self.episode.depth:.1%} down, {span}"
        if not self.trades:
            return f"{start}: no trade was closed in it; the loss is that of open ones."
        market = f" (market {self.market:+.0%})" if self.market == self.market else ""
        told = [f"{self.losing} of {self.trades} trades lost"]
        for what, sums in (("", self.pairs), ("by exit ", self.exits)):
            costly = ", ".join(f"{name} {amount:+.0f}" for name, amount in sums if amount < 0)
            told += [f"{what}{costly}"] if costly else []
        return f"{start}{market}: {'; '.join(told)}."


def drawdown_causes(
    episodes: Sequence[Episode], trades: pd.DataFrame, market: pd.Series | None = None
) -> list[Cause]:
    """Attribute each drawdown.

    Args:
        market: daily returns of the market, by UTC day.

    Raises:
        DataError: unusable trades.
    """
    found = checked_trades(trades)
    return [_cause(episode, found, market) for episode in episodes]


def _cause(episode: Episode, trades: pd.DataFrame, market: pd.Series | None) -> Cause:
    one_day = pd.Timedelta(days=1)
    first, after = episode.start + one_day, episode.trough + one_day  # the peak is the end of its day
    here = trades[(trades["close_date"] >= first) & (trades["close_date"] < after)]
    worst = None
    if len(here):
        row = here.loc[here["profit_abs"].idxmin()]
        worst = str(row["pair"]), row["close_date"].date().isoformat(), float(row["profit_abs"])
    change = float("nan")
    if market is not None:
        days = market[(market.index >= first) & (market.index < after)]
        change = float((1.0 + days).prod() - 1.0) if len(days) else change
    return Cause(
        episode=episode,
        trades=len(here),
        losing=int((here["profit_abs"] < 0).sum()),
        profit_abs=float(here["profit_abs"].sum()),
        pairs=_most_costly(here, "pair"),
        regimes=_most_costly(here, "regime"),
        exits=_most_costly(here, "exit reason"),
        worst=worst,
        market=change,
    )


def _most_costly(trades: pd.DataFrame, by: str) -> tuple[tuple[str, float], ...]:
    if not len(trades):
        return ()
    sums = trades["profit_abs"].groupby(KEYS[by](trades)).sum().sort_values()
    return tuple((str(name), float(amount)) for name, amount in sums.iloc[:MOST].items())
