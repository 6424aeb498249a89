"""What past out-of-sample forecasts justify: skill and worth with their intervals, and a weight."""

from __future__ import annotations

import numpy as np

from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.policy.calibration import Estimate

DAY_MS = 86_400_000
LEAST_BLOCKS = 20  # fewer say nothing certain
_SHORTEST, _LONGEST = 7, 91  # days of a block


def block_days(holding_ms: np.ndarray) -> int:
    """Days that trades are taken to hang together for: as long as most last, at least a week."""
    longest = np.quantile(holding_ms, 0.95) / DAY_MS if len(holding_ms) else 0.0
    return int(np.clip(np.ceil(longest), _SHORTEST, _LONGEST))


def blocks_of(closed_ms: np.ndarray, days: int) -> np.ndarray:
    """The block of each candidate, all pairs together."""
    return np.asarray(closed_ms) // (days * DAY_MS)


def skill(y: np.ndarray, said: np.ndarray, base: np.ndarray, blocks: np.ndarray) -> Estimate:
    """1 − squared error over the baseline's (for a probability: the Brier skill score), with its interval.

    Blocks are drawn with replacement, what lies in one stays together. NaN for fewer than LEAST_BLOCKS.
    """
    if len(np.unique(blocks)) < LEAST_BLOCKS:
        return Estimate(float("nan"), float("nan"), float("nan"))
    terms = np.column_stack([(y - said) ** 2, (y - base) ** 2])
    return estimate_by_block(terms, blocks, lambda sums: 1.0 - sums[..., 0] / sums[..., 1])


def worth(r: np.ndarray, effect: np.ndarray, blocks: np.ndarray) -> Estimate:
    """R that one unit of effect has been worth: the slope of R on it, with the same interval.

    A model may forecast wins rightly where winners are small. NaN for fewer than LEAST_BLOCKS, or an effect
    that never moved.
    """
    if len(np.unique(blocks)) < LEAST_BLOCKS or np.std(effect) < 1e-12:
        return Estimate(float("nan"), float("nan"), float("nan"))
    terms = np.column_stack([np.ones_like(r), effect, r, effect * effect, effect * r])
    return estimate_by_block(terms, blocks, _slope)


def earned_weight(*found: Estimate) -> float:
    """0 unless every interval lies above 0; else the least lower bound over its value, 0 to 1."""
    if any(not np.isfinite(one.low) or one.low <= 0 for one in found):
        return 0.0
    return float(min(1.0, *(one.low / one.value for one in found)))


def _slope(sums: np.ndarray) -> np.ndarray:
    n, x, y, xx, xy = np.moveaxis(sums, -1, 0)
    return (xy - x * y / n) / (xx - x * x / n)
