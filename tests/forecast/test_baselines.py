from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.baselines import (
    HarBaseline,
    RidgeBaseline,
    drift_forecast,
    har_terms,
    zero_forecast,
)
from adaptive_pkg.forecast.targets import past_log_volatility, volatility_level


def test_zero_and_drift_ignore_the_features():
    assert zero_forecast(3, 2).tolist() == [[0, 0]] * 3
    labels = np.array([[1.0, 2.0], [np.nan, 5.0], [3.0, 4.0]])
    assert drift_forecast(labels, 2).tolist() == [[2, 3], [2, 3]]


def test_ridge_finds_a_linear_relation_and_leaves_unknown_rows_unknown():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 3))
    y = np.column_stack([x[:, 0] - x[:, 1], 0.5 * x[:, 2]])
    model = RidgeBaseline.fit(x[:400], y[:400], alpha=1e-3)
    x[450, 0] = np.nan
    forecast = model.predict(x[400:])
    assert np.isnan(forecast[50]).all()
    known = np.arange(100) != 50
    np.testing.assert_allclose(forecast[known], y[400:][known], atol=0.05)


def test_nothing_known_is_an_error():
    with pytest.raises(ForecastError, match="ridge: 0 complete rows"):
        RidgeBaseline.fit(np.full((5, 2), np.nan), np.zeros((5, 1)))
    with pytest.raises(ForecastError, match="drift"):
        drift_forecast(np.full((4, 1), np.nan), 2)


def test_har_terms_are_past_volatility_and_the_level():
    rng = np.random.default_rng(6)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 300)))
    terms = har_terms(close, 100, (12, 24, 24, 1))
    assert terms.shape == (300, 3)  # 1 is no volatility, 24 counts once
    np.testing.assert_array_equal(terms[:, 1], past_log_volatility(close, 24, 100))
    np.testing.assert_array_equal(terms[100:, 2], np.log(volatility_level(close, 100))[100:])
    np.testing.assert_array_equal(terms[:200], har_terms(close[:200], 100, (12, 24)))


def test_har_finds_persistent_volatility_and_leaves_unknown_rows_unknown():
    rng = np.random.default_rng(7)
    terms = rng.normal(size=(400, 3))
    target = terms @ [0.5, 0.3, -0.2] + 0.1 + rng.normal(0, 0.05, 400)
    target[390:] = np.nan
    terms[395, 0] = np.nan
    model = HarBaseline.fit(terms, target)
    forecast = model.predict(terms)
    assert np.isnan(forecast[395]) and np.isfinite(forecast[390:395]).all()
    np.testing.assert_allclose(model.regression.coef_, [0.5, 0.3, -0.2], atol=0.02)
    with pytest.raises(ForecastError, match="HAR: 4 complete rows of 5"):
        HarBaseline.fit(np.ones((5, 3)), np.array([1, 2, 3, 4, np.nan]))
