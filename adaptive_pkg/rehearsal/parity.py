"""Parity: the trades of a live bot against those of a backtest of the same candles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_pkg.rehearsal.busy import merged
from adaptive_pkg.rehearsal.fast_time import RehearsalError
from adaptive_pkg.rehearsal.live_bot import CONFIGS
from adaptive_pkg.rehearsal.played import LIVE_ONLY_OFF, LOOPS_PER_CANDLE, play_both
from adaptive_pkg.rehearsal.trade_views import TradeView
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.replay import AS_BACKTESTED

# Parts of a candle's time in which the price runs from one extreme to the other: see AS_BACKTESTED.
SHORTEST_LEG = AS_BACKTESTED.path.second[0] - AS_BACKTESTED.path.first[1]


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may be apart.

    Attributes:
        loops: of an exit's price, in what the price moves between two loops of the bot when it runs from
            the candle's one extreme to the other. A backtest leaves at the stop or target itself; a live bot
            sees the price once a loop and leaves at what it sees. Two: seen late by up to one, and one more
            where the order waits for the next loop. Entries have no such leave: both are at the open.
        price: of any order's price, as a part: the venue's price steps.
        stake: of an order's value, as a part, beyond what earlier exits explain.
        throttle: parts by which a stake moves for each part of equity that earlier exits have made different.
            The drawdown throttle takes 4.25 times a loss off the size (`kelly.drawdown_floor` at
            `drawdown_full`), from the first loss on, and the stake is of that equity: 1 + 4.25 / 0.85 within
            a drawdown of 3.5 %.
    """

    loops: float = 2.0
    price: float = 1e-4
    stake: float = 0.01
    throttle: float = 6.0


@dataclass(frozen=True)
class Difference:
    """One thing that is not equal. `of`: pair and candle of the entry."""

    of: str
    field: str
    live: str
    backtest: str


@dataclass(frozen=True)
class ParityReport:
    """What a live bot and a backtest did with the same candles.

    Attributes:
        analysed: candles that the bot analysed, all pairs together; due: that it should have.
        live, backtest: number of trades; open_at_end: of the live ones, not closed when the span ended.
        differences: everything beyond the tolerance, unmatched trades among it.
        worst_price, worst_stake: largest relative differences of matched orders.
        worst_loops: largest difference of prices in `Tolerance.loops`.
        real_seconds: how long the live run took.
    """

    mode: str
    timeframe: str
    pairs: tuple[str, ...]
    start: datetime
    candles: int
    due: int
    analysed: int
    live: int
    backtest: int
    open_at_end: int
    orders: int
    differences: tuple[Difference, ...]
    worst_price: float
    worst_stake: float
    worst_loops: float
    violations: int
    errors: int
    real_seconds: float

    @property
    def holds(self) -> bool:
        """No candle skipped, no difference."""
        return not self.differences and self.analysed == self.due

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "start": self.start.isoformat(), "holds": self.holds}

    def table(self) -> str:
        """For people."""
        rows = [
            f"{self.mode}: {self.candles} candles of {self.timeframe} from {self.start:%F %H:%M}, "
            f"{', '.join(self.pairs)}: {self.analysed} of {self.due} analysed in "
            f"{self.real_seconds:.0f} s ({self.candles / max(self.real_seconds, 1e-9):.1f} candles a second)",
            f"trades: {self.live} live ({self.open_at_end} open at the end), {self.backtest} backtested, "
            f"{self.orders} orders; prices apart by {self.worst_price:.3%} at most ({self.worst_loops:.2f} "
            f"loops' worth), stakes by {self.worst_stake:.3%}; limits broken: {self.violations}, "
            f"errors logged: {self.errors}",
        ]
        rows += [f"  {d.of}: {d.field}: live {d.live}, backtest {d.backtest}" for d in self.differences]
        return "\n".join([*rows, "parity holds" if self.holds else "PARITY DOES NOT HOLD"])


def run_parity(
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
    tolerance: Tolerance | None = None,
    as_backtested: bool = True,
    project: Path = Path(),
    real_seconds: float = 3600.0,
) -> ParityReport:
    """Let a bot trade `candles` candles from `start` on, backtest the same, and compare.

    Args:
        as_backtested: the venue moves prices as a backtest imagines them (`simulator.replay.AS_BACKTESTED`);
            off: with a spread, and from the open straight to an extreme. No parity is to be expected then,
            but what the backtest's picture of a market costs is seen.

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
        config_extra=merged(LIVE_ONLY_OFF, dict(config_extra or {})),
        as_backtested=as_backtested,
        project=project,
        real_seconds=real_seconds,
    )
    steps = loop_steps(CandleStore(Path(datadir)), pairs, timeframe, played.start, played.end)
    differences, *worst = compare(
        played.live, played.backtest, steps, tolerance or Tolerance(), played.wallet
    )
    return ParityReport(
        ("live" if live else "dry run") + ("" if as_backtested else " with a spread"),
        timeframe,
        tuple(pairs),
        played.start,
        candles,
        candles * len(pairs),
        played.analysed,
        len(played.live),
        len(played.backtest),
        sum(view.closed is None for view in played.live),
        sum(len(view.orders) for view in played.live),
        tuple(differences),
        *worst,
        played.violations,
        played.errors,
        played.real_seconds,
    )


def loop_steps(
    store: CandleStore, pairs: Sequence[str], timeframe: str, start: datetime, end: datetime
) -> dict[tuple[str, datetime], float]:
    """What the price moves in one loop of the bot, by pair and opening time of the candle."""
    found = {}
    for pair in pairs:
        frame = store.load(pair, timeframe, pd.Timestamp(start), pd.Timestamp(end))
        steps = (frame["high"] - frame["low"]) / (SHORTEST_LEG * LOOPS_PER_CANDLE)
        found |= {
            (pair, date.to_pydatetime()): float(step) for date, step in zip(frame["date"], steps, strict=True)
        }
    return found


def compare(
    live: Sequence[TradeView],
    backtest: Sequence[TradeView],
    steps: Mapping[tuple[str, datetime], float],
    tolerance: Tolerance,
    wallet: float = 10_000.0,
) -> tuple[list[Difference], float, float, float]:
    """Everything in which they differ; the largest differences of prices, stakes, and prices in loops.

    Args:
        wallet: equity at the start.
    """
    ours = {(view.opened, view.pair): view for view in live}
    theirs = {(view.opened, view.pair): view for view in backtest}
    if len(ours) != len(live) or len(theirs) != len(backtest):
        raise RehearsalError("a pair was entered twice in one candle; trades cannot be told apart by candle")
    found, worst_price, worst_stake, worst_loops = [], 0.0, 0.0, 0.0
    for key in sorted(ours.keys() | theirs.keys()):
        of = f"{key[1]} {key[0]:%F %H:%M}"
        a, b = ours.get(key), theirs.get(key)
        if a is None or b is None:
            found.append(Difference(of, "trade", _words(a), _words(b)))
            continue
        for field in ("enter_tag", "closed", "exit_reason"):
            if getattr(a, field) != getattr(b, field):
                found.append(Difference(of, field, str(getattr(a, field)), str(getattr(b, field))))
        if [(o.candle, o.side) for o in a.orders] != [(o.candle, o.side) for o in b.orders]:
            found.append(Difference(of, "orders", _orders(a), _orders(b)))
            continue
        gap = abs(_earned(live, key[0]) - _earned(backtest, key[0])) / wallet
        for number, (x, y) in enumerate(zip(a.orders, b.orders, strict=True), 1):
            price, stake = abs(x.price / y.price - 1), abs(x.value / y.value - 1)
            loops = abs(x.price - y.price) / max(steps.get((key[1], y.candle), 0.0), 1e-12)
            worst_price, worst_stake = max(worst_price, price), max(worst_stake, stake)
            if price > tolerance.price:
                worst_loops = max(worst_loops, loops)
            leaves = y.side != b.orders[0].side
            if price > tolerance.price and (loops > tolerance.loops or not leaves):
                found.append(Difference(of, f"price of order {number}", f"{x.price:g}", f"{y.price:g}"))
            if stake > tolerance.stake + tolerance.throttle * gap:
                found.append(Difference(of, f"value of order {number}", f"{x.value:.2f}", f"{y.value:.2f}"))
    return found, worst_price, worst_stake, worst_loops


def _earned(views: Sequence[TradeView], by: datetime) -> float:
    """What the trades closed by then have brought in, before fees."""
    closed = (view for view in views if view.closed is not None and view.closed <= by)
    return sum(
        order.value if order.side == "sell" else -order.value for view in closed for order in view.orders
    )


def _words(view: TradeView | None) -> str:
    if view is None:
        return "none"
    return f"{view.enter_tag} until {view.closed and f'{view.closed:%F %H:%M}'} ({view.exit_reason})"


def _orders(view: TradeView) -> str:
    return ", ".join(f"{order.side} {order.candle:%d %H:%M} {order.tag}" for order in view.orders)
