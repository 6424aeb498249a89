"""The forecaster that FreqAI keeps: NumPy weights, scaling and context. Plain, picklable, thread-safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import RobustScaler

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.network import NetworkShape, Weights, predict_windows
from adaptive_pkg.forecast.trainer import Sequences, train
from adaptive_pkg.forecast.windows import complete_windows, timestamps
from adaptive_pkg.settings.forecast import ForecastSettings

FEATURE_LIMIT = 10.0  # interquartile ranges; beyond it a feature says "extreme" and no more
DECIMALS = 6  # predictions are rounded, so that equal inputs give equal numbers on every path


@dataclass(frozen=True)
class Forecast:
    """Predicted labels (n, l) and whether each row could be predicted (n,). Invalid rows hold 0."""

    values: NDArray[np.float64]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Validation:
    """Errors on the validation rows, true windows, in standard deviations of the training labels.

    Early stopping and shrinking used the same rows, so the errors are a little flattering.
    """

    rows: int
    mean_squared_errors: tuple[float, ...]  # one per label
    zero_mean_squared_errors: tuple[float, ...]  # the same for a forecast of 0

    @property
    def loss(self) -> float:
        return float(np.mean(self.mean_squared_errors))

    @property
    def zero_loss(self) -> float:
        return float(np.mean(self.zero_mean_squared_errors))

    @property
    def skills(self) -> tuple[float, ...]:
        """1 − error / error of the zero forecast, per label; above 0 is better than forecasting 0."""
        return tuple(
            1.0 - error / zero
            for error, zero in zip(self.mean_squared_errors, self.zero_mean_squared_errors, strict=True)
        )


@dataclass(frozen=True)
class Scaling:
    """Affine scaling of columns: (value − center) / scale."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values - self.center) / self.scale

    def undo(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values * self.scale + self.center


class GRUForecaster:
    """A trained network with all it needs to forecast; the same forecast in every process.

    A forecast is a function of exactly the `window` candles that end at the row. The last window − 1 training
    candles travel along, so the first candles of a slice that follows the training span have their context.
    """

    VERSION: ClassVar[int] = 1

    def __init__(
        self,
        weights: Weights,
        shape: NetworkShape,
        feature_scaling: Scaling,
        label_scaling: Scaling,
        span: TrainingSpan,
        validation: Validation | None = None,
        epochs: int = 0,
    ) -> None:
        tail = span.window - 1
        self.weights, self.shape = weights, shape
        self.feature_scaling, self.label_scaling = feature_scaling, label_scaling
        self.feature_names, self.label_names = span.feature_names, span.label_names
        known = span.labels[span.train]
        self.label_means = tuple(known.mean(axis=0).tolist())  # FreqAI shows both beside the predictions
        self.label_deviations = tuple(known.std(axis=0).tolist())
        self.window, self.step = span.window, span.step
        self.tail_features = span.features[len(span.features) - tail :].copy()
        self.tail_stamps = span.stamps[len(span.stamps) - tail :].copy()
        self.gains = np.ones(len(span.label_names))  # part of each output's deviation that is forecast
        self.validation, self.epochs = validation, epochs
        self.tb_logger: Any = None  # FreqAI hangs its logger here; it is not part of the forecaster

    @classmethod
    def fit(
        cls, span: TrainingSpan, settings: ForecastSettings, initial: GRUForecaster | None = None
    ) -> GRUForecaster:
        """Train on a span.

        Args:
            initial: forecaster to start from (continual learning). Its weights are used where its network
                has the same shape and features; its scaling is not.

        Raises:
            ForecastError: the training diverged or the span is too small.
        """
        shape = NetworkShape(
            features=len(span.feature_names),
            outputs=len(span.label_names),
            units=settings.units,
            dropout=settings.dropout,
            dense_units=settings.dense_units,
            dense_dropout=settings.dense_dropout,
        )
        feature_scaling = _fit_features(span)
        label_scaling = _fit_labels(span)
        x = _scaled(feature_scaling, span.features)
        y = np.nan_to_num(label_scaling.apply(span.labels)).astype(np.float32)
        parts = [
            Sequences(
                x.astype(np.float32), y, np.where(mask, span.weights, 0.0).astype(np.float32), span.runs(mask)
            )
            for mask in (span.train, span.validation)
        ]
        same = initial is not None and (initial.shape, initial.feature_names) == (shape, span.feature_names)
        result = train(*parts, shape, settings, initial.weights if same else None)
        model = cls(result.weights, shape, feature_scaling, label_scaling, span, epochs=len(result.epochs))
        rows = np.flatnonzero(span.validation)
        raw = predict_windows(model.weights, shape, x, rows, span.window)
        if settings.shrink_to_skill:
            model.gains = _fit_gains(raw, label_scaling.apply(span.labels[rows]), span.horizon)
        model.validation = model._validate(raw, span.labels[rows])
        return model

    def predict(self, features: pd.DataFrame, dates: pd.Series) -> Forecast:
        """Forecast the labels at every row.

        Args:
            features: (n, f) raw, same columns in the same order as in training; NaN marks an unusable candle.
            dates: (n,) candle dates, strictly increasing.

        Returns:
            Forecast of n rows. A row is invalid when one of its window's candles is missing, unusable or
            separated by a gap; nothing is filled in.

        Raises:
            ForecastError: other columns than in training, or dates out of order.
        """
        if tuple(map(str, features.columns)) != self.feature_names:
            other = (
                sorted(set(self.feature_names) ^ set(map(str, features.columns))) or "the order of columns"
            )
            raise ForecastError(f"features: {other} differ from training; change `identifier` to train anew")
        x = features.to_numpy(dtype=np.float64)
        stamps = timestamps(dates)
        if len(stamps) != len(x):
            raise ForecastError(
                f"dates: {len(stamps)} for {len(x)} rows of features; pass columns of one frame"
            )
        before = self.tail_stamps < stamps[0] if len(stamps) else np.zeros(len(self.tail_stamps), dtype=bool)
        lead = int(before.sum())
        x = np.concatenate([self.tail_features[before], x])
        stamps = np.concatenate([self.tail_stamps[before], stamps])
        usable = np.isfinite(x).all(axis=1)
        valid = complete_windows(usable, stamps, self.step, self.window)
        valid[:lead] = False
        values = np.zeros((len(x), len(self.label_names)))
        values[valid] = self._outputs(_scaled(self.feature_scaling, x), np.flatnonzero(valid))
        return Forecast(values[lead:], valid[lead:])

    def _outputs(self, scaled: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._labels(predict_windows(self.weights, self.shape, scaled, ends, self.window))

    def _labels(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(self.label_scaling.undo(raw * self.gains), DECIMALS)

    def _validate(self, raw: NDArray[np.float64], actual: NDArray[np.float64]) -> Validation:
        errors = (self._labels(raw) - actual) / self.label_scaling.scale
        zero = actual / self.label_scaling.scale
        return Validation(
            len(raw), tuple((errors**2).mean(axis=0).tolist()), tuple((zero**2).mean(axis=0).tolist())
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "tb_logger": None, "version": self.VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        version = state.pop("version", 0)
        if version != self.VERSION:
            raise ForecastError(
                f"forecaster: saved as version {version}, this release reads version {self.VERSION}; "
                "change `identifier` to train anew"
            )
        self.__dict__.update(state)


def _scaled(scaling: Scaling, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled and limited features; unusable values become 0 and are kept out by the window mask."""
    return np.nan_to_num(np.clip(scaling.apply(features), -FEATURE_LIMIT, FEATURE_LIMIT))


def _fit_features(span: TrainingSpan) -> Scaling:
    """Median and interquartile range of the candles up to the last training target."""
    last = np.flatnonzero(span.train)[-1]
    rows = span.features[: last + 1]
    scaler = RobustScaler().fit(rows[~np.isnan(rows).any(axis=1)])
    return Scaling(scaler.center_, scaler.scale_)


def _fit_labels(span: TrainingSpan) -> Scaling:
    """Standard deviation of the training labels, and as much of their mean as the data support.

    The mean is shrunk towards 0 by 1 − 1/t² (positive-part James–Stein), t from the number of labels that
    do not overlap: a return's drift, which a few months cannot tell from 0, is not built into the forecast.
    """
    labels = span.labels[span.train]
    mean, scale = labels.mean(axis=0), labels.std(axis=0)
    t_squared = (mean / scale) ** 2 * len(labels) / span.horizon
    return Scaling(mean * _supported(t_squared), scale)


def _fit_gains(
    forecast: NDArray[np.float64], actual: NDArray[np.float64], horizon: int
) -> NDArray[np.float64]:
    """Slope of actual on forecast (m, l, scaled) over validation rows, shrunk like `_fit_labels`, in 0 … 1.

    An output that says nothing about later candles forecasts its mean instead of noise.
    """
    power = np.maximum((forecast**2).mean(axis=0), 1e-12)
    slope = (forecast * actual).mean(axis=0) / power
    noise = ((actual - slope * forecast) ** 2).mean(axis=0)
    t_squared = slope**2 * power / np.maximum(noise, 1e-12) * len(forecast) / horizon
    return np.clip(slope * _supported(t_squared), 0.0, 1.0)


def _supported(t_squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positive-part James–Stein factor of an estimate with this squared t-value, 0 … 1."""
    return np.clip(1.0 - 1.0 / np.maximum(t_squared, 1e-12), 0.0, 1.0)
