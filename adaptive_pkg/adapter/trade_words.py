"""An open trade's plan in words: what its stop would cost, when it moves, and what else is to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adaptive_pkg.adapter.open_trade import OpenTrade
from adaptive_pkg.enums import StopStage
from adaptive_pkg.policy.decision import TAG_SEPARATOR, regime_of_tag
from adaptive_pkg.risk.ladder_plan import LadderPlan
from adaptive_pkg.risk.ladder_state import LadderState
from adaptive_pkg.risk.stop_plan import StopPlan
from adaptive_pkg.risk.stops import StopState

# Where a trade's custom data holds the words. A single one, so that `/list_custom_data 1 plan` finds it; no
# "_" or "%": freqtrade looks keys up with SQL wildcards.
WORDS_KEY = "plan"
CENT = 0.005  # less is not worth a word


def price(value: float) -> str:
    """A price or an amount as a person reads it."""
    return f"{value:.8g}"


def quote_of(pair: str) -> str:
    """The currency a pair is priced in."""
    return pair.partition("/")[2].partition(":")[0]


def stop_in_force(trade: OpenTrade, state: StopState) -> float:
    """The nearer of the plan's stop and the one freqtrade holds, which never loosens."""
    stops = [state.stop, *([trade.stop_loss] if trade.stop_loss else [])]
    return min(stops) if trade.is_short else max(stops)


def result_at(trade: OpenTrade, plan: StopPlan, stop: float) -> tuple[float, float]:
    """What closing all that is held at `stop` brings, both fees taken off: (money, part of what it cost)."""
    sign = -1.0 if trade.is_short else 1.0
    cost, proceeds = trade.amount * trade.open_rate, trade.amount * stop
    money = sign * (proceeds - cost) - plan.fee * (proceeds + cost)
    return money, money / cost if cost else 0.0


def outcome(trade: OpenTrade, plan: StopPlan, stop: float) -> str:
    """What the stop would cost, or keep, in a few words: "loses 66.06 USDT (2.20 %) after fees"."""
    money, part = result_at(trade, plan, stop)
    if abs(money) < CENT:
        return "ends even after fees"
    verb = "loses" if money < 0.0 else "keeps"
    return f"{verb} {abs(money):.2f} {quote_of(trade.pair)} ({100.0 * abs(part):.2f} %) after fees"


def next_move(plan: StopPlan, state: StopState) -> str:
    """When the stop moves next. Only closed candles move it."""
    sign = 1.0 if plan.side == "long" else -1.0
    at = {
        name: price(plan.entry_price * (1.0 + sign * trigger))
        for name, trigger in (("breakeven", plan.breakeven_trigger), ("trail", plan.trail_trigger))
    }
    beyond = "or above" if plan.side == "long" else "or below"
    trails = f"trails {plan.trail_atr:g} ATR behind the best close"
    if state.stage is StopStage.TRAILING:
        return f"it {trails} ({price(state.best)} so far) and never goes back"
    moves = []
    if plan.breakeven and state.stage is StopStage.INITIAL:
        moves.append(f"to {price(plan.breakeven_stop)} (breakeven) once a candle closes at {at['breakeven']}")
    if plan.trailing:
        moves.append(f"{trails} once one closes at {at['trail']}")
    return f"{', '.join(moves)} {beyond}" if moves else "it stays where it is"


def plan_in_words(
    trade: OpenTrade,
    plan: StopPlan,
    state: StopState,
    ladder: LadderPlan | None,
    filled: LadderState,
    entry: Mapping[str, Any] | None,
) -> str:
    """A trade's plan, a line a subject.

    Args:
        filled: what the ladder has bought and sold so far.
        entry: the stored explanation of its entry (`EntryExplanation.to_dict`); None where there is none.
    """
    base = trade.pair.partition("/")[0]
    leverage = f", leverage {trade.leverage:g}" if (trade.leverage or 1.0) != 1.0 else ""
    stop = stop_in_force(trade, state)
    lines = [
        f"{plan.side} from {price(trade.open_rate)}: {price(trade.amount)} {base} for "
        f"{trade.stake_amount:.2f} {quote_of(trade.pair)}{leverage}",
        f"stop {price(stop)} ({state.stage}): {outcome(trade, plan, stop)}",
        f"next move of the stop: {next_move(plan, state)}",
        f"target {price(plan.target_price)}" if plan.target else "no target",
        *_ladder(ladder, filled, state),
        _entry(trade.enter_tag, entry),
    ]
    return "\n".join(lines).replace("`", "'")  # Telegram shows it between backticks


def _ladder(ladder: LadderPlan | None, filled: LadderState, state: StopState) -> Iterator[str]:
    if ladder is None or not (ladder.rungs or ladder.scale_out_prices):
        yield "no further orders"
        return
    if ladder.rungs:
        waits = "waiting" if state.stage is StopStage.INITIAL else "no more, for the stop has moved"
        rungs = ", ".join(
            f"{price(rung)} ({'held' if ladder.is_held(filled, number) else waits})"
            for number, rung in enumerate(ladder.rungs, 1)
        )
        yield f"rungs: {rungs}{'; each is sold again one step on' if ladder.grid else ''}"
    if ladder.scale_out_prices:
        parts = ", ".join(
            f"{share:.0%} at {price(at)}{' (done)' if number in filled.scaled_out else ''}"
            for number, (at, share) in enumerate(
                zip(ladder.scale_out_prices, ladder.scale_out_shares, strict=True), 1
            )
        )
        yield f"closes on the way: {parts}"


def _entry(tag: str | None, entry: Mapping[str, Any] | None) -> str:
    regime = regime_of_tag(tag)
    if regime is None:
        return f"entered by hand ({tag or 'no tag'}): no rule has asked for it"
    words = f"entered in {regime.value.replace('_', ' ')} by {(tag or '').partition(TAG_SEPARATOR)[2]}"
    if entry is None:
        return words
    return f"{words}, confidence {entry['score']:.2f}, {entry['tier']:g} of full size"
