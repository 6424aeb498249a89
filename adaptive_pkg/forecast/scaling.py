"""Affine scaling of features and labels, fitted on the training part of a span alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import RobustScaler

from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.skill import supported

FEATURE_LIMIT = 10.0  # interquartile ranges; beyond it a feature says "extreme" and no more


@dataclass(frozen=True)
class Scaling:
    """(value − center) / scale, column by column."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values - self.center) / self.scale

    def undo(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values * self.scale + self.center

    def features(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scaled and limited features; unusable values become 0 and are kept out by the window mask."""
        limited = np.clip(self.apply(values), -FEATURE_LIMIT, FEATURE_LIMIT)
        return np.nan_to_num(limited, copy=False).astype(np.float32)


def fit_features(span: TrainingSpan) -> Scaling:
    """Median and interquartile range of the candles up to the last training target."""
    last = np.flatnonzero(span.train)[-1]
    rows = span.features[: last + 1]
    scaler = RobustScaler().fit(rows[~np.isnan(rows).any(axis=1)])
    return Scaling(scaler.center_, scaler.scale_)


def fit_labels(span: TrainingSpan) -> Scaling:
    """Standard deviation of the training labels, and as much of their mean as the data support.

    The mean is shrunk towards 0 by 1 − 1/t² (positive-part James–Stein), t from the number of labels that
    do not overlap: a return's drift, which a few months cannot tell from 0, is not built into the forecast.
    """
    labels = span.labels[span.train]
    mean, scale = labels.mean(axis=0), labels.std(axis=0)
    return Scaling(mean * supported((mean / scale) ** 2 * len(labels) / span.horizon), scale)


def fit_gains(
    forecast: NDArray[np.float64], actual: NDArray[np.float64], horizon: int
) -> NDArray[np.float64]:
    """Slope of actual on forecast (m, l, scaled) over validation rows, shrunk like `fit_labels`, in 0 … 1.

    An output that says nothing about later candles forecasts its mean instead of noise.
    """
    power = np.maximum((forecast**2).mean(axis=0), 1e-12)
    slope = (forecast * actual).mean(axis=0) / power
    noise = ((actual - slope * forecast) ** 2).mean(axis=0)
    t_squared = slope**2 * power / np.maximum(noise, 1e-12) * len(forecast) / horizon
    return np.clip(slope * supported(t_squared), 0.0, 1.0)
