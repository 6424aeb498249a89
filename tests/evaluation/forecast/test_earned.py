from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from adaptive_pkg.evaluation.forecast.earned import earned_weights
from adaptive_pkg.evaluation.forecast.folds import Schedule
from adaptive_pkg.evaluation.forecast.models import RETURN
from adaptive_pkg.evaluation.forecast.runner import collect, plan_jobs, run_jobs
from adaptive_pkg.evaluation.forecast.store import JobStore
from adaptive_pkg.forecast.skill import earned_weight


@pytest.fixture(scope="module")
def forecasts(make_plan, tmp_path_factory):
    """Four folds of one pair, and a forecast that knows half of the future in the first two only."""
    start = make_plan().schedule.start
    plan = make_plan(
        pairs=("AAA/USDT",), schedule=Schedule(start, start + np.timedelta64(56, "D"), 40, 14, 5)
    )
    store = JobStore(tmp_path_factory.mktemp("jobs"))
    jobs = plan_jobs(plan)
    run_jobs(plan, jobs, store, 1, Console(quiet=True))
    got = collect(plan, jobs, store)[0]
    values = np.full((1, len(got.panel), 3), np.nan)
    actual = np.nan_to_num(got.panel.labels.to_numpy()[:, RETURN])
    noise = np.random.default_rng(2).normal(size=len(actual))
    knows = (got.fold_number >= 0) & (got.fold_number < 2)
    values[0, got.test, RETURN] = np.where(knows, 0.5 * actual + 0.3 * noise, noise)[got.test]
    return replace(got, values={**got.values, "sage": values})


def test_a_weight_comes_from_the_folds_before_alone(forecasts):
    """Whatever a fold holds, its own weight is as it was; only later ones may change."""
    before = earned_weights(forecasts, "sage", RETURN, None)["by_fold"]
    labels = forecasts.panel.labels.copy()
    third = forecasts.folds[2]
    labels.iloc[third.test_first - forecasts.panel.horizon :] *= -9.0
    spoilt = replace(forecasts, panel=replace(forecasts.panel, labels=labels))
    after = earned_weights(spoilt, "sage", RETURN, None)["by_fold"]
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_skill_is_believed_after_it_was_seen_and_doubted_after_it_is_gone(forecasts):
    first, second, third = earned_weights(forecasts, "sage", RETURN, None)["by_fold"]
    assert first > 0.4 and second > 0.4
    assert third < second
    # the first fold has no past: nothing is claimed for it
    assert len(forecasts.folds) == 4


def test_the_last_weight_is_what_all_folds_together_earned(forecasts):
    told = earned_weights(forecasts, "sage", RETURN, None)
    actual = forecasts.panel.labels.to_numpy()[:, RETURN]
    rows = forecasts.test & np.isfinite(actual)
    expected = earned_weight(actual[rows], forecasts.values["sage"][0, rows, RETURN], horizon=6)
    assert told["final"] == expected.weight and told["reason"] == expected.reason
    assert told["mse_over_reference"] > 0


def test_a_forecast_that_says_nothing_has_none(forecasts):
    assert earned_weights(forecasts, "zero", RETURN, None) is None
