"""Every job of an evaluation, in parallel processes, each finished one kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.evaluation.forecast.features import FeatureSet
from adaptive_pkg.evaluation.forecast.folds import Fold, Schedule, walk_forward
from adaptive_pkg.evaluation.forecast.models import SEEDED, Family, FoldForecast, forecast_fold
from adaptive_pkg.evaluation.forecast.panel import Panel, load_panel
from adaptive_pkg.evaluation.forecast.store import JobStore, code_digest
from adaptive_pkg.forecast.fingerprint import fingerprint
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import ForecastSettings


@dataclass(frozen=True)
class Plan:
    """What to evaluate."""

    datadir: Path
    pairs: tuple[str, ...]
    timeframe: str
    horizon: int
    schedule: Schedule
    forecaster: ForecastSettings = field(default_factory=ForecastSettings)
    indicators: IndicatorSettings = field(default_factory=IndicatorSettings)
    families: tuple[Family, ...] = tuple(Family)
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    features: FeatureSet = FeatureSet.SHIPPED

    def panel(self, pair: str) -> Panel:
        # candles after the span are needed for its last labels only
        before = self.schedule.end + pd.Timedelta(days=7)
        return load_panel(
            self.datadir, pair, self.timeframe, self.horizon, self.indicators, before, self.features
        )

    def folds(self, panel: Panel) -> list[Fold]:
        warm_up = int(np.flatnonzero(np.isfinite(panel.features.to_numpy()).all(axis=1))[:1].sum())
        return walk_forward(panel.dates, self.schedule, panel.horizon, warm_up)


@dataclass(frozen=True)
class Job:
    """One family, one fold, one seed."""

    pair: str
    fold: Fold
    family: Family
    seed: int
    key: str


@dataclass(frozen=True)
class PairForecasts:
    """All out-of-sample forecasts of one pair.

    values: model → (seeds, n, 3) on the panel's rows, NaN outside the folds. weights: of the ensemble, one
    per fold and seed.
    """

    panel: Panel
    folds: list[Fold]
    values: dict[str, np.ndarray]
    weights: list[dict[str, dict[str, float]]]
    test: np.ndarray  # (n,) row is in a fold
    fold_number: np.ndarray  # (n,) −1 outside


def plan_jobs(plan: Plan) -> list[Job]:
    """Every job with the fingerprint of its inputs. Raises DataError."""
    if len(set(plan.seeds)) < len(plan.seeds) or not plan.seeds:
        raise DataError(f"seeds: {list(plan.seeds)}; give at least one, each once")
    jobs = []
    for pair in plan.pairs:
        panel = plan.panel(pair)
        for fold in plan.folds(panel):
            data = panel.digest(slice(fold.first, fold.test_end))
            for family in plan.families:
                for seed in plan.seeds if family in SEEDED else plan.seeds[:1]:
                    inputs = {
                        "code": code_digest(),
                        "pair": pair,
                        "data": data,
                        "rows": [fold.labels_end - fold.first, fold.test_first - fold.first],
                        "horizon": plan.horizon,
                        "settings": asdict(plan.forecaster),
                        "family": family,
                        "seed": seed if family in SEEDED else 0,
                    }
                    jobs.append(Job(pair, fold, family, seed, fingerprint(inputs)))
    return jobs


def run_jobs(plan: Plan, jobs: Sequence[Job], store: JobStore, workers: int, console: Console) -> None:
    """Run what the store does not have. Interrupt it at any time; the finished jobs stay.

    Raises:
        ForecastError: a model could not be fitted; names the job.
    """
    missing = [job for job in jobs if store.read(job.key) is None]
    # pairs in blocks, so that a worker reads few of them; networks first, so that no long job comes last
    missing.sort(key=lambda job: (job.family is not Family.NETWORKS, job.pair, job.fold.number))
    if done := len(jobs) - len(missing):
        console.print(f"{done} of {len(jobs)} jobs are done already", highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("fitting and forecasting", total=len(jobs), completed=done)
        if workers == 1:
            finished = (_run_job(plan, job, store) for job in missing)
        else:
            calls = (delayed(_run_job)(plan, job, store) for job in missing)
            finished = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs")(
                calls
            )
        for _ in finished:
            progress.advance(task)


def _run_job(plan: Plan, job: Job, store: JobStore) -> str:
    """Fit, forecast and store one job. In a pool joblib keeps the libraries in it on one thread."""
    try:
        result = forecast_fold(plan.panel(job.pair), job.fold, job.family, plan.forecaster, job.seed)
    except ForecastError as error:
        raise ForecastError(f"{job.pair}, fold {job.fold.number}, {job.family}: {error}") from None
    store.write(job.key, result)
    return job.key


def collect(plan: Plan, jobs: Sequence[Job], store: JobStore) -> list[PairForecasts]:
    """Put the stored forecasts of every pair together. Raises DataError where one is missing."""
    return [
        _collect_pair(plan, pair, [job for job in jobs if job.pair == pair], store) for pair in plan.pairs
    ]


def _collect_pair(plan: Plan, pair: str, jobs: list[Job], store: JobStore) -> PairForecasts:
    panel = plan.panel(pair)
    folds = plan.folds(panel)
    values: dict[str, np.ndarray] = {}
    weights = []
    number = np.full(len(panel), -1)
    for fold in folds:
        number[fold.test] = fold.number
    for job in jobs:
        result = _required(store.read(job.key), job)
        seeds = len(plan.seeds) if job.family in SEEDED else 1
        for name, block in result.values.items():
            whole = values.setdefault(name, np.full((seeds, len(panel), 3), np.nan))
            whole[plan.seeds.index(job.seed), job.fold.test] = block
        if result.weights:
            weights.append(result.weights)
    return PairForecasts(panel, folds, values, weights, number >= 0, number)


def _required(result: FoldForecast | None, job: Job) -> FoldForecast:
    if result is None:
        raise DataError(
            f"{job.pair}, fold {job.fold.number}, {job.family}: no result; run the evaluation again"
        )
    return result
