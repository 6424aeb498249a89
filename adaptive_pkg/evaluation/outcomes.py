"""What each candidate entry would have become, walked through the candles as the strategy trades it.

Enter at the open after the signal; the stop plan and its life are `risk.stops`; leave at the open after an
exit signal. Candles hide the order of their high and low, so within one the stop is met before the target,
and a target never fills better than its own price.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from adaptive_pkg.errors import RiskError
from adaptive_pkg.evaluation.entries import Entries, Path
from adaptive_pkg.risk.stops import StopPlan, advance, fill_price, initial_state

COOLDOWN_CANDLES = 2  # a pair's rest after a trade, as the strategy's protections have it


class Exit(StrEnum):
    """Why a trade ended. The order is that of `Outcomes.reason`."""

    STOP = "stop"
    TARGET = "target"
    SIGNAL = "signal"
    UNFINISHED = "unfinished"  # the candles ended first: valued at the last close


_STOP, _TARGET, _SIGNAL, _UNFINISHED = range(len(Exit))


@dataclass(frozen=True)
class Outcomes:
    """What entries became. All arrays (m,); fractions are of the entry price, after fees where said.

    entered_at, exit_at: candle indices. reason: index into `list(Exit)`. profit: fraction, after both fees.
    r: profit over the plan's `loss_fraction`. mae, mfe: worst and best excursion, fractions ≥ 0, no worse
    than the fill; the candle of a stop adds nothing to mfe. stop_fraction: initial stop distance.
    """

    entered_at: np.ndarray
    exit_at: np.ndarray
    reason: np.ndarray
    entry_price: np.ndarray
    exit_price: np.ndarray
    profit: np.ndarray
    r: np.ndarray
    mae: np.ndarray
    mfe: np.ndarray
    stop_fraction: np.ndarray

    def __len__(self) -> int:
        return len(self.r)

    @property
    def finished(self) -> np.ndarray:
        return self.reason != _UNFINISHED

    @property
    def stopped(self) -> np.ndarray:
        return self.reason == _STOP

    @property
    def holding_candles(self) -> np.ndarray:
        """Candles begun after the entry's own; 0: left within the candle of the entry."""
        return self.exit_at - self.entered_at

    def only(self, mask: np.ndarray) -> Outcomes:
        """The outcomes where `mask` holds."""
        return Outcomes(**{name: values[mask] for name, values in vars(self).items()})


def walk_entries(path: Path, entries: Entries, plans: list[StopPlan]) -> Outcomes:
    """Follow every entry to its end. One plan per entry; entries do not see each other.

    Raises:
        RiskError: numbers of plans and entries differ, or a candle without a price.
    """
    if len(plans) != len(entries):
        raise RiskError(f"{len(plans)} plans for {len(entries)} entries; pass one plan per entry")
    count, n = len(entries), len(path)
    entered = entries.row + 1
    ends = np.where(
        entries.side > 0, _next_true(path.exit_long)[entered], _next_true(path.exit_short)[entered]
    )
    ends = np.minimum(ends + 1, n)  # the candle at whose open a signal closes the trade; n: there is none
    exit_at = np.empty(count, dtype=np.int64)
    exit_price, reason = np.empty(count), np.empty(count, dtype=np.int8)
    candles = tuple(column.tolist() for column in (path.open, path.high, path.low, path.close, path.atr))
    for i, (plan, start, end) in enumerate(zip(plans, entered.tolist(), ends.tolist(), strict=True)):
        if plan.breakeven or plan.trailing:
            found = _moving_stop(plan, candles, start, end)
        else:
            found = _still_stop(plan, path, start, end)
        if found is None and end < n:
            found = end, float(path.open[end]), _SIGNAL
        elif found is None:
            found = n - 1, float(path.close[-1]), _UNFINISHED
        exit_at[i], exit_price[i], reason[i] = found
    return _measured(path, entries, plans, exit_at, exit_price, reason)


def one_at_a_time(outcomes: Outcomes, cooldown: int = COOLDOWN_CANDLES) -> np.ndarray:
    """Bool (m,): which entries one pair can take when it holds one trade at a time and rests after each.

    Entries must be in order of time.
    """
    free = np.zeros(len(outcomes), dtype=bool)
    ready = -1
    for i, (start, end) in enumerate(
        zip(outcomes.entered_at.tolist(), outcomes.exit_at.tolist(), strict=True)
    ):
        if start >= ready:
            free[i] = True
            ready = end + cooldown
    return free


def _moving_stop(plan: StopPlan, candles: tuple, start: int, end: int) -> tuple[int, float, int] | None:
    opens, highs, lows, closes, atrs = candles
    long = plan.side == "long"
    state = initial_state(plan)
    for at in range(start, end):
        price = fill_price(plan, state, opens[at], highs[at], lows[at])
        if price is not None:
            return at, price, _STOP
        if plan.target_reached(highs[at] if long else lows[at]):
            return at, plan.target_price, _TARGET
        state = advance(plan, state, closes[at], atrs[at])
    return None


def _still_stop(plan: StopPlan, path: Path, start: int, end: int) -> tuple[int, float, int] | None:
    """The same for a stop that never moves, without a step per candle."""
    low, high, stop = path.low[start:end], path.high[start:end], plan.initial_stop
    long = plan.side == "long"
    at_stop = _first(low <= stop if long else high >= stop)
    reached = high >= plan.target_price if long else low <= plan.target_price
    at_target = _first(reached) if plan.target else len(low)
    if at_stop == at_target == len(low):
        return None
    if at_target < at_stop:
        return start + at_target, plan.target_price, _TARGET
    at = start + at_stop
    price = fill_price(plan, initial_state(plan), *(float(x[at]) for x in (path.open, path.high, path.low)))
    return at, price, _STOP


def _measured(
    path: Path,
    entries: Entries,
    plans: list[StopPlan],
    exit_at: np.ndarray,
    exit_price: np.ndarray,
    reason: np.ndarray,
) -> Outcomes:
    count = len(plans)
    entry = np.array([plan.entry_price for plan in plans], dtype=float)
    fee = np.array([plan.fee for plan in plans], dtype=float)
    risk = np.array([plan.loss_fraction for plan in plans], dtype=float)
    entered, side = entries.row + 1, entries.side.astype(float)
    ratio = exit_price / entry
    profit = side * (ratio - 1.0) - fee * (1.0 + ratio)
    worst, best = np.minimum(side * exit_price, side * entry), np.maximum(side * exit_price, side * entry)
    for i in range(count):
        start, end = entered[i], exit_at[i]
        # what surely lay before the exit: whole candles; for a target also the low of its candle
        below = end + (reason[i] in (_TARGET, _UNFINISHED))
        above = end + (reason[i] == _UNFINISHED)
        long = side[i] > 0
        if below > start:
            worst[i] = min(worst[i], path.low[start:below].min() if long else -path.high[start:below].max())
        if above > start:
            best[i] = max(best[i], path.high[start:above].max() if long else -path.low[start:above].min())
    return Outcomes(
        entered_at=entered,
        exit_at=exit_at,
        reason=reason,
        entry_price=entry,
        exit_price=exit_price,
        profit=profit,
        r=profit / risk,
        mae=(side * entry - worst) / entry,
        mfe=(best - side * entry) / entry,
        stop_fraction=np.array([plan.stop_fraction for plan in plans], dtype=float),
    )


def _next_true(flags: np.ndarray) -> np.ndarray:
    """Index of the first True at or after each position; the length where there is none."""
    n = len(flags)
    position = np.where(flags, np.arange(n), n)
    return np.minimum.accumulate(position[::-1])[::-1]


def _first(flags: np.ndarray) -> int:
    """Index of the first True; the length where there is none."""
    at = int(flags.argmax()) if flags.size else 0
    return at if flags.size and flags[at] else len(flags)
