"""Run the trials of a search and judge the winner, in parallel processes on one storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import optuna
from joblib import Parallel, delayed
from optuna.trial import TrialState, create_trial
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.evaluation.forecast.folds import Fold
from adaptive_pkg.evaluation.tuning.space import seed_of
from adaptive_pkg.evaluation.tuning.study import StudyFile, TrialRecord
from adaptive_pkg.evaluation.tuning.task import FoldScore, TuningTask
from adaptive_pkg.settings.forecast import ForecastSettings

DEFAULT = 0  # the trial that runs the settings to beat
RANDOM_TRIALS = 8  # before TPE (Bergstra et al. 2011) proposes
PRUNE_TRIALS = 5  # complete ones, before any is given up
PRUNE_FOLDS = 3  # a trial is compared with the median trial from this fold on
NETWORK, SAMPLER, HELD_OUT = 0, 1, 2  # what a seed is for


def run_trials(task: TuningTask, file: StudyFile, trials: int, workers: int, console: Console) -> None:
    """Run the trials that the study does not have yet. Interrupt it at any time; finished trials stay.

    Raises:
        ForecastError: the default settings cannot be fitted; a drawn setting that cannot is a failed trial.
    """
    done = {record.number for record in file.records()}
    missing = [number for number in range(trials) if number not in done]
    calls = (delayed(_trial)(task, file.study, number) for number in missing)
    _run(calls, workers, console, "searching", trials, trials - len(missing), lambda value: None)


def judge(
    task: TuningTask, file: StudyFile, chosen: list[int], seeds: int, workers: int, console: Console
) -> None:
    """Score the chosen trials' settings on the held-out folds, each with the same seeds, each only once."""
    known = file.held_out()
    missing = [(number, seed) for number in chosen for seed in range(seeds) if (number, seed) not in known]
    if not missing:
        return
    records = {record.number: record for record in file.records()}
    calls = (
        delayed(_held_out)(task, settings_of(task, records[number]), number, seed) for number, seed in missing
    )
    total = len(chosen) * seeds
    _run(
        calls, workers, console, "judging on held-out folds", total, total - len(missing),
        lambda value: file.keep_held_out(*value),
    )  # fmt: skip


def settings_of(task: TuningTask, record: TrialRecord) -> ForecastSettings:
    """The settings a trial ran, with the configured seed in place of the trial's own."""
    base = task.plan.forecaster
    return base if record.number == DEFAULT else task.space.settings(record.params, base, base.seed)


def fold_losses(scores: Iterable[FoldScore]) -> dict[int, float]:
    """Fold number → mean loss over its pairs (and seeds, where there are several)."""
    by_fold: dict[int, list[float]] = {}
    for score in scores:
        by_fold.setdefault(score.fold, []).append(score.loss)
    return {number: float(np.mean(losses)) for number, losses in sorted(by_fold.items())}


def _run(
    calls: Iterable[Any], workers: int, console: Console, what: str, total: int, done: int,
    take: Callable[[Any], None],
) -> None:  # fmt: skip
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if done:
        console.print(f"{what}: {min(done, total)} of {total} are done already", highlight=False)
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(what, total=total, completed=done)
        if workers == 1:
            finished = (function(*args, **kwargs) for function, args, kwargs in calls)
        else:
            # joblib keeps the libraries in its processes on their share of the cores
            finished = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch=workers)(calls)
        for value in finished:
            take(value)
            progress.advance(bar)


def _trial(task: TuningTask, study: optuna.Study, number: int) -> None:
    """One trial. Its draw and its network depend on the seed, its number and the trials before it alone."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study.sampler = optuna.samplers.TPESampler(
        seed=seed_of(task.seed, number, SAMPLER), n_startup_trials=RANDOM_TRIALS
    )
    study.pruner = optuna.pruners.MedianPruner(PRUNE_TRIALS)
    if number == DEFAULT:
        return _run_default(task, study)
    folds = task.folds()[0]
    trial = study.ask(task.space.distributions())
    trial.set_user_attr("trial", number)
    started = time.process_time()

    def end(state: TrialState, value: float | None, scores: list[FoldScore]) -> None:
        trial.set_user_attr("result", _result(scores, started))
        study.tell(trial, value, state=state)

    scores: list[FoldScore] = []
    settings = task.space.settings(trial.params, task.plan.forecaster, seed_of(task.seed, number, NETWORK))
    for done, fold_scores in enumerate(_fold_by_fold(task, folds, settings, trial), start=1):
        scores += fold_scores
        if done >= PRUNE_FOLDS:
            trial.report(_mean_loss(scores), done)
            if trial.should_prune():
                return end(TrialState.PRUNED, None, scores)
    if "reason" in trial.user_attrs:
        return end(TrialState.FAIL, None, scores)
    return end(TrialState.COMPLETE, _mean_loss(scores), scores)


def _fold_by_fold(
    task: TuningTask, folds: dict[int, dict[str, Fold]], settings: ForecastSettings, trial: optuna.Trial
) -> Iterator[list[FoldScore]]:
    """Scores of each search fold; a setting that cannot be fitted ends the trial with its reason."""
    try:
        for pairs in folds.values():
            yield [task.score(pair, fold, settings) for pair, fold in pairs.items()]
    except ForecastError as error:
        trial.set_user_attr("reason", str(error))


def _run_default(task: TuningTask, study: optuna.Study) -> None:
    """The settings to beat: never pruned, so they are run whole and then entered as a finished trial."""
    folds, started = task.folds()[0], time.process_time()
    settings = replace(task.plan.forecaster, seed=seed_of(task.seed, DEFAULT, NETWORK))
    scores, steps = [], {}
    for done, pairs in enumerate(folds.values(), start=1):
        scores += [task.score(pair, fold, settings) for pair, fold in pairs.items()]
        if done >= PRUNE_FOLDS:
            steps[done] = _mean_loss(scores)
    params = task.space.params(task.plan.forecaster)
    study.add_trial(
        create_trial(
            value=_mean_loss(scores),
            params=params,
            distributions=task.space.distributions() if params else {},
            intermediate_values=steps,
            user_attrs={"trial": DEFAULT, "result": _result(scores, started)},
        )
    )


def _result(scores: list[FoldScore], started: float) -> dict[str, Any]:
    return {"scores": [asdict(score) for score in scores], "cpu_seconds": time.process_time() - started}


def _mean_loss(scores: list[FoldScore]) -> float:
    return float(np.mean(list(fold_losses(scores).values())))


def _held_out(
    task: TuningTask, settings: ForecastSettings, number: int, seed: int
) -> tuple[int, int, list[FoldScore]]:
    seeded = replace(settings, seed=seed_of(task.seed, seed, HELD_OUT))
    folds = task.folds()[1].values()
    return number, seed, [task.score(pair, fold, seeded) for pairs in folds for pair, fold in pairs.items()]
