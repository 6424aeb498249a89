from __future__ import annotations

import pickle
from dataclasses import replace

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast import LABELS, RecurrentForecaster, TrainingSpan
from adaptive_pkg.forecast.contract import EXTRA_RETURNS, extra_returns
from adaptive_pkg.forecast.ensemble import MEAN, EnsembleForecaster, evidence_weights

WINDOW, SEEN = 8, 700
MEMBERS = ["gru", "lstm", "ridge", "boosting", MEAN]


@pytest.fixture(scope="module")
def ensemble(span, tiny_settings):
    return EnsembleForecaster.fit(span, tiny_settings)


@pytest.fixture(scope="module")
def whole(ensemble, longer_frames):
    return ensemble.predict(longer_frames.features, longer_frames.dates)


def test_weights_are_shares_for_every_label_and_reported(ensemble):
    assert list(ensemble.weights) == list(LABELS)
    for shares in ensemble.weights.values():
        assert list(shares) == MEMBERS
        assert min(shares.values()) >= 0
        assert sum(shares.values()) == pytest.approx(1)
    assert [list(row) for row in ensemble.errors.values()] == [MEMBERS] * 2


def test_the_network_alone_sees_five_candles_back_and_gets_the_weight(ensemble):
    """The first label is a mean over five candles: a model of the last candle cannot know it."""
    shares, errors = ensemble.weights[LABELS[0]], ensemble.errors[LABELS[0]]
    assert errors["gru"] < errors["ridge"] < errors[MEAN]
    assert shares["gru"] > shares["ridge"] > shares[MEAN]


def test_the_forecast_is_the_weighted_sum_of_its_members(ensemble, longer_frames, whole):
    after = slice(SEEN, 900)
    parts = {
        n: m.predict(longer_frames.features, longer_frames.dates).values for n, m in ensemble.members.items()
    }
    for column, label in enumerate(LABELS):
        shares = ensemble.weights[label]
        expected = sum(shares[n] * part[after, column] for n, part in parts.items())
        expected = expected + shares[MEAN] * ensemble.label_center[column]
        np.testing.assert_allclose(whole.values[after, column], expected, atol=1e-6)


def test_its_networks_are_the_ones_trained_alone(ensemble, span, tiny_settings, forecaster):
    assert all(
        np.array_equal(a, b) for a, b in zip(ensemble.members["gru"].weights, forecaster.weights, strict=True)
    )
    lstm = RecurrentForecaster.fit(span, replace(tiny_settings, cell="lstm"))
    assert all(
        np.array_equal(a, b) for a, b in zip(ensemble.members["lstm"].weights, lstm.weights, strict=True)
    )


def test_it_is_better_than_saying_nothing_on_later_candles(longer_frames, whole):
    actual = longer_frames.labels.to_numpy()[SEEN:897]
    errors = ((whole.values[SEEN:897] - actual) ** 2).mean(axis=0)
    assert (errors < 0.9 * (actual**2).mean(axis=0)).all()


def test_slices_single_candles_and_gaps_are_as_in_the_network(ensemble, forecaster, longer_frames, whole):
    features, dates = longer_frames.features, longer_frames.dates
    np.testing.assert_array_equal(whole.valid, forecaster.predict(features, dates).valid)
    for part in (slice(SEEN, 900), slice(SEEN, SEEN + 1), slice(860, 900)):
        got = ensemble.predict(features.iloc[part], dates.iloc[part])
        np.testing.assert_array_equal(got.values[got.valid], whole.values[part][got.valid])
        assert got.valid[-1]
    poisoned = features.copy()
    poisoned.iloc[750, 0] = np.nan
    got = ensemble.predict(poisoned, dates)
    assert np.flatnonzero(whole.valid & ~got.valid).tolist() == list(range(750, 750 + WINDOW))
    assert not got.values[~got.valid].any()
    gap = dates.where(dates.index < 800, dates + pd.Timedelta("34h"))
    assert np.flatnonzero(~ensemble.predict(features, gap).valid[WINDOW:]).tolist() == list(range(792, 799))


def test_appending_candles_changes_no_forecast(ensemble, longer_frames, whole):
    part = ensemble.predict(longer_frames.features.iloc[:760], longer_frames.dates.iloc[:760])
    np.testing.assert_array_equal(part.values, whole.values[:760])


def test_training_twice_gives_the_same_forecasts_and_they_survive_the_disk(
    span, tiny_settings, ensemble, longer_frames, whole
):
    again = EnsembleForecaster.fit(span, tiny_settings)
    assert again.weights == ensemble.weights
    ensemble.tb_logger = open  # FreqAI hangs things here; they must not be saved
    stored = cloudpickle.loads(cloudpickle.dumps(ensemble))
    assert stored and stored.tb_logger is None
    for model in (again, stored):
        got = model.predict(longer_frames.features, longer_frames.dates)
        np.testing.assert_array_equal(got.values, whole.values)


def test_another_version_and_other_features_are_refused(ensemble, longer_frames, monkeypatch):
    with pytest.raises(ForecastError, match="differ from training"):
        ensemble.predict(longer_frames.features.add_prefix("x"), longer_frames.dates)
    saved = pickle.dumps(ensemble)
    monkeypatch.setattr(EnsembleForecaster, "VERSION", 99)
    with pytest.raises(ForecastError, match="this release reads version 99; change `identifier`"):
        pickle.loads(saved)


def test_it_reports_what_freqai_makes_columns_of(ensemble):
    values = extra_returns(ensemble)
    assert list(values) == list(EXTRA_RETURNS)
    assert values["val_skill_return"] > 0.1 and values["val_loss"] < values["val_loss_zero"]
    assert min(ensemble.validation.half_widths) > 0
    assert ensemble.epochs > 0 and len(ensemble.label_deviations) == 2


def test_continual_learning_starts_its_networks_from_the_last_ones(span, tiny_settings, ensemble):
    one = replace(tiny_settings, epochs=1)
    warm, cold = EnsembleForecaster.fit(span, one, ensemble), EnsembleForecaster.fit(span, one)
    assert warm.errors[LABELS[0]]["gru"] < cold.errors[LABELS[0]]["gru"]


def test_no_skill_anywhere_leaves_a_forecast_near_the_mean(frames, tiny_settings):
    noise = frames.labels.copy()
    noise[:] = np.where(noise.isna(), np.nan, np.random.default_rng(3).normal(size=noise.shape))
    model = EnsembleForecaster.fit(
        TrainingSpan.from_frames(frames.features, noise, frames.dates, tiny_settings, 3), tiny_settings
    )
    forecast = model.predict(frames.features, frames.dates)
    assert np.sqrt((forecast.values[SEEN - 100 :] ** 2).mean()) < 0.2


@given(
    arrays(float, (4, 2), elements=st.floats(0.01, 10)),
    st.floats(1, 500),
    st.integers(0, 3),
    st.floats(0.1, 0.99),
)
def test_weights_sum_to_one_know_no_unit_and_reward_the_better(errors, rows, member, factor):
    weights = evidence_weights(errors, rows)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    np.testing.assert_allclose(evidence_weights(errors * 7.0, rows), weights, atol=1e-9)
    improved = errors.copy()
    improved[member] *= factor
    assert (evidence_weights(improved, rows)[member] >= weights[member] - 1e-12).all()
    np.testing.assert_allclose(evidence_weights(np.ones((4, 2)), rows), 0.25)
