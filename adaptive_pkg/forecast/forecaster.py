"""The forecaster that FreqAI keeps: NumPy weights, scaling and context. Plain, picklable, thread-safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.conformal import half_widths
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.inference import Mapper, predict_windows
from adaptive_pkg.forecast.network import NetworkShape, Weights
from adaptive_pkg.forecast.scaling import Scaling, fit_features, fit_gains, fit_labels
from adaptive_pkg.forecast.trainer import Sequences, train
from adaptive_pkg.forecast.windows import complete_windows, timestamps
from adaptive_pkg.settings.forecast import ForecastSettings

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
    half_widths: tuple[float, ...] = ()  # of the interval around each label's forecast, in the label's unit

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


class RecurrentForecaster:
    """A trained network with all it needs to forecast; the same forecast in every process.

    A forecast is a function of exactly the `window` candles that end at the row. The last window − 1 training
    candles travel along, so the first candles of a slice that follows the training span have their context.
    """

    VERSION: ClassVar[int] = 2

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
        cls, span: TrainingSpan, settings: ForecastSettings, initial: RecurrentForecaster | None = None
    ) -> RecurrentForecaster:
        """Train on a span.

        Args:
            initial: forecaster to start from (continual learning). Its weights are used where its network
                has the same shape and features; its scaling is not.

        Raises:
            ForecastError: the training diverged or the span is too small.
        """
        shape = network_shape(span, settings)
        feature_scaling, label_scaling = fit_features(span), fit_labels(span)
        x = feature_scaling.features(span.features)
        parts = training_parts(span, x, label_scaling)
        same = initial is not None and (initial.shape, initial.feature_names) == (shape, span.feature_names)
        result = train(*parts, shape, settings, initial.weights if same else None)
        model = cls(result.weights, shape, feature_scaling, label_scaling, span, epochs=len(result.epochs))
        rows = np.flatnonzero(span.validation)
        raw = predict_windows(model.weights, shape, x, rows, span.window)
        if settings.shrink_to_skill:
            model.gains = fit_gains(raw, label_scaling.apply(span.labels[rows]), span.horizon)
        model.validation = model._validate(raw, span, settings.interval_coverage)
        return model

    def predict(self, features: pd.DataFrame, dates: pd.Series, mapper: Mapper = map) -> Forecast:
        """Forecast the labels at every row.

        Args:
            features: (n, f) raw, same columns in the same order as in training; NaN marks an unusable candle.
            dates: (n,) candle dates, strictly increasing.
            mapper: how to go through blocks of windows, see `predict_windows`; it changes no forecast.

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
        scaled, ends = self.feature_scaling.features(x), np.flatnonzero(valid)
        values[valid] = self._labels(
            predict_windows(self.weights, self.shape, scaled, ends, self.window, mapper)
        )
        return Forecast(values[lead:], valid[lead:])

    def _labels(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(self.label_scaling.undo(raw * self.gains), DECIMALS)

    def _validate(self, raw: NDArray[np.float64], span: TrainingSpan, coverage: float) -> Validation:
        actual, scale = span.labels[span.validation], self.label_scaling.scale
        errors = self._labels(raw) - actual
        return Validation(
            len(raw),
            tuple(((errors / scale) ** 2).mean(axis=0).tolist()),
            tuple(((actual / scale) ** 2).mean(axis=0).tolist()),
            tuple(half_widths(errors, coverage, len(raw) / span.horizon).tolist()),
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


def network_shape(span: TrainingSpan, settings: ForecastSettings) -> NetworkShape:
    """The network these settings mean for the span's features and labels."""
    return NetworkShape(
        features=len(span.feature_names),
        outputs=len(span.label_names),
        units=settings.units,
        dropout=settings.dropout,
        dense_units=settings.dense_units,
        dense_dropout=settings.dense_dropout,
        cell=settings.cell,
    )


def training_parts(
    span: TrainingSpan, scaled_features: NDArray[np.float32], label_scaling: Scaling
) -> tuple[Sequences, Sequences]:
    """Training and validation part, scaled, as the trainer wants them."""
    y = np.nan_to_num(label_scaling.apply(span.labels)).astype(np.float32)
    weights = span.weights.astype(np.float32)
    return tuple(
        Sequences(scaled_features, y, np.where(mask, weights, np.float32(0)), span.runs(mask))
        for mask in (span.train, span.validation)
    )


GRUForecaster = RecurrentForecaster  # what FreqAI's models of earlier versions name
