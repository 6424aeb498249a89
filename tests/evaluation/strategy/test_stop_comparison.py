"""Stops beside fixed ones: compared with what is as far away, and with what costs as much."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.evaluation.strategy.excursions import excursions
from adaptive_pkg.evaluation.strategy.stop_comparison import DISTANCES, compare_stops, fixed_stops
from adaptive_pkg.settings import load_settings


@pytest.fixture(scope="module")
def candles():
    """A saw: the price falls by 4 % and is back eight hours later, over and over."""
    hours = np.arange(4_000)
    phase = hours % 16
    close = 100.0 * (1.0 - 0.04 * np.minimum(phase, 16 - phase) / 8)
    frame = pd.DataFrame(
        {"date": pd.date_range("2023-01-01", periods=len(hours), freq="h", tz="UTC"), "close": close}
    )
    opened = np.concatenate([[100.0], close[:-1]])
    return {
        "BTC/USDT": frame.assign(
            open=opened, high=np.maximum(opened, close) + 0.05, low=np.minimum(opened, close) - 0.05
        )
    }


def trades(distance, loss, stopped, count=200):
    """Entries at the top of the saw; `stopped` of ten are stopped on the way down, the others sold at it."""
    rows = []
    for at in range(count):
        opened = pd.Timestamp("2023-01-02", tz="UTC") + pd.Timedelta(hours=16 * at)
        early = at % 10 < stopped
        rows.append(
            {
                "pair": "BTC/USDT",
                "open_date": opened,
                "close_date": opened + pd.Timedelta(hours=4),
                "open_rate": 100.0,
                "close_rate": 98.0,
                "stake_amount": 100.0,
                "profit_abs": -100.0 * loss,
                "profit_ratio": -loss,
                "exit_reason": "trailing_stop_loss" if early else "exit_signal",
                "initial_stop": 100.0 * (1.0 - distance),
                "is_short": False,
            }
        )
    return pd.DataFrame(rows)


def test_the_fixed_stop_is_chosen_by_distance_and_by_tail_loss(candles):
    ours = excursions(trades(0.021, 0.048, stopped=2), candles)
    fixed = {0.02: trades(0.02, 0.02, stopped=8), 0.05: trades(0.05, 0.05, stopped=4)}
    as_far, as_costly = compare_stops(ours, fixed, candles)
    assert (as_far.fixed, as_costly.fixed) == (0.02, 0.05)
    assert as_far.premature == (0.2, 0.8)
    assert as_far.relative.value == pytest.approx(0.2 / 0.8 - 1.0)
    assert as_costly.relative.value == pytest.approx(0.2 / 0.4 - 1.0)
    assert as_far.relative.low <= as_far.relative.value <= as_far.relative.high < 0.0
    assert as_costly.tail == pytest.approx((-0.048, -0.05))


def test_stops_that_are_left_as_often_are_no_gain(candles):
    ours = excursions(trades(0.03, 0.03, stopped=5), candles)
    as_far, as_costly = compare_stops(ours, {0.03: trades(0.03, 0.03, stopped=5)}, candles)
    assert as_far == as_costly
    assert as_far.relative.value == pytest.approx(0.0)


def test_too_few_stopped_trades_say_nothing(candles):
    ours = excursions(trades(0.03, 0.03, stopped=5), candles)
    assert compare_stops(ours, {0.03: trades(0.03, 0.03, stopped=0)}, candles) is None
    few = excursions(trades(0.03, 0.03, stopped=5, count=20), candles)
    assert compare_stops(few, {0.03: trades(0.03, 0.03, stopped=5)}, candles) is None
    assert compare_stops(ours, {}, candles) is None


def test_the_runs_compared_with_have_stops_that_never_move():
    runs = fixed_stops()
    assert len(runs) == len(DISTANCES)
    for adaptive, distance in zip(runs.values(), DISTANCES, strict=True):
        settings = load_settings({"adaptive": adaptive})
        assert not settings.components.dynamic_stops
        assert settings.stops.fixed_fraction == distance
