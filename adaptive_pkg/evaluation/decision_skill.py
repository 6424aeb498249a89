"""How good what was learned from past candidates has been out of sample, and what it would have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.learning.earned import block_days, blocks_of, skill
from adaptive_pkg.learning.training import Sample, Target
from adaptive_pkg.learning.walk_forward import WEIGHED, Learned, beyond
from adaptive_pkg.policy.calibration import Estimate, ReliabilityBin, decile_edges, reliability
from adaptive_pkg.policy.confidence import ConfidenceScorer
from adaptive_pkg.policy.decision import Refusal
from adaptive_pkg.settings import AdaptiveSettings

TRIED_WEIGHT = 0.2  # of the confidence, in "what it would have changed"
_BINS = 5
_LEAST_JUDGED = 50


@dataclass(frozen=True)
class ModelSkill:
    """One model beside its baselines. rank_ic: Spearman's with the outcome."""

    target: str
    mean: float
    skill: Estimate  # 1 − squared error over that of the past mean
    skill_within: Estimate  # and over that of the regime's past mean
    rank_ic: Estimate


@dataclass(frozen=True)
class Earned:
    """The weights in force from a day on, and the skill and worth each was read from."""

    valid_from: str
    candidates: int
    weight: Mapping[str, float]
    skill: Mapping[str, Estimate]
    worth: Mapping[str, Estimate]


@dataclass(frozen=True)
class Sides:
    """Candidates that a model speaks for and against. difference: of their mean R."""

    by: str
    above: int
    below: int
    r_above: float
    r_below: float
    difference: Estimate | None


@dataclass(frozen=True)
class Change:
    """What the confidence with the learned effect would have changed, all else equal.

    r_before, r_after: mean R of the taken, weighted by size. difference: after less before.
    """

    weights: str  # "as earned", or "fully trusted"
    taken_before: int
    taken_after: int
    dropped: int
    added: int
    r_dropped: float
    r_added: float
    r_before: float
    r_after: float
    difference: Estimate


@dataclass(frozen=True)
class DecisionReport:
    """Everything the report says. n: candidates judged out of sample."""

    approach: str
    timeframe: str
    pairs: list[str]
    first: str
    last: str
    candidates: int
    n: int
    judged_from: str
    block_days: int
    models: list[ModelSkill]
    calibration: list[ReliabilityBin]
    earned: list[Earned]
    sides: list[Sides]
    changes: list[Change]


def judge_learning(
    labelled: pd.DataFrame, sample: Sample, learned: Learned, settings: AdaptiveSettings, timeframe: str
) -> DecisionReport:
    """Compute every figure.

    Args:
        labelled: rows in order of time; `sample` holds their numbers, `learned` what was forecast of them.

    Raises:
        DataError: next to nothing was judged out of sample.
    """
    known = sample.known_ms <= sample.ended_ms
    rows = known & (learned.forecasts.chapter >= 0)
    if rows.sum() < _LEAST_JUDGED:
        raise DataError(
            f"{len(sample)} candidates and {len(learned.chapters)} trainings: {rows.sum()} are judged out of "
            f"sample, at least {_LEAST_JUDGED} are needed; "
            "give more candles or pairs, or lower journal.learning.least_candidates"
        )
    days = block_days((sample.known_ms - sample.closed_ms)[rows])
    blocks = blocks_of(sample.closed_ms[rows], days)
    forecasts, regime = learned.forecasts, sample.regime[rows]
    said = {target: forecasts.said[target][rows] for target in Target}
    y = {target: sample.y[target][rows] for target in Target}
    r = sample.r[rows]
    learning = settings.journal.learning
    looks = {
        target: beyond(said[target], forecasts.regime_mean[target][rows], target, learning)
        for target in WEIGHED
    }
    chapter = forecasts.chapter[rows]
    earned = {
        target: np.array([one.earned[target] for one in learned.chapters])[chapter] for target in WEIGHED
    }
    trusted = sum(looks.values()) / len(WEIGHED)
    as_earned = sum(earned[target] * looks[target] for target in WEIGHED) / len(WEIGHED)
    judged = labelled[rows]
    return DecisionReport(
        approach=str(settings.approach),
        timeframe=timeframe,
        pairs=sorted(set(labelled["pair"])),
        first=_day(sample.closed_ms[0]),
        last=_day(sample.closed_ms[-1]),
        candidates=len(sample),
        n=int(rows.sum()),
        judged_from=_day(sample.closed_ms[rows][0]),
        block_days=days,
        models=[
            ModelSkill(
                str(target),
                float(y[target].mean()),
                skill(y[target], said[target], forecasts.mean[target][rows], blocks),
                skill(y[target], said[target], forecasts.regime_mean[target][rows], blocks),
                rank_ic(said[target], y[target], blocks),
            )
            for target in Target
        ],
        calibration=reliability(said[Target.WIN], r, blocks, decile_edges(said[Target.WIN], _BINS)),
        earned=[
            Earned(
                _day(one.valid_from_ms), one.candidates, dict(one.earned), dict(one.skill), dict(one.worth)
            )
            for one in learned.chapters
        ],
        sides=[_sides(str(target), looks[target], r, blocks) for target in WEIGHED]
        + [_sides("both", trusted, r, blocks)],
        changes=[
            _change("as earned", as_earned, judged, regime, r, blocks, settings),
            _change("fully trusted", trusted, judged, regime, r, blocks, settings),
        ],
    )


def rank_ic(x: np.ndarray, y: np.ndarray, blocks: np.ndarray) -> Estimate:
    """Spearman's correlation with the interval of whole blocks drawn, by the ranks of the whole."""
    a, b = rankdata(x), rankdata(y)
    a, b = a - a.mean(), b - b.mean()
    terms = np.column_stack([np.ones_like(a), a, b, a * a, b * b, a * b])
    return estimate_by_block(terms, blocks, _correlation)


def _correlation(sums: np.ndarray) -> np.ndarray:
    n, a, b, aa, bb, ab = np.moveaxis(sums, -1, 0)
    return (ab - a * b / n) / np.sqrt((aa - a * a / n) * (bb - b * b / n))


def _sides(by: str, effect: np.ndarray, r: np.ndarray, blocks: np.ndarray) -> Sides:
    above = effect > 0
    terms = np.column_stack([above, above * r, ~above, ~above * r]).astype(float)
    both = 0 < above.sum() < len(r)
    return Sides(
        by,
        int(above.sum()),
        int((~above).sum()),
        _mean(r[above]),
        _mean(r[~above]),
        estimate_by_block(terms, blocks, lambda s: s[..., 1] / s[..., 0] - s[..., 3] / s[..., 2])
        if both
        else None,
    )


def _change(
    weights: str,
    effect: np.ndarray,
    rows: pd.DataFrame,
    regime: np.ndarray,
    r: np.ndarray,
    blocks: np.ndarray,
    settings: AdaptiveSettings,
) -> Change:
    scorer, limits = ConfidenceScorer(settings.confidence), settings.confidence
    presets = [settings.preset(one) for one in Regime]
    threshold = np.array([preset.confidence_threshold for preset in presets])[regime] + limits.threshold_shift
    threshold = np.maximum(threshold, limits.minimal_tier)
    size = np.array([preset.size_multiplier for preset in presets])[regime]
    free = rows["reason"].isin([str(Refusal.NONE), str(Refusal.LOW_CONFIDENCE)]).to_numpy()
    score = rows["confidence"].to_numpy(float)
    moved = np.clip(score * (1.0 + TRIED_WEIGHT * effect), 0.0, 1.0)
    stakes = [
        np.where(free & (one >= threshold), size * scorer.tier_multiplier(one), 0.0) for one in (score, moved)
    ]
    before, after = (stake > 0 for stake in stakes)
    terms = np.column_stack([stakes[0], stakes[0] * r, stakes[1], stakes[1] * r])
    total = terms.sum(axis=0)
    return Change(
        weights,
        int(before.sum()),
        int(after.sum()),
        int((before & ~after).sum()),
        int((after & ~before).sum()),
        _mean(r[before & ~after]),
        _mean(r[after & ~before]),
        float(total[1] / total[0]) if total[0] else float("nan"),
        float(total[3] / total[2]) if total[2] else float("nan"),
        estimate_by_block(terms, blocks, lambda s: s[..., 3] / s[..., 2] - s[..., 1] / s[..., 0]),
    )


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _day(ms: int) -> str:
    return str(np.datetime64(int(ms), "ms"))[:10]
