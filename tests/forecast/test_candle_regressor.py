from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.candle_regressor import CandleRegressor, Regressor, held_out_gains

WINDOW, SEEN = 8, 700
KINDS = pytest.mark.parametrize("kind", list(Regressor))


def fit(span, kind, rows=None, center=(0.0, 0.0), seed=1):
    return CandleRegressor.fit(kind, span, span.train if rows is None else rows, np.array(center), seed)


@KINDS
def test_it_learns_what_the_last_candle_says(span, longer_frames, kind):
    forecast = fit(span, kind).predict(longer_frames.features, longer_frames.dates)
    actual = longer_frames.labels.to_numpy()[SEEN:897]
    errors = ((forecast.values[SEEN:897] - actual) ** 2).mean(axis=0) / (actual**2).mean(axis=0)
    assert errors[0] < 0.95  # a fifth of the label is in the last candle


@KINDS
def test_windows_gaps_and_slices_are_the_networks(span, forecaster, longer_frames, kind):
    features, dates = longer_frames.features.copy(), longer_frames.dates.copy()
    features.iloc[750, 1] = np.nan
    dates = dates.where(dates.index < 820, dates + pd.Timedelta("34h"))
    model = fit(span, kind)
    whole = model.predict(features, dates)
    np.testing.assert_array_equal(whole.valid, forecaster.predict(features, dates).valid)
    assert not whole.values[~whole.valid].any()
    for part in (slice(SEEN, 900), slice(SEEN, SEEN + 1), slice(SEEN - 3, 840), slice(880, 900)):
        got = model.predict(features.iloc[part], dates.iloc[part])
        np.testing.assert_array_equal(got.values[got.valid], whole.values[part][got.valid])
        assert got.valid[-1]


@KINDS
def test_the_mean_of_the_labels_is_not_learned(frames, span, kind):
    """The centre is given: what a model that knows nothing should say."""
    model = fit(span, kind, center=(5.0, -5.0))
    forecast = model.predict(frames.features, frames.dates)
    np.testing.assert_allclose(forecast.values[forecast.valid].mean(axis=0), [5, -5], atol=0.3)
    silent = model.shrunk(np.zeros(2)).predict(frames.features, frames.dates)
    assert (silent.values[silent.valid] == [5, -5]).all()


def test_only_the_rows_asked_for_are_learned_from(span):
    changed = span.labels.copy()
    changed[~span.train] = 1e6
    other = type(span)(**{**span.__dict__, "labels": changed})
    one, two = fit(span, Regressor.RIDGE), fit(other, Regressor.RIDGE)
    assert all(np.array_equal(a, b) for a, b in zip(one.models, two.models, strict=True))
    with pytest.raises(ForecastError, match="ridge: 0 target rows"):
        fit(span, Regressor.RIDGE, rows=np.zeros(len(span.labels), dtype=bool))


def test_gains_silence_noise_and_leave_skill_alone():
    rng = np.random.default_rng(2)
    actual = rng.normal(size=(2000, 3))
    forecast = np.column_stack([0.8 * actual[:, 0], rng.normal(size=2000), -actual[:, 2]])
    gains = held_out_gains(forecast + 0.3 * rng.normal(size=(2000, 3)) * [1, 0, 0], actual, 5)
    assert gains[0] > 0.95
    assert gains[1] < 0.1
    assert gains[2] == 0
