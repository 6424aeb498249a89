"""Jobs on several processes or a cluster: the same results bit for bit, and none of them made twice."""

import os
import signal

import pandas as pd
import pytest

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy import runner as runner_module
from adaptive_pkg.evaluation.strategy.cache import JobCache
from adaptive_pkg.evaluation.strategy.runner import Runner, _run_remotely

DAY = pd.Timedelta(days=1)


@pytest.fixture
def two_jobs(job):
    return {
        "full": job(end=job().start + 20 * DAY),
        "without confidence": job({"components": {"confidence": False}}, end=job().start + 20 * DAY),
    }


@pytest.fixture
def instant(monkeypatch, make_result):
    """Jobs that take no time; returns the list of those run."""
    ran = []

    def run(conditions, job):
        ran.append(job)
        return make_result([0.001 * len(ran)] * job.days, start=job.start)

    monkeypatch.setattr(runner_module, "run_job", run)
    return ran


def digests(results):
    return {name: result.digest for name, result in results.items()}


def test_processes_and_a_dask_cluster_give_the_same_bits_as_this_process(lab, two_jobs, tmp_path, console):
    LocalCluster = pytest.importorskip("dask.distributed").LocalCluster

    here = Runner(lab, JobCache(tmp_path / "here"), console, workers=1).run(two_jobs)
    assert len(set(digests(here).values())) == 2
    loky = Runner(lab, JobCache(tmp_path / "loky"), console, workers=2).run(two_jobs)
    assert digests(loky) == digests(here)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        dask = Runner(lab, JobCache(tmp_path / "dask"), console, scheduler=cluster.scheduler_address)
        assert digests(dask.run(two_jobs)) == digests(here)
        assert len(dask.ran) == 2


def test_nothing_unchanged_is_run_again(runner, two_jobs, instant):
    first = runner.run(two_jobs)
    assert len(instant) == 2
    again = Runner(runner.conditions, runner.cache, runner.console, workers=1)
    assert digests(again.run(two_jobs)) == digests(first)
    assert (len(instant), len(again.ran)) == (2, 0)


def test_jobs_that_are_the_same_run_once(runner, two_jobs, instant):
    found = runner.run({"a": two_jobs["full"], "b": two_jobs["full"]})
    assert len(instant) == 1
    assert found["a"] is found["b"]


def test_a_job_whose_file_was_damaged_runs_again(runner, two_jobs, instant):
    runner.run(two_jobs)
    path = runner.cache.path(two_jobs["full"].key(runner.conditions))
    path.write_bytes(path.read_bytes()[:-9])
    runner.run(two_jobs)
    assert instant[2:] == [two_jobs["full"]]


def test_an_interruption_keeps_what_is_finished(runner, two_jobs, instant, monkeypatch):
    instantly = runner_module.run_job

    def interrupted(conditions, job):
        if instant:
            raise KeyboardInterrupt
        return instantly(conditions, job)

    monkeypatch.setattr(runner_module, "run_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runner.run(two_jobs)
    monkeypatch.setattr(runner_module, "run_job", instantly)
    assert len(runner.cache) == 1
    runner.run(two_jobs)
    assert len(instant) == 2


def test_a_job_that_cannot_run_says_why_and_the_others_stay(runner, two_jobs, job):
    early = job(start=pd.Timestamp("2023-01-10", tz="UTC"), end=pd.Timestamp("2023-01-20", tz="UTC"))
    with pytest.raises(DataError, match="no candles to trade on"):
        runner.run({"first": two_jobs["full"], "second": early})
    assert len(runner.cache) == 1


def test_a_worker_of_another_release_or_with_other_candles_refuses(lab, two_jobs):
    full = two_jobs["full"]
    assert "another release" in _run_remotely(lab, "other", full.key(lab), full)[1]
    code = runner_module.code_digest(lab.uses_forecast)
    assert "other candles" in _run_remotely(lab, code, "otherkey", full)[1]


def die(conditions, code, key, job):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_told_and_the_finished_jobs_stay(
    lab, two_jobs, tmp_path, console, monkeypatch
):
    alone = Runner(lab, JobCache(tmp_path), console, workers=2)
    monkeypatch.setattr(runner_module, "_run_remotely", die)
    with pytest.raises(DataError, match="fewer processes, finished backtests are kept"):
        alone.run(two_jobs)


def test_a_scheduler_that_does_not_answer_is_told(lab, two_jobs, tmp_path, console, monkeypatch):
    monkeypatch.setattr(runner_module, "CONNECT_SECONDS", 0.5)
    alone = Runner(lab, JobCache(tmp_path), console, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(DataError, match="no Dask scheduler answers there"):
        alone.run(two_jobs)


@pytest.mark.parametrize(
    ("options", "word"), [({"workers": 0}, "at least 1"), ({"scheduler": "myhost"}, "tcp://")]
)
def test_a_runner_that_makes_no_sense_is_refused(lab, tmp_path, console, options, word):
    with pytest.raises(SettingsError, match=word):
        Runner(lab, JobCache(tmp_path), console, **options)
