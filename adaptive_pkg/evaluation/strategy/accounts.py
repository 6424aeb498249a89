"""Every account of an evaluation over the same days: what it made, beside ours, and as tries to count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.ablation import FULL, distinct
from adaptive_pkg.evaluation.strategy.bootstrap import Draws, difference, estimate, mean_annual
from adaptive_pkg.evaluation.strategy.conditions import SAMPLE, STRATEGY
from adaptive_pkg.evaluation.strategy.evaluate import Evaluation
from adaptive_pkg.evaluation.strategy.ledger import Trial, make_trial
from adaptive_pkg.evaluation.strategy.matching import drawdown_at_equal_growth, growth_at_equal_tail
from adaptive_pkg.evaluation.strategy.performance import Performance, measure, sharpe
from adaptive_pkg.evaluation.strategy.stop_comparison import name_of
from adaptive_pkg.policy.calibration import Estimate

FIXED = f"{STRATEGY}, fixed settings"
WITHOUT_FORECAST = f"{STRATEGY}, rules only"


@dataclass(frozen=True)
class AccountFigures:
    """One account over the evaluation's days. mean: return of a year, before compounding."""

    returns: pd.Series
    performance: Performance
    sharpe: Estimate
    mean: Estimate


def account_returns(evaluation: Evaluation) -> dict[str, pd.Series]:
    """Daily returns of every account over the same days, ours first. Raises DataError."""
    walk = evaluation.walk
    days = walk.returns.index
    found = {STRATEGY: walk.returns}
    if evaluation.request.hyperopt:
        found[FIXED] = evaluation.runs[FULL].returns
    if (name := "without forecast") in evaluation.runs:
        found[WITHOUT_FORECAST] = evaluation.runs[name].returns
    for account in evaluation.baselines[1.0]:
        found[account.name] = account.returns.reindex(days)
    found[SAMPLE] = evaluation.sample.returns
    for name, series in found.items():
        if not series.index.equals(days) or not np.isfinite(series.to_numpy()).all():
            raise DataError(f"{name}: its days are not those of {STRATEGY}; run the evaluation again")
    return {name: series.rename(name) for name, series in found.items()}


def trials(evaluation: Evaluation, at: datetime) -> list[Trial]:
    """Every try of the evaluation, for the ledger: each run, each setting searched, each baseline.

    A run whose account is another's day by day is no further try: nothing could be chosen by it.
    """
    base = {"conditions": evaluation.conditions.digest, "pairs": list(evaluation.pairs)}
    plan = evaluation.plan
    made = [
        make_trial("backtest", STRATEGY, {**base, "run": name}, result.returns, at, note=name)
        for name, result in distinct(evaluation.runs).items()
    ]
    for trial in evaluation.walk.trials:
        if len(trial.returns):
            settings = {**base, "params": dict(trial.params)}
            made.append(make_trial("hyperopt", STRATEGY, settings, trial.returns, at, f"span {trial.span}"))
    for distance, result in evaluation.fixed_stops.items():
        settings = {**base, "run": name_of(distance)}
        made.append(make_trial("backtest", STRATEGY, settings, result.returns, at, note=name_of(distance)))
    if evaluation.request.hyperopt:
        walked = {**base, "hyperopt": evaluation.request.hyperopt, "test_days": plan.test_days}
        made.append(make_trial("backtest", STRATEGY, walked, evaluation.walk.returns, at, "walk-forward"))
    for account in evaluation.baselines[1.0]:
        made.append(make_trial("baseline", account.name, base, account.returns, at))
    made.append(make_trial("baseline", SAMPLE, base, evaluation.sample.returns, at))
    return made


def figures_of(returns: pd.Series, draws: Draws) -> AccountFigures:
    """One account summed up, with intervals."""
    x = returns.to_numpy()
    return AccountFigures(
        returns, measure(returns), estimate(sharpe, x, draws), estimate(mean_annual, x, draws)
    )


def paired(ours: pd.Series, theirs: pd.Series, draws: Draws) -> dict[str, Any]:
    """Ours less theirs on the same days: as they came, at equal tail loss and at equal growth."""
    a, b = ours.to_numpy(), theirs.to_numpy()
    return {
        "mean_return": difference(mean_annual, a, b, draws),
        "sharpe": difference(sharpe, a, b, draws),
        "growth_at_equal_tail": growth_at_equal_tail(a, b, draws),
        "drawdown_at_equal_growth": drawdown_at_equal_growth(a, b, draws),
    }


def daily_exposure(evaluation: Evaluation) -> pd.Series:
    """Mean share of the account in positions, by day."""
    parts = []
    for span, result in zip(
        evaluation.walk.spans if evaluation.request.hyperopt else [None], evaluation.walk.results, strict=True
    ):
        exposure = pd.Series(result.daily["exposure"].to_numpy()[1:], index=result.returns.index)
        parts.append(exposure if span is None else exposure[span.test_start : span.test_end].iloc[
            : (span.test_end - span.test_start).days
        ])  # fmt: skip
    return pd.concat(parts).rename("exposure")


def cost_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The strategy and the rules to beat at every cost multiple."""
    rows = []
    for multiple, walk in evaluation.stressed.items():
        cost = evaluation.conditions.cost(multiple)
        accounts = {STRATEGY: walk.returns} | {
            account.name: account.returns.reindex(walk.returns.index)
            for account in evaluation.baselines[multiple]
        }
        rows += [
            {"multiple": multiple, "cost": cost, "account": name, "performance": measure(series)}
            for name, series in accounts.items()
        ]
    return rows
