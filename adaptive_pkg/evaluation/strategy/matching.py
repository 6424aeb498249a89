"""Two accounts at equal tail loss or equal growth: a raw comparison of drawdowns rewards staking less.

An account is scaled by a constant share, as if it had staked that many times as much every day (costs scale
with it; interest on the rest is left out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.evaluation.strategy.bootstrap import Draws
from adaptive_pkg.evaluation.strategy.performance import cvar, log_growth, max_drawdown
from adaptive_pkg.policy.calibration import Estimate

LARGEST_SCALE = 20.0
STEPS = 30  # of the bisection: to 2e-8 of the largest scale


@dataclass(frozen=True)
class Matched:
    """Theirs, scaled to equal ours in one figure, compared in another.

    scale: of theirs, NaN where none makes them equal. ours, theirs: the figure compared. difference: ours
    less theirs; of a ratio −0.2 is a fifth less. unmatched: share of the resamples that no scale matched.
    """

    scale: float
    ours: float
    theirs: float
    difference: Estimate
    unmatched: float


def growth_at_equal_tail(ours: ArrayLike, theirs: ArrayLike, draws: Draws) -> Matched:
    """Log growth a year of both, theirs scaled to our CVaR 5 % of days."""

    def scale(x: NDArray, y: NDArray) -> NDArray:
        losing = (cvar(y) < 0) & (cvar(x) < 0)
        ratio = np.where(losing, cvar(x) / np.where(losing, cvar(y), 1.0), np.nan)
        return np.where(ratio * y.min(axis=-1) > -1.0, ratio, np.nan)

    return _matched(ours, theirs, draws, scale, log_growth, lambda a, b: a - b)


def drawdown_at_equal_growth(ours: ArrayLike, theirs: ArrayLike, draws: Draws) -> Matched:
    """Largest drawdown of both, theirs scaled to our growth; the difference is relative to theirs.

    No scale exists where ours lost, or where theirs cannot grow as fast at any stake: then there is nothing
    to compare and the figures are NaN.
    """
    return _matched(ours, theirs, draws, _scale_to_growth, max_drawdown, lambda a, b: a / b - 1.0)


def _matched(ours, theirs, draws, scale, figure, compare) -> Matched:
    x, y = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)

    def compared(a: NDArray, b: NDArray) -> NDArray:
        k = scale(a, b)
        safe = np.where(np.isnan(k), 0.0, k)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = compare(figure(a), figure(b * safe[..., None]))
        return np.where(np.isnan(k), np.nan, found)

    k = float(scale(x, y))
    drawn = draws.apply(compared, x, y)
    known = drawn[np.isfinite(drawn)]
    unmatched = 1.0 - len(known) / len(drawn)
    if np.isnan(k) or not len(known):
        nothing = Estimate(float("nan"), float("nan"), float("nan"))
        return Matched(float("nan"), float(figure(x)), float("nan"), nothing, unmatched)
    low, high = np.percentile(known, (2.5, 97.5))
    return Matched(
        k,
        float(figure(x)),
        float(figure(k * y)),
        Estimate(float(compared(x, y)), float(low), float(high)),
        unmatched,
    )


def _scale_to_growth(ours: NDArray, theirs: NDArray) -> NDArray:
    """Smallest scale at which theirs grows as ours; NaN where there is none. Growth rises up to one scale."""
    target, worst = log_growth(ours), theirs.min(axis=-1)
    ruin = np.where(worst < 0, -0.999 / np.where(worst < 0, worst, -1.0), LARGEST_SCALE)
    top = _fastest(theirs, np.minimum(ruin, LARGEST_SCALE))
    low, high = np.zeros_like(top), top
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        slow = log_growth(theirs * middle[..., None]) < target
        low, high = np.where(slow, middle, low), np.where(slow, high, middle)
    reached = log_growth(theirs * high[..., None]) >= target - 1e-9
    return np.where(reached & (target > 0), high, np.nan)


def _fastest(returns: NDArray, ceiling: NDArray) -> NDArray:
    """Scale of fastest growth up to `ceiling`: where the slope of growth, which only falls, crosses zero."""
    low, high = np.zeros_like(ceiling), ceiling
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        rising = (returns / (1.0 + returns * middle[..., None])).mean(axis=-1) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return high
