"""What a search found: the best trial beside the default, on its own folds and on the held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from adaptive_pkg.evaluation.tuning.search import DEFAULT, fold_losses
from adaptive_pkg.evaluation.tuning.study import TrialRecord
from adaptive_pkg.evaluation.tuning.task import FoldScore

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over folds with its standard error and the 95 % interval of Student's t.

    Folds follow one another and hardly overlap in what they judge, so each counts as independent.
    """

    value: float
    standard_error: float
    low: float
    high: float
    folds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        value, n = float(np.mean(values)), len(values)
        error = float(np.std(values, ddof=1) / np.sqrt(n))
        half = float(student.ppf((1 + LEVEL) / 2, n - 1)) * error
        return cls(value, error, value - half, value + half, n)


@dataclass(frozen=True)
class HeldOut:
    """Both settings on folds no trial has seen, paired by fold, pair and seed. Losses relative to zero.

    `tuned` and what compares it are None where the default was the best trial.
    """

    default: Mean
    tuned: Mean | None
    difference: Mean | None  # tuned − default; below 0: tuned is better
    difference_seed_deviation: float | None  # of the mean difference, from seed to seed; None: one seed
    seeds: int
    parts: dict[str, dict[str, float]]  # setting → each target's MSE over that of the zero forecast

    @property
    def verdict(self) -> str | None:
        """Of tuned beside default: better, worse or no different."""
        if self.difference is None:
            return None
        if self.difference.high < 0:
            return "better"
        return "worse" if self.difference.low > 0 else "no different"


def best_of(records: list[TrialRecord]) -> TrialRecord:
    """The complete trial of the smallest loss; of equal ones the first, so the default wins a tie."""
    return min((r for r in records if r.value is not None), key=lambda record: (record.value, record.number))


def compare(trial: TrialRecord, other: TrialRecord) -> Mean | None:
    """Loss of one trial less that of another on the search folds both ran; None below two of them."""
    own, reference = fold_losses(trial.scores), fold_losses(other.scores)
    both = [number for number in own if number in reference]
    return Mean.of([own[n] - reference[n] for n in both]) if len(both) > 1 else None


def held_out(scores: dict[tuple[int, int], tuple[FoldScore, ...]], best: int, seeds: int) -> HeldOut:
    """Judge the best trial's settings beside the default's. scores: by trial and seed."""
    runs = {number: [scores[number, seed] for seed in range(seeds)] for number in {DEFAULT, best}}
    # (seeds, folds) each
    losses = {n: np.array([list(fold_losses(run).values()) for run in rows]) for n, rows in runs.items()}
    default = Mean.of(losses[DEFAULT].mean(axis=0))
    if best == DEFAULT:
        return HeldOut(default, None, None, None, seeds, {"default": _parts(runs[DEFAULT])})
    gaps = losses[best] - losses[DEFAULT]
    return HeldOut(
        default,
        Mean.of(losses[best].mean(axis=0)),
        Mean.of(gaps.mean(axis=0)),
        float(gaps.mean(axis=1).std(ddof=1)) if seeds > 1 else None,
        seeds,
        {"default": _parts(runs[DEFAULT]), "tuned": _parts(runs[best])},
    )


def _parts(runs: list[tuple[FoldScore, ...]]) -> dict[str, float]:
    rows = [score for run in runs for score in run]
    return {
        name: float(np.mean([getattr(score, name) for score in rows]))
        for name in ("return_mse_over_zero", "volatility_mse_over_zero")
    }


def sentences(records: list[TrialRecord], judged: HeldOut, looks: int) -> list[str]:
    """The findings in plain words."""
    best, default = best_of(records), next(r for r in records if r.number == DEFAULT)
    count, gap = len(records), judged.difference
    if gap is None:
        return [
            f"No trial of {count} beat the default settings on the search folds: keep them. Their loss on "
            f"the held-out folds: {judged.default.value:.4f} ± {judged.default.standard_error:.4f}."
        ]
    found = compare(best, default)
    first = (
        f"Trial {best.number} of {count} was best. On the search folds its loss less the default's is "
        f"{found.value:+.4f} ± {found.standard_error:.4f}, which flatters it, being the smallest of {count}."
    )
    verdict = {
        "better": "The gain survives on the held-out folds",
        "no different": "The held-out folds cannot tell the tuned settings from the default",
        "worse": "The tuned settings are worse than the default on the held-out folds: keep the default",
    }[judged.verdict]
    spread = judged.difference_seed_deviation
    lines = [
        first,
        f"{verdict}: {gap.value:+.4f} ± {gap.standard_error:.4f} (95 % {gap.low:+.4f} to {gap.high:+.4f}, "
        f"{gap.folds} folds, {judged.seeds} seed(s)"
        + (")." if spread is None else f"; from seed to seed ± {spread:.4f})."),
    ]
    own, usual = (r.cpu_seconds / len(r.scores) for r in (best, default))
    if usual:
        lines.append(f"Its fits took {own / usual:.2f} times the default's CPU time, forecasts included.")
    if looks > 1:
        lines.append(
            f"{looks} tuned settings have now been judged on these held-out folds, and each look makes them "
            "less held out; take a later timerange for a fresh verdict."
        )
    return lines


def as_json(value: Mean | HeldOut) -> dict[str, Any]:
    """All figures; one that does not exist is null."""
    return asdict(value)
