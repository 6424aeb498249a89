"""The life of a stop, candle by candle, in freqtrade's own backtest. Each scenario is a table of candles.

A signal at 100 with ATR 1, in a strong trend of the moderate profile: stop 2.5 ATR away at 97.5 (a short's at
102.5), target 4 ATR away, breakeven from a close 1.5 % away, trailing 1.5 ATR behind the best close from
2.5 % on. The first row is the candle that the trade is opened in, at its open. A short is the mirror image.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
import pytest
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import Trade

from adaptive_pkg.adapter.trade_desk import TradeDesk
from adaptive_pkg.enums import Regime

START = pd.Timestamp("2023-05-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)
QUIET = (100.0, 100.5, 99.5, 100.0)
BREAKEVEN = 0.0  # a price that depends on the fees


@dataclass(frozen=True)
class Scenario:
    """What happens, told for a long."""

    name: str
    rows: tuple  # open, high, low, close
    reason: str  # force_exit: still open when the candles end
    price: float | None = None  # of the exit
    candle: int | None = None  # of the exit, 0 is the entry's
    stop: float | None = None  # freqtrade's last stop


SCENARIOS = [
    Scenario("nothing happens", (QUIET, QUIET), "force_exit", stop=97.5),
    Scenario("the stop is hit", (QUIET, (99.5, 99.6, 97.4, 98.0)), "stop_loss", 97.5, 1),
    Scenario("in the entry candle", ((100, 100.2, 97.0, 99.0), QUIET), "stop_loss", 97.5, 0),
    Scenario("the stop is missed by a tick", (QUIET, (99.5, 99.6, 97.52, 98.0), QUIET), "force_exit"),
    Scenario("a gap opens beyond the stop", (QUIET, (96.0, 96.5, 95.0, 96.2)), "stop_passed", 96.0, 1),
    Scenario(
        "a gap that comes back within the candle is still filled where it opened",
        (QUIET, (96.0, 99.0, 95.0, 98.5)), "stop_passed", 96.0, 1,
    ),
    Scenario(
        "a close at the trigger moves the stop to breakeven",
        ((100, 101.6, 99.9, 101.5), (101.4, 101.5, 100.5, 101.0), (100.9, 101, 100, 100.5)),
        "trailing_stop_loss", BREAKEVEN, 2,
    ),
    Scenario(
        "a close short of the trigger moves nothing",
        ((100, 101.6, 99.9, 101.4), (101.4, 101.5, 100.0, 100.2), QUIET), "force_exit", stop=97.5,
    ),
    Scenario(
        "a wick to the trigger and beyond moves nothing",
        ((100, 103.9, 99.9, 100.4), (100.4, 103.9, 98.0, 99.0), QUIET), "force_exit", stop=97.5,
    ),
    Scenario(
        "the stop trails the best close",
        ((100, 102.7, 99.9, 102.6), (102.6, 103.4, 102.5, 103.3), (103.2, 103.3, 101.7, 102.0)),
        "trailing_stop_loss", 101.8, 2,
    ),
    Scenario(
        "a later, lower close does not loosen it",
        (
            (100, 103.4, 99.9, 103.3), (103.2, 103.3, 102.0, 102.2), (102.2, 102.3, 101.9, 102.1),
            (102.1, 102.2, 101.7, 101.9),
        ),
        "trailing_stop_loss", 101.8, 3,
    ),
    Scenario(
        "a wick beyond the best close does not raise it",
        ((100, 102.7, 99.9, 102.6), (102.5, 103.9, 101.2, 102.0), (102.0, 102.1, 101.15, 101.2), QUIET),
        "stop_passed", 100.0, 3,
    ),
    Scenario("the target is filled at its price", (QUIET, (100, 104.5, 99.9, 103.0)), "roi", 104.0, 1),
    Scenario("a gap beyond the target fills at the open", (QUIET, (105, 106, 104.5, 105)), "roi", 105, 1),
    Scenario(
        "stop and target in one candle: the stop is taken",
        (QUIET, (100, 104.5, 97.0, 103.0)), "stop_loss", 97.5, 1,
    ),
    Scenario(
        "the wanted stop is already passed: out at once",
        ((100, 102.7, 99.9, 102.6), (101.0, 101.05, 100.6, 100.9)), "stop_passed", 101.0, 1,
    ),
]  # fmt: skip


def mirrored(rows):
    """The same candles for a short: reflected at 100."""
    return [(200 - o, 200 - low, 200 - high, 200 - c) for o, high, low, c in rows]


@pytest.fixture(scope="module")
def play(make_config, exchange_of, futures_config):
    """`play(rows, side, watch)`: the trade that the candles make, and freqtrade's stop at each of them."""
    known = {}

    def backtesting(side):
        if side not in known:
            overlay = [futures_config] if side == "short" else []
            config = make_config(*overlay, {"adaptive": {"profile": "moderate"}})
            known[side] = config
        return Backtesting(deepcopy(known[side]), exchange=exchange_of(known[side]))

    def run(rows, side="long", watch=lambda strategy, trade, now: None, **columns):
        bt = backtesting(side)
        pair = "BTC/USDT:USDT" if side == "short" else "BTC/USDT"
        frame = frame_of([QUIET, QUIET, *rows], side, **columns)
        bt.required_startup, bt.price_pair_prec = 0, {}
        bt.futures_data, bt.funding_fee_timeframe_secs = {pair: pd.DataFrame()}, 8 * 3_600
        strategy = bt.strategylist[0]
        bt._set_strategy(strategy)
        strategy._tune()

        def put(frame, metadata):
            strategy.desk.candles.put(pair, frame)
            return frame

        strategy.ft_advise_signals = put
        stops, should_exit = [], strategy.should_exit

        def watched(trade, rate, current_time, **asked):
            watch(strategy, trade, current_time)
            answer = should_exit(trade, rate, current_time, **asked)
            stops.append(trade.stop_loss)
            return answer

        strategy.should_exit = watched
        bt.backtest(
            {pair: frame}, frame["date"].iloc[0].to_pydatetime(), frame["date"].iloc[-1].to_pydatetime()
        )
        (trade,) = Trade.get_trades_proxy(is_open=False)
        return trade, stops

    return run


def frame_of(rows, side, **columns):
    frame = pd.DataFrame(rows, columns=["open", "high", "low", "close"], dtype=float)
    entry = [0, 1, *[0] * (len(rows) - 2)]
    long, short = (entry, 0) if side == "long" else (0, entry)
    return frame.assign(
        **{
            "date": pd.date_range(START, periods=len(rows), freq="1h"), "volume": 1_000.0, "atr": 1.0,
            "atr_pct": 1.0, "atr_ratio": 1.0, "regime": Regime.STRONG_TREND.code, "size_multiplier": 1.0,
            "enter_long": long, "enter_short": short, "enter_tag": "strong_trend.breakout", "exit_long": 0,
            "exit_short": 0, "exit_tag": None,
        }
        | columns
    )  # fmt: skip


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
def test_the_trade_ends_as_told(play, told, side):
    rows = list(told.rows) if side == "long" else mirrored(told.rows)
    trade, _ = play([*rows, rows[-1]] if told.reason == "force_exit" else rows, side)
    assert trade.exit_reason == told.reason
    assert trade.is_short == (side == "short")
    if told.price == BREAKEVEN:
        assert trade.close_profit == pytest.approx(0.0, abs=1.1e-4)  # a tick
        assert (trade.close_rate < 100) == (side == "short")
    elif told.price:
        price = told.price if side == "long" else 200 - told.price
        assert trade.close_rate == pytest.approx(price, abs=0.0101)
    if told.candle is not None:
        assert trade.close_date_utc == START + (2 + told.candle) * HOUR
    if told.stop:
        assert trade.stop_loss == pytest.approx(told.stop if side == "long" else 200 - told.stop, abs=0.0101)


def restart(strategy, trade, now):
    """Nothing but freqtrade's database outlives a restart."""
    strategy.desk = TradeDesk(strategy.planner, strategy.desk.candles)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
def test_a_restart_before_every_candle_changes_nothing(play, told, side):
    rows = list(told.rows) if side == "long" else mirrored(told.rows)
    lived, stops = play(rows, side)
    trade, again = play(rows, side, watch=restart)
    assert again == stops
    assert (trade.exit_reason, trade.close_rate, trade.close_date) == (
        lived.exit_reason, lived.close_rate, lived.close_date,
    )  # fmt: skip


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
def test_freqtrades_stop_is_the_planned_one_from_the_first_candle_and_never_loosens(play, told, side):
    _, stops = play(list(told.rows) if side == "long" else mirrored(told.rows), side)
    sign = 1 if side == "long" else -1
    assert stops[0] == pytest.approx(100 - sign * 2.5, abs=0.0101)
    assert all(sign * after >= sign * before for before, after in pairwise(stops))


def test_an_atr_that_vanishes_while_trailing_leaves_the_stop_where_it_is(play):
    rows = ((100, 103.4, 99.9, 103.3), (103.2, 103.3, 102.0, 102.2), (102.2, 102.3, 101.9, 102.1))
    sound, stops = play(rows)
    _, without = play(rows, atr=[1.0, 1.0, 1.0, math.nan, 0.0])
    assert without == stops
    assert sound.stop_loss == pytest.approx(101.8, abs=0.0101)
