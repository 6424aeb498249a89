"""The next step of a ladder: buy a rung, sell one again, close a part, or nothing.

Decided on the close of the last closed candle alone, like the stops, so backtest and live agree. The order
fills at the next candle's open:

- nearer the stop than the rung: it loses less at the stop than planned (`LadderPlan.loss_at` falls that way);
- bounced back: it loses (1 − fee) × stop × (1/rung − 1/fill) more of its value long, (1 + fee) × stop ×
  (1/fill − 1/rung) short: about the bounce itself. `next_step` therefore takes the price on offer (`rate`),
  refuses a rung bounced past the level before it, and cuts the stake so that the trade's whole loss at its
  stop, from what is held, what it has realised and this order, stays within `LadderPlan.risk_money`.
  Filled at `rate`, the excess is zero; beyond it, it is the order's slippage × its value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from adaptive_pkg.enums import StopStage
from adaptive_pkg.risk.ladder_plan import LADDER_KEY, LadderPlan, plan_ladder, rebase
from adaptive_pkg.risk.ladder_state import RUNG_TAG, SCALE_OUT_TAG, SELL_TAG, FilledOrder, LadderState

__all__ = [
    "LADDER_KEY",
    "FilledOrder",
    "LadderPlan",
    "LadderState",
    "LadderStep",
    "StepKind",
    "next_step",
    "plan_ladder",
    "rebase",
]

_LEAST_PART = 0.5  # of a rung's stake: less is left to buy than is worth an order
_DUST_PART = 0.01  # of a rung's stake: what rounding to lots leaves behind after a sale
# A part is passed on as a fraction; without this a venue's rounding down would leave a whole lot behind.
_ROUND_UP = 1.0 + 1e-9


class StepKind(StrEnum):
    """What to do with the position."""

    HOLD = "hold"
    ADD = "add"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One decision. ADD has a stake, REDUCE a part, both a tag for the order; HOLD has only a reason."""

    kind: StepKind
    reason: str
    tag: str = ""
    stake: float = 0.0  # margin to add
    part: float = 0.0  # of the present amount to close, below 1
    unusable: bool = False  # held because a number that came in means nothing


def next_step(
    plan: LadderPlan,
    state: LadderState,
    *,
    close: float,
    stage: StopStage,
    may_add: bool,
    available: float,
    min_stake: float | None,
    amount: float,
    leverage: float = 1.0,
    rate: float | None = None,
    busy: str = "",
) -> LadderStep:
    """Decide once per closed candle. At most one order comes of it; closing goes before adding.

    Sells the deepest rung of a grid whose sell price is reached, else takes the nearest scale-out step that
    is reached, else buys the rung nearest the entry that is reached and not held. A refusal says why.

    Args:
        close: of the last closed candle. stage: of the stop; rungs are bought in INITIAL only.
        may_add: False forbids buying: the regime has changed, the portfolio has halted.
        available: free stake of the account, less what is reserved for other trades; may be infinite.
        min_stake: least stake of an order and of what remains; None: no such limit.
        amount: of the position at present, in base currency. leverage: of the position.
        rate: price on offer for an entry; None: as good as the close.
        busy: why nothing at all may be done now (an order is open, the exit is due); "": nothing is in the
            way.

    A number that is NaN, infinite or of the wrong sign gives HOLD.
    """
    if busy:
        return _hold(busy)
    bad = _unusable(close, available, min_stake, amount, leverage, rate)
    if bad:
        return LadderStep(StepKind.HOLD, bad, unusable=True)
    if state.entry_amount <= 0.0:
        return _hold("no entry has filled")
    if plan.sign * (close - plan.stop_price) <= 0.0:
        return _hold(f"close {close:.8g} is at or through the stop {plan.stop_price:.8g}")
    refusals: list[str] = []
    for want, tag, reason in _closings(plan, state, close):
        refused = _cannot_close(want, amount, close / leverage, min_stake)
        if not refused:
            return LadderStep(StepKind.REDUCE, reason, tag, part=want / amount * _ROUND_UP)
        refusals.append(f"{tag}: {refused}")
    number = _reached_rung(plan, state, close)
    if number is None:
        return _hold("; ".join(refusals) or "no rung and no step is reached")
    tag = f"{RUNG_TAG} {number}"
    if not may_add:
        refused = "adding is not allowed now"
    elif stage is not StopStage.INITIAL:
        refused = f"the stop is already {stage.value}"
    else:
        price = close if rate is None else rate
        stake, limit = _stake(plan, state, number, close, price, leverage)
        refused = limit if stake == 0.0 else _cannot_add(stake, available, min_stake)
        refused = _bounced(plan, number, price) or refused
        if not refused:
            reason = f"close {close:.8g} at or beyond rung {plan.rungs[number - 1]:.8g}"
            return LadderStep(StepKind.ADD, f"{reason}; {limit}" if limit else reason, tag, stake=stake)
    return _hold("; ".join([*refusals, f"{tag}: {refused}"]))


def _hold(reason: str) -> LadderStep:
    return LadderStep(StepKind.HOLD, reason)


def _unusable(
    close: float,
    available: float,
    min_stake: float | None,
    amount: float,
    leverage: float,
    rate: float | None,
) -> str:
    """What is wrong with these numbers; "" when nothing is."""
    for name, value in (("close", close), ("rate", close if rate is None else rate), ("amount", amount)):
        if not 0.0 < value < math.inf:
            return f"{name} {value!r} is not a finite number above 0"
    if not available >= 0.0:
        return f"available {available!r} is not a number of at least 0"
    if min_stake is not None and not 0.0 <= min_stake < math.inf:
        return f"min_stake {min_stake!r} is not a finite number of at least 0"
    if not 1.0 <= leverage < math.inf:
        return f"leverage {leverage!r} is not a finite number of at least 1"
    return ""


def _closings(plan: LadderPlan, state: LadderState, close: float) -> list[tuple[float, str, str]]:
    """(amount, tag, reason) of all that `close` would have closed: deepest rung first, then nearest step."""
    wanted = []
    if plan.grid:
        for number in range(len(plan.rungs), 0, -1):
            held = state.rung(number)
            if held.amount <= 0.0 or held.stake <= _DUST_PART * plan.rung_stake(number):
                continue
            price = plan.sell_price(number, held.price)
            if plan.sign * (close - price) >= 0.0:
                reason = f"close {close:.8g} at or beyond the rung's sell price {price:.8g}"
                wanted.append((held.amount, f"{SELL_TAG} {number}", reason))
    steps = zip(plan.scale_out_prices, plan.scale_out_shares, strict=True)
    for number, (price, share) in enumerate(steps, start=1):
        if number not in state.scaled_out and plan.sign * (close - price) >= 0.0:
            want = min(share * state.entry_amount, state.entry.amount)
            reason = f"close {close:.8g} at or beyond step {price:.8g}: {share:.0%} of the first entry"
            wanted.append((want, f"{SCALE_OUT_TAG} {number}", reason))
    return wanted


def _cannot_close(want: float, amount: float, stake_per_unit: float, min_stake: float | None) -> str:
    """Why `want` of `amount` cannot be closed alone; "" when it can."""
    left = amount - want * _ROUND_UP
    if not (want > 0.0 and left > 0.0):
        return f"closing {want:.8g} of {amount:.8g} would leave no position"
    if min_stake is not None and min(want, left) * stake_per_unit < min_stake:
        name = "the part closed" if want < left else "the part left"
        return f"{name} ({min(want, left) * stake_per_unit:.8g}) is below min_stake {min_stake:.8g}"
    return ""


def _reached_rung(plan: LadderPlan, state: LadderState, close: float) -> int | None:
    """The rung nearest the entry that `close` has reached and that is not held."""
    for number, price in enumerate(plan.rungs, start=1):
        if plan.sign * (close - price) > 0.0:
            return None
        if not plan.is_held(state, number):
            return number
    return None


def _bounced(plan: LadderPlan, number: int, price: float) -> str:
    """Why a fill at `price` would not be this rung any more; "" when it would."""
    if plan.sign * (price - plan.stop_price) <= 0.0:
        return f"price {price:.8g} is at or through the stop {plan.stop_price:.8g}"
    before = (plan.entry_price, *plan.rungs)[number - 1]
    if plan.sign * (price - before) > 0.0:
        return f"price {price:.8g} has bounced past the level before it, {before:.8g}"
    return ""


def _stake(
    plan: LadderPlan, state: LadderState, number: int, close: float, price: float, leverage: float
) -> tuple[float, str]:
    """(stake, what cut it) of an order for rung `number`; a stake of 0 means that too little is left.

    Usually the rung's planned stake. Less when a part of it is still held, or when earlier orders have cost
    more stake or risk than planned (slippage), so that the trade as a whole stays within both.
    """
    wanted = plan.rung_stake(number) - state.rung(number).stake
    if plan.planned_stake <= 0.0:
        return 0.0, "the ladder's stake is not known"
    worse = max(plan.sign * close, plan.sign * price) * plan.sign
    room = plan.risk_money(leverage) - _loss_at_stop(plan, state)
    stake, limit = wanted, ""
    for most, name in (
        (plan.planned_stake - state.stake, "the planned stake"),
        (room / (plan.loss_at(worse) * leverage), "the planned risk"),
    ):
        if stake > most:
            stake, limit = most, name
    if stake < _LEAST_PART * wanted:
        return 0.0, f"only {max(stake, 0.0):.8g} of {wanted:.8g} is left of {limit}"
    return stake, f"cut from {wanted:.8g} by {limit}" if stake < wanted * (1.0 - 1e-6) else ""


def _loss_at_stop(plan: LadderPlan, state: LadderState) -> float:
    """What the trade has lost already, and loses if all that is held is closed at the stop. Fees included.

    Realised gains do not count: they are not for being risked again.
    """
    realised = plan.sign * state.price_move - plan.fee * state.closed_value
    at_stop = 0.0
    for held in state.holdings:
        exit_value = held.amount * plan.stop_price
        at_stop += plan.sign * (held.value - exit_value) + plan.fee * (held.value + exit_value)
    return at_stop + max(0.0, -realised)


def _cannot_add(stake: float, available: float, min_stake: float | None) -> str:
    """Why this stake cannot be added; "" when it can."""
    if min_stake is not None and stake < min_stake:
        return f"stake {stake:.8g} is below min_stake {min_stake:.8g}"
    if available < stake:
        return f"stake {stake:.8g} is above the {available:.8g} available"
    return ""
