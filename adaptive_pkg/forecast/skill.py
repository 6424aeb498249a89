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


def relative_loss(loss: ArrayLike, reference: ArrayLike, block: int, rng: np.random.Generator) -> Skill:
    """Sum of one loss over the sum of another on the same rows, any loss; otherwise as `relative_mae`."""
    return _ratio(*_known(loss, reference), block, rng)


def qlike(actual_variance: ArrayLike, forecast_variance: ArrayLike) -> NDArray[np.float64]:
    """QLIKE loss of a variance forecast, actual / forecast − log(actual / forecast) − 1; 0 where they agree.

    Ranks forecasts rightly although the actual is a noisy proxy (Patton 2011, J. Econometrics 160(1)).
    Shapes (n,); NaN where either is unknown or not above 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(actual_variance, dtype=np.float64) / np.asarray(
            forecast_variance, dtype=np.float64
        )
        loss = ratio - np.log(ratio) - 1.0
    return np.where(np.isfinite(loss), loss, np.nan)


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
    # a draw without a row that counts (no answer, no loss) has no ratio
    low, high = np.nanquantile(ratios, [0.025, 0.975])
    return Skill(float(value), float(low), float(high), n)


@dataclass(frozen=True)
class EarnedWeight:
    """How much of a forecast its past errors justify, and why."""

    weight: float  # 0 … 1, of the forecast's distance from the reference
    slope: float  # least-squares weight, before it must prove itself
    t_value: float
    rows: int
    reason: str


def supported(t_squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positive-part James–Stein factor of an estimate with this squared t-value, 0 … 1."""
    return np.clip(1.0 - 1.0 / np.maximum(t_squared, 1e-12), 0.0, 1.0)


def earned_weight(
    actual: ArrayLike,
    forecast: ArrayLike,
    reference: ArrayLike | float = 0.0,
    *,
    horizon: int,
    confidence_t: float = 1.645,
    fewest_blocks: int = 20,
) -> EarnedWeight:
    """Weight that a forecast has earned beside a reference by its past out-of-sample errors.

    reference + weight · (forecast − reference) is the combination to act on. The weight is the slope of
    actual − reference on forecast − reference (the least-squares combination, Granger & Ramanathan 1984),
    times 1 − (confidence_t / t)² where t exceeds it and 0 below: a forecast without skill gets a weight
    above 0 in one of twenty trials. t takes Newey–West errors over blocks of `horizon` rows, since labels
    overlap.

    Args:
        actual, forecast, reference: (n,) in time order, all out of sample; rows where one is unknown are
            skipped; a reference of 0 is "no change".
        horizon: candles a label looks ahead.
        fewest_blocks: horizons of history below which nothing is earned.
    """
    y, f = np.asarray(actual, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    r = np.broadcast_to(np.asarray(reference, dtype=np.float64), y.shape)
    y, f, r = _known(y, f, r)
    move, claim = y - r, f - r
    power = float((claim**2).sum())
    blocks = len(y) // horizon
    if blocks < fewest_blocks:
        reason = f"{len(y)} past forecasts are fewer than {fewest_blocks} horizons"
        return EarnedWeight(0.0, 0.0, 0.0, len(y), reason)
    if power <= 1e-12 * len(y):
        return EarnedWeight(0.0, 0.0, 0.0, len(y), "the forecast never left its reference")
    slope = float((claim * move).sum()) / power
    # scores of the regression, summed over blocks, with the neighbouring block's covariance (Bartlett)
    scores = (
        (claim * (move - slope * claim))[len(y) - blocks * horizon :].reshape(blocks, horizon).sum(axis=1)
    )
    variance = float((scores**2).sum() + (scores[1:] * scores[:-1]).sum())
    t = slope * power / np.sqrt(max(variance, 1e-12 * power))
    if t <= confidence_t:
        reason = f"t = {t:.2f} of its past errors is not above {confidence_t}"
        return EarnedWeight(0.0, slope, float(t), len(y), reason)
    weight = float(np.clip(slope * (1.0 - (confidence_t / t) ** 2), 0.0, 1.0))
    return EarnedWeight(weight, slope, float(t), len(y), f"earned with t = {t:.2f} over {blocks} horizons")
