"""Models by date, each fitted on what was known then, and what they said of the candidates that came after.

A quick loser is known before the slow winner of the same day. Learning from whatever is known would learn
from losers; so the past ends where the oldest candidate that is still open begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.learning.earned import DAY_MS, block_days, blocks_of, earned_weight, skill, worth
from adaptive_pkg.learning.estimators import Blend
from adaptive_pkg.learning.training import Sample, Target, fit_blends, forecast
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.settings.journal import LearningSettings

WEIGHED = (Target.WIN, Target.R)  # say whether an entry is good; the others what to expect of it
_REGIME_PRIOR = 20.0  # candidates by which a regime's past mean leans on that of all


@dataclass(frozen=True)
class Chapter:
    """The models in force from one moment on.

    base: past mean of each target, by `Regime.code` (5,). earned: weight of each of WEIGHED, 0..1, read from
    skill (beyond the past mean, and the regime's) and worth (R for a unit of its effect), both of what
    earlier chapters said out of sample. candidates: how many it was fitted on.
    """

    valid_from_ms: int
    blends: Mapping[Target, Blend]
    base: Mapping[Target, np.ndarray]
    earned: Mapping[Target, float]
    skill: Mapping[Target, Estimate]
    worth: Mapping[Target, Estimate]
    candidates: int


@dataclass(frozen=True)
class Forecasts:
    """What the chapter in force said of each candidate, out of sample; NaN before the first. Arrays (m,).

    mean, regime_mean: past mean of all candidates, and of the regime's, as known then. chapter: −1 for none.
    """

    said: Mapping[Target, np.ndarray]
    mean: Mapping[Target, np.ndarray]
    regime_mean: Mapping[Target, np.ndarray]
    chapter: np.ndarray


@dataclass(frozen=True)
class Learned:
    """Every chapter, and what they said."""

    chapters: tuple[Chapter, ...]
    forecasts: Forecasts


def settled(sample: Sample, at_ms: int) -> np.ndarray:
    """Bool (m,): known at a time, and older than every candidate that is still open then.

    A candidate whose candles have ended is open no longer; its outcome is never known.
    """
    still_open = (sample.closed_ms <= at_ms) & (sample.known_ms > at_ms) & (sample.ended_ms > at_ms)
    oldest = sample.closed_ms[still_open].min(initial=at_ms + 1)
    return (sample.known_ms <= at_ms) & (sample.closed_ms < oldest)


def learn(
    sample: Sample,
    settings: LearningSettings,
    until_ms: int,
    *,
    seed: int = 0,
    done: Callable[[float], None] = lambda part: None,
) -> Learned:
    """Fit a chapter every `retrain_days`, counted from the first candidate; forecast what follows with it.

    The same sample gives the same chapters, and a longer one the same beginning.

    Args:
        sample: in order of time. until_ms: no chapter begins after it.
        done: told the part that is done, 0..1.

    Raises:
        DataError: no candidates at all.
    """
    if not len(sample):
        raise DataError("no labelled candidate: there is nothing to learn from")
    n = len(sample)
    said, mean, regime_mean = ({target: np.full(n, np.nan) for target in Target} for _ in range(3))
    in_force = np.full(n, -1)
    chapters: list[Chapter] = []
    first, step = int(sample.closed_ms[0]), settings.retrain_days * DAY_MS
    begins = range(first + settings.first_days * DAY_MS, until_ms + 1, step)
    for at_ms in begins:
        known = settled(sample, at_ms)
        past = sample.only(known & (sample.closed_ms > at_ms - settings.memory_days * DAY_MS))
        done((at_ms - first) / max(1, until_ms - first))
        if len(past) < settings.least_candidates:
            continue
        try:
            blends = fit_blends(past, seed)
        except DataError:
            continue  # all won or all lost: the chapter before goes on
        base = {target: _by_regime(past.y[target], past.regime) for target in Target}
        forecasts = Forecasts(said, mean, regime_mean, in_force)
        skills, worths = {}, {}
        for target in WEIGHED:
            skills[target], worths[target] = judged(sample, forecasts, target, known, settings)
        earned = {target: earned_weight(skills[target], worths[target]) for target in WEIGHED}
        chapters.append(Chapter(at_ms, blends, base, earned, skills, worths, len(past)))
        now = (sample.closed_ms >= at_ms) & (sample.closed_ms < at_ms + step)
        later = sample.closed_ms >= at_ms + step  # until another chapter takes over
        for target in Target:
            said[target][now | later] = forecast(blends[target], target, sample.x[now | later])
            mean[target][now | later] = past.y[target].mean()
            regime_mean[target][now | later] = base[target][sample.regime[now | later]]
        in_force[now | later] = len(chapters) - 1
    return Learned(tuple(chapters), Forecasts(said, mean, regime_mean, in_force))


def judged(
    sample: Sample, forecasts: Forecasts, target: Target, which: np.ndarray, settings: LearningSettings
) -> tuple[Estimate, Estimate]:
    """Skill and worth of past forecasts; NaN where there are too few.

    The skill is that beyond the past mean of all or of the regime, whichever leaves less: a model that
    forecasts nothing may still beat the mean of a rare regime.
    """
    rows = which & (forecasts.chapter >= 0)
    if rows.sum() < settings.least_candidates:
        nothing = Estimate(float("nan"), float("nan"), float("nan"))
        return nothing, nothing
    holding = sample.known_ms[rows] - sample.closed_ms[rows]
    blocks = blocks_of(sample.closed_ms[rows], block_days(holding))
    y, said, base = (
        values[rows] for values in (sample.y[target], forecasts.said[target], forecasts.regime_mean[target])
    )
    both = [skill(y, said, other, blocks) for other in (forecasts.mean[target][rows], base)]
    return (
        min(both, key=lambda one: one.low),
        worth(sample.r[rows], beyond(said, base, target, settings), blocks),
    )


def beyond(said: np.ndarray, base: np.ndarray, target: Target, settings: LearningSettings) -> np.ndarray:
    """How much better than its regime's past mean a candidate looks to one model, −1..1: full at
    `full_win` or `full_r`."""
    full = {Target.WIN: settings.full_win, Target.R: settings.full_r}[target]
    return np.clip((said - base) / full, -1.0, 1.0)


def _by_regime(y: np.ndarray, regime: np.ndarray) -> np.ndarray:
    """Mean by regime (5,), leaning on the mean of all where there are few."""
    count = np.bincount(regime, minlength=len(Regime))
    total = np.bincount(regime, weights=y, minlength=len(Regime))
    return (total + _REGIME_PRIOR * y.mean()) / (count + _REGIME_PRIOR)
