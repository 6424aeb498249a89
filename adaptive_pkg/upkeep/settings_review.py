"""Check: would the past have chosen settings like the present ones, and would that have paid afterwards?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.evaluation.strategy.bootstrap import difference, draw_days, mean_annual
from adaptive_pkg.evaluation.strategy.jobs import StrategyJob
from adaptive_pkg.evaluation.strategy.search import LEAST_TRADES_A_YEAR, SearchTrial, best
from adaptive_pkg.evaluation.strategy.walk_forward import Walk, WalkPlan, join_returns, walk_forward
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict
from adaptive_pkg.upkeep.quarter import BURN_IN_DAYS, REVIEWED, TRAIN_DAYS, Quarter

NAME = "settings, by walk-forward"


def check_settings(quarter: Quarter, trials: int) -> Finding:
    """Settings chosen on the year before each of the last quarters, traded on it, beside the present ones.

    Choosing is worth it only where what the past chose did better afterwards; that it did better on the
    past itself says nothing, for it was chosen so.

    Args:
        trials: settings tried for each quarter, the present ones among them.

    Raises:
        DataError, SettingsError: the candles do not reach back far enough, or a backtest cannot be run.
    """
    days = pd.Timedelta(days=(quarter.end - quarter.start).days)
    plan = WalkPlan(
        quarter.end - REVIEWED * days,
        quarter.end,
        train_days=TRAIN_DAYS,
        test_days=days.days,
        burn_in_days=BURN_IN_DAYS,
    )
    walk = walk_forward(quarter.runner, plan, quarter.pairs, trials)
    burn_in = pd.Timedelta(days=BURN_IN_DAYS)
    jobs = {  # begun anew for each quarter, as the chosen ones are
        str(span.number): StrategyJob(quarter.pairs, span.test_start - burn_in, span.test_end)
        for span in walk.spans
    }
    results = quarter.runner.run(jobs, "the present settings")
    present = join_returns(walk.spans, [results[name] for name in jobs]).to_numpy()
    chosen = walk.returns.to_numpy()
    less = difference(mean_annual, chosen, present, draw_days(np.column_stack([chosen, present])))
    kept = [_best_of(walk, span.number) for span in walk.spans]
    stayed = sum(trial.number == 0 for trial in kept)
    unranked = sum(not np.isfinite(trial.value) for trial in walk.trials if trial.number == 0)
    table = FindingTable(
        ("setting", "present", *(f"chosen for {span.test_start:%Y-%m-%d}" for span in walk.spans)),
        tuple(_rows(walk, kept)),
    )
    figures = {
        "start": plan.start,
        "end": plan.end,
        "trials": trials,
        "quarters": len(walk.spans),
        "present_kept": stayed,
        "present_unranked": unranked,
        "chosen": [dict(trial.params) if trial.number else {} for trial in kept],
        "chosen_total": float(np.prod(1 + chosen) - 1),
        "present_total": float(np.prod(1 + present) - 1),
        "chosen_less_present_a_year": [less.value, less.low, less.high],
    }
    told = (
        f"the past would have kept the present settings for {stayed} of {len(kept)} quarters ({trials} tried "
        f"for each on the {TRAIN_DAYS} days before); what it chose made "
        f"{100 * figures['chosen_total']:+.1f} % since {plan.start:%Y-%m-%d}, the present ones "
        f"{100 * figures['present_total']:+.1f} %: "
        f"{100 * less.value:+.1f} % a year ({100 * less.low:+.1f} to {100 * less.high:+.1f})"
    )
    if unranked:
        told += (
            f"; for {unranked} of them the present settings traded less than {LEAST_TRADES_A_YEAR} times a "
            "year, too seldom for the search to rank them, so whatever traded more was chosen: add pairs"
        )
    if less.sign > 0:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"settings chosen on the past did better afterwards: {told}",
            "before you change any, judge it on years: `adaptive evaluate strategy --hyperopt 40`; a setting "
            "that moves from quarter to quarter is noise",
            figures,
            table,
        )
    reason = "the past chose nothing else" if stayed == len(kept) else "no reason to change any"
    return Finding(NAME, Verdict.OK, f"{reason}: {told}", "", figures, table)


def _best_of(walk: Walk, span: int) -> SearchTrial:
    return best([trial for trial in walk.trials if trial.span == span])


def _rows(walk: Walk, kept: list[SearchTrial]) -> list[tuple[str, ...]]:
    """The settings that some quarter would have changed, then the account of each choice."""
    first = next(trial for trial in walk.trials if trial.number == 0)
    rows = []
    for key, present in first.params.items():
        values = [trial.params[key] if trial.number else present for trial in kept]
        if any(value != present for value in values):
            rows.append((key, f"{present:g}", *(f"{v:g}" if v != present else "same" for v in values)))
    sharpes = []
    for trial in kept:
        own = next(item for item in walk.trials if item.span == trial.span and item.number == 0)
        sharpes.append(f"{_sharpe(trial)} ({_sharpe(own)})")
    rows.append(("Sharpe on the past (present's)", "", *sharpes))
    return rows


def _sharpe(trial: SearchTrial) -> str:
    return f"{trial.value:.2f}" if np.isfinite(trial.value) else "too few trades"
