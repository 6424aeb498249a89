"""DCA, grid and scale-outs as freqtrade's own backtest carries them out, candle by candle.

A signal at 100. Transitional regime, ATR 1: stop 98 (a short's 102), two rungs at 99.25 and 98.5, 40 % of
the first entry closed half way to the target of 102.5. Tight range, ATR 2: stop 97, a grid of four rungs at
99.55, 99.1, 98.65 and 98.2, target 103. The first row is the candle that the trade is opened in, at its open.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade, Order, Trade

from adaptive_pkg.adapter.trade_desk import TradeDesk
from adaptive_pkg.enums import Regime
from adaptive_pkg.risk.ladder import LADDER_KEY, LadderPlan
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan

START = pd.Timestamp("2023-05-01", tz="UTC")
QUIET = (100.0, 100.2, 99.8, 100.0)
TICK = 0.0101
TRANSITIONAL, GRID = (Regime.TRANSITIONAL, 1.0), (Regime.TIGHT_RANGE, 2.0)  # regime, ATR


@dataclass
class Played:
    """A backtest of candle tables, with what was seen on the way."""

    trades: list[LocalTrade]
    ladders: dict[int, LadderPlan]
    strategy: Any
    after_fill: list[float] = field(default_factory=list)  # freqtrade's stop after each fill
    open_orders: list[int] = field(default_factory=list)  # of a trade, at each candle
    offers: dict[str, float] = field(default_factory=dict)  # free stake that an entry was sized by

    @property
    def trade(self) -> LocalTrade:
        (trade,) = self.trades
        return trade

    @property
    def orders(self) -> list[tuple]:
        """Candle (0: the entry's), tag, price of every filled order."""
        hours = [(o.order_filled_utc - START).total_seconds() / 3600 - 2 for o in self.trade.orders]
        orders = zip(hours, self.trade.orders, strict=True)
        return [(int(hour), o.ft_order_tag, pytest.approx(o.safe_price, abs=TICK)) for hour, o in orders]

    @property
    def ladder(self) -> LadderPlan:
        return self.ladders[self.trade.id]


def mirrored(rows):
    return [(200 - o, 200 - low, 200 - high, 200 - c) for o, high, low, c in rows]


@pytest.fixture(scope="module")
def play(make_config, exchange_of, futures_config):
    """`play({pair: rows}, kind, side)`: a backtest of these candles by the moderate profile."""
    known = {}

    def run(tables, kind, side="long", settings=None, prepare=lambda strategy: None, signals=None):
        tables = tables if isinstance(tables, dict) else {"BTC/USDT": tables}
        key = str((side, settings))
        if key not in known:
            overlay = [futures_config] if side == "short" else []
            unfilled = {"unfilledtimeout": {"entry": 1_000, "exit": 1_000}}
            adaptive = {"adaptive": {"profile": "moderate", **(settings or {})}}
            known[key] = make_config(*overlay, unfilled, adaptive)
        bt = Backtesting(deepcopy(known[key]), exchange=exchange_of(known[key]))
        frames = {}
        for pair, rows in tables.items():
            rows = mirrored(rows) if side == "short" else rows
            name = f"{pair}:USDT" if side == "short" else pair
            frames[name] = frame_of([QUIET, QUIET, *rows], side, *kind, (signals or {}).get(pair, 1))
        bt.required_startup, bt.price_pair_prec = 0, {}
        bt.futures_data, bt.funding_fee_timeframe_secs = dict.fromkeys(frames, pd.DataFrame()), 8 * 3_600
        strategy = bt.strategylist[0]
        bt._set_strategy(strategy)
        strategy._tune()
        played = Played([], {}, strategy)
        watch(strategy, played)
        prepare(strategy)
        first = next(iter(frames.values()))["date"]
        bt.backtest(frames, first.iloc[0].to_pydatetime(), first.iloc[-1].to_pydatetime())
        played.trades = list(Trade.get_trades_proxy(is_open=False))
        for trade in played.trades:
            if stored := trade.get_custom_data(LADDER_KEY):  # one order alone stores none
                played.ladders[trade.id] = LadderPlan.from_dict(stored)
        return played

    return run


def watch(strategy, played):
    def put(frame, metadata):
        strategy.desk.candles.put(metadata["pair"], frame)
        return frame

    adjust, should_exit, size = strategy.ft_stoploss_adjust, strategy.should_exit, strategy.planner.size

    def adjusted(current_rate, trade, *args, **kwargs):
        adjust(current_rate, trade, *args, **kwargs)
        if kwargs.get("after_fill"):
            played.after_fill.append(trade.stop_loss)

    def exits(trade, *args, **kwargs):
        played.open_orders.append(len(trade.open_orders))
        return should_exit(trade, *args, **kwargs)

    def sized(plan, candles, now, **asked):
        played.offers[len(played.offers)] = asked["max_stake"]
        return size(plan, candles, now, **asked)

    strategy.ft_advise_signals = put
    strategy.ft_stoploss_adjust, strategy.should_exit, strategy.planner.size = adjusted, exits, sized


def frame_of(rows, side, regime, atr, signal):
    frame = pd.DataFrame(rows, columns=["open", "high", "low", "close"], dtype=float)
    entry = [int(i == signal) for i in range(len(rows))]
    long, short = (entry, 0) if side == "long" else (0, entry)
    return frame.assign(
        date=pd.date_range(START, periods=len(rows), freq="1h"), volume=1_000.0, atr=atr, atr_pct=atr,
        atr_ratio=1.0, regime=regime.code, size_multiplier=1.0, enter_long=long, enter_short=short,
        enter_tag=f"{regime}.pullback", exit_long=0, exit_short=0, exit_tag=None,
    )  # fmt: skip


FALL = [
    (100, 100.1, 98.3, 98.4),
    (98.4, 98.6, 98.3, 98.4),
    (98.4, 98.6, 98.3, 98.4),
    (98.4, 98.6, 98.3, 98.4),
]


def test_one_rung_a_candle_however_far_the_price_has_fallen(play):
    """The close reaches both rungs at once; freqtrade fills at the next open, which is better than either."""
    run = play(FALL, TRANSITIONAL)
    assert run.orders[:3] == [
        (0, "transitional.pullback", 100), (1, "rung 1", 98.4), (2, "rung 2", 98.4),
    ]  # fmt: skip
    assert [tag for _, tag, _ in run.orders[3:]] == ["force_exit"]


def test_the_whole_ladders_stake_is_the_planned_one(play):
    run = play(FALL, TRANSITIONAL)
    stakes = [order.stake_amount for order in run.trade.orders[:3]]
    assert sum(stakes) == pytest.approx(run.ladder.planned_stake, rel=1e-3)
    assert stakes == pytest.approx(
        [run.ladder.planned_stake * share for share in run.ladder.shares], rel=2e-3
    )
    assert run.trade.stake_amount == pytest.approx(sum(stakes), rel=1e-6)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("kind", [TRANSITIONAL, GRID])
def test_after_every_fill_the_stop_is_the_planned_one(play, kind, side):
    run = play(FALL, kind, side)
    assert len(run.after_fill) >= 3
    assert run.after_fill == pytest.approx([run.ladder.stop_price] * len(run.after_fill), abs=TICK)


NEAR_THE_STOP = [(100, 100, 97.2, 97.3), *[(97.3, 97.4, 97.1, 97.3)] * 6]


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_rung_bought_close_to_the_stop_does_not_close_the_trade(play, side):
    """Freqtrade re-applies the last stop distance to the new average at every fill, here beyond the price."""
    run = play(NEAR_THE_STOP, GRID, side)
    tags = [tag for _, tag, _ in run.orders]
    assert tags == ["tight_range.pullback", "rung 1", "rung 2", "rung 3", "rung 4", "force_exit"]
    assert run.trade.stop_loss == pytest.approx(run.ladder.stop_price, abs=TICK)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("kind", [TRANSITIONAL, GRID])
@pytest.mark.parametrize("restarted", [False, True])
def test_the_stop_of_a_full_ladder_costs_what_was_decided_at_the_entry(play, kind, side, restarted):
    """−1 R by the ladder's own measure: rungs filled better than planned lose less, none loses more."""
    rungs = [99.25, 98.5] if kind is TRANSITIONAL else [99.55, 99.1, 98.65, 98.2]
    rows, last = [], 100.0
    for rung in rungs:
        rows.append((last, last + 0.05, rung - 0.05, rung))
        last = rung
    stop = 98.0 if kind is TRANSITIONAL else 97.0
    rows += [(last, last + 0.05, last - 0.05, last), (last, last, stop - 0.2, stop - 0.1), QUIET]

    def prepare(strategy):
        if restarted:
            loop = strategy.should_exit

            def fresh(*args, **kwargs):
                strategy.desk = TradeDesk(strategy.planner, strategy.desk.candles)
                return loop(*args, **kwargs)

            strategy.should_exit = fresh

    run = play(rows, kind, side, prepare=prepare)
    assert [tag for _, tag, _ in run.orders[1:-1]] == [f"rung {n + 1}" for n in range(len(rungs))]
    assert run.trade.exit_reason == "stop_loss"
    leverage = run.trade.leverage or 1.0
    assert (leverage > 1) == (side == "short")
    risk = run.ladder.risk_money(leverage)
    assert run.strategy.desk.r_multiple(run.trade) == pytest.approx(-1.0, abs=0.02)
    assert run.trade.close_profit_abs >= -1.01 * risk
    assert risk <= 0.05 * 9_900


SELL_AND_REBUY = [
    (100, 100, 99.5, 99.5), (99.5, 100.3, 99.4, 100.25), (100.25, 100.3, 99.4, 99.5),
    (99.5, 99.7, 99.4, 99.6), (99.6, 99.7, 99.5, 99.6),
]  # fmt: skip


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_grid_rung_is_sold_one_step_higher_and_bought_again(play, side):
    run = play(SELL_AND_REBUY, GRID, side)
    assert [(candle, tag) for candle, tag, _ in run.orders] == [
        (0, "tight_range.pullback"), (1, "rung 1"), (2, "sell rung 1"), (3, "rung 1"), (4, "force_exit"),
    ]  # fmt: skip
    bought, sold = run.trade.orders[1:3]
    assert sold.safe_filled == pytest.approx(bought.safe_filled, rel=1e-3)
    sign = -1 if side == "short" else 1
    assert sign * (sold.safe_price - bought.safe_price) / 100 > 0.002  # a step, and both fees


def test_a_part_is_closed_half_way_and_the_rest_at_the_target(play):
    rows = [(100, 101.4, 99.9, 101.3), (101.3, 101.6, 101.2, 101.4), (101.4, 102.8, 101.3, 102.6), QUIET]
    run = play(rows, TRANSITIONAL)
    assert [(candle, tag) for candle, tag, _ in run.orders] == [
        (0, "transitional.pullback"), (1, "scale out 1"), (2, "roi"),
    ]  # fmt: skip
    first, part, rest = run.trade.orders
    assert part.safe_filled / first.safe_filled == pytest.approx(0.4, rel=1e-3)
    assert part.safe_filled + rest.safe_filled == pytest.approx(first.safe_filled)
    assert rest.safe_price == pytest.approx(102.5, abs=TICK)


def test_breakeven_and_target_follow_the_average_entry(play):
    run = play(FALL, TRANSITIONAL)
    plan = StopPlan.from_dict(run.trade.get_custom_data(PLAN_KEY))
    assert plan.entry_price == pytest.approx(run.trade.open_rate, abs=TICK)
    assert plan.target_price == pytest.approx(run.trade.open_rate + 2.5, abs=TICK)
    assert plan.initial_stop == pytest.approx(98.0)


def test_no_order_while_another_is_open(play):
    """The rung's order is made to wait far below the market: nothing else is ordered, and nothing twice."""
    asked = []

    def prepare(strategy):
        def price(pair, trade, proposed_rate, **kwargs):
            if trade:
                asked.append(trade.id)
            return 90.0 - len(asked) if trade else proposed_rate

        strategy.custom_entry_price = price

    run = play([*FALL, *FALL[1:]], TRANSITIONAL, prepare=prepare)
    assert max(run.open_orders) == len(asked) == 1
    assert sum(run.open_orders) >= 3  # it did wait
    assert [tag for _, tag, _ in run.orders] == ["transitional.pullback", "force_exit"]


def test_no_rung_is_bought_once_the_stop_has_moved(play):
    rows = [
        (100, 101.6, 99.9, 101.5), (100.9, 101.2, 100.6, 100.8), *[(100.8, 101, 100.4, 100.5)] * 3,
    ]  # fmt: skip
    run = play(rows, TRANSITIONAL, settings={"stops": {"breakeven_trigger": 0.012}})
    assert not any("rung" in tag for _, tag, _ in run.orders)


def test_another_pair_is_offered_what_the_first_ones_rungs_have_not_reserved(play):
    """Two candles apart, with a portfolio that has room for both."""
    rows = [QUIET] * 6
    tables = {"BTC/USDT": rows, "SOL/USDT": rows}
    room = {"portfolio": {"max_heat": 1.0, "max_correlated_heat": 1.0}}
    run = play(tables, TRANSITIONAL, settings=room, signals={"SOL/USDT": 3})
    first, second = run.trades
    assert {first.pair, second.pair} == {"BTC/USDT", "SOL/USDT"}
    ladder = run.ladders[1]
    offered, later = run.offers.values()
    assert later == pytest.approx(offered - ladder.planned_stake, rel=1e-3)
    switched_off = {**room, "components": {"ladder": False}}
    alone = play(tables, TRANSITIONAL, settings=switched_off, signals={"SOL/USDT": 3})
    assert not any(ladder.rungs for ladder in alone.ladders.values())
    assert {len(trade.orders) for trade in alone.trades} == {2}


def test_the_position_never_exceeds_what_the_plan_reserved(play):
    for kind in (TRANSITIONAL, GRID):
        for rows in (FALL, NEAR_THE_STOP, SELL_AND_REBUY):
            run = play(rows, kind)
            held = []
            for order in run.trade.orders:
                sign = 1 if order.ft_order_side == "buy" else -1
                held.append((held[-1] if held else 0.0) + sign * order.safe_filled * order.safe_price)
            assert max(held) <= run.ladder.planned_stake * (1 + 1e-6)


def test_two_ladder_orders_are_at_least_a_candle_apart(play):
    for rows in (FALL, NEAR_THE_STOP, SELL_AND_REBUY):
        candles = [candle for candle, _, _ in play(rows, GRID).orders]
        assert all(later > earlier for earlier, later in pairwise(candles[:-1]))  # the exit may come at once


def test_a_stop_that_a_regime_has_tightened_is_not_loosened_by_a_rung_after_it(play):
    """The regime returns, and with it the ladder; a fill is the one moment when freqtrade would let go."""
    tight, back = Regime.TIGHT_RANGE.code, Regime.TRANSITIONAL.code

    def prepare(strategy):
        put = strategy.ft_advise_signals
        codes = [back, back, tight, back, back, back, back]
        strategy.ft_advise_signals = lambda frame, metadata: put(frame.assign(regime=codes), metadata)

    rows = [
        (100, 100, 99.6, 99.7), (99.7, 99.8, 99.5, 99.6), (99.6, 99.7, 98.9, 99.0), (99.0, 99.2, 98.9, 99.1),
        (99.1, 99.2, 98.9, 99.1),
    ]  # fmt: skip
    run = play(rows, TRANSITIONAL, settings={"regime_change": "tighten"}, prepare=prepare)
    assert "rung 1" in [tag for _, tag, _ in run.orders]
    assert run.trade.stop_loss == pytest.approx(98.5, abs=TICK)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_rung_bought_again_above_the_average_leaves_the_stop_and_its_name(play, side):
    """The average rises, and freqtrade would lift the stop along with it and call it a trailing one."""
    down = [(100, 100, 98.2, 98.3), *[(98.3, 98.4, 98.25, 98.3)] * 4]
    up = [(98.3, 100.4, 98.3, 100.3), *[(100.3, 100.4, 100.25, 100.3)] * 4]
    again = [(100.3, 100.3, 99.45, 99.5), (99.5, 99.6, 99.4, 99.6), (99.6, 99.6, 96.8, 96.9), QUIET]
    far = {"stops": {"breakeven_trigger": 0.05, "trail_trigger": 0.05}}
    run = play([*down, *up, *again], GRID, side, settings=far)
    tags = [tag for _, tag, _ in run.orders]
    assert tags[-2:] == ["rung 1", "stop_loss"]
    assert tags.count("rung 1") == 2
    assert run.after_fill == pytest.approx([run.ladder.stop_price] * len(run.after_fill), abs=TICK)


def test_a_stop_moved_while_a_part_was_closed_is_called_a_moved_one(play):
    """Half way to the target, at a breakeven trigger just below it, then down to the stop."""
    rows = [(100, 101.4, 99.9, 101.3), (101.3, 101.4, 101, 101.1), (101, 101.1, 99.9, 100), QUIET]
    run = play(rows, TRANSITIONAL, settings={"stops": {"breakeven_trigger": 0.012}})
    assert [tag for _, tag, _ in run.orders][1:] == ["scale out 1", "trailing_stop_loss"]
    assert run.trade.close_rate == pytest.approx(100.21, abs=TICK)


# --- bad input: the ladder rests, the stop stays, and the log says why ------------------------------------


@pytest.fixture
def held(trader, make_trade, caplog):
    """A trade whose first rung is reached, with plan and ladder stored, and the moment it is asked about."""
    caplog.set_level("INFO")
    row = trader.frame.iloc[1_200]
    opened = (row["date"] + pd.Timedelta("1h")).to_pydatetime()
    trade = make_trade(open_rate=row["close"], open_date=opened, enter_tag="transitional.pullback")
    order = Order(
        ft_order_side="buy", filled=0.1, amount=0.1, price=trade.open_rate, average=trade.open_rate,
        status="closed", ft_is_open=False, order_date=opened, order_filled_date=opened,
    )  # fmt: skip
    trade.orders.append(order)
    desk = trader.desk
    wanted = SimpleNamespace(ladder=SimpleNamespace(rungs=(1.0, 1.0), shares=(1 / 3,) * 3), first_stake=1.0)
    desk.want(trade.pair, wanted)
    trader.order_filled(pair=trade.pair, trade=trade, order=order, current_time=opened)
    ladder = desk.ladder(trade)
    frame = trader.frame.assign(regime=Regime.TRANSITIONAL.code)
    frame.loc[1_201:, "close"] = ladder.rungs[0] * 0.9999
    desk.candles.put(trade.pair, frame)
    LocalTrade.add_bt_trade(trade)
    return SimpleNamespace(trade=trade, now=opened + pd.Timedelta("3h"), rate=ladder.rungs[0] * 0.9999)


def asked_to_adjust(trader, held, **changed):
    values = {
        "trade": held.trade, "current_time": held.now, "current_rate": held.rate, "current_profit": 0.0,
        "min_stake": 5.0, "max_stake": 9_000.0,
    }  # fmt: skip
    return trader.adjust_trade_position(**{**values, **changed})


def test_a_sound_ladder_buys_its_rung(trader, held):
    stake, tag = asked_to_adjust(trader, held)
    assert tag == "rung 1"
    assert stake == pytest.approx(held.trade.stake_amount, rel=1e-3)


@pytest.mark.parametrize("changed", [
    {"max_stake": math.nan}, {"min_stake": math.nan}, {"current_rate": math.nan}, {"current_rate": math.inf},
])  # fmt: skip
def test_numbers_that_make_no_sense_buy_nothing_and_are_told(trader, held, changed, caplog):
    assert asked_to_adjust(trader, held, **changed) is None
    assert "ladder of trade 1 rests" in caplog.text


@pytest.mark.parametrize("changed", [{"max_stake": 0.0}, {"min_stake": 1e9}, {"current_rate": 0.0}])
def test_without_room_or_with_the_stop_passed_nothing_is_bought(trader, held, changed):
    assert asked_to_adjust(trader, held, **changed) is None


@pytest.mark.parametrize("column", ["close", "regime"])
def test_a_spoilt_candle_buys_nothing(trader, held, column, caplog):
    frame = trader.frame.assign(**{column: math.nan})
    trader.desk.candles.put(held.trade.pair, frame)
    assert asked_to_adjust(trader, held) is None
    assert "ladder of trade 1 rests" in caplog.text


def spoilt(ladder: dict, how: str):
    return {
        "an older version": {**ladder, "version": 0},
        "a field missing": {name: value for name, value in ladder.items() if name != "rungs"},
        "a rung beyond the stop": {**ladder, "stop_price": ladder["rungs"][0] * 1.01},
        "a text": "no ladder",
    }[how]


BREAKS = ["an older version", "a field missing", "a rung beyond the stop", "a text"]


def store(trader, held, key, value):
    held.trade.delete_custom_data(key)
    held.trade.set_custom_data(key, value)
    trader.desk.forget(held.trade)


@pytest.mark.parametrize("how", BREAKS)
def test_a_stored_ladder_that_cannot_be_read_rests_and_the_stop_still_works(trader, held, how, caplog):
    before = trader.desk.stop(held.trade, held.now).stop
    store(trader, held, LADDER_KEY, spoilt(held.trade.get_custom_data(LADDER_KEY), how))
    assert asked_to_adjust(trader, held) is None
    assert "ladder of trade 1 rests" in caplog.text
    assert trader.desk.stop(held.trade, held.now).stop == before
    assert trader._r_multiple(held.trade) is None
    assert "left out of sizing" in caplog.text


def test_an_older_plan_rests_the_ladder_too(trader, held, caplog):
    store(trader, held, PLAN_KEY, {**held.trade.get_custom_data(PLAN_KEY), "version": 0})
    assert asked_to_adjust(trader, held) is None
    assert "version 0" in caplog.text


def test_a_trade_without_a_ladder_gets_none_later(trader, held):
    held.trade.delete_custom_data(LADDER_KEY)
    trader.desk.forget(held.trade)
    assert asked_to_adjust(trader, held) is None
    assert trader.desk.reserved(held.trade, held.now) == 0.0


@pytest.mark.parametrize("key", [LADDER_KEY, PLAN_KEY])
def test_while_a_held_trade_cannot_be_read_no_other_is_opened(trader, held, key, caplog):
    """Neither what it may lose nor what its rungs have reserved is known."""
    entry = {
        "pair": held.trade.pair, "current_time": held.now, "entry_tag": "force_entry", "side": "long",
    }  # fmt: skip
    rate = trader.desk.candles.get(held.trade.pair).column("close")[1_203]
    sized = {**entry, "current_rate": rate, "proposed_stake": 1e3, "min_stake": 5.0, "max_stake": 9e3}
    assert trader.custom_stake_amount(**sized, leverage=1.0) > 0
    store(trader, held, key, "unreadable")
    assert trader.custom_stake_amount(**sized, leverage=1.0) == 0.0
    assert not trader.confirm_trade_entry(
        **entry, order_type="limit", amount=0.01, rate=rate, time_in_force="GTC"
    )
    assert "entry refused" in caplog.text
