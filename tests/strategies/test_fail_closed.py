"""freqtrade trades on when a callback raises. Ours must refuse instead, say why, and leave stops alone."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from freqtrade.persistence import Order
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from adaptive_pkg.risk.stops import StopPlan

PAIR = "BTC/USDT"
TAG = "strong_trend.breakout"


@pytest.fixture(autouse=True)
def _heard(caplog):
    caplog.set_level(logging.INFO)


@pytest.fixture
def entry(trader):
    """The first entry signal after the warm-up: the moment its candle closes, at its close."""
    warm = trader.frame.iloc[trader.startup_candle_count :]
    row = warm[warm["enter_long"] == 1].iloc[0]
    return SimpleNamespace(
        row=row.name, now=(row["date"] + timedelta(hours=1)).to_pydatetime(), rate=row["close"]
    )


def stake(trader, entry, **changed):
    values = {
        "pair": PAIR, "current_time": entry.now, "current_rate": entry.rate, "proposed_stake": 1_000.0,
        "min_stake": 5.0, "max_stake": 9_900.0, "leverage": 1.0, "entry_tag": TAG, "side": "long",
    }  # fmt: skip
    return trader.custom_stake_amount(**{**values, **changed})


def confirmed(trader, entry, **changed):
    values = {
        "pair": PAIR, "order_type": "limit", "amount": 0.1, "rate": entry.rate, "time_in_force": "GTC",
        "current_time": entry.now, "entry_tag": TAG, "side": "long",
    }  # fmt: skip
    return trader.confirm_trade_entry(**{**values, **changed})


def spoil(trader, **columns):
    trader.desk.candles.put(PAIR, trader.frame.assign(**columns))


def test_a_sound_entry_is_sized_and_confirmed(trader, entry):
    assert 0 < stake(trader, entry) <= 0.30 * 9_900
    assert confirmed(trader, entry)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pair": "DOGE/USDT"}, "DOGE/USDT"),
        ({"current_rate": math.nan}, "entry_price"),
        ({"current_rate": 0.0}, "entry_price|ATR"),
        ({"max_stake": math.nan}, "max_stake"),
        ({"min_stake": math.nan}, "min_stake"),
        ({"leverage": math.nan}, "leverage"),
    ],
)
def test_a_call_that_makes_no_sense_is_staked_nothing_and_says_why(trader, entry, caplog, changed, says):
    assert stake(trader, entry, **changed) == 0.0
    assert caplog.records[-1].levelno == logging.WARNING
    assert "refused" in caplog.text
    assert any(word in caplog.text for word in says.split("|"))


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan, math.inf])
def test_an_account_without_equity_stakes_nothing(trader, entry, caplog, equity):
    trader.wallets = SimpleNamespace(get_total_stake_amount=lambda: equity)
    assert stake(trader, entry) == 0.0
    assert "equity" in caplog.text


def test_a_wallet_that_fails_stakes_nothing_and_shows_where(trader, entry, caplog):
    trader.wallets = None
    assert stake(trader, entry) == 0.0
    assert caplog.records[-1].exc_info  # a defect, not a refusal on purpose: the traceback is kept


def test_a_ledger_that_cannot_be_read_stakes_nothing(trader, entry, monkeypatch, caplog):
    monkeypatch.setattr(trader, "_ledger", lambda now: 1 / 0)
    assert stake(trader, entry) == 0.0
    assert "division by zero" in caplog.text


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        ({"atr": math.nan}, "atr"),
        ({"atr": 0.0}, "atr"),
        ({"atr_ratio": math.nan}, "atr_ratio"),
    ],
)
def test_a_candle_without_volatility_lets_nothing_in(trader, entry, caplog, spoilt, says):
    spoil(trader, **spoilt)
    assert not confirmed(trader, entry)
    assert stake(trader, entry) == 0.0
    assert f"{says}:" in caplog.text


def test_a_candle_without_a_size_multiplier_stakes_nothing(trader, entry, caplog):
    spoil(trader, size_multiplier=math.nan)
    assert stake(trader, entry) == 0.0
    assert "size_multiplier" in caplog.text


def test_nothing_is_let_in_before_a_candle_has_closed(trader, entry, caplog):
    before = trader.frame["date"].iloc[0].to_pydatetime()
    assert not confirmed(trader, entry, current_time=before)
    assert stake(trader, entry, current_time=before) == 0.0
    assert "no candle has closed" in caplog.text


def test_nothing_is_let_in_for_a_pair_that_was_never_analysed(trader, entry, caplog):
    assert not confirmed(trader, entry, pair="DOGE/USDT")
    assert "DOGE/USDT" in caplog.text


def test_a_price_that_has_run_away_from_its_signal_is_not_chased(trader, entry, caplog):
    far = entry.rate + 1.5 * trader.frame["atr"].iloc[entry.row]
    assert not confirmed(trader, entry, rate=far)
    assert stake(trader, entry, current_rate=far) == 0.0
    assert "max_entry_gap_atr" in caplog.text


@pytest.mark.parametrize("tag", [None, "", "force_entry", "no_such_regime.breakout"])
def test_a_forced_entry_still_gets_a_stop_and_a_small_stake(trader, entry, tag):
    assert confirmed(trader, entry, entry_tag=tag)
    assert 0 < stake(trader, entry, entry_tag=tag) <= stake(trader, entry)


def test_freqtrades_own_wrapper_never_has_to_step_in(trader, entry, caplog):
    """Its fallback for a stake is the proposed stake, and True for a confirmation: trading on."""
    spoil(trader, atr=math.nan)
    wrapped = strategy_safe_wrapper(trader.custom_stake_amount, default_retval=1_000.0)
    values = {
        "pair": PAIR, "current_time": entry.now, "current_rate": entry.rate, "proposed_stake": 1_000.0,
        "min_stake": None, "max_stake": 9_900.0, "leverage": 1.0, "entry_tag": TAG, "side": "long",
    }  # fmt: skip
    assert wrapped(**values) == 0.0
    assert "exception" not in caplog.text


def test_leverage_falls_back_to_none_at_all(trader, entry):
    spoil(trader, atr=math.nan)
    leverage = trader.leverage(
        pair=PAIR, current_time=entry.now, current_rate=entry.rate, proposed_leverage=1.0,
        max_leverage=20.0, entry_tag=TAG, side="long",
    )  # fmt: skip
    assert leverage == 1.0


# --- stops ---------------------------------------------------------------------------------------------


@pytest.fixture
def held(trader, make_trade):
    """A trade half a day old with its plan stored, and the moment it is asked about."""
    row = trader.frame.iloc[1_200]
    trade = make_trade(open_rate=row["close"], open_date=(row["date"] + timedelta(hours=1)).to_pydatetime())
    entry = SimpleNamespace(ft_order_side=trade.entry_side)
    trade.orders.append(
        Order(
            ft_order_side="buy",
            filled=0.1,
            amount=0.1,
            price=trade.open_rate,
            status="closed",
            ft_is_open=False,
            order_date=trade.open_date,
            order_filled_date=trade.open_date,
        )
    )
    trader.order_filled(pair=PAIR, trade=trade, order=entry, current_time=trade.open_date)
    return SimpleNamespace(trade=trade, now=trade.open_date + timedelta(hours=12), rate=row["close"])


def asked(held):
    """What freqtrade passes to every callback about an open trade."""
    return {
        "pair": PAIR, "trade": held.trade, "current_time": held.now, "current_rate": held.rate,
        "current_profit": 0.0,
    }  # fmt: skip


def plan_of(held):
    return StopPlan.from_dict(held.trade.get_custom_data("adaptive plan"))


def stop_of(trader, held):
    return trader.custom_stoploss(**asked(held), after_fill=False)


def exit_of(trader, held):
    return trader.custom_exit(**asked(held))


def restart(trader):
    for key in list(trader.desk.stops._entries):
        trader.desk.stops.drop(key)


def broken(plan: dict, how: str):
    return {
        "another version": {**plan, "version": 99},
        "a field missing": {name: value for name, value in plan.items() if name != "atr"},
        "a NaN": {**plan, "initial_stop": None},
        "a stop above the entry": {**plan, "initial_stop": plan["entry_price"] * 1.1},
        "a text": "not a plan",
        "a list": [1, 2],
    }[how]


BREAKS = ["another version", "a field missing", "a NaN", "a stop above the entry", "a text", "a list"]


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_stored_plan_keeps_the_last_stop_and_exits_nothing(trader, held, caplog, how):
    plan = held.trade.get_custom_data("adaptive plan")
    held.trade.delete_custom_data("adaptive plan")
    held.trade.set_custom_data("adaptive plan", broken(plan, how))
    restart(trader)
    caplog.clear()
    assert stop_of(trader, held) is None
    assert "stays" in caplog.text
    assert exit_of(trader, held) is None
    assert trader.custom_roi(**asked(held), trade_duration=720, entry_tag=TAG, side="long") is None


def test_candles_that_are_not_there_yet_keep_the_last_stop(trader, held, caplog):
    trader.desk.candles = type(trader.desk.candles)(("close", "atr"), 3_600)
    assert stop_of(trader, held) is None
    assert exit_of(trader, held) is None
    assert "no analysed candles" in caplog.text


def test_a_candle_without_a_price_keeps_the_last_stop(trader, held, caplog):
    spoil(trader, close=math.nan)
    assert stop_of(trader, held) is None
    assert "not a price" in caplog.text


def test_an_atr_that_vanishes_later_does_not_loosen_the_stop(trader, held):
    before = stop_of(trader, held)
    restart(trader)
    spoil(trader, atr=math.nan)
    assert stop_of(trader, held) >= before or before is None


def test_a_trade_opened_before_the_oldest_candle_is_not_given_the_newest_candles_stop(trader, make_trade):
    """After a long outage of the bot: the plan has to be made anew, but from what?"""
    old = make_trade(open_date=(trader.frame["date"].iloc[0] - timedelta(days=60)).to_pydatetime())
    now = trader.frame["date"].iloc[-1].to_pydatetime()
    newest = trader.frame["atr"].iloc[-1]
    stop_of(trader, SimpleNamespace(trade=old, now=now, rate=old.open_rate))
    stored = old.get_custom_data("adaptive plan")
    assert stored is None or StopPlan.from_dict(stored).atr != newest


def test_a_price_beyond_the_stop_leaves_at_once(trader, held):
    held.rate = plan_of(held).initial_stop * 0.99
    assert exit_of(trader, held) == "stop_passed"
    assert not stop_of(trader, held)  # freqtrade ignores 0 and None: the stop stays where it is


def test_a_plan_whose_numbers_freqtrade_changed_into_whole_ones_is_still_read(trader, held):
    plan = plan_of(held)
    stored = replace(plan, atr=100.0).to_dict() | {"atr": 100}
    held.trade.delete_custom_data("adaptive plan")
    held.trade.set_custom_data("adaptive plan", stored)
    restart(trader)
    assert stop_of(trader, held) == pytest.approx(1 - plan.initial_stop / held.rate, rel=0.5)


def test_an_exit_fill_does_not_replace_the_plan(trader, held):
    before = held.trade.get_custom_data("adaptive plan")
    held.trade.open_rate *= 1.05
    order = SimpleNamespace(ft_order_side="sell")
    trader.order_filled(pair=PAIR, trade=held.trade, order=order, current_time=held.now)
    assert held.trade.get_custom_data("adaptive plan") == before
