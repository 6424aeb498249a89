"""Parity: a live bot's trades are the backtest's, candle by candle."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from adaptive_pkg.rehearsal.fast_time import RehearsalError
from adaptive_pkg.rehearsal.market import BEGIN, PAIRS, TIMEFRAME
from adaptive_pkg.rehearsal.parity import Difference, ParityReport, Tolerance, compare, loop_steps, run_parity
from adaptive_pkg.rehearsal.trade_views import OrderView, TradeView, candle_of
from adaptive_pkg.simulator.candles import CandleStore

pytestmark = pytest.mark.timeout(600)  # a busy machine; nothing here depends on its speed

AT = datetime(2023, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_dry_run_trades_as_its_backtest(tmp_path, market, project_root):
    report = run_parity(tmp_path / "run", market, BEGIN, 72, PAIRS, TIMEFRAME, project=project_root)
    assert report.holds, report.table()
    assert report.analysed == 72 * 3
    assert report.live >= 5
    assert (report.violations, report.errors) == (0, 0)
    assert json.loads(json.dumps(report.to_dict()))["holds"] is True
    assert "parity holds" in report.table()


def test_a_bot_with_keys_trades_as_its_backtest(tmp_path, market, project_root):
    report = run_parity(
        tmp_path / "run", market, BEGIN, 32, PAIRS, TIMEFRAME, live=True, project=project_root
    )
    assert report.holds, report.table()
    assert report.live >= 2
    assert (report.violations, report.errors) == (0, 0)


def view(**changes):
    orders = (
        OrderView(AT, "buy", "trend", 100.0, 1000.0),
        OrderView(AT + HOUR, "sell", "roi", 110.0, 1100.0),
    )
    return replace(TradeView("BTC/USDT", AT, AT + HOUR, "trend", "roi", orders), **changes)


def differences(live, backtest, step=1.0):
    steps = {("BTC/USDT", AT + n * HOUR): step for n in range(4)}
    return [found.field for found in compare(live, backtest, steps, Tolerance())[0]]


def order(number, **changes):
    orders = list(view().orders)
    orders[number] = replace(orders[number], **changes)
    return view(orders=tuple(orders))


@pytest.mark.parametrize(
    ("live", "field"),
    [
        ([], "trade"),
        ([view(enter_tag="grid")], "enter_tag"),
        ([view(exit_reason="stop_loss")], "exit_reason"),
        ([view(closed=AT + 2 * HOUR)], "closed"),
        ([view(opened=AT + HOUR), view()], "trade"),
        ([order(1, candle=AT + 2 * HOUR)], "orders"),
        ([view(orders=view().orders[:1])], "orders"),
        ([order(1, price=112.1)], "price of order 2"),
        ([order(0, price=100.1)], "price of order 1"),  # an entry is at the open, not somewhere near
        ([order(0, value=1021.0)], "value of order 1"),
    ],
)
def test_nothing_that_differs_is_overlooked(live, field):
    assert differences(live, [view()]) == [field]


def test_a_trade_only_the_backtest_has_is_a_difference_too():
    assert differences([view()], [view(), view(pair="ETH/USDT")]) == ["trade"]


def test_a_price_seen_two_loops_late_is_none():
    assert differences([order(1, price=111.9)], [view()]) == []
    assert differences([order(1, price=111.9)], [view()], step=0.9) == ["price of order 2"]
    assert differences([order(0, value=1009.0)], [view()]) == []


def test_a_stake_may_follow_what_earlier_exits_have_brought_in_and_no_more():
    """30 of 10,000 lost more live explain 6 × 0.3 % of the next stake, besides the 1 % of rounding."""

    def after(loss, value):
        later = replace(order(0, value=value), opened=AT + 2 * HOUR, closed=None, exit_reason="")
        return [order(1, value=1100.0 - loss, price=110.0), replace(later, orders=later.orders[:1])]

    backtest = after(0.0, 1000.0)
    assert differences(after(30.0, 973.0), backtest) == ["value of order 2"]  # the exit itself
    assert differences(after(30.0, 971.0), backtest) == ["value of order 2", "value of order 1"]
    assert differences(after(0.0, 985.0), backtest) == ["value of order 1"]


def test_trades_that_cannot_be_told_apart_are_refused():
    with pytest.raises(RehearsalError, match="twice in one candle"):
        compare([view(), view()], [view()], {}, Tolerance())


def test_a_skipped_candle_or_any_difference_breaks_parity():
    report = ParityReport(
        "dry run", "1h", ("BTC/USDT",), AT, 10, 10, 10, 1, 1, 0, 2, (), 0.0, 0.0, 0.0, 0, 0, 5.0
    )
    assert report.holds
    for broken in ({"analysed": 9}, {"differences": (Difference("BTC/USDT", "trade", "none", "x"),)}):
        assert not replace(report, **broken).holds
        assert "DOES NOT HOLD" in replace(report, **broken).table()


def test_a_loops_worth_of_price_follows_from_the_candles_range(market):
    store = CandleStore(market)
    frame = store.load("BTC/USDT", "1h", pd.Timestamp(BEGIN), pd.Timestamp(BEGIN + 3 * HOUR))
    steps = loop_steps(store, PAIRS[:1], "1h", BEGIN, BEGIN + 3 * HOUR)
    assert list(steps) == [("BTC/USDT", BEGIN + n * HOUR) for n in range(3)]
    # the price runs from low to high in 5/16 of an hour, and the bot looks every two minutes
    assert steps["BTC/USDT", BEGIN] == pytest.approx((frame["high"] - frame["low"])[0] * 16 / 5 / 30)


def test_moments_belong_to_the_candle_that_holds_them():
    assert candle_of(AT + HOUR - timedelta(milliseconds=1), HOUR) == AT
    assert candle_of(AT + HOUR, HOUR) == AT + HOUR
