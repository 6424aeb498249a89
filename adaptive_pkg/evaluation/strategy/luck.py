"""How much of a Sharpe ratio is luck: probabilistic and deflated Sharpe ratio, minimum track record length.

Formulas of Bailey & López de Prado: "The Sharpe Ratio Efficient Frontier" (Journal of Risk 15(2), 2012) and
"The Deflated Sharpe Ratio" (Journal of Portfolio Management 40(5), 2014). In them a Sharpe ratio is per
period, here per day; `annual` and `daily` convert. The tests hold them to both papers' worked examples and to
skfolio 1.12.2, which has the first two but would bring a convex optimiser along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import DAYS, checked

ACCEPTED = 0.95  # deflated Sharpe ratio from which a result is called more than luck
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Moments:
    """What the formulas know of a track record: daily Sharpe ratio, skewness, kurtosis (3: normal), days."""

    sharpe: float
    skewness: float
    kurtosis: float
    days: int

    @property
    def variance_factor(self) -> float:
        """n times the variance of the estimated Sharpe ratio: 1 for a normal record with Sharpe 0."""
        return 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2


@dataclass(frozen=True)
class Luck:
    """The verdict on one track record. Sharpe ratios are annual.

    probabilistic: probability that the true Sharpe ratio is above 0. deflated: that it is above `hurdle`, the
    best that `trials` worthless tries would have shown. least_days: record length at which a Sharpe ratio
    such as this is above 0 with 95 %; inf where it is not above 0.
    """

    sharpe: float
    probabilistic: float
    trials: float
    hurdle: float
    deflated: float
    days: int
    least_days: float

    @property
    def passed(self) -> bool:
        """The deflated Sharpe ratio reaches 0.95, and the record is long enough."""
        return self.deflated >= ACCEPTED and self.days >= self.least_days

    @property
    def answer(self) -> str:
        """One plain sentence."""
        tries = f"{self.trials:.0f} tries"
        if self.passed:
            return (
                f"More than luck: a Sharpe ratio of {self.sharpe:.2f} would be the best of {tries} by chance "
                f"with a probability of {1 - self.deflated:.1%}."
            )
        if self.sharpe <= self.hurdle:
            return (
                f"No evidence of skill: {tries} without any skill would show a best Sharpe ratio of about "
                f"{self.hurdle:.2f}; this one is {self.sharpe:.2f}."
            )
        return (
            f"Not shown to be more than luck: a Sharpe ratio of {self.sharpe:.2f} after {tries} is skill "
            f"with a probability of {self.deflated:.1%}, and {ACCEPTED:.0%} is asked for."
        )


def moments(returns: ArrayLike) -> Moments:
    """Moments of daily returns, by population formulas but for the deviation. Raises DataError."""
    x = checked(returns)
    centred = x - x.mean()
    spread = np.sqrt((centred**2).mean())
    if spread <= 1e-14:
        return Moments(0.0, 0.0, 3.0, len(x))
    return Moments(
        float(x.mean() / x.std(ddof=1)),
        float((centred**3).mean() / spread**3),
        float((centred**4).mean() / spread**4),
        len(x),
    )


def probabilistic_sharpe(record: Moments, benchmark: float = 0.0) -> float:
    """Probability that the true daily Sharpe ratio lies above `benchmark` (daily)."""
    error = np.sqrt(_variance_factor(record) / (record.days - 1))
    return float(norm.cdf((record.sharpe - benchmark) / error))


def expected_best(trials: float, deviation: float) -> float:
    """Expected best Sharpe ratio of `trials` independent tries whose true one is 0.

    Args:
        deviation: of the tries' Sharpe ratios; the result is in its unit.

    Raises:
        DataError: fewer than one trial, or a deviation that is negative or no number.
    """
    if not trials >= 1 or not (np.isfinite(deviation) and deviation >= 0):
        raise DataError(f"expected best of {trials} trials with deviation {deviation}: need ≥ 1 and ≥ 0")
    if trials == 1:
        return 0.0
    gamma = np.euler_gamma
    quantiles = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * np.e))
    return float(deviation * ((1 - gamma) * quantiles[0] + gamma * quantiles[1]))


def deflated_sharpe(record: Moments, trials: float, deviation: float) -> float:
    """Probability that the true Sharpe ratio is above 0, knowing that it is the best of `trials`.

    Args:
        deviation: of the trials' daily Sharpe ratios.
    """
    return probabilistic_sharpe(record, expected_best(trials, deviation))


def least_track_record(record: Moments, benchmark: float = 0.0, confidence: float = CONFIDENCE) -> float:
    """Days of such returns after which the Sharpe ratio is above `benchmark` (daily) with `confidence`."""
    if record.sharpe <= benchmark:
        return float("inf")
    quantile = norm.ppf(confidence) / (record.sharpe - benchmark)
    return float(1.0 + _variance_factor(record) * quantile**2)


def effective_trials(trials: int, correlation: float) -> float:
    """Independent tries that so many correlated ones are worth: ρ + (1 − ρ) n (2014 paper, appendix 3).

    Args:
        correlation: mean of the tries' correlations with each other; below 0 counts as 0.
    """
    rho = min(max(correlation, 0.0), 1.0)
    return rho + (1.0 - rho) * trials


def mean_correlation(returns: ArrayLike) -> float:
    """Mean correlation of accounts (n, accounts) with each other; 0 with fewer than two that ever moved."""
    x = np.asarray(returns, dtype=float)
    x = x[:, x.std(axis=0) > 1e-14]
    k = x.shape[1]
    if k < 2:
        return 0.0
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    # mean of the off-diagonal without building the matrix
    return float(((z.sum(axis=1) ** 2).mean() - k) / (k * (k - 1)))


def judge_luck(
    returns: ArrayLike, trial_sharpes: Sequence[float], correlation: float = 0.0, uncounted: int = 0
) -> Luck:
    """Judge one track record against all the tries it was chosen from, itself among them.

    Args:
        returns: daily. trial_sharpes: annual Sharpe ratio of every try. correlation: see `effective_trials`;
            0, the strictest, takes all tries as independent. uncounted: further tries of which nothing but
            their number is known; their Sharpe ratios are taken to lie as far apart as the known ones'.

    Raises:
        DataError: too few days, or a trial that is not a number.
    """
    record = moments(returns)
    tried = np.asarray(trial_sharpes, dtype=float)
    if not np.isfinite(tried).all():
        raise DataError("deflated Sharpe ratio: a trial's Sharpe ratio is not a number")
    if uncounted < 0:
        raise DataError(f"deflated Sharpe ratio: {uncounted} further trials; give 0 or more")
    count = max(len(tried), 1) + uncounted
    trials = effective_trials(count, correlation) if count > 1 else 1.0
    deviation = float(daily(tried).std(ddof=1)) if len(tried) > 1 else 0.0
    # tries that look alike in a long search still err by chance: no less than a record of this length does
    deviation = max(deviation, np.sqrt(1.0 / (record.days - 1))) if count > 1 else 0.0
    hurdle = expected_best(max(trials, 1.0), deviation)
    return Luck(
        sharpe=float(annual(record.sharpe)),
        probabilistic=probabilistic_sharpe(record),
        trials=trials,
        hurdle=float(annual(hurdle)),
        deflated=probabilistic_sharpe(record, hurdle),
        days=record.days,
        least_days=least_track_record(record),
    )


def annual(sharpe: ArrayLike) -> np.ndarray:
    """Annual from daily Sharpe ratio."""
    return np.asarray(sharpe, dtype=float) * np.sqrt(DAYS)


def daily(sharpe: ArrayLike) -> np.ndarray:
    """Daily from annual Sharpe ratio."""
    return np.asarray(sharpe, dtype=float) / np.sqrt(DAYS)


def _variance_factor(record: Moments) -> float:
    factor = record.variance_factor
    if record.days < 3 or not factor > 0:
        raise DataError(
            f"Sharpe ratio {record.sharpe:.3g} a day over {record.days} days with skewness "
            f"{record.skewness:.3g}, kurtosis {record.kurtosis:.3g}: its error cannot be estimated"
        )
    return factor
