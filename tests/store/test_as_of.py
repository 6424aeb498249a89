"""Only what was known at a candle's close stands in its row; what is old or missing says so."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.store.as_of import Column, add_columns, as_of, close_times, empty_history

HOUR = 3_600_000
LONG = timedelta(days=10_000)


def history(*rows):
    """(about, known, value) in hours."""
    about, known, value = zip(*rows, strict=True)
    return pd.DataFrame(
        {"about": np.array(about) * HOUR, "known": np.array(known) * HOUR, "value": np.array(value, float)}
    )


def read(frame, *hours, max_age=LONG):
    return as_of(frame, np.array(hours) * HOUR, max_age).value.tolist()


def test_a_value_counts_from_the_moment_it_is_known_not_from_the_period_it_speaks_of():
    frame = history((0, 5, 1.0), (24, 29, 2.0))
    values = read(frame, 0, 4, 5, 24, 28, 29)
    assert np.isnan(values[:2]).all() and values[2:] == [1.0, 1.0, 1.0, 2.0]


def test_a_correction_counts_from_when_it_came_and_one_of_an_older_period_never():
    frame = history((0, 1, 1.0), (0, 10, 1.5), (24, 25, 2.0), (0, 30, 9.0))
    assert read(frame, 9, 10, 25, 31) == [1.0, 1.5, 2.0, 2.0]


def test_a_value_too_old_is_missing_by_the_age_of_its_period():
    frame = history((0, 5, 1.0))
    found = as_of(frame, np.array([10, 11]) * HOUR, timedelta(hours=10))
    assert found.value[0] == 1.0 and np.isnan(found.value[1])
    assert found.known.tolist() == [True, False]
    assert found.age_hours.tolist() == [10.0, 11.0]


def test_nothing_known_is_nothing():
    found = as_of(empty_history(), np.array([1, 2]), LONG)
    assert np.isnan(found.value).all() and not found.known.any() and np.isnan(found.age_hours).all()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (history((5, 4, 1.0)), "before the period it speaks of ended"),
        (history((5, 6, np.nan)), "no number"),
        (history((5, 6, 1.0), (5, 6, 2.0)), "two values for the period"),
        (history((5, 6, 1.0)).drop(columns="known"), "no column 'known'"),
    ],
)
def test_an_impossible_history_is_refused(frame, words):
    with pytest.raises(DataError, match=words):
        as_of(frame, np.array([1]), LONG)


def test_a_candles_row_holds_what_was_known_at_its_close(random_candles):
    candles = random_candles(48)
    start = candles["date"].iloc[0].value // 10**6
    frame = history((0, 3, 7.0))
    frame[["about", "known"]] += start
    added = add_columns(candles, {"mood": Column(frame, timedelta(hours=24))}, 3600)
    # known at 3:00, so in the candle 2:00–3:00; gone after 24 hours
    assert added.index[added["mood_known"]].tolist() == list(range(2, 24))
    assert (added["mood"].notna() == added["mood_known"]).all()
    assert "mood" not in candles.columns


@pytest.mark.parametrize("unit", ["ns", "ms"])
def test_close_times_do_not_depend_on_how_dates_are_stored(random_candles, unit):
    candles = random_candles(3)
    candles["date"] = candles["date"].dt.as_unit(unit)
    assert close_times(candles, 3600)[0] == pd.Timestamp("2022-01-01 01:00", tz="UTC").timestamp() * 1000


def test_dates_without_a_zone_are_refused(random_candles):
    candles = random_candles(3)
    with pytest.raises(DataError, match="times in UTC"):
        close_times(candles.assign(date=candles["date"].dt.tz_localize(None)), 3600)


rows = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(-5, 5)), max_size=25)


def made(drawn):
    frame = pd.DataFrame(drawn, columns=["about", "late", "value"]).astype({"value": float})
    frame["known"] = frame["about"] + frame.pop("late")
    return frame.drop_duplicates(["about", "known"])


@given(rows, st.integers(0, 60), st.integers(1, 30))
def test_what_becomes_known_later_changes_no_earlier_row(drawn, end, age):
    frame, times = made(drawn), np.arange(61)
    max_age = timedelta(milliseconds=age)
    whole = as_of(frame, times, max_age).value[: end + 1]
    cut = as_of(frame[frame["known"] <= end], times, max_age).value[: end + 1]
    np.testing.assert_array_equal(whole, cut)


@given(rows, st.integers(1, 30))
def test_it_is_what_a_reader_with_a_ledger_would_find(drawn, age):
    frame = made(drawn)
    found = as_of(frame, np.arange(61), timedelta(milliseconds=age))
    for now in range(0, 61, 7):
        seen = frame[frame["known"] <= now]
        newest = seen[seen["about"] == seen["about"].max()].sort_values("known")
        expected = newest["value"].iloc[-1] if len(newest) else np.nan
        if len(newest) and now - newest["about"].iloc[0] > age:
            expected = np.nan
        np.testing.assert_equal(found.value[now], expected)
