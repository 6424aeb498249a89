"""What the market was like at a candidate: readings of its candle, of the clock, of forecast and vote."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.higher_trend import TREND_COLUMNS

FRAME_COLUMNS = (
    "adx", "atr_pct", "atr_ratio", "width_ratio", "volume_ratio", "rsi", "momentum_pct", "support_atr",
    "resistance_atr", *TREND_COLUMNS,
)  # fmt: skip
CONTEXT = (
    *FRAME_COLUMNS, "macd_hist_atr", "ema_gap_atr", "hour", "weekday", "regime_confidence", "forecast_sigma",
    "library_score",
)  # fmt: skip


def candidate_context(
    rows: pd.DataFrame,
    regime_confidence: np.ndarray,
    forecast_sigma: np.ndarray | None = None,
    library_score: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The columns of CONTEXT for candles of a `market_frame` with higher trends; each float (m,).

    macd_hist_atr, ema_gap_atr: MACD histogram, and fast less slow EMA, in ATR. hour, weekday (Monday 0): UTC
    of the candle's start. NaN: not known there (a forecast, a vote that was not asked, a young trend).

    Raises:
        DataError: a column is missing.
    """
    needed = (*FRAME_COLUMNS, "date", "atr", "macd_hist", "ema_fast", "ema_slow")
    if missing := [name for name in needed if name not in rows]:
        raise DataError(f"columns {missing} are missing; hand over candles of a judged market_frame")
    atr, dates = rows["atr"].to_numpy(float), rows["date"].dt
    unknown = np.full(len(rows), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        added = {
            "macd_hist_atr": rows["macd_hist"].to_numpy(float) / atr,
            "ema_gap_atr": (rows["ema_fast"].to_numpy(float) - rows["ema_slow"].to_numpy(float)) / atr,
        }
    return {
        **{name: rows[name].to_numpy(float) for name in FRAME_COLUMNS},
        **added,
        "hour": dates.hour.to_numpy(float),
        "weekday": dates.weekday.to_numpy(float),
        "regime_confidence": np.asarray(regime_confidence, float),
        "forecast_sigma": unknown if forecast_sigma is None else np.asarray(forecast_sigma, float),
        "library_score": unknown if library_score is None else np.asarray(library_score, float),
    }
