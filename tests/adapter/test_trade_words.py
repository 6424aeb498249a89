"""The plan of a trade as a person reads it: every number in it can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from adaptive_pkg.adapter.trade_words import outcome, plan_in_words, result_at
from adaptive_pkg.enums import StopStage
from adaptive_pkg.risk.ladder_plan import LadderPlan
from adaptive_pkg.risk.ladder_state import FilledOrder, LadderState
from adaptive_pkg.risk.stop_plan import StopPlan
from adaptive_pkg.risk.stops import StopState, initial_state

LONG = StopPlan(
    side="long", entry_price=100.0, atr=1.0, fee=0.001, initial_stop=97.5, breakeven_stop=100.2002,
    target_price=104.0, breakeven_trigger=0.015, trail_trigger=0.025, trail_atr=1.5, market_gap=0.1,
    breakeven=True, trailing=True, target=True,
)  # fmt: skip
SHORT = replace(LONG, side="short", initial_stop=102.5, breakeven_stop=99.8002, target_price=96.0)
LADDER = LadderPlan(
    side="long", entry_price=100.0, stop_price=97.5, fee=0.001, rungs=(99.0, 98.5), shares=(0.4, 0.3, 0.3),
    grid=False, sells=(), scale_out_prices=(102.0,), scale_out_shares=(0.25,), planned_stake=1000.0,
)  # fmt: skip
ENTRY = {"score": 0.714, "tier": 0.6}


def trade(**fields):
    values = {
        "pair": "BTC/USDT", "open_rate": 100.0, "amount": 10.0, "stake_amount": 1000.0, "stop_loss": 90.0,
        "leverage": 1.0, "is_short": False, "enter_tag": "strong_trend.breakout",
    }  # fmt: skip
    return SimpleNamespace(**{**values, **fields})


def words(of=None, plan=LONG, state=None, ladder=None, filled=(), entry=ENTRY):
    return plan_in_words(
        of or trade(), plan, state or initial_state(plan), ladder, LadderState.from_orders(filled), entry
    )


def test_a_fresh_trade():
    assert words().splitlines() == [
        "long from 100: 10 BTC for 1000.00 USDT",
        "stop 97.5 (initial): loses 26.98 USDT (2.70 %) after fees",  # 25 and 0.1 % of 1,000 and of 975
        "next move of the stop: to 100.2002 (breakeven) once a candle closes at 101.5, "
        "trails 1.5 ATR behind the best close once one closes at 102.5 or above",
        "target 104",
        "no further orders",
        "entered in strong trend by breakout, confidence 0.71, 0.6 of full size",
    ]


def test_at_breakeven_it_ends_even_and_only_the_trail_is_to_come():
    state = StopState(StopStage.BREAKEVEN, 100.2002, 101.6)
    lines = words(state=state).splitlines()
    assert lines[1] == "stop 100.2002 (breakeven): ends even after fees"
    assert lines[2] == (
        "next move of the stop: trails 1.5 ATR behind the best close once one closes at 102.5 or above"
    )
    still = words(plan=replace(LONG, trailing=False), state=state).splitlines()
    assert still[2] == "next move of the stop: it stays where it is"


def test_a_trailing_stop_says_what_it_keeps():
    lines = words(state=StopState(StopStage.TRAILING, 101.8, 103.3)).splitlines()
    assert lines[1] == "stop 101.8 (trailing): keeps 15.98 USDT (1.60 %) after fees"
    assert "it trails 1.5 ATR behind the best close (103.3 so far) and never goes back" in lines[2]


def test_a_short_turns_everything_round():
    lines = words(trade(is_short=True, stop_loss=110.0, leverage=3.0), SHORT).splitlines()
    assert lines[0] == "short from 100: 10 BTC for 1000.00 USDT, leverage 3"
    assert lines[1] == "stop 102.5 (initial): loses 27.02 USDT (2.70 %) after fees"
    assert "closes at 98.5, trails 1.5 ATR behind the best close once one closes at 97.5 or below" in lines[2]


def test_the_nearer_stop_is_the_one_in_force():
    """After a restart that reaches less far back, what freqtrade stored never loosens."""
    assert "stop 98.75 (initial)" in words(trade(stop_loss=98.75))
    assert "stop 97.5 (initial)" in words(trade(stop_loss=None))


def test_rungs_and_parts_say_which_are_done():
    filled = [
        FilledOrder(True, None, 100.0, 4.0, 400.0),
        FilledOrder(True, "rung 1", 99.0, 3.0, 297.0),
        FilledOrder(False, "scale out 1", 102.0, 1.0, 102.0),
    ]
    assert words(ladder=LADDER, filled=filled).splitlines()[4:6] == [
        "rungs: 99 (held), 98.5 (waiting)",
        "closes on the way: 25% at 102 (done)",
    ]
    moved = words(ladder=LADDER, filled=filled, state=StopState(StopStage.BREAKEVEN, 100.2, 101.6))
    assert "98.5 (no more, for the stop has moved)" in moved
    grid = replace(LADDER, grid=True, sells=(99.6, 99.1), scale_out_prices=(), scale_out_shares=())
    assert "each is sold again one step on" in words(ladder=grid)


def test_an_entry_by_hand_or_without_its_reasons():
    assert words(trade(enter_tag="force_entry")).endswith(
        "entered by hand (force_entry): no rule has asked for it"
    )
    assert words(entry=None).endswith("entered in strong trend by breakout")


def test_the_words_stand_between_backticks_so_they_hold_none():
    assert "`" not in words(trade(enter_tag="`rm`"))


@pytest.mark.parametrize(("sign", "plan"), [(1, LONG), (-1, SHORT)])
@pytest.mark.parametrize("stop", [90.0, 97.5, 100.2002, 110.0])
def test_the_money_is_what_freqtrade_would_book(sign, plan, stop):
    from freqtrade.persistence import LocalTrade

    booked = LocalTrade(
        pair="BTC/USDT", open_rate=100.0, amount=10.0, stake_amount=1000.0, fee_open=0.001, fee_close=0.001,
        is_short=sign < 0, leverage=1.0, exchange="binance",
    )  # fmt: skip
    booked.recalc_open_trade_value()
    money, _ = result_at(trade(is_short=sign < 0), plan, stop)
    assert money == pytest.approx(booked.calc_profit(stop), abs=0.02)


def test_a_loss_below_a_cent_is_none():
    assert outcome(trade(), LONG, 100.2002) == "ends even after fees"
