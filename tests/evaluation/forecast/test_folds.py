from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.forecast.folds import Schedule, walk_forward

START = pd.Timestamp("2022-06-01", tz="UTC")
DATES = pd.Series(pd.date_range("2022-01-01", periods=365 * 24, freq="1h", tz="UTC"))


def schedule(days=90, **changes):
    return Schedule(START, START + pd.Timedelta(days=days), **{"train_days": 60, "refit_days": 30, **changes})


@given(st.integers(1, 40), st.integers(0, 30), st.integers(10, 100), st.integers(5, 60))
def test_no_label_a_model_learns_from_reaches_into_what_it_is_judged_on(horizon, embargo, train, refit):
    plan = schedule(train_days=train, refit_days=refit, embargo_candles=embargo)
    folds = walk_forward(DATES, plan, horizon, 0)
    for fold in folds:
        newest_label_ends = fold.labels_end - 1 + horizon
        assert newest_label_ends + embargo < fold.test_first
        assert DATES[fold.test_first] - DATES[fold.first] == pd.Timedelta(days=train)
    tested = [row for fold in folds for row in range(fold.test_first, fold.test_end)]
    assert tested == list(range(tested[0], tested[-1] + 1))
    assert (DATES[tested[0]], DATES[tested[-1] + 1]) == (plan.start, plan.end)


def test_a_short_remainder_lengthens_the_last_fold_and_a_long_one_is_its_own():
    assert [f.test_end - f.test_first for f in walk_forward(DATES, schedule(70), 3, 0)] == [720, 960]
    assert [f.test_end - f.test_first for f in walk_forward(DATES, schedule(80), 3, 0)] == [720, 720, 480]


def test_a_younger_pair_joins_the_same_calendar_later():
    old = walk_forward(DATES, schedule(), 3, 0)
    young_dates = DATES[pd.Timestamp("2022-04-20", tz="UTC") <= DATES].reset_index(drop=True)
    young = walk_forward(young_dates, schedule(), 3, 0)
    assert [fold.number for fold in old] == [0, 1, 2]
    assert [fold.number for fold in young] == [1, 2]
    assert young_dates[young[0].test_first] == DATES[old[1].test_first]


def test_what_cannot_be_scheduled_is_refused_with_the_remedy():
    with pytest.raises(DataError, match="hold no fold of 400 training"):
        walk_forward(DATES, schedule(train_days=400), 3, 0)
    with pytest.raises(SettingsError, match="end: 2022-05-02 is not after start"):
        schedule(-30)
    with pytest.raises(SettingsError, match="embargo_candles: -1"):
        schedule(embargo_candles=-1)
