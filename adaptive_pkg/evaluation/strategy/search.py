"""Settings chosen on one span by Optuna, from the parameters that the strategy declares for hyperopt."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from adaptive_pkg.adapter.parameters import parameters
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY, Conditions
from adaptive_pkg.evaluation.strategy.jobs import JobResult, StrategyJob
from adaptive_pkg.evaluation.strategy.performance import sharpe
from adaptive_pkg.evaluation.strategy.runner import Runner
from adaptive_pkg.settings import load_settings

# trials proposed before any of them is judged; fixed, so that the number of processes changes no result
BATCH = 4
RANDOM_TRIALS = 8  # before TPE (Bergstra et al. 2011) proposes
LEAST_TRADES_A_YEAR = 20  # settings that hardly trade are judged by luck
_FORECAST_ONLY = ("forecast_agree", "forecast_disagree")


@dataclass(frozen=True)
class SearchSpan:
    """Where settings are chosen: [start, end)."""

    number: int
    start: pd.Timestamp
    end: pd.Timestamp


@dataclass(frozen=True)
class SearchTrial:
    """Settings tried on a span. Number 0 are the present ones.

    value: annual Sharpe ratio of the daily returns after costs; −inf where there were too few trades, NaN
    where the settings do not go together. params: by key of the settings, e.g. "stops.trail_atr".
    """

    span: int
    number: int
    params: Mapping[str, float]
    value: float
    trades: int
    returns: pd.Series


def search(
    runner: Runner,
    spans: Sequence[SearchSpan],
    pairs: tuple[str, ...],
    trials: int,
    adaptive: Mapping[str, Any] | None = None,
    seed: int = 1,
) -> dict[int, list[SearchTrial]]:
    """Try `trials` settings on every span, the present ones among them. Interrupt it; what is done is kept.

    Args:
        adaptive: settings to start from, laid over the conditions'.

    Returns:
        span number → its trials, in order.

    Raises:
        SettingsError: fewer than 2 trials. DataError: a job cannot be run.
    """
    if trials < 2:
        raise SettingsError(f"hyperopt: {trials} trials; give at least 2, one is the present settings")
    base = deepcopy(dict(adaptive or {}))
    space = declared(runner.conditions)
    present = _present(runner.conditions, base, space)
    studies = {span.number: _study(seed + span.number) for span in spans}
    found: dict[int, list[SearchTrial]] = {span.number: [] for span in spans}
    while (done := len(found[spans[0].number])) < trials:
        count = min(BATCH, trials - done) if done else 1  # the present settings first
        asked, jobs = {}, {}
        for span in spans:
            for number in range(done, done + count):
                study = studies[span.number]
                if number == 0:
                    study.enqueue_trial(present)
                with warnings.catch_warnings():
                    # the present settings may lie off the grid that is searched
                    warnings.simplefilter("ignore", UserWarning)
                    drawn = study.ask(space)
                params = dict(present) if number == 0 else dict(drawn.params)
                asked[span.number, number] = drawn, params
                settings = laid_over(base, params)
                if _fits(runner.conditions, settings):
                    jobs[f"{span.number}:{number}"] = StrategyJob(pairs, span.start, span.end, settings)
        results = runner.run(jobs, f"searching, trials {done + 1}–{done + count} of {trials},")
        for (at, number), (drawn, params) in asked.items():
            span = next(span for span in spans if span.number == at)
            trial = _judged(span, number, params, results.get(f"{at}:{number}"))
            found[at].append(trial)
            if np.isnan(trial.value):
                studies[at].tell(drawn, state=TrialState.FAIL)
            else:
                studies[at].tell(drawn, max(trial.value, -100.0))
    return found


def best(trials: Sequence[SearchTrial]) -> SearchTrial:
    """The highest value; the present settings where nothing beats them."""
    ahead = [trial for trial in trials if trial.value > trials[0].value]
    return max(ahead, key=lambda trial: (trial.value, -trial.number)) if ahead else trials[0]


def laid_over(adaptive: Mapping[str, Any], params: Mapping[str, float]) -> dict[str, Any]:
    """Settings with dotted keys laid over them."""
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in adaptive.items()}
    for key, value in params.items():
        section, _, name = key.partition(".")
        merged.setdefault(section, {})[name] = value
    return merged


def declared(conditions: Conditions) -> dict[str, BaseDistribution]:
    """What may be searched, by key of the settings, within the strategy's own bounds and steps."""
    strategy = getattr(_module(conditions.sources[STRATEGY]), STRATEGY)
    space: dict[str, BaseDistribution] = {}
    for _, section, name in parameters():
        if name in _FORECAST_ONLY and not conditions.uses_forecast:
            continue
        known = getattr(strategy, name)
        if isinstance(known.low, float) or hasattr(known, "decimals"):
            step = 10.0**-known.decimals
            space[f"{section}.{name}"] = FloatDistribution(float(known.low), float(known.high), step=step)
        else:
            space[f"{section}.{name}"] = IntDistribution(known.low, known.high)
    return space


def _module(source: str) -> ModuleType:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{STRATEGY}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location("adaptive_lab_strategy", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def _present(
    conditions: Conditions, adaptive: Mapping[str, Any], space: Mapping[str, BaseDistribution]
) -> dict[str, float]:
    """The values in force, exactly: not rounded to the grid that is searched."""
    settings = load_settings({"adaptive": _merged(conditions, adaptive)})
    return {key: getattr(getattr(settings, key.partition(".")[0]), key.partition(".")[2]) for key in space}


def _merged(conditions: Conditions, adaptive: Mapping[str, Any]) -> dict[str, Any]:
    from freqtrade.misc import deep_merge_dicts

    return deep_merge_dicts(deepcopy(dict(adaptive)), deepcopy(dict(conditions.config.get("adaptive", {}))))


def _fits(conditions: Conditions, adaptive: Mapping[str, Any]) -> bool:
    try:
        load_settings({"adaptive": _merged(conditions, adaptive)})
    except SettingsError:
        return False
    return True


def _study(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS, constant_liar=True)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _judged(
    span: SearchSpan, number: int, params: Mapping[str, float], result: JobResult | None
) -> SearchTrial:
    if result is None:
        return SearchTrial(span.number, number, params, float("nan"), 0, pd.Series(dtype=float))
    returns, trades = result.returns, len(result.trades)
    enough = trades >= LEAST_TRADES_A_YEAR * (span.end - span.start).days / 365
    return SearchTrial(
        span.number, number, params, float(sharpe(returns)) if enough else -float("inf"), trades, returns
    )
