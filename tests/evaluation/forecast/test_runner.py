from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.evaluation.forecast import runner
from adaptive_pkg.evaluation.forecast.models import Family
from adaptive_pkg.evaluation.forecast.runner import collect, plan_jobs, run_jobs
from adaptive_pkg.evaluation.forecast.store import JobStore

QUIET = Console(quiet=True)


def test_every_pair_fold_family_and_seed_is_one_job(make_plan):
    jobs = plan_jobs(make_plan(families=(Family.REFERENCE, Family.LIGHTGBM)))
    assert len(jobs) == 2 * 2 * (1 + 2)  # pairs × folds × (reference once, LightGBM per seed)
    assert len({job.key for job in jobs}) == len(jobs)


@pytest.mark.parametrize(
    "change", [{"horizon": 7}, {"forecaster": {"window": 9}}, {"schedule": {"embargo_candles": 6}}]
)
def test_changed_inputs_are_never_answered_with_old_results(make_plan, change):
    plan = make_plan()
    changed = replace(
        plan,
        **{
            key: replace(getattr(plan, key), **value) if isinstance(value, dict) else value
            for key, value in change.items()
        },
    )
    assert not {job.key for job in plan_jobs(plan)} & {job.key for job in plan_jobs(changed)}


def test_an_interrupted_run_goes_on_where_it_stopped(make_plan, tmp_path, monkeypatch):
    plan, store = make_plan(), JobStore(tmp_path)
    jobs = plan_jobs(plan)
    honest, done = runner.forecast_fold, []

    def until_interrupted(panel, fold, *rest):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((panel.pair, fold.number))
        return honest(panel, fold, *rest)

    monkeypatch.setattr(runner, "forecast_fold", until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(plan, jobs, store, 1, QUIET)
    with pytest.raises(DataError, match="no result; run the evaluation again"):
        collect(plan, jobs, store)
    first = list(done)
    done.clear()
    run_jobs(plan, jobs, store, 1, QUIET)
    assert len(done) == 1 and not set(done) & set(first)
    done.clear()
    run_jobs(plan, jobs, store, 1, QUIET)
    assert done == []


def test_processes_give_the_same_numbers_as_one(make_plan, tmp_path):
    plan = make_plan(families=(Family.REFERENCE, Family.LIGHTGBM), pairs=("AAA/USDT",))
    jobs = plan_jobs(plan)
    results = []
    for workers in (1, 2):
        store = JobStore(tmp_path / str(workers))
        run_jobs(plan, jobs, store, workers, QUIET)
        results.append(collect(plan, jobs, store)[0].values)
    for name, values in results[0].items():
        np.testing.assert_array_equal(values, results[1][name])


def test_forecasts_stand_on_the_rows_of_their_fold_and_nowhere_else(make_plan, tmp_path):
    plan, store = make_plan(), JobStore(tmp_path)
    jobs = plan_jobs(plan)
    run_jobs(plan, jobs, store, 1, QUIET)
    got = collect(plan, jobs, store)[0]
    assert np.isfinite(got.values["zero"][0, got.test]).all()
    assert np.isnan(got.values["zero"][0, ~got.test]).all()
    assert sorted(set(got.fold_number[got.test])) == [0, 1]


def test_a_model_that_cannot_be_fitted_names_its_job(make_plan, tmp_path):
    plan = make_plan(
        families=(Family.NETWORKS,), forecaster=replace(make_plan().forecaster, window=700, chunk_candles=800)
    )
    jobs = plan_jobs(plan)[:1]
    with pytest.raises(ForecastError, match="AAA/USDT, fold 0, networks: "):
        run_jobs(plan, jobs, JobStore(tmp_path), 1, QUIET)


def test_seeds_must_differ(make_plan):
    with pytest.raises(DataError, match=r"seeds: \[1, 1\]"):
        plan_jobs(make_plan(seeds=(1, 1)))
