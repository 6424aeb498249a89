"""Intervals of daily figures and of their differences, by the stationary block bootstrap.

Daily returns cluster: quiet and wild days come in runs, so days are drawn in blocks of random length
(Politis & Romano 1994). Two accounts are compared on the same drawn days: what moves both, cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import LEAST_DAYS
from adaptive_pkg.policy.calibration import Estimate

REPETITIONS = 2000
LEVEL = 0.95
SEED = 6
_CELLS = 4_000_000  # numbers resampled at once: 32 MB

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Draws:
    """Days drawn with replacement, (repetitions, n) row numbers; the same for every account compared."""

    rows: NDArray[np.int32]
    block_days: float

    def apply(self, statistic: Statistic, *accounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The statistic of each resample. It takes (…, n) arrays, one per account, and returns (…)."""
        step = max(1, _CELLS // self.rows.shape[1])
        parts = [
            statistic(*(account[self.rows[at : at + step]] for account in accounts))
            for at in range(0, len(self.rows), step)
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class Difference:
    """Ours less theirs. p_not_better: one-sided, of "ours is not better", from the recentred draws."""

    ours: float
    theirs: float
    value: float
    low: float
    high: float
    p_not_better: float

    @property
    def sign(self) -> int:
        """1 or −1 where the interval lies on one side of zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def block_length(returns: ArrayLike) -> float:
    """Mean block length in days: the longest that any column's level or size asks for.

    The rule of Politis & White (2004), corrected by Patton, Politis & White (2009), applied to the returns
    and to their absolute values: the returns alone look independent although their size is not.

    Args:
        returns: (n,) or (n, accounts).
    """
    x = np.asarray(returns, dtype=float).reshape(len(returns), -1)
    moved = x[:, x.std(axis=0) > 1e-14]
    if not moved.shape[1]:
        return 1.0
    lengths = optimal_block_length(np.column_stack([moved, np.abs(moved)]))["stationary"].to_numpy()
    lengths = lengths[np.isfinite(lengths)]
    return float(np.clip(lengths.max(initial=1.0), 1.0, len(x) / 10))


def draw_days(
    returns: ArrayLike, *, seed: int = SEED, repetitions: int = REPETITIONS, block_days: float | None = None
) -> Draws:
    """Draw days for all accounts together.

    Args:
        returns: (n,) or (n, accounts), the same days. block_days: None reads it off the returns.

    Raises:
        DataError: fewer than 30 days, or a number that is not finite.
    """
    x = np.asarray(returns, dtype=float)
    if len(x) < LEAST_DAYS:
        raise DataError(f"bootstrap: {len(x)} days; give at least {LEAST_DAYS}")
    if not np.isfinite(x).all():
        raise DataError("bootstrap: a return is not a number; leave out days that an account does not have")
    length = block_length(x) if block_days is None else float(block_days)
    source = StationaryBootstrap(length, np.arange(len(x)), seed=np.random.default_rng(seed))
    rows = np.empty((repetitions, len(x)), dtype=np.int32)
    for row in rows:
        row[:] = source.update_indices()
    return Draws(rows, length)


def estimate(statistic: Statistic, returns: ArrayLike, draws: Draws, level: float = LEVEL) -> Estimate:
    """A figure of one account with its percentile interval."""
    x = np.asarray(returns, dtype=float)
    low, high = _interval(draws.apply(statistic, x), level)
    return Estimate(float(statistic(x)), low, high)


def difference(
    statistic: Statistic, ours: ArrayLike, theirs: ArrayLike, draws: Draws, level: float = LEVEL
) -> Difference:
    """A figure of ours less the same of theirs on the same days, with its interval.

    Raises:
        DataError: accounts of different length.
    """
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if a.shape != b.shape or a.shape[-1] != draws.rows.shape[1]:
        raise DataError(
            f"paired difference: {a.shape[-1]} and {b.shape[-1]} days beside draws of {draws.rows.shape[1]}; "
            "give the same days of both"
        )
    one, other = float(statistic(a)), float(statistic(b))
    drawn = draws.apply(lambda x, y: statistic(x) - statistic(y), a, b)
    low, high = _interval(drawn, level)
    value = one - other
    beyond = np.count_nonzero(drawn - value >= value)  # as if nothing were better, centred on zero
    return Difference(one, other, value, low, high, (1 + beyond) / (1 + len(drawn)))


def mean_annual(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean daily return times 365 (…, n): of a paired difference the plainest figure."""
    return np.asarray(returns, dtype=float).mean(axis=-1) * 365.0


def _interval(drawn: NDArray[np.float64], level: float) -> tuple[float, float]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    tail = 50 * (1 - level)
    ends = (tail, 100 - tail)
    with np.errstate(invalid="ignore"):  # between two infinite draws, such as a profit factor without losses
        bounds = np.percentile(known, ends)
    low, high = np.where(np.isnan(bounds), np.percentile(known, ends, method="nearest"), bounds)
    return float(low), float(high)


def estimate_by_block(
    terms: ArrayLike,
    blocks: ArrayLike,
    statistic: Statistic,
    *,
    seed: int = SEED,
    repetitions: int = REPETITIONS,
    level: float = LEVEL,
) -> Estimate:
    """A function of sums over trades, with the interval of blocks of trades drawn with replacement.

    Args:
        terms: (m, k) numbers of each trade, to be summed. blocks: (m,) labels taken as independent, e.g.
        the week of the entry, all pairs together. statistic: of sums (…, k), returns (…).

    Returns:
        NaN as bounds where there is one block only.
    """
    x = np.asarray(terms, dtype=float)
    names, block = np.unique(np.asarray(blocks), return_inverse=True)
    sums = np.column_stack([np.bincount(block, weights=column, minlength=len(names)) for column in x.T])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        if len(names) < 2:
            return Estimate(value, float("nan"), float("nan"))
        rng = np.random.default_rng(seed)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=repetitions)
        drawn = statistic(times @ sums)
    return Estimate(value, *_interval(drawn, level))
