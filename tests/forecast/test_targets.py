from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast import (
    forecast_price,
    forecast_volatility,
    future_log_volatility,
    future_return_sigma,
    past_log_volatility,
    volatility_level,
)


def test_return_is_measured_in_the_sigma_of_its_horizon():
    close = np.array([100.0, 101.0, 102.0, 104.0, 100.0])
    target = future_return_sigma(close, np.full(5, 0.01), horizon=2)
    expected = np.log([102 / 100, 104 / 101, 100 / 102]) / (0.01 * np.sqrt(2))
    np.testing.assert_allclose(target[:3], expected)
    assert np.isnan(target[3:]).all()


def test_volatility_target_looks_only_at_the_candles_after_the_row():
    close = 100 * np.exp(np.cumsum([0.0, 0.01, -0.01, 0.01, -0.01, 0.03, -0.03, 0.03]))
    target = future_log_volatility(close, horizon=2, level_period=3)
    # At row 4 the level knows ±1 % moves; the two candles after it move 3 %.
    assert target[4] == pytest.approx(np.log(3.0))
    assert np.isnan(target[:3]).all()
    assert np.isnan(target[-2:]).all()


def test_what_was_future_volatility_is_past_volatility_one_horizon_later():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 80)))
    future, past = future_log_volatility(close, 4, 20), past_log_volatility(close, 4, 20)
    level = volatility_level(close, 20)
    moved = future[20:-4] + np.log(level[20:-4] / level[24:])
    np.testing.assert_allclose(moved, past[24:], atol=1e-12)


@pytest.mark.parametrize("horizon", [2, 5, 12])
def test_labels_of_the_last_rows_stay_unknown(horizon, random_candles):
    candles = random_candles(120)
    sigma = np.full(120, 0.006)
    for target in (
        future_return_sigma(candles["close"], sigma, horizon),
        future_log_volatility(candles["close"], horizon, 30),
    ):
        assert np.isnan(target[-horizon:]).all()
        assert np.isfinite(target[30:-horizon]).all()


def test_appending_candles_changes_no_known_label(random_candles):
    candles = random_candles(200)
    sigma = np.full(200, 0.006)
    whole = future_return_sigma(candles["close"], sigma, 6), future_log_volatility(candles["close"], 6, 40)
    part = candles["close"][:150]
    cut = future_return_sigma(part, sigma[:150], 6), future_log_volatility(part, 6, 40)
    for long, short in zip(whole, cut, strict=True):
        known = np.isfinite(short)
        np.testing.assert_array_equal(short[known], long[:150][known])


def test_a_silent_candle_in_the_span_makes_the_label_unknown():
    close = np.exp(np.linspace(0, 0.2, 12))
    volume = np.ones(12)
    volume[6] = 0.0
    target = future_return_sigma(close, np.full(12, 0.01), 3, volume=volume)
    assert np.isnan(target[3:7]).all()  # spans 3…6, 4…7, 5…8, 6…9 touch candle 6
    assert np.isfinite(target[:3]).all()
    assert np.isfinite(target[7:9]).all()


def test_a_flat_future_is_unknown_not_minus_infinity():
    close = np.array([1.0, 1.1, 1.0, 1.1, 1.0, 1.0, 1.0, 1.0])
    assert np.isnan(future_log_volatility(close, 2, 3)[4])


@settings(max_examples=50)
@given(
    moves=st.lists(st.floats(-0.2, 0.2), min_size=8, max_size=40),
    horizon=st.integers(1, 5),
    sigma=st.floats(1e-4, 0.1),
)
def test_forecast_price_inverts_the_return_target(moves, horizon, sigma):
    close = 50 * np.exp(np.cumsum(moves))
    scale = np.full(len(close), sigma)
    target = future_return_sigma(close, scale, horizon)[:-horizon]
    price = forecast_price(close[:-horizon], target, scale[:-horizon], horizon)
    np.testing.assert_allclose(price, close[horizon:], rtol=1e-9)


def test_forecast_volatility_inverts_the_volatility_target(random_candles):
    close = random_candles(100)["close"]
    target, level = future_log_volatility(close, 5, 30), volatility_level(close, 30)
    realised = np.sqrt(np.diff(np.log(close[60:66])) @ np.diff(np.log(close[60:66])) / 5)
    assert forecast_volatility(target[60:61], level[60:61])[0] == pytest.approx(realised)


def test_one_row_frame_gives_one_unknown_label():
    assert np.isnan(future_return_sigma([10.0], [0.01], 3)).all()
    assert np.isnan(future_log_volatility([10.0], 3, 10)).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: future_return_sigma([1.0, 2.0], [0.1, 0.1], 0), "horizon: 0"),
        (lambda: future_return_sigma([1.0, 2.0], [0.1], 1), "'sigma': 1"),
        (lambda: future_return_sigma([1.0, 2.0, 3.0], [0.1] * 3, 1, volume=[1.0]), "volume: 1 rows"),
        (lambda: future_log_volatility([1.0, 2.0], 1, 10), "horizon: 1"),
        (lambda: volatility_level([1.0, 2.0], 1), "level_period: 1"),
    ],
)
def test_bad_input_names_the_argument(call, named):
    with pytest.raises(ForecastError, match=named):
        call()
