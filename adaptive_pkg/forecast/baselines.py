"""The forecasts a network must beat: zero, drift, ridge. Persistence of volatility is in `targets`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.preprocessing import RobustScaler

from adaptive_pkg.errors import ForecastError

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
