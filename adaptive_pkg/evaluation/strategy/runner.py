"""Many jobs at once: on this machine's cores, or on a Dask cluster; what is in the cache is not run again."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from joblib import Parallel, delayed, parallel_config
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.backtester import run_job
from adaptive_pkg.evaluation.strategy.cache import JobCache
from adaptive_pkg.evaluation.strategy.conditions import Conditions, code_digest
from adaptive_pkg.evaluation.strategy.jobs import JobResult, StrategyJob

CONNECT_SECONDS = 15
SILENT_SECONDS = 3600  # a cluster whose worker keeps dying over a job never says so


@dataclass(frozen=True)
class Runner:
    """Runs jobs under the same conditions and keeps their results.

    Args:
        workers: processes on this machine; None: one a core; 1: none, jobs run in this process.
        scheduler: address of a Dask scheduler, tcp://…, whose workers have this package and the candles'
            folder at the same path; "" for this machine.
        ran: keys of the jobs that were made, not found, so far.
    """

    conditions: Conditions
    cache: JobCache
    console: Console
    workers: int | None = None
    scheduler: str = ""
    ran: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"jobs: {self.workers} processes; give at least 1")
        if self.scheduler and "://" not in self.scheduler:
            raise SettingsError(
                f"scheduler: {self.scheduler!r} is no address; give one such as tcp://host:8786"
            )

    def run(self, jobs: Mapping[str, StrategyJob], title: str = "backtests") -> dict[str, JobResult]:
        """Results by the jobs' names. Interrupt it at any time: finished jobs are kept.

        Raises:
            DataError: a job cannot be run, or the cluster not be used; the others' results are kept.
        """
        keys = {name: job.key(self.conditions) for name, job in jobs.items()}
        unique = {keys[name]: jobs[name] for name in jobs}
        found = {key: self.cache.read(key) for key in unique}
        missing = {key: job for key, job in unique.items() if found[key] is None}
        # the same candles after each other, long jobs first: no worker prepares twice, no long job comes last
        order = sorted(missing, key=lambda key: (-missing[key].work, missing[key].start))
        with self._progress(title, unique.values(), missing.values()) as advance:
            for part in self._stages([(key, missing[key]) for key in order]):
                for key, result in self._results(part):
                    self.cache.write(key, result)
                    self.ran.add(key)
                    found[key] = result
                    advance(missing[key])
        return {name: found[key] for name, key in keys.items()}  # type: ignore[misc]

    def _stages(self, missing: list[tuple[str, StrategyJob]]) -> list[list[tuple[str, StrategyJob]]]:
        """With a forecast, one job first of all that read the same: it trains the models for the others."""
        if not self.conditions.uses_forecast:
            return [missing]
        leaders = {job.forecast_id(self.conditions): (key, job) for key, job in reversed(missing)}
        first = [item for item in missing if item in leaders.values()]
        return [first, [item for item in missing if item not in first]]

    def _results(self, missing: Sequence[tuple[str, StrategyJob]]) -> Iterator[tuple[str, JobResult]]:
        if not missing:
            return
        wanted = self.workers or os.cpu_count() or 1
        if not self.scheduler and min(wanted, len(missing)) == 1:
            for key, job in missing:
                yield key, run_job(self.conditions, job)
            return
        code = code_digest(self.conditions.uses_forecast)
        with _backend(self.scheduler, min(wanted, len(missing))):
            calls = (delayed(_run_remotely)(self.conditions, code, key, job) for key, job in missing)
            # a job takes seconds, so one at a time goes out; in any order, each as soon as it is there
            outcomes = Parallel(
                batch_size=1,
                return_as="generator_unordered",
                pre_dispatch="2*n_jobs",
                timeout=SILENT_SECONDS if self.scheduler else None,
            )(calls)
            try:
                for key, outcome in outcomes:
                    if isinstance(outcome, str):
                        raise DataError(outcome)
                    yield key, outcome
            except (BrokenProcessPool, TimeoutError) as error:
                raise DataError(
                    f"a worker died or went silent ({type(error).__name__}), for want of memory perhaps; run "
                    "the same command again with fewer processes, finished backtests are kept"
                ) from None
            finally:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that jobs were cancelled, which is what is wanted
                    outcomes.close()

    @contextmanager
    def _progress(
        self, title: str, jobs: Iterable[StrategyJob], missing: Iterable[StrategyJob]
    ) -> Iterator[Any]:
        """A bar of pair days, in which the time left is the work left at the speed so far."""
        jobs, missing = list(jobs), list(missing)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        # a file or a pipe would only keep its empty lines
        idle = not missing or not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=idle) as progress:
            todo = sum(job.work for job in missing)
            count = [len(jobs) - len(missing), len(jobs)]
            task = progress.add_task(f"{title} {count[0]}/{count[1]}", total=todo)

            def advance(job: StrategyJob) -> None:
                count[0] += 1
                progress.update(task, advance=job.work, description=f"{title} {count[0]}/{count[1]}")

            yield advance


def _run_remotely(
    conditions: Conditions, code: str, key: str, job: StrategyJob
) -> tuple[str, JobResult | str]:
    """A job in a worker: its result, or what is wrong in words, which every engine can carry."""
    try:
        if code_digest(conditions.uses_forecast) != code:
            return key, "a worker runs another release of this package; install the same one everywhere"
        if job.key(conditions) != key:
            return key, f"{conditions.datadir}: a worker has other candles there than this machine; copy them"
        return key, run_job(conditions, job)
    except DataError as error:
        return key, str(error)


@contextmanager
def _backend(scheduler: str, workers: int) -> Iterator[None]:
    if not scheduler:
        with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
            yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise DataError(
            "a scheduler needs Dask, which is not installed: pip install 'adaptive-gru[cluster]'"
        ) from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{scheduler}: no Dask scheduler answers there ({error}); start one") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise DataError(f"{scheduler}: the scheduler has no workers; start `dask worker {scheduler}`")
        with parallel_config(backend="dask", client=client, n_jobs=-1):
            yield
