"""The forecasts a network must beat: zero, drift, ridge, HAR. Persistence of volatility is in `targets`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import RobustScaler

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.targets import past_log_volatility, volatility_level

Rows = NDArray[np.float64]


def zero_forecast(rows: int, labels: int) -> Rows:
    """No change in price (persistence of the price) and volatility at its level. Shape (rows, labels)."""
    return np.zeros((rows, labels))


def drift_forecast(training_labels: Rows, rows: int) -> Rows:
    """The training labels' mean, for ever. `training_labels` (n, l), NaN rows skipped; (rows, l)."""
    known = training_labels[np.isfinite(training_labels).all(axis=1)]
    if not len(known):
        raise ForecastError("drift: no training label is known; pass an earlier or longer span")
    return np.tile(known.mean(axis=0), (rows, 1))


@dataclass(frozen=True)
class RidgeBaseline:
    """Ridge regression of the labels on the last candle's features alone."""

    scaler: RobustScaler
    ridge: Ridge
    limit: float = 10.0

    @classmethod
    def fit(cls, features: Rows, labels: Rows, alpha: float = 100.0) -> RidgeBaseline:
        """Fit on the rows where everything is known. (n, f) and (n, l). Raises ForecastError below 2 rows."""
        known = np.isfinite(features).all(axis=1) & np.isfinite(labels).all(axis=1)
        if known.sum() < 2:
            raise ForecastError(f"ridge: {known.sum()} complete rows of {len(known)}; pass a longer span")
        scaler = RobustScaler().fit(features[known])
        model = cls(scaler, Ridge(alpha=alpha))
        model.ridge.fit(model._scaled(features[known]), labels[known])
        return model

    def predict(self, features: Rows) -> Rows:
        """(n, l); NaN where a feature is unknown."""
        known = np.isfinite(features).all(axis=1)
        out = np.full((len(features), np.atleast_2d(self.ridge.coef_).shape[0]), np.nan)
        if known.any():
            out[known] = self.ridge.predict(self._scaled(features[known])).reshape(int(known.sum()), -1)
        return out

    def _scaled(self, features: Rows) -> Rows:
        return np.clip(self.scaler.transform(features), -self.limit, self.limit)


def har_terms(close: ArrayLike, level_period: int, spans: Sequence[int]) -> Rows:
    """Regressors of the log-HAR model: past log volatility over several spans, and the log of its level.

    The spans of the original are a day, a week and a month (Corsi 2009, J. Financial Econometrics 7(2)); here
    the label's level, the mean over the longest past, stands for the month. Volatility is relative to that
    level, as in `future_log_volatility`, so the regression is the usual one rearranged.

    Args:
        close: (n,). level_period: candles of the level, as in `volatility_level`.
        spans: candles; those below 2 are left out (one squared return is all noise) and repeated ones too.

    Returns:
        (n, spans + 1); NaN while unknown.
    """
    level = volatility_level(close, level_period)
    terms = [past_log_volatility(close, span, level_period) for span in sorted({s for s in spans if s > 1})]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms.append(np.where(level > 0, np.log(level), np.nan))
    return np.column_stack(terms)


@dataclass(frozen=True)
class HarBaseline:
    """Least squares of future log volatility on `har_terms`."""

    regression: LinearRegression

    @classmethod
    def fit(cls, terms: Rows, log_volatility: Rows) -> HarBaseline:
        """Fit where everything is known. (n, k) and (n,). Raises ForecastError with too few rows."""
        known = np.isfinite(terms).all(axis=1) & np.isfinite(log_volatility)
        if known.sum() <= terms.shape[1] + 1:
            raise ForecastError(f"HAR: {known.sum()} complete rows of {len(known)}; pass a longer span")
        return cls(LinearRegression().fit(terms[known], log_volatility[known]))

    def predict(self, terms: Rows) -> Rows:
        """(n,); NaN where a term is unknown."""
        known = np.isfinite(terms).all(axis=1)
        out = np.full(len(terms), np.nan)
        if known.any():
            out[known] = self.regression.predict(terms[known])
        return out
