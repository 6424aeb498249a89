from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.baselines import RidgeBaseline, drift_forecast, zero_forecast


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
