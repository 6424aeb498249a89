"""How good a forecast is beside another one, with an interval that respects overlapping labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import ForecastError


@dataclass(frozen=True)
class Skill:
    """A figure with its interval and the number of rows behind it."""

    value: float
    low: float
    high: float
    rows: int


def relative_mae(
    actual: ArrayLike, forecast: ArrayLike, reference: ArrayLike, block: int, rng: np.random.Generator
) -> Skill:
    """Mean absolute error over the reference's (persistence, zero …); below 1 is better than the reference.

    Args:
        actual, forecast, reference: (n,); rows where one is unknown are skipped, in all three.
        block: rows that belong together, at least the label horizon.
        rng: source of the bootstrap.

    Returns:
        Skill with the 95 % interval of a paired circular block bootstrap (Politis & Romano 1992).

    Raises:
        ForecastError: fewer than two blocks of known rows, or lengths differ.
    """
    y, f, r = _known(actual, forecast, reference)
    return _ratio(np.abs(y - f), np.abs(y - r), block, rng)


def relative_mse(
    actual: ArrayLike, forecast: ArrayLike, reference: ArrayLike, block: int, rng: np.random.Generator
) -> Skill:
    """Mean squared error over the reference's; otherwise as `relative_mae`. 1 − value is the R² beside it."""
    y, f, r = _known(actual, forecast, reference)
    return _ratio((y - f) ** 2, (y - r) ** 2, block, rng)


def directional_accuracy(
    actual: ArrayLike, forecast: ArrayLike, block: int, rng: np.random.Generator
) -> Skill:
    """Part of the rows whose sign is forecast rightly; rows where either is 0 are no answer and skipped."""
    y, f = _known(actual, forecast)
    answered = (y != 0) & (f != 0)
    hits = (np.sign(y) == np.sign(f))[answered].astype(np.float64)
    return _ratio(hits, np.ones(len(hits)), block, rng)


def price_mape(actual_price: ArrayLike, forecast_price: ArrayLike) -> float:
    """Mean absolute percentage error of a price, in percent. Raises ForecastError without a known row."""
    y, f = _known(actual_price, forecast_price)
    if not len(y):
        raise ForecastError("price_mape: no row where both prices are known")
    return float(100.0 * np.mean(np.abs(f / y - 1.0)))


def _known(*columns: ArrayLike) -> list[NDArray[np.float64]]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    if len({array.shape for array in arrays}) > 1:
        raise ForecastError(f"lengths differ: {[array.shape for array in arrays]}; pass columns of one frame")
    known = np.logical_and.reduce([np.isfinite(array) for array in arrays])
    return [array[known] for array in arrays]


def _ratio(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    block: int,
    rng: np.random.Generator,
    draws: int = 2000,
) -> Skill:
    """Σ above / Σ below, and the interval of the same ratio over resampled blocks of rows."""
    n = len(above)
    if block < 1 or n < 2 * block:
        raise ForecastError(f"skill: {n} known rows are fewer than two blocks of {block}; pass a longer span")
    wrapped = np.concatenate([np.arange(n), np.arange(block - 1)])
    sums = [np.convolve(values[wrapped], np.ones(block), mode="valid") for values in (above, below)]
    starts = rng.integers(0, n, size=(draws, n // block))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = sums[0][starts].sum(axis=1) / sums[1][starts].sum(axis=1)
        value = above.sum() / below.sum()
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Skill(float(value), float(low), float(high), n)
