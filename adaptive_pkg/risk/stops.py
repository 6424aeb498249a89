"""The life of a stop: initial, then breakeven, then trailing. One pure step per closed candle.

Everything is measured on the **close** of candles that closed after the entry, never on highs, lows or the
current rate. A close is the same number in backtest and live, holds no part of the entry candle from before
the fill, and one bad print in a wick cannot move the stop.

Laws (tested): a stop never loosens; stages never go back; a moved stop stays `market_gap` short of the close
that moved it; `replay` equals repeated `advance`. A short on additively mirrored prices (2 × entry − price)
has the mirrored stop, but for breakeven: 2·fee/(1 − fee) of the entry away long, 2·fee/(1 + fee) short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adaptive_pkg.enums import StopStage
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.stop_plan import LONG, StopPlan, plan_stop

__all__ = [
    "StopPlan",
    "StopState",
    "advance",
    "fill_price",
    "initial_state",
    "is_passed",
    "plan_stop",
    "replay",
]


@dataclass(frozen=True, slots=True)
class StopState:
    """Where a stop is in its life."""

    stage: StopStage
    stop: float  # price
    best: float  # best close since the entry; the entry price before the first


def initial_state(plan: StopPlan) -> StopState:
    """The state right after the fill, before any candle has closed."""
    return StopState(StopStage.INITIAL, plan.initial_stop, plan.entry_price)


def advance(plan: StopPlan, state: StopState, close: float, atr: float) -> StopState:
    """Take one closed candle into account. Returns `state` itself when nothing changed.

    Best close ≥ breakeven_trigger away: stop to breakeven_stop. Best close ≥ trail_trigger away: stop to the
    best close less trail_atr × current ATR, at least breakeven (if breakeven is on). A NaN, zero or negative
    `atr` trails nothing: the last stop stays.

    Args:
        close: of the candle that has just closed. atr: at that candle, in price.

    Raises:
        RiskError: `close` is not a finite price. The caller keeps the last stop.
    """
    if not 0.0 < close < math.inf:
        raise RiskError(f"close: {close!r} is not a price; the last stop {state.stop:.8g} stays")
    sign = 1.0 if plan.side == LONG else -1.0  # in sign × price, better is always higher
    best = close if sign * close > sign * state.best else state.best
    move = sign * (best - plan.entry_price) / plan.entry_price
    stage = state.stage
    if stage is not StopStage.TRAILING:
        if plan.trailing and move >= plan.trail_trigger:
            stage = StopStage.TRAILING
        elif plan.breakeven and move >= plan.breakeven_trigger:
            stage = StopStage.BREAKEVEN
    if stage is StopStage.INITIAL:
        return state if best == state.best else StopState(stage, state.stop, best)
    wanted = sign * plan.breakeven_stop if plan.breakeven else -math.inf
    if stage is StopStage.TRAILING and 0.0 < atr < math.inf:
        wanted = max(wanted, sign * best - plan.trail_atr * atr)
    stop = sign * max(sign * state.stop, min(wanted, sign * close - plan.market_gap))
    if stop == state.stop and best == state.best and stage is state.stage:
        return state
    return StopState(stage, stop, best)


def replay(plan: StopPlan, closes: Sequence[float], atrs: Sequence[float]) -> StopState:
    """The state after all candles closed since the entry: exactly what repeated `advance` gives, vectorised.

    Args:
        closes, atrs: arrays of one length, oldest first, from the first candle that closed after the fill.

    Raises:
        RiskError: lengths differ, or a close is not a finite price.
    """
    close = np.asarray(closes, dtype=float)
    atr = np.asarray(atrs, dtype=float)
    if close.ndim != 1 or close.shape != atr.shape:
        raise RiskError(f"replay: closes {close.shape} and atrs {atr.shape} must be two rows of one length")
    state = initial_state(plan)
    if close.size == 0:
        return state
    sound = (close > 0.0) & (close < math.inf)
    if not sound.all():
        at = int(np.argmin(sound))
        raise RiskError(f"replay: close {close[at]!r} of candle {at} is not a price; keep the last stop")
    sign = 1.0 if plan.side == LONG else -1.0
    best = np.maximum(np.maximum.accumulate(sign * close), sign * plan.entry_price)
    move = (best - sign * plan.entry_price) / plan.entry_price  # never falls: nor do the stages
    trailing = (move >= plan.trail_trigger) & plan.trailing
    even = ((move >= plan.breakeven_trigger) & plan.breakeven) | trailing
    wanted = np.where(even & plan.breakeven, sign * plan.breakeven_stop, -math.inf)
    trails = trailing & (atr > 0.0) & (atr < math.inf)
    trail = np.where(trails, best - plan.trail_atr * np.where(trails, atr, 0.0), -math.inf)
    moved = np.minimum(np.maximum(wanted, trail), sign * close - plan.market_gap)
    stop = max(sign * plan.initial_stop, float(moved.max()))
    stage = StopStage.TRAILING if trailing[-1] else StopStage.BREAKEVEN if even[-1] else StopStage.INITIAL
    return StopState(stage, sign * stop, float(sign * best[-1]))


def is_passed(plan: StopPlan, state: StopState, price: float) -> bool:
    """Whether `price` is at or beyond the stop: too late to place it, so exit at once. NaN never is."""
    return price <= state.stop if plan.side == LONG else price >= state.stop


def fill_price(plan: StopPlan, state: StopState, open_: float, high: float, low: float) -> float | None:
    """Price at which a stop resting since before the candle fills in it, before slippage; None: untouched.

    A candle that opens beyond the stop fills at its open: a gap is never filled at the stop.
    """
    if plan.side == LONG:
        return min(open_, state.stop) if low <= state.stop else None
    return max(open_, state.stop) if high >= state.stop else None
