"""The ledger of closed trades: what is known at a moment, and what is refused."""

import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import ClosedTrade, TradeLedger, estimate
from adaptive_pkg.settings import KellySettings

NOON = datetime(2023, 5, 1, 12, tzinfo=UTC)


def trade(number, closed_at, r_multiple=1.0, regime=Regime.CHOPPY, profit=10.0):
    return ClosedTrade(number, closed_at, regime, r_multiple, profit)


def test_counts_per_regime_and_pooled(ledger_of):
    ledger = ledger_of({"choppy": [2.0, -1.0, 0.0], "tight_range": [0.5]})
    choppy, pooled = ledger.by_regime[Regime.CHOPPY], ledger.pooled
    assert (choppy.n, choppy.wins, choppy.losses) == (3, 1, 2)
    assert (choppy.win_sum, choppy.loss_sum, choppy.square_sum) == (2.0, 1.0, 5.0)
    assert (pooled.n, pooled.wins, pooled.mean) == (4, 2, pytest.approx(0.375))
    assert ledger.by_regime[Regime.STRONG_TREND].mean == 0.0
    assert len(ledger) == 4


def test_a_trade_closed_in_the_same_candle_is_pending_and_unused():
    ledger = TradeLedger()
    ledger.record(trade(1, NOON - timedelta(hours=1)))
    ledger.record(trade(2, NOON))
    assert ledger.advance_to(NOON) == 1
    assert (len(ledger), ledger.pending, ledger.pooled.n, ledger.profit) == (1, 1, 1, 10.0)
    assert 2 in ledger
    assert ledger.advance_to(NOON + timedelta(microseconds=1)) == 1
    assert (len(ledger), ledger.pending) == (2, 0)


def test_queued_trades_are_counted_in_time_order_whatever_order_they_came_in():
    ledger = TradeLedger()
    for number, minutes, profit in ((1, 30, -50.0), (2, 10, 100.0), (3, 20, 20.0)):
        ledger.record(trade(number, NOON + timedelta(minutes=minutes), profit=profit))
    ledger.advance_to(NOON + timedelta(minutes=25))
    assert (ledger.profit, ledger.peak_profit) == (120.0, 120.0)
    ledger.advance_to(NOON + timedelta(hours=1))
    assert (ledger.profit, ledger.peak_profit) == (70.0, 120.0)


def test_a_known_id_is_refused_queued_or_counted():
    ledger = TradeLedger()
    ledger.record(trade(1, NOON))
    for attempt in (ledger.record, ledger.add):
        with pytest.raises(RiskError, match="already"):
            attempt(trade(1, NOON + timedelta(hours=1)))
    ledger.advance_to(NOON + timedelta(hours=2))
    with pytest.raises(RiskError, match="already"):
        ledger.record(trade(1, NOON + timedelta(hours=3)))
    assert len(ledger) == 1


def test_a_trade_older_than_one_already_counted_is_refused():
    ledger = TradeLedger()
    ledger.add(trade(1, NOON))
    for attempt in (ledger.record, ledger.add):
        with pytest.raises(RiskError, match="rebuild"):
            attempt(trade(2, NOON - timedelta(seconds=1)))
    ledger.add(trade(3, NOON))  # the same moment is no disorder
    assert len(ledger) == 2


def test_adding_past_older_queued_trades_is_refused():
    ledger = TradeLedger()
    ledger.record(trade(1, NOON))
    with pytest.raises(RiskError, match="advance_to"):
        ledger.add(trade(2, NOON + timedelta(hours=1)))


def test_a_clock_that_runs_backwards_is_refused():
    ledger = TradeLedger()
    ledger.advance_to(NOON)
    with pytest.raises(RiskError, match="new ledger"):
        ledger.advance_to(NOON - timedelta(hours=1))


def test_times_are_exact_whatever_their_zone_and_never_naive():
    berlin = timezone(timedelta(hours=2))
    same = (
        trade(1, datetime(2023, 5, 1, 14, 0, 0, 1, tzinfo=berlin)),
        trade(2, NOON + timedelta(microseconds=1)),
    )
    assert same[0].closed_at == same[1].closed_at == int(NOON.timestamp()) * 10**9 + 1_000
    assert trade(3, np.int64(7)).closed_at == 7
    for bad in (datetime(2023, 5, 1, 12), "2023-05-01", 1.5, None):
        with pytest.raises(RiskError):
            trade(1, bad)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(bad):
    with pytest.raises(RiskError, match="r_multiple"):
        trade(1, NOON, r_multiple=bad)
    with pytest.raises(RiskError, match="profit_abs"):
        trade(1, NOON, profit=bad)


def test_drawdown_is_the_fall_from_the_peak_of_closed_profits():
    ledger = TradeLedger()
    assert ledger.drawdown(1_000.0) == 0.0
    for number, profit in enumerate((200.0, -300.0, 100.0)):
        ledger.add(trade(number, number, profit=profit))
    # started with 1,000: peak 1,200, now 1,000
    assert ledger.drawdown(1_000.0) == pytest.approx(200 / 1_200)
    for bad in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(RiskError, match="equity"):
            ledger.drawdown(bad)


@given(profits=st.lists(st.floats(-90, 90), max_size=60))
def test_drawdown_equals_the_one_of_the_whole_curve(profits):
    ledger, start = TradeLedger(), 10_000.0
    for number, profit in enumerate(profits):
        ledger.add(trade(number, number, profit=profit))
    curve = start + np.concatenate([[0.0], np.cumsum(profits)])
    assert ledger.drawdown(float(curve[-1])) == pytest.approx(1 - curve[-1] / curve.max(), abs=1e-9)


def calls_made(trades):
    """Python-level calls to record, settle and question after each of `trades` trades."""
    history = [trade(number, number, r_multiple=(-1.0) ** number, regime=list(Regime)[number % 5])
               for number in range(trades)]  # fmt: skip
    ledger, settings, count = TradeLedger(), KellySettings(), 0

    def count_call(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        for item in history:
            ledger.record(item)
            ledger.advance_to(item.closed_at + 1)
            estimate(ledger, item.regime, settings)
    finally:
        sys.setprofile(None)
    assert len(ledger) == trades
    return count


def test_ten_thousand_trades_cost_ten_times_one_thousand():
    assert calls_made(10_000) / calls_made(1_000) == pytest.approx(10.0, rel=0.02)
