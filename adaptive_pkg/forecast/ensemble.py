"""GRU, LSTM, ridge and gradient boosting together, each with the weight its later errors earned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.candle_regressor import CandleRegressor, Regressor, held_out_gains
from adaptive_pkg.forecast.conformal import half_widths
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.forecaster import DECIMALS, Forecast, RecurrentForecaster, Validation
from adaptive_pkg.forecast.scaling import fit_labels
from adaptive_pkg.forecast.windows import complete_windows
from adaptive_pkg.settings.forecast import Cell, ForecastSettings

MEAN = "mean"  # the member that says nothing: the labels' mean, as far as the span supports it

# Errors of neighbouring horizons are alike (a calm week is calm for every member), so that many of them count
# as one when members are compared. Measured on hourly candles: 1 trusts a lucky month, 16 trusts nothing.
HORIZONS_ALIKE = 4

Rows = NDArray[np.float64]


def evidence_weights(mean_squared_errors: Rows, independent_rows: float) -> Rows:
    """Weights of forecasts from their errors on the same held-out rows.

    Proportional to the likelihood of those rows under Gaussian errors, exp(−n/2 · log MSE): pseudo-BMA
    (Yao et al. 2018, Bayesian Analysis 13(3)). Members that the rows cannot tell apart share equally.

    Args:
        mean_squared_errors: (members, labels). independent_rows: rows that do not overlap.

    Returns:
        (members, labels), not negative, each label's weights sum to 1.
    """
    errors = np.maximum(np.asarray(mean_squared_errors, dtype=np.float64), 1e-300)
    evidence = -0.5 * independent_rows * np.log(errors)
    weights = np.exp(evidence - evidence.max(axis=0))
    return weights / weights.sum(axis=0)


class EnsembleForecaster:
    """Members that forecast the same labels, combined per label. Same contract as `RecurrentForecaster`."""

    VERSION: ClassVar[int] = 1

    def __init__(
        self,
        members: dict[str, RecurrentForecaster | CandleRegressor],
        weights: dict[str, dict[str, float]],
        span: TrainingSpan,
        label_center: Rows,
        validation: Validation,
        errors: dict[str, dict[str, float]],
        epochs: int,
    ) -> None:
        known = span.labels[span.train]
        self.members = members
        self.weights = weights  # label → member → 0 … 1
        self.errors = errors  # label → member → mean squared error on the validation rows
        self.feature_names, self.label_names = span.feature_names, span.label_names
        self.label_means = tuple(known.mean(axis=0).tolist())
        self.label_deviations = tuple(known.std(axis=0).tolist())
        self.label_center = label_center
        self.window, self.step = span.window, span.step
        self.validation, self.epochs = validation, epochs
        self.tb_logger: Any = None  # FreqAI hangs its logger here; it is not part of the forecaster

    @classmethod
    def fit(
        cls, span: TrainingSpan, settings: ForecastSettings, initial: EnsembleForecaster | None = None
    ) -> EnsembleForecaster:
        """Train every member on the training part, weigh them by their errors on the validation part.

        Ridge and boosting are then fitted again on both parts; the networks need theirs for early stopping.

        Args:
            initial: ensemble whose networks to start from (continual learning).

        Raises:
            ForecastError: a member's training diverged or the span is too small.
        """
        scaling = fit_labels(span)
        center, scale = scaling.center, scaling.scale
        rows, frame, dates = _frames(span, span.validation)
        held_out = span.labels[span.validation]
        members: dict[str, RecurrentForecaster | CandleRegressor] = {}
        for cell in Cell:
            before = initial.members.get(cell.value) if isinstance(initial, EnsembleForecaster) else None
            members[cell.value] = RecurrentForecaster.fit(span, replace(settings, cell=cell), before)
        for kind in Regressor:
            early = CandleRegressor.fit(kind, span, span.train, center, settings.seed)
            if settings.shrink_to_skill:
                said = early.predict(frame, dates).values[rows] - center
                early = early.shrunk(held_out_gains(said, held_out - center, span.horizon))
            members[kind.value] = early
        forecasts = np.stack(
            [
                *(member.predict(frame, dates).values[rows] for member in members.values()),
                np.broadcast_to(center, held_out.shape),
            ]
        )  # (members, rows, labels)
        errors = (((forecasts - held_out) / scale) ** 2).mean(axis=1)
        weights = evidence_weights(errors, len(rows) / (span.horizon * HORIZONS_ALIKE))
        combined = np.einsum("mrl,ml->rl", forecasts, weights)
        validation = Validation(
            len(rows),
            tuple((((combined - held_out) / scale) ** 2).mean(axis=0).tolist()),
            tuple(((held_out / scale) ** 2).mean(axis=0).tolist()),
            tuple(
                half_widths(
                    combined - held_out, settings.interval_coverage, len(rows) / span.horizon
                ).tolist()
            ),
        )
        epochs = sum(member.epochs for member in members.values() if isinstance(member, RecurrentForecaster))
        everything = _targets(span)
        for kind in Regressor:
            again = CandleRegressor.fit(kind, span, everything, center, settings.seed)
            members[kind.value] = again.shrunk(members[kind.value].gains)
        names = [*members, MEAN]
        shares, mistakes = (
            {
                label: dict(zip(names, column.tolist(), strict=True))
                for label, column in zip(span.label_names, table.T, strict=True)
            }
            for table in (weights, errors * scale**2)
        )
        return cls(members, shares, span, center, validation, mistakes, epochs)

    def predict(self, features: pd.DataFrame, dates: pd.Series) -> Forecast:
        """Forecast the labels at every row; a row is valid where every member's is.

        Raises:
            ForecastError: other columns than in training, or dates out of order.
        """
        forecasts = {name: member.predict(features, dates) for name, member in self.members.items()}
        return self.combine(forecasts)

    def combine(self, forecasts: dict[str, Forecast]) -> Forecast:
        """The weighted sum of forecasts that the members, by name, have made of the same rows."""
        shares = {name: [self.weights[label][name] for label in self.label_names] for name in self.members}
        nothing = np.array([self.weights[label][MEAN] for label in self.label_names])
        valid = np.logical_and.reduce([forecasts[name].valid for name in shares])
        values = nothing * self.label_center + sum(
            np.array(share) * forecasts[name].values for name, share in shares.items()
        )
        values = np.round(values, DECIMALS)
        values[~valid] = 0.0
        return Forecast(values, valid)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "tb_logger": None, "version": self.VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        version = state.pop("version", 0)
        if version != self.VERSION:
            raise ForecastError(
                f"ensemble: saved as version {version}, this release reads version {self.VERSION}; "
                "change `identifier` to train anew"
            )
        self.__dict__.update(state)


def _targets(span: TrainingSpan) -> NDArray[np.bool_]:
    """Every row with a complete window and a known label, those between the parts too."""
    usable = np.isfinite(span.features).all(axis=1)
    ready = complete_windows(usable, span.stamps, span.step, span.window)
    return ready & np.isfinite(span.labels).all(axis=1)


def _frames(span: TrainingSpan, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], pd.DataFrame, pd.Series]:
    """Candles from the first masked row's window on, as `predict` takes them, and the masked rows in them."""
    rows = np.flatnonzero(mask)
    first = max(rows[0] - span.window + 1, 0)
    frame = pd.DataFrame(span.features[first:], columns=list(span.feature_names))
    return rows - first, frame, pd.Series(pd.to_datetime(span.stamps[first:], utc=True))
