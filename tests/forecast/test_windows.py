from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.windows import (
    candle_step,
    complete_windows,
    consecutive,
    cut_chunks,
    purged_split,
    segments,
    timestamps,
)

HOUR = 3_600_000_000_000


def hours(*positions: int) -> np.ndarray:
    return np.array(positions, dtype=np.int64) * HOUR


def test_a_gap_or_an_unusable_candle_ends_a_segment():
    usable = np.array([1, 1, 1, 0, 1, 1, 1, 1], dtype=bool)
    stamps = hours(0, 1, 2, 3, 4, 5, 40, 41)  # 34 hours are missing after row 5
    assert segments(usable, stamps, HOUR).tolist() == [[0, 3], [4, 6], [6, 8]]


def test_no_window_crosses_a_gap():
    stamps = hours(*range(10), *range(44, 54))
    complete = complete_windows(np.ones(20, dtype=bool), stamps, HOUR, window=4)
    assert np.flatnonzero(~complete).tolist() == [0, 1, 2, 10, 11, 12]


@settings(max_examples=100)
@given(usable=st.lists(st.booleans(), min_size=1, max_size=60), window=st.integers(1, 8), data=st.data())
def test_complete_windows_are_exactly_those_a_loop_finds(usable, window, data):
    steps = data.draw(st.lists(st.sampled_from([1, 1, 1, 3]), min_size=len(usable), max_size=len(usable)))
    mask, stamps = np.array(usable), np.cumsum(steps).astype(np.int64) * HOUR
    expected = [
        end + 1 >= window
        and mask[end + 1 - window : end + 1].all()
        and stamps[end] - stamps[end + 1 - window] == (window - 1) * HOUR
        for end in range(len(mask))
    ]
    assert complete_windows(mask, stamps, HOUR, window).tolist() == expected


@settings(max_examples=100)
@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    window=st.integers(2, 6),
    extra=st.integers(1, 20),
    offset=st.integers(0, 30),
)
def test_every_target_is_a_loss_step_at_most_once_and_with_its_own_history(lengths, window, extra, offset):
    stops = np.cumsum(lengths)
    runs = np.stack([stops - lengths, stops], axis=1)
    n = int(stops[-1])
    ids = np.arange(1.0, n + 1, dtype=np.float32)
    chunks = cut_chunks(
        ids[:, None], ids[:, None], np.ones(n, dtype=np.float32), runs, window, window + extra, offset
    )
    used = chunks.labels[chunks.weights > 0][:, 0]
    assert len(set(used)) == len(used)
    for run_start, run_stop in runs:  # no offset: nothing is left out
        if offset == 0:
            assert set(used) >= set(ids[run_start + window - 1 : run_stop])
    for x, w in zip(chunks.features[..., 0], chunks.weights, strict=True):
        assert not w[: window - 1].any()
        real = x[: np.flatnonzero(w)[-1] + 1]
        np.testing.assert_array_equal(np.diff(real), 1)  # consecutive candles of one run
        starts = set((runs[:, 0] + 1).tolist()) - {int(real[0])}
        assert not starts & set(real[1:].astype(int).tolist())


def test_steps_without_weight_are_context_and_carry_no_label():
    weights = np.array([1, 1, 1, 0, 1, 1], dtype=np.float32)
    labels = np.full((6, 1), 7, dtype=np.float32)
    labels[3] = np.nan
    chunks = cut_chunks(np.ones((6, 2), np.float32), labels, weights, np.array([[0, 6]]), 2, 6)
    assert chunks.weights.tolist() == [[0, 1, 1, 0, 1, 1]]
    assert np.isfinite(chunks.labels).all()


def test_validation_windows_share_no_candle_with_training_labels():
    targets = np.zeros(300, dtype=bool)
    targets[9:] = True
    window, horizon = 10, 6
    train, validation = purged_split(targets, 0.2, horizon + window - 1)
    last, first = np.flatnonzero(train)[-1], np.flatnonzero(validation)[0]
    assert first - window + 1 > last + horizon  # first candle a validation window sees, last a label saw
    assert first - 1 - last == horizon + window - 1
    assert validation.sum() == round(291 * 0.2)
    assert not (train & validation).any()


def test_dates_must_increase():
    twice = pd.to_datetime(["2022-01-01", "2022-01-02", "2022-01-02"], utc=True)
    with pytest.raises(ForecastError, match="row 2"):
        timestamps(twice)


def test_the_unit_of_the_dates_does_not_matter():
    dates = pd.date_range("2022-01-01", periods=5, freq="5min", tz="UTC")
    for unit in ("s", "ms", "us", "ns"):
        np.testing.assert_array_equal(timestamps(dates.as_unit(unit)), timestamps(dates))


def test_candle_step_is_the_commonest_even_with_gaps():
    assert candle_step(hours(0, 1, 2, 50, 51, 90)) == HOUR
    with pytest.raises(ForecastError, match="1 rows"):
        candle_step(hours(0))


def test_blocks_are_consecutive_and_bounded():
    ends = np.array([3, 4, 5, 6, 9, 10, 20])
    assert list(consecutive(ends, 3)) == [(0, 3), (3, 4), (4, 6), (6, 7)]
