"""A bot that was restarted must hold the same stops as one that never stopped."""

from __future__ import annotations

import copy
from dataclasses import replace

import pandas as pd
import pytest
from freqtrade.persistence import CustomDataWrapper, Trade, disable_database_use

from adaptive_pkg.enums import StopStage
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner
from adaptive_pkg.settings import ComponentSettings


@pytest.fixture(scope="module")
def lived(make_config, run_backtest):
    """A backtest with every question about a stop, its answer, and the state behind it."""
    asked, frames = [], {}

    def prepare(strategy):
        answer = strategy.custom_stoploss

        def custom_stoploss(**question):
            reply = answer(**question)
            trade = question["trade"]
            key = (trade.id, trade.pair, trade.open_date)
            state = strategy.desk.stops.state(
                key, strategy.desk.candles.get(trade.pair), question["current_time"]
            )
            asked.append((question, reply, state))
            return reply

        strategy.custom_stoploss = custom_stoploss
        keep = strategy.desk.candles.put
        strategy.desk.candles.put = lambda pair, frame: (frames.update({pair: frame}), keep(pair, frame))

    # without rungs, which replace a trade's plan during its life
    run = run_backtest(make_config({"adaptive": {"components": {"ladder": False}}}), prepare)
    run.asked, run.frames = asked, frames
    return run


@pytest.fixture
def reborn(lived):
    """`reborn(keep_plans)`: a new instance that knows candles and perhaps the stored plans, no more."""
    disable_database_use("1h")

    def make(keep_plans=True, candles=None):
        Trade.reset_trades()
        CustomDataWrapper.reset_custom_data()
        if keep_plans:
            for trade in lived.trades:
                trade.set_custom_data("adaptive plan", lived.plans[trade.id].to_dict())
        strategy = type(lived.strategy)(copy.deepcopy(lived.strategy.config))
        strategy.desk.candles = candles or lived.strategy.desk.candles
        return strategy

    yield make
    Trade.reset_trades()
    CustomDataWrapper.reset_custom_data()


def test_the_recorded_life_has_every_stage(lived):
    assert {state.stage for _, _, state in lived.asked} == set(StopStage)
    assert len(lived.asked) > 200


def test_after_a_restart_at_any_candle_the_stop_is_the_same(lived, reborn):
    for question, reply, state in lived.asked:
        strategy = reborn()
        assert strategy.custom_stoploss(**question) == reply
        (key,) = strategy.desk.stops._entries
        assert strategy.desk.stops._entries[key].state == state


def test_the_closed_candles_that_a_live_bot_has_give_the_same_stop(lived, reborn):
    """A backtest's frame holds the candle being traded; a live one ends before it, and starts late."""
    for question, reply, state in lived.asked:
        pair = question["trade"].pair
        frame = lived.frames[pair]
        closed = frame[frame["date"] <= question["current_time"] - pd.Timedelta(hours=1)]
        live = ClosedCandles(CANDLE_COLUMNS, 3_600)
        live.put(pair, closed.tail(999))
        strategy = reborn(candles=live)
        assert strategy.custom_stoploss(**question) == reply
        (key,) = strategy.desk.stops._entries
        assert strategy.desk.stops._entries[key].state == state


def test_without_stored_data_the_plan_is_made_anew_from_the_entry_candle(lived, reborn):
    for question, reply, _ in lived.asked[::7]:
        strategy = reborn(keep_plans=False)
        assert strategy.custom_stoploss(**question) == reply
        stored = question["trade"].get_custom_data("adaptive plan")
        assert stored == lived.plans[question["trade"].id].to_dict()


def test_a_stored_plan_outlives_a_change_of_settings(lived, reborn):
    """What was decided at the entry stays decided: a new config must not move an open trade's stop."""
    question, reply, _ = lived.asked[len(lived.asked) // 2]
    strategy = reborn()
    strategy.planner = EntryPlanner(
        replace(strategy.settings, components=ComponentSettings(dynamic_stops=False))
    )
    assert strategy.custom_stoploss(**question) == reply


def test_candles_that_start_after_the_entry_never_loosen_what_freqtrade_stores(lived, reborn):
    """A long outage: the oldest candle is younger than the trade. Then the stop may only be too far away."""
    longest = max(lived.trades, key=lambda trade: trade.close_date - trade.open_date)
    question, _, state = [item for item in lived.asked if item[0]["trade"].id == longest.id][-1]
    frame = lived.frames[longest.pair]
    late = ClosedCandles(CANDLE_COLUMNS, 3_600)
    late.put(longest.pair, frame[frame["date"] > longest.open_date].iloc[2:])
    strategy = reborn(candles=late)
    strategy.custom_stoploss(**question)
    (key,) = strategy.desk.stops._entries
    assert strategy.desk.stops._entries[key].state.stop <= state.stop


def test_asking_twice_about_one_candle_changes_nothing(lived, reborn):
    question, reply, _ = lived.asked[-1]
    strategy = reborn()
    assert [strategy.custom_stoploss(**question) for _ in range(3)] == [reply] * 3


def test_another_trade_with_the_same_number_gets_its_own_stop(lived, reborn):
    """Trade numbers start at 1 in every backtest and hyperopt epoch of one strategy object."""
    strategy = reborn()
    question, _, _ = lived.asked[0]
    strategy.custom_stoploss(**question)
    other = copy.deepcopy(question["trade"])
    other.open_date = lived.asked[-1][0]["trade"].open_date
    other.pair = lived.asked[-1][0]["trade"].pair
    other.open_rate = lived.asked[-1][0]["trade"].open_rate
    other.delete_custom_data("adaptive plan")
    strategy.custom_stoploss(**{**question, "trade": other, "current_time": other.open_date})
    plans = [entry.plan.entry_price for entry in strategy.desk.stops._entries.values()]
    assert sorted(plans) == sorted([question["trade"].open_rate, other.open_rate])
