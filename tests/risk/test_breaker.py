"""The circuit breaker: failures in a row, old data, a day that loses too much."""

import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.breaker import CircuitBreaker, DayResult, Trip, day_result, midnight
from adaptive_pkg.settings.live import BreakerSettings

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
QUIET = DayResult(realised=0.0, open_profit=0.0, equity=1000.0)
SETTINGS = BreakerSettings(errors=3, pause_minutes=10, late_candles=0.5, daily_loss=0.05)


def look(breaker, now=NOON, age=60.0, day=QUIET):
    return breaker.state(now, candle_age_seconds=age, candle_seconds=3600, day=day)


def fail(breaker, times, now=NOON):
    for number in range(times):
        breaker.failed(f"call {number} failed", now)


def test_failures_in_a_row_rest_entries_for_the_pause():
    breaker = CircuitBreaker(SETTINGS)
    fail(breaker, 2)
    assert look(breaker).closed
    breaker.failed("depth: no answer within 3 s", NOON)
    state = look(breaker)
    assert (state.trip, state.until) == (Trip.ERRORS, NOON + timedelta(minutes=10))
    assert "3 failures in a row, last: depth: no answer within 3 s" in state.reason
    assert look(breaker, NOON + timedelta(minutes=9, seconds=59)).trip is Trip.ERRORS
    assert look(breaker, NOON + timedelta(minutes=10)).closed


def test_a_success_in_between_starts_the_count_anew():
    breaker = CircuitBreaker(SETTINGS)
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert look(breaker).closed


def test_after_the_pause_one_failure_is_enough_until_something_works():
    breaker = CircuitBreaker(SETTINGS)
    fail(breaker, 3)
    later = NOON + timedelta(minutes=11)
    assert look(breaker, later).closed
    breaker.failed("again", later)
    assert look(breaker, later).trip is Trip.ERRORS
    breaker.succeeded()
    much_later = later + timedelta(minutes=11)
    breaker.failed("once", much_later)
    assert look(breaker, much_later).closed


@pytest.mark.parametrize(
    ("age", "trip"), [(5400, Trip.NONE), (5401, Trip.DATA_AGE), (math.nan, Trip.DATA_AGE)]
)
def test_old_candles_rest_entries_as_long_as_they_are_old(age, trip):
    state = look(CircuitBreaker(SETTINGS), age=age)
    assert state.trip is trip
    assert state.until is None


def test_a_day_that_loses_too_much_rests_until_midnight():
    breaker = CircuitBreaker(SETTINGS)
    lost = DayResult(realised=-30.0, open_profit=-20.0, equity=970.0)  # began with 1,000
    state = look(breaker, day=lost)
    assert (state.trip, state.until) == (Trip.DAILY_LOSS, datetime(2024, 3, 2, tzinfo=UTC))
    assert "5.00% lost since midnight UTC" in state.reason
    assert look(breaker, day=DayResult(-30.0, -19.9, 970.0)).closed
    assert look(breaker, day=DayResult(-60.0, +20.0, 940.0)).closed  # open trades have made up for it


@pytest.mark.parametrize("numbers", [(0.0, 0.0, 0.0), (10.0, 0.0, 5.0), (math.nan, 0.0, 10.0)])
def test_a_day_without_equity_is_refused(numbers):
    with pytest.raises(RiskError, match="equity"):
        DayResult(*numbers)


def test_midnight_is_the_utc_one():
    tokyo = datetime.fromisoformat("2024-03-02T08:00:00+09:00")
    assert midnight(tokyo) == datetime(2024, 3, 1, tzinfo=UTC)


def trade(pair, amount, entry, realised=0.0):
    return SimpleNamespace(
        pair=pair, amount=amount, realized_profit=realised, calc_profit=lambda rate: amount * (rate - entry)
    )


def test_the_day_counts_closed_trades_and_open_ones_at_the_price_now():
    closed = [SimpleNamespace(close_profit_abs=-20.0), SimpleNamespace(close_profit_abs=5.0)]
    opened = [trade("BTC/USDT", 2.0, 100.0), trade("ETH/USDT", 1.0, 50.0, realised=3.0)]
    day = day_result(closed, opened, 985.0, {"BTC/USDT": 90.0, "ETH/USDT": 51.0}.__getitem__)
    assert day.realised == -15.0
    assert day.open_profit == -20.0 + 1.0 + 3.0
    assert day.first == 1000.0
    assert day.loss == pytest.approx(0.031)


def test_a_trade_without_a_price_counts_at_cost_and_one_that_has_not_filled_not_at_all():
    opened = [trade("BTC/USDT", 2.0, 100.0, realised=1.0), trade("ETH/USDT", 0.0, 50.0)]
    assert day_result([], opened, 1000.0, lambda pair: math.nan).open_profit == 1.0
