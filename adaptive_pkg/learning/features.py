"""A candidate's context as numbers seen from its side: what helps a long reads as what helps a short."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.context import CONTEXT

FEATURES = (
    "adx", "log_atr_pct", "log_atr_ratio", "log_width_ratio", "log_volume_ratio", "rsi", "macd_hist",
    "momentum", "ema_gap", "trend_4h", "trend_1d", "room_ahead", "room_behind", "regime_confidence",
    "forecast", "vote", "hour_sin", "hour_cos", "weekend", "short", *(f"in_{regime}" for regime in Regime),
)  # fmt: skip
VERSION = 1  # of the formulas below: models of another version do not read these numbers
_FAR = 20.0  # ATR to a level beyond which it is far away; nearest_levels says 99 for none
_LEAST = 1e-6


def feature_matrix(
    context: Mapping[str, np.ndarray], side: np.ndarray, regime_codes: np.ndarray
) -> np.ndarray:
    """Float (m, len(FEATURES)). What is not known (no forecast, a young trend) reads as neutral, 0.

    Args:
        context: the columns of CONTEXT. side: 1 or −1. regime_codes: `Regime.code`.

    Raises:
        DataError: a column is missing.
    """
    if missing := [name for name in CONTEXT if name not in context]:
        raise DataError(f"context {missing} is missing; see journal.context.candidate_context")
    read = {name: np.asarray(context[name], dtype=float) for name in CONTEXT}
    way = np.where(np.asarray(side) < 0, -1.0, 1.0)
    long = way > 0
    support = np.minimum(read["support_atr"], _FAR) / _FAR
    resistance = np.minimum(read["resistance_atr"], _FAR) / _FAR
    angle = 2.0 * np.pi * read["hour"] / 24.0
    codes = np.asarray(regime_codes)
    columns = [
        read["adx"] / 50.0,
        _log(read["atr_pct"]),
        _log(read["atr_ratio"]),
        _log(read["width_ratio"]),
        np.log1p(np.maximum(read["volume_ratio"], 0.0)),
        way * (read["rsi"] - 50.0) / 50.0,
        way * read["macd_hist_atr"],
        way * read["momentum_pct"] / np.maximum(read["atr_pct"], _LEAST),
        way * read["ema_gap_atr"],
        way * read["trend_4h"],
        way * read["trend_1d"],
        np.where(long, resistance, support),
        np.where(long, support, resistance),
        read["regime_confidence"],
        way * read["forecast_sigma"],
        way * read["library_score"],
        np.sin(angle),
        np.cos(angle),
        (read["weekday"] >= 5).astype(float),
        (~long).astype(float),
        *((codes == regime.code).astype(float) for regime in Regime),
    ]
    return np.nan_to_num(np.column_stack(columns), nan=0.0, posinf=0.0, neginf=0.0)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(values, _LEAST))
