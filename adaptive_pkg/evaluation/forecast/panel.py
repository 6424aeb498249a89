"""One pair's candles as the evaluation sees them: features, targets, and what persistence and HAR know."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.forecast.features import FeatureSet, calendar, panel_features
from adaptive_pkg.forecast.baselines import har_terms
from adaptive_pkg.forecast.targets import (
    LABELS,
    future_log_volatility,
    future_return_sigma,
    past_log_volatility,
)
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.simulator.candles import CandleStore

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """Columns of one pair, one row per candle of a grid without holes.

    A candle the exchange never printed is flat and without volume, as freqtrade fills it: no feature is known
    there and no target crosses it.
    """

    pair: str
    dates: pd.Series  # (n,) UTC
    features: pd.DataFrame  # (n, f); NaN: unusable candle
    labels: pd.DataFrame  # (n, 2) in the order of LABELS; NaN: unknown
    past_volatility: Rows  # (n,) log, relative to level: what persistence forecasts
    har: Rows  # (n, k) regressors of the HAR baseline
    clock: Rows  # (n, c) time of day and of week; c is 0 for long candles
    close: Rows
    sigma: Rows
    horizon: int

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def future_close(self) -> Rows:
        """Close `horizon` candles ahead; NaN where the return target is unknown."""
        ahead = np.append(self.close[self.horizon :], np.full(self.horizon, np.nan))
        return np.where(np.isfinite(self.labels.to_numpy()[:, 0]), ahead, np.nan)

    def digest(self, rows: slice) -> str:
        """Hash of everything a model can be given from these rows."""
        known = hashlib.sha256(self.dates.iloc[rows].astype(np.int64).to_numpy().tobytes())
        for block in (self.features, self.labels):
            known.update(np.ascontiguousarray(block.to_numpy()[rows]).tobytes())
        known.update(np.ascontiguousarray(self.har[rows]).tobytes())
        return known.hexdigest()[:16]


def build_panel(
    pair: str,
    candles: pd.DataFrame,
    horizon: int,
    settings: IndicatorSettings,
    chosen: FeatureSet = FeatureSet.SHIPPED,
) -> Panel:
    """Compute a pair's panel. Raises DataError for unusable candles."""
    grid = fill_gaps(candles)
    frame = compute_indicators(grid, settings)
    features = panel_features(grid, horizon, settings, chosen)
    close, volume = frame["close"].to_numpy(), frame["volume"].to_numpy()
    sigma, level = frame["sigma"].to_numpy(), settings.reference_period
    day = max(round(pd.Timedelta("1D") / grid["date"].diff().median()), 1)
    return Panel(
        pair=pair,
        dates=grid["date"],
        features=features,
        labels=pd.DataFrame(
            np.column_stack(
                [
                    future_return_sigma(close, sigma, horizon, volume),
                    future_log_volatility(close, horizon, level, volume),
                ]
            ),
            columns=list(LABELS),
        ),
        past_volatility=past_log_volatility(close, horizon, level),
        har=har_terms(close, level, (horizon, day, 7 * day)),
        clock=calendar(grid["date"]).to_numpy(),
        close=close,
        sigma=sigma,
        horizon=horizon,
    )


@lru_cache(maxsize=16)
def load_panel(
    datadir: Path,
    pair: str,
    timeframe: str,
    horizon: int,
    settings: IndicatorSettings,
    before: pd.Timestamp,
    chosen: FeatureSet = FeatureSet.SHIPPED,
) -> Panel:
    """The panel of the candles on disk that open before `before`. Kept, so a worker reads a pair once."""
    candles = CandleStore(datadir).load(pair, timeframe, end=before)
    return build_panel(pair, candles, horizon, settings, chosen)


def fill_gaps(candles: pd.DataFrame) -> pd.DataFrame:
    """Put a flat candle without volume where one is missing, as freqtrade does. Raises DataError."""
    dates = candles["date"]
    if len(candles) < 2:
        raise DataError(f"{len(candles)} candles are no series; download more")
    step = dates.diff().median()
    grid = pd.date_range(dates.iloc[0], dates.iloc[-1], freq=step)
    if not dates.isin(grid).all():
        odd = dates[~dates.isin(grid)].iloc[0]
        raise DataError(f"date {odd}: not a multiple of {step} after {dates.iloc[0]}; download it again")
    filled = candles.set_index("date").reindex(grid)
    filled["close"] = filled["close"].ffill()
    for name in ("open", "high", "low"):
        filled[name] = filled[name].fillna(filled["close"])
    filled["volume"] = filled["volume"].fillna(0.0)
    return filled.rename_axis("date").reset_index()
