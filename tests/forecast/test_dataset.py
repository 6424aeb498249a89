from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast import TrainingSpan

HORIZON = 3


def build(frames, settings, **changed) -> TrainingSpan:
    return TrainingSpan.from_frames(*frames._replace(**changed), settings, HORIZON)


def test_rows_without_a_label_are_context_but_never_targets(frames, tiny_settings):
    span = build(frames, tiny_settings)
    assert not (span.train | span.validation)[-HORIZON:].any()
    assert np.isfinite(span.features[-HORIZON:]).all()
    assert len(span.features) == len(frames.features)


def test_training_and_validation_are_purged(frames, tiny_settings):
    span = build(frames, tiny_settings)
    last, first = np.flatnonzero(span.train)[-1], np.flatnonzero(span.validation)[0]
    assert first - last - 1 == HORIZON + tiny_settings.window - 1
    assert span.runs(span.validation)[0, 0] > last + HORIZON


def test_a_gap_in_time_takes_the_windows_across_it_away(frames, tiny_settings):
    dates = frames.dates.where(frames.dates.index < 300, frames.dates + pd.Timedelta(hours=34))
    span = build(frames, tiny_settings, dates=dates)
    assert not span.train[300 : 300 + tiny_settings.window - 1].any()
    assert span.train[300 + tiny_settings.window - 1]
    assert span.runs(span.train)[:, 0].tolist() == [0, 300]


def test_an_unknown_feature_takes_away_only_its_own_windows(frames, tiny_settings):
    features = frames.features.copy()
    features.iloc[100, 2] = np.inf
    span = build(frames, tiny_settings, features=features)
    assert np.flatnonzero(~span.train[20:200]).tolist() == list(range(80, 80 + tiny_settings.window))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [(1, np.nan, "%-f1: not one known value in 700 candles"), (2, 0.5, r"%-f2 = 0.5 in all 700 candles")],
)
def test_an_empty_or_constant_feature_is_named(frames, tiny_settings, column, value, message):
    features = frames.features.copy()
    features.iloc[:, column] = value
    with pytest.raises(ForecastError, match=message):
        build(frames, tiny_settings, features=features)


def test_too_little_data_says_how_much_is_needed(make_frames, tiny_settings):
    with pytest.raises(ForecastError, match=r"training: .* at least 100 are needed; raise train_period_days"):
        build(make_frames(90), tiny_settings)


def test_a_one_row_frame_is_refused_clearly(make_frames, tiny_settings):
    one = make_frames(40).rows(slice(10, 11))
    with pytest.raises(ForecastError, match=r"%-f0 = .* in all 1 candles"):
        build(one, tiny_settings)


def test_bad_shapes_and_horizons_are_refused(frames, tiny_settings):
    with pytest.raises(ForecastError, match="699 dates"):
        build(frames, tiny_settings, dates=frames.dates[:-1])
    with pytest.raises(ForecastError, match="label_period_candles: 0"):
        TrainingSpan.from_frames(*frames, tiny_settings, 0)
