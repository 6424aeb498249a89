from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast import (
    LABELS,
    GRUForecaster,
    RecurrentForecaster,
    TrainingSpan,
    future_log_volatility,
    future_return_sigma,
)
from adaptive_pkg.settings.forecast import Cell

WINDOW, SEEN = 8, 700


def predict(model, part):
    return model.predict(part.features, part.dates)


@pytest.fixture(scope="module")
def whole(forecaster, longer_frames):
    return predict(forecaster, longer_frames)


def test_it_beats_the_zero_forecast_on_something_learnable(forecaster, longer_frames, whole):
    assert min(forecaster.validation.skills) > 0.1
    after = slice(SEEN, 897)
    actual = longer_frames.labels.to_numpy()[after]
    assert (((whole.values[after] - actual) ** 2).mean(axis=0) < 0.9 * (actual**2).mean(axis=0)).all()


def test_a_slice_after_training_has_its_context_from_the_forecaster(forecaster, longer_frames, whole):
    after = predict(forecaster, longer_frames.rows(slice(SEEN, 900)))
    assert after.valid.all()
    np.testing.assert_array_equal(after.values, whole.values[SEEN:])


def test_one_candle_one_window_and_a_whole_frame_agree(forecaster, longer_frames, whole):
    for row in (SEEN, SEEN + 5, 850, 899):
        tail = predict(forecaster, longer_frames.rows(slice(row - WINDOW + 1, row + 1)))
        assert tail.valid[-1]
        np.testing.assert_array_equal(tail.values[-1], whole.values[row])
    single = predict(forecaster, longer_frames.rows(slice(SEEN, SEEN + 1)))
    np.testing.assert_array_equal(single.values[0], whole.values[SEEN])


def test_a_frame_that_starts_inside_the_carried_context_uses_the_rest_of_it(forecaster, longer_frames, whole):
    part = predict(forecaster, longer_frames.rows(slice(SEEN - 3, SEEN + 20)))
    # Rows before SEEN need candles older than the carried window - 1; the rest is complete.
    np.testing.assert_array_equal(part.values[3:], whole.values[SEEN : SEEN + 20])
    assert part.valid[3:].all()


def test_a_slice_that_does_not_touch_the_context_waits_for_its_own_window(forecaster, longer_frames, whole):
    later = predict(forecaster, longer_frames.rows(slice(SEEN + 1, 900)))
    assert later.valid.tolist() == [False] * (WINDOW - 1) + [True] * (199 - WINDOW + 1)
    np.testing.assert_array_equal(later.values[WINDOW - 1 :], whole.values[SEEN + WINDOW :])
    assert not later.values[: WINDOW - 1].any()


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_an_unusable_candle_silences_every_window_it_is_in(forecaster, longer_frames, whole, poison):
    features = longer_frames.features.copy()
    features.iloc[750, 1] = poison
    got = forecaster.predict(features, longer_frames.dates)
    silent = np.flatnonzero(whole.valid & ~got.valid)
    assert silent.tolist() == list(range(750, 750 + WINDOW))
    assert not got.values[silent].any()
    others = got.valid
    np.testing.assert_array_equal(got.values[others], whole.values[others])


def test_a_gap_silences_the_windows_across_it(forecaster, longer_frames):
    dates = longer_frames.dates.where(
        longer_frames.dates.index < 800, longer_frames.dates + pd.Timedelta("34h")
    )
    got = forecaster.predict(longer_frames.features, dates)
    assert np.flatnonzero(~got.valid[WINDOW:]).tolist() == list(range(800 - WINDOW, 800 - 1))


def test_appending_candles_changes_no_forecast(forecaster, longer_frames, whole):
    part = predict(forecaster, longer_frames.rows(slice(0, 760)))
    np.testing.assert_array_equal(part.values, whole.values[:760])


def test_an_empty_frame_gives_an_empty_forecast(forecaster, longer_frames):
    got = predict(forecaster, longer_frames.rows(slice(0, 0)))
    assert got.values.shape == (0, 2)
    assert got.valid.shape == (0,)


def test_it_forecasts_the_same_in_a_new_process(forecaster, longer_frames, whole, tmp_path):
    forecaster.tb_logger = open  # FreqAI hangs things here; they must not be saved
    (tmp_path / "model.joblib").write_bytes(cloudpickle.dumps(forecaster))
    longer_frames.features.to_pickle(tmp_path / "x.pkl")
    longer_frames.dates.to_pickle(tmp_path / "dates.pkl")
    code = """
import pathlib, sys, cloudpickle, numpy as np, pandas as pd
folder = pathlib.Path(sys.argv[1])
model = cloudpickle.loads((folder / "model.joblib").read_bytes())
assert model and model.tb_logger is None
got = model.predict(pd.read_pickle(folder / "x.pkl"), pd.read_pickle(folder / "dates.pkl"))
assert "tensorflow" not in sys.modules
np.savez(folder / "got.npz", values=got.values, valid=got.valid)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    got = np.load(tmp_path / "got.npz")
    np.testing.assert_array_equal(got["values"], whole.values)
    np.testing.assert_array_equal(got["valid"], whole.valid)


def test_another_version_is_refused_with_the_remedy(forecaster, monkeypatch):
    saved = pickle.dumps(forecaster)
    monkeypatch.setattr(GRUForecaster, "VERSION", 3)
    with pytest.raises(ForecastError, match="version 2, this release reads version 3; change `identifier`"):
        pickle.loads(saved)


def test_other_features_are_refused(forecaster, longer_frames):
    renamed = longer_frames.features.rename(columns={"%-f1": "%-g1"})
    with pytest.raises(ForecastError, match=r"\['%-f1', '%-g1'\] differ"):
        forecaster.predict(renamed, longer_frames.dates)
    with pytest.raises(ForecastError, match="the order of columns"):
        forecaster.predict(longer_frames.features[longer_frames.features.columns[::-1]], longer_frames.dates)


def test_an_insignificant_mean_is_not_forecast_a_solid_one_is(frames, tiny_settings, forecaster):
    """A drift that the span cannot tell from zero must not become a forecast."""
    shifted = frames._replace(labels=frames.labels.add([0.0, 5.0]))
    model = GRUForecaster.fit(
        TrainingSpan.from_frames(*shifted, tiny_settings, 3), replace(tiny_settings, epochs=1)
    )
    assert abs(model.label_scaling.center[0]) <= abs(model.label_means[0])
    assert model.label_scaling.center[1] == pytest.approx(5.0, abs=0.2)


def test_an_output_without_skill_is_shrunk_and_a_skilled_one_is_kept(frames, tiny_settings):
    labels = frames.labels.copy()
    noise = np.random.default_rng(8).normal(size=len(labels))
    labels.iloc[:, 1] = np.where(labels.iloc[:, 1].isna(), np.nan, noise)
    span = TrainingSpan.from_frames(frames.features, labels, frames.dates, tiny_settings, 3)
    free = GRUForecaster.fit(span, replace(tiny_settings, shrink_to_skill=False))
    shrunk = GRUForecaster.fit(span, tiny_settings)
    assert free.gains.tolist() == [1, 1]
    assert shrunk.gains[0] > 0.7
    assert shrunk.gains[1] < 0.5
    assert shrunk.validation.skills[1] > free.validation.skills[1]
    assert shrunk.validation.skills[1] >= -0.02  # not worse than its mean


def test_training_twice_gives_the_same_forecasts(span, tiny_settings, forecaster, longer_frames, whole):
    again = predict(GRUForecaster.fit(span, tiny_settings), longer_frames)
    np.testing.assert_array_equal(again.values, whole.values)


def test_labels_after_the_split_do_not_reach_the_scaling(frames, tiny_settings, span, forecaster):
    labels, features = frames.labels.copy(), frames.features.copy()
    first = int(np.flatnonzero(span.validation)[0])
    labels.iloc[first:] *= 50
    features.iloc[first:] *= 50
    model = GRUForecaster.fit(
        TrainingSpan.from_frames(features, labels, frames.dates, tiny_settings, 3),
        replace(tiny_settings, epochs=1),
    )
    np.testing.assert_array_equal(model.label_scaling.scale, forecaster.label_scaling.scale)
    np.testing.assert_array_equal(model.feature_scaling.scale, forecaster.feature_scaling.scale)


def test_continual_learning_starts_from_the_last_weights(span, tiny_settings, forecaster):
    one = replace(tiny_settings, epochs=1)
    warm, cold = GRUForecaster.fit(span, one, initial=forecaster), GRUForecaster.fit(span, one)
    assert warm.validation.loss < cold.validation.loss
    other = replace(one, units=(4,))
    assert GRUForecaster.fit(span, other, initial=forecaster).shape.units == (4,)  # a new shape starts anew


def test_an_lstm_is_the_same_forecaster_with_another_cell(span, tiny_settings, longer_frames):
    settings = replace(tiny_settings, cell=Cell.LSTM, learning_rate=0.05, epochs=20)
    model = RecurrentForecaster.fit(span, settings)
    assert min(model.validation.skills) > 0.1
    whole = predict(model, longer_frames)
    single = predict(model, longer_frames.rows(slice(SEEN, SEEN + 1)))
    np.testing.assert_array_equal(single.values[0], whole.values[SEEN])
    assert pickle.loads(pickle.dumps(model)).shape.cell is Cell.LSTM


def test_another_cell_does_not_start_from_these_weights(span, tiny_settings, forecaster):
    lstm = replace(tiny_settings, cell=Cell.LSTM, epochs=1)
    fresh, offered = (RecurrentForecaster.fit(span, lstm, initial=start) for start in (None, forecaster))
    assert all(np.array_equal(a, b) for a, b in zip(fresh.weights, offered.weights, strict=True))


def test_the_interval_covers_later_labels_as_promised(make_frames, tiny_settings):
    """Trained on 700 candles, judged on the 2,300 after: 80 % within, calibration's noise aside."""
    frames = make_frames(3000)
    known = frames.rows(slice(0, 700))
    labels = known.labels.copy()
    labels.iloc[-3:] = np.nan
    span = TrainingSpan.from_frames(known.features, labels, known.dates, tiny_settings, 3)
    for coverage in (0.8, 0.95):
        model = RecurrentForecaster.fit(span, replace(tiny_settings, interval_coverage=coverage))
        errors = np.abs(predict(model, frames).values - frames.labels)[700:-3]
        covered = (errors <= model.validation.half_widths).mean()
        np.testing.assert_allclose(covered, coverage, atol=0.06)


@pytest.mark.real_data
@pytest.mark.parametrize("pair", ["BTC/USDT", "SOL/USDT"])
def test_the_interval_covers_real_labels(pair, real_candles, tiny_settings):
    """180 days to learn, 90 days after; markets change, so the promise holds only roughly."""
    candles = real_candles(pair)
    start = int(candles["date"].searchsorted(pd.Timestamp("2022-06-01", tz="UTC")))
    candles = candles.iloc[start : start + 8000].reset_index(drop=True)
    change = np.log(candles["close"]).diff()
    sigma = change.ewm(span=168).std()
    features = pd.DataFrame(
        {
            "%-change": change / sigma,
            "%-range": np.log(candles["high"] / candles["low"]) / sigma,
            "%-level": np.log(sigma / change.rolling(720).std()),
        }
    )
    close, volume = candles["close"], candles["volume"]
    labels = pd.DataFrame(
        {
            LABELS[0]: future_return_sigma(close, sigma, 12, volume=volume),
            LABELS[1]: future_log_volatility(close, 12, 720, volume=volume),
        }
    )
    cut = slice(1000, 1000 + 4320)
    known = labels.iloc[cut].copy()
    known.iloc[-12:] = np.nan
    span = TrainingSpan.from_frames(features.iloc[cut], known, candles["date"].iloc[cut], tiny_settings, 12)
    model = RecurrentForecaster.fit(span, tiny_settings)
    after = slice(cut.stop, cut.stop + 2160)
    forecast = model.predict(features.iloc[after], candles["date"].iloc[after])
    errors = np.abs(forecast.values - labels.iloc[after])[forecast.valid]
    covered = (errors <= model.validation.half_widths).mean()
    assert covered.between(0.65, 0.92).all(), covered
