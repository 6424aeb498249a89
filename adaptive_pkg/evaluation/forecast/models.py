"""The forecasts that compete, fitted to one fold and used on its unseen candles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.evaluation.forecast.folds import Fold
from adaptive_pkg.evaluation.forecast.panel import Panel
from adaptive_pkg.forecast.baselines import HarBaseline, RidgeBaseline, drift_forecast, zero_forecast
from adaptive_pkg.forecast.candle_regressor import Regressor
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.ensemble import MEAN, EnsembleForecaster
from adaptive_pkg.forecast.targets import LOG_VOLATILITY
from adaptive_pkg.settings.forecast import ForecastSettings

Rows = NDArray[np.float64]

RETURN, LOG_VOL, VARIANCE = 0, 1, 2  # columns of a forecast


class Family(StrEnum):
    """Models fitted in one job."""

    REFERENCE = "reference"  # no randomness: fitted once
    LIGHTGBM = "lightgbm"
    NETWORKS = "networks"  # the ensemble and, for the price of it, its members


SEEDED = (Family.LIGHTGBM, Family.NETWORKS)
# Members of the ensemble: models on the last candle too, but only where the network has its window.
MEMBER_NAMES = {Regressor.RIDGE.value: "ensemble.ridge", Regressor.BOOSTING.value: "ensemble.boosting"}


@dataclass(frozen=True)
class FoldForecast:
    """Out-of-sample forecasts of one job.

    values: model → (rows of the fold, 3): return in σ, log volatility over its level, and the variance over
    its level². NaN: no forecast (a gap, an outage, or a model without that target). weights: of the ensemble.
    """

    values: dict[str, Rows]
    weights: dict[str, dict[str, float]] = field(default_factory=dict)


def forecast_fold(
    panel: Panel, fold: Fold, family: Family, settings: ForecastSettings, seed: int
) -> FoldForecast:
    """Fit the family on what the fold may see and forecast its test rows. Raises ForecastError."""
    if family is Family.REFERENCE:
        return _reference(panel, fold, settings)
    if family is Family.LIGHTGBM:
        return _lightgbm(panel, fold, settings, seed)
    return _networks(panel, fold, replace(settings, seed=seed))


def seen_labels(panel: Panel, fold: Fold) -> pd.DataFrame:
    """(seen rows, 2) labels as known at the fold's start less the embargo; later ones NaN."""
    labels = panel.labels.iloc[fold.seen].copy()
    labels.iloc[fold.labels_end - fold.first :] = np.nan
    return labels


def variance_forecast(log_volatility: Rows, squared_error: float) -> Rows:
    """Variance over level² that a forecast of log volatility stands for.

    exp(2 f + 2 s²): the mean of a lognormal whose log is off by `squared_error` s² on held-out rows. Every
    model gets the same treatment, so QLIKE compares what they know, not how a logarithm is undone.
    """
    return np.exp(2.0 * log_volatility + 2.0 * squared_error)


def _reference(panel: Panel, fold: Fold, settings: ForecastSettings) -> FoldForecast:
    labels = seen_labels(panel, fold).to_numpy()
    held_out = _calibration_rows(labels, settings)
    features, har, past = (
        values[fold.seen] for values in (panel.features.to_numpy(), panel.har, panel.past_volatility)
    )
    test_features, test_har, test_past = (
        values[fold.test] for values in (panel.features.to_numpy(), panel.har, panel.past_volatility)
    )
    count, actual = fold.test_end - fold.test_first, labels[held_out, LOG_VOL]
    early = _before(labels, held_out, panel.horizon)
    ridge = RidgeBaseline.fit(features, labels).predict(test_features)
    ridge_held = RidgeBaseline.fit(features, early).predict(features[held_out])[:, LOG_VOL]
    har_fit = HarBaseline.fit(har, labels[:, LOG_VOL]).predict(test_har)
    har_held = HarBaseline.fit(har, early[:, LOG_VOL]).predict(har[held_out])
    with_clock = np.hstack([panel.har, panel.clock])
    clock_fit = HarBaseline.fit(with_clock[fold.seen], labels[:, LOG_VOL]).predict(with_clock[fold.test])
    clock_held = HarBaseline.fit(with_clock[fold.seen], early[:, LOG_VOL]).predict(
        with_clock[fold.seen][held_out]
    )
    drift = drift_forecast(labels, count)
    drift_held = drift_forecast(early, len(actual))[:, LOG_VOL]
    nothing = np.full(count, np.nan)
    zero = zero_forecast(count, 2)
    return FoldForecast(
        {
            "zero": _columns(zero[:, 0], zero[:, 1], actual),
            # the price stays, and volatility stays what it was over the last horizon
            "persistence": _columns(zero[:, 0], test_past, actual - past[held_out]),
            "drift": _columns(drift[:, 0], drift[:, 1], actual - drift_held),
            "ridge": _columns(ridge[:, 0], ridge[:, 1], actual - ridge_held),
            "har": _columns(nothing, har_fit, actual - har_held),
            # HAR with the time of day and week, so that the calendar is not taken for learning
            "har_clock": _columns(nothing, clock_fit, actual - clock_held),
        }
    )


def _lightgbm(panel: Panel, fold: Fold, settings: ForecastSettings, seed: int) -> FoldForecast:
    labels = seen_labels(panel, fold).to_numpy()
    held_out = _calibration_rows(labels, settings)
    x = panel.features.to_numpy()
    features, early = x[fold.seen], _before(labels, held_out, panel.horizon)
    test = x[fold.test]
    known = np.isfinite(test).all(axis=1)
    columns = []
    for label in (RETURN, LOG_VOL):
        columns.append(_boosted(features, labels[:, label], seed).predict(test, num_threads=1))
    held = _boosted(features, early[:, LOG_VOL], seed).predict(features[held_out], num_threads=1)
    values = _columns(columns[0], columns[1], labels[held_out, LOG_VOL] - held)
    return FoldForecast({"lightgbm": np.where(known[:, None], values, np.nan)})


def _boosted(features: Rows, labels: Rows, seed: int):
    """LightGBM on the last candle's features; small trees, since labels overlap and returns are noise."""
    from lightgbm import LGBMRegressor

    known = np.isfinite(features).all(axis=1) & np.isfinite(labels)
    model = LGBMRegressor(
        n_estimators=200,
        learning_rate=0.03,
        num_leaves=15,
        min_child_samples=100,
        subsample=0.7,
        subsample_freq=1,
        colsample_bytree=0.7,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )
    return model.fit(features[known], labels[known]).booster_


def _networks(panel: Panel, fold: Fold, settings: ForecastSettings) -> FoldForecast:
    span = TrainingSpan.from_frames(
        panel.features.iloc[fold.seen],
        seen_labels(panel, fold),
        panel.dates.iloc[fold.seen],
        settings,
        panel.horizon,
    )
    ensemble = EnsembleForecaster.fit(span, settings)
    own = ensemble.validation.mean_squared_errors[LOG_VOL] * float(span.labels[span.train, LOG_VOL].var())
    errors = {**ensemble.errors[LOG_VOLATILITY], "ensemble": own}
    values = {}
    features, dates = panel.features.iloc[fold.test], panel.dates.iloc[fold.test]
    forecasts = {name: member.predict(features, dates) for name, member in ensemble.members.items()}
    for name, test in {**forecasts, "ensemble": ensemble.combine(forecasts)}.items():
        columns = _columns(test.values[:, RETURN], test.values[:, LOG_VOL], errors[name])
        values[MEMBER_NAMES.get(name, name)] = np.where(test.valid[:, None], columns, np.nan)
    weights = {
        label: {MEMBER_NAMES.get(name, name) if name != MEAN else MEAN: share for name, share in row.items()}
        for label, row in ensemble.weights.items()
    }
    return FoldForecast(values, weights)


def _calibration_rows(labels: Rows, settings: ForecastSettings) -> NDArray[np.int64]:
    """The newest known rows: as many as a network validates on."""
    known = np.flatnonzero(np.isfinite(labels).all(axis=1))
    return known[-max(round(len(known) * settings.validation_fraction), 1) :]


def _before(labels: Rows, held_out: NDArray[np.int64], horizon: int) -> Rows:
    """Labels with everything from `horizon` rows before the held-out rows on removed."""
    early = labels.copy()
    early[max(held_out[0] - horizon, 0) :] = np.nan
    return early


def _columns(returns: Rows, log_volatility: Rows, residuals: Rows | float) -> Rows:
    squared_error = float(np.nanmean(np.square(residuals))) if np.ndim(residuals) else float(residuals)
    return np.column_stack([returns, log_volatility, variance_forecast(log_volatility, squared_error)])
