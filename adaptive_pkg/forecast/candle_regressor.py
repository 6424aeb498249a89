"""Ridge and gradient boosting on the last candle of a window: the ensemble's members without memory.

Means over the window were tried as further columns: on hourly candles they made out-of-sample errors larger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.forecaster import DECIMALS, Forecast
from adaptive_pkg.forecast.skill import supported
from adaptive_pkg.forecast.windows import complete_windows, timestamps

LIMIT = 6.0  # standard deviations; beyond it a feature says "extreme" and no more

Rows = NDArray[np.float64]


class Regressor(StrEnum):
    RIDGE = "ridge"
    BOOSTING = "boosting"


@dataclass(frozen=True)
class CandleRegressor:
    """One regression per label on the last candle's features. Windows, gaps and context as the network's."""

    feature_names: tuple[str, ...]
    label_names: tuple[str, ...]
    window: int
    step: int
    tail_features: Rows
    tail_stamps: NDArray[np.int64]
    center: Rows  # (f,)
    scale: Rows
    label_center: Rows  # (l,) as much of the labels' mean as the span supports
    models: tuple[Any, ...]
    gains: Rows  # (l,) part of each output's deviation from the centre that is forecast

    @classmethod
    def fit(
        cls, kind: Regressor, span: TrainingSpan, rows: NDArray[np.bool_], label_center: Rows, seed: int
    ) -> CandleRegressor:
        """Fit to the target rows in the mask `rows` (n,).

        Args:
            label_center: (l,) what a model that knows nothing forecasts; the labels' own mean is not learned.
        """
        if rows.sum() < 2:
            raise ForecastError(f"{kind}: {rows.sum()} target rows; raise train_period_days")
        known, labels, weights = span.features[rows], span.labels[rows], span.weights[rows]
        center, scale = known.mean(axis=0), known.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        x = np.clip((known - center) / scale, -LIMIT, LIMIT)
        y = labels - np.average(labels, axis=0, weights=weights)
        models = tuple(_fit(kind, x, column, weights, span.horizon, seed) for column in y.T)
        tail = span.window - 1
        return cls(
            span.feature_names,
            span.label_names,
            span.window,
            span.step,
            span.features[len(span.features) - tail :].copy(),
            span.stamps[len(span.stamps) - tail :].copy(),
            center,
            scale,
            np.asarray(label_center, dtype=np.float64),
            models,
            np.ones(len(models)),
        )

    def shrunk(self, gains: Rows) -> CandleRegressor:
        """The same model, each output drawn towards the labels' centre: gains (l,) in 0 … 1."""
        return replace(self, gains=np.asarray(gains, dtype=np.float64))

    def predict(self, features: pd.DataFrame, dates: pd.Series) -> Forecast:
        """Forecast every row; see `GRUForecaster.predict`."""
        x, stamps = features.to_numpy(dtype=np.float64), timestamps(dates)
        before = self.tail_stamps < stamps[0] if len(stamps) else np.zeros(len(self.tail_stamps), dtype=bool)
        lead = int(before.sum())
        x = np.concatenate([self.tail_features[before], x])
        stamps = np.concatenate([self.tail_stamps[before], stamps])
        valid = complete_windows(np.isfinite(x).all(axis=1), stamps, self.step, self.window)
        values = np.zeros((len(x), len(self.label_names)))
        if valid.any():
            values[valid] = self._values(x[valid])
        return Forecast(values[lead:], valid[lead:])

    def _values(self, known: Rows) -> Rows:
        x = np.clip((known - self.center) / self.scale, -LIMIT, LIMIT)
        columns = [_predict(model, x) for model in self.models]
        return np.round(np.column_stack(columns) * self.gains + self.label_center, DECIMALS)


def held_out_gains(forecast: Rows, actual: Rows, horizon: int) -> Rows:
    """Gains that held-out rows support: the slope of actual on forecast and one standard error more.

    Times the positive-part James–Stein factor, so that an output without skill is silenced, while one whose
    slope is merely uncertain is left alone. Forecast and actual (m, l) less their centre; (l,) in 0 … 1.
    """
    power = np.maximum((forecast**2).mean(axis=0), 1e-12)
    slope = (forecast * actual).mean(axis=0) / power
    noise = ((actual - slope * forecast) ** 2).mean(axis=0)
    error = np.sqrt(np.maximum(noise, 1e-12) / power * horizon / len(forecast))
    return np.clip((slope + error) * supported((slope / error) ** 2), 0.0, 1.0)


def _fit(kind: Regressor, x: Rows, y: Rows, weights: Rows, horizon: int, seed: int) -> Any:
    if kind is Regressor.RIDGE:
        # labels overlap over the horizon: n / horizon of them are independent, hence the penalty
        weighted = x * weights[:, None]
        penalty = RIDGE_PENALTY * horizon * np.eye(x.shape[1])
        return np.linalg.solve(x.T @ weighted + penalty, weighted.T @ y)
    from lightgbm import LGBMRegressor  # half a second to import

    model = LGBMRegressor(
        n_estimators=150,
        learning_rate=0.03,
        num_leaves=15,
        min_child_samples=max(10 * horizon, 20),
        subsample=0.7,
        subsample_freq=1,
        colsample_bytree=0.5,
        reg_lambda=10.0,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )
    return model.fit(x, y, sample_weight=weights).booster_


RIDGE_PENALTY = 30.0


def _predict(model: Any, x: Rows) -> Rows:
    if isinstance(model, np.ndarray):
        # summed term by term: a product through BLAS depends on how many rows come together
        return (x * model).sum(axis=1)
    return model.predict(x, num_threads=1)
