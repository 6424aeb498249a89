"""One training span: features, labels and dates, split in time, with its windows marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.windows import candle_step, complete_windows, purged_split, segments, timestamps
from adaptive_pkg.settings.forecast import ForecastSettings

FEWEST_TRAINING_ROWS = 100
FEWEST_VALIDATION_ROWS = 20


@dataclass(frozen=True)
class TrainingSpan:
    """Rows of a training span. Build one with `from_frames`, which checks them."""

    feature_names: tuple[str, ...]
    label_names: tuple[str, ...]
    features: NDArray[np.float64]  # (n, f) raw; NaN where a candle is unusable
    labels: NDArray[np.float64]  # (n, l); NaN where unknown
    weights: NDArray[np.float64]  # (n,) weight of a row as a target
    stamps: NDArray[np.int64]  # (n,) ns
    step: int  # ns between candles
    window: int
    horizon: int
    train: NDArray[np.bool_]  # (n,) target rows to train on
    validation: NDArray[np.bool_]  # (n,) target rows to validate on

    @classmethod
    def from_frames(
        cls,
        features: pd.DataFrame,
        labels: pd.DataFrame,
        dates: pd.Series,
        settings: ForecastSettings,
        horizon: int,
        weights: NDArray[np.float64] | None = None,
    ) -> TrainingSpan:
        """Mark windows and split.

        Args:
            features: (n, f), all candles in time order; NaN or infinite: the candle is unusable.
            labels: (n, l); NaN: the row is no target but still context.
            dates: (n,) candle dates.
            horizon: candles a label looks ahead; the split leaves horizon + window − 1 rows out.
            weights: (n,) importance of a row as a target; None: all equal.

        Raises:
            ForecastError: a column is all NaN or constant, or too few rows are left to train or validate on.
        """
        if horizon < 1:
            raise ForecastError(f"label_period_candles: {horizon} must be at least 1")
        x = features.to_numpy(dtype=np.float64, copy=True)
        y = labels.to_numpy(dtype=np.float64, copy=True)
        x[~np.isfinite(x)] = np.nan
        y[~np.isfinite(y)] = np.nan
        stamps = timestamps(dates)
        if not len(x) == len(y) == len(stamps):
            raise ForecastError(
                f"rows differ: {len(x)} features, {len(y)} labels, {len(stamps)} dates; pass one frame"
            )
        _check_columns(x, features.columns)
        _check_columns(y, labels.columns)
        step = candle_step(stamps)
        ready = complete_windows(~np.isnan(x).any(axis=1), stamps, step, settings.window)
        targets = ready & ~np.isnan(y).any(axis=1)
        gap = horizon + settings.window - 1
        train, validation = purged_split(targets, settings.validation_fraction, gap)
        for name, mask, fewest in (
            ("training", train, FEWEST_TRAINING_ROWS),
            ("validation", validation, FEWEST_VALIDATION_ROWS),
        ):
            if mask.sum() < fewest:
                raise ForecastError(
                    f"{name}: {mask.sum()} of {len(x)} candles are targets with a complete "
                    f"{settings.window}-candle window, at least {fewest} are needed; raise train_period_days "
                    "or download earlier candles"
                )
        return cls(
            tuple(map(str, features.columns)),
            tuple(map(str, labels.columns)),
            x,
            y,
            np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64),
            stamps,
            step,
            settings.window,
            horizon,
            train,
            validation,
        )

    def runs(self, targets: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Contiguous usable candles from the first target's window to the last target, as (k, 2) rows."""
        usable = ~np.isnan(self.features).any(axis=1)
        rows = np.flatnonzero(targets)
        usable[: max(rows[0] - self.window + 1, 0)] = False
        usable[rows[-1] + 1 :] = False
        return segments(usable, self.stamps, self.step)


def _check_columns(values: NDArray[np.float64], names: pd.Index) -> None:
    known = ~np.isnan(values)
    if empty := [str(name) for name, column in zip(names, known.T, strict=True) if not column.any()]:
        raise ForecastError(
            f"{', '.join(empty)}: not one known value in {len(values)} candles; "
            "raise startup_candle_count or repair the indicator"
        )
    low = np.where(known, values, np.inf).min(axis=0)
    high = np.where(known, values, -np.inf).max(axis=0)
    both = zip(names, low, high, strict=True)
    if constant := [f"{name} = {a:g}" for name, a, b in both if a == b]:
        raise ForecastError(
            f"{', '.join(constant)} in all {len(values)} candles; a constant teaches nothing, remove it"
        )
