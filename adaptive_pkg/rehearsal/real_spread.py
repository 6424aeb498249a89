"""What a backtest does not see: a spread, a path of prices inside the candle, and the gate before an entry.

The same candles live, with the venue's order book and the market gate on, and backtested. No parity is to be
expected: the differences are the result.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.rehearsal.busy import merged
from adaptive_pkg.rehearsal.live_bot import CONFIGS
from adaptive_pkg.rehearsal.played import Played, play_both
from adaptive_pkg.rehearsal.records import LogLine
from adaptive_pkg.rehearsal.trade_views import OrderView, TradeView, candle_of

GATE_ON = {"adaptive": {"components": {"market_gate": True}}}
LONGEST_LEAP_SECONDS = 10.0  # the stream's patience is greater
_REFUSED = re.compile(r"^(\S+): (?:long|short) entry \(.*?\) refused: market: (.+)$", re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Spread:
    """How much worse prices were than the backtest's, in percent of them: above 0 costs money.

    `error`: half the 95 % interval of the mean, orders taken as independent; NaN for fewer than two.
    """

    orders: int
    mean: float
    error: float
    best: float
    worst: float

    @classmethod
    def of(cls, percents: Sequence[float]) -> Spread:
        if not percents:
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        error = 1.96 * stdev(percents) / math.sqrt(len(percents)) if len(percents) > 1 else math.nan
        return cls(len(percents), fmean(percents), error, min(percents), max(percents))

    def row(self, name: str) -> str:
        if not self.orders:
            return f"{name:<28}{0:>7}"
        return (
            f"{name:<28}{self.orders:>7}{self.mean:>+10.4f} ± {self.error:.4f}"
            f"{self.best:>+10.4f}{self.worst:>+10.4f}"
        )


@dataclass(frozen=True)
class RealSpreadReport:
    """A live bot with a real order book beside a backtest of the same candles.

    Attributes:
        matched: trades of both, by pair and candle of the entry. only_live, only_backtest: of one.
        refused: entries that the market gate refused and that were not made later in their candle either, by
            its first reason without the numbers; one for each pair and candle. delayed: those made later.
        refused_of_backtest: of the backtest's own trades, how many the gate refused.
        entries, exits: prices of the matched trades' first and last orders.
        other_exits: matched trades that closed in another candle or for another reason.
        value_live, value_backtest: what all closed matched trades earned, in stake currency, before fees.
    """

    mode: str
    timeframe: str
    pairs: tuple[str, ...]
    start: datetime
    candles: int
    live: int
    backtest: int
    matched: int
    only_live: int
    only_backtest: int
    refused: Mapping[str, int]
    delayed: int
    refused_of_backtest: int
    entries: Spread
    exits: Spread
    other_exits: int
    value_live: float
    value_backtest: float
    violations: int
    errors: int
    real_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "start": self.start.isoformat()}

    def table(self) -> str:
        """For people."""
        rows = [
            f"{self.mode} with the venue's order book: {self.candles} candles of {self.timeframe} from "
            f"{self.start:%F %H:%M}, {', '.join(self.pairs)}, in {self.real_seconds:.0f} s",
            f"trades: {self.live} live, {self.backtest} backtested; {self.matched} entered in the same "
            f"candle, {self.only_live} only live, {self.only_backtest} only backtested (of these the market "
            f"gate refused {self.refused_of_backtest})",
            f"entries refused by the market gate: {sum(self.refused.values())}, and {self.delayed} that went "
            "on later in the same candle",
            *(f"  {count} × {reason}" for reason, count in self.refused.items()),
            f"{'price worse, % of backtest':<28}{'orders':>7}{'mean (95 %)':>19}{'best':>10}{'worst':>10}",
            self.entries.row("  entries"),
            self.exits.row("  exits, same candle, reason"),
            f"exits in another candle or for another reason: {self.other_exits} of {self.matched}",
            f"closed in both, before fees: {self.value_live:+.2f} live, {self.value_backtest:+.2f} backtest",
            f"limits broken: {self.violations}, errors logged: {self.errors}",
        ]
        return "\n".join(rows)


def run_real_spread(
    folder: Path,
    datadir: Path,
    start: datetime,
    candles: int,
    pairs: Sequence[str],
    timeframe: str = "1h",
    *,
    live: bool = False,
    config: Iterable[str | Path] = CONFIGS,
    config_extra: Mapping[str, Any] | None = None,
    project: Path = Path(),
    real_seconds: float = 3600.0,
) -> RealSpreadReport:
    """Let a bot trade with spread and gate, backtest the same, and set them side by side.

    Raises:
        RehearsalError: one of them fails, or the bot takes longer than `real_seconds`.
    """
    played = play_both(
        folder,
        datadir,
        start,
        candles,
        pairs,
        timeframe,
        live=live,
        config=config,
        config_extra=merged(GATE_ON, dict(config_extra or {})),
        as_backtested=False,
        project=project,
        real_seconds=real_seconds,
        longest_leap=LONGEST_LEAP_SECONDS,
    )
    return set_side_by_side(played, "live" if live else "dry run", candles, pairs, timeframe)


def set_side_by_side(
    played: Played, mode: str, candles: int, pairs: Sequence[str], timeframe: str
) -> RealSpreadReport:
    """The differences of what was played."""
    length = timedelta(hours=timeframe_hours(timeframe))
    ours = {(view.pair, view.opened): view for view in played.live}
    theirs = {(view.pair, view.opened): view for view in played.backtest}
    both = [(ours[key], theirs[key]) for key in sorted(ours.keys() & theirs.keys())]
    closed = [(a, b) for a, b in both if a.closed is not None and b.closed is not None]
    same = [(a, b) for a, b in closed if (a.closed, a.exit_reason) == (b.closed, b.exit_reason)]
    refusals = gate_refusals(played.log, length)
    return RealSpreadReport(
        mode,
        timeframe,
        tuple(pairs),
        played.start,
        candles,
        len(ours),
        len(theirs),
        len(both),
        len(ours.keys() - theirs.keys()),
        len(theirs.keys() - ours.keys()),
        dict(Counter(reason for key, reason in refusals.items() if key not in ours).most_common()),
        len(refusals.keys() & ours.keys()),
        len((theirs.keys() - ours.keys()) & refusals.keys()),
        Spread.of(_worse(both, lambda view: view.orders[0])),
        Spread.of(_worse(same, lambda view: view.orders[-1])),
        sum((a.closed, a.exit_reason) != (b.closed, b.exit_reason) for a, b in both),
        sum(_earned(a) for a, _ in closed),
        sum(_earned(b) for _, b in closed),
        played.violations,
        played.errors,
        played.real_seconds,
    )


def gate_refusals(log: Iterable[LogLine], length: timedelta) -> dict[tuple[str, datetime], str]:
    """(pair, candle) → why the market gate refused an entry there first, numbers as #."""
    found: dict[tuple[str, datetime], str] = {}
    for line in log:
        if match := _REFUSED.match(line.message):
            found.setdefault((match[1], candle_of(line.at, length)), _NUMBER.sub("#", match[2]))
    return found


def _worse(
    both: Iterable[tuple[TradeView, TradeView]], order_of: Callable[[TradeView], OrderView]
) -> list[float]:
    """By how many percent the live order's price is worse."""
    found = []
    for a, b in both:
        ours, theirs = order_of(a), order_of(b)
        sign = 1 if theirs.side == "buy" else -1
        found.append(100 * sign * (ours.price / theirs.price - 1))
    return found


def _earned(view: TradeView) -> float:
    """What a closed trade's orders left over."""
    return sum(order.value if order.side == "sell" else -order.value for order in view.orders)
