"""Support and resistance: the swing highs and lows that price has turned at."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError

# Distance, in ATR, that stands for "no level on this side".
NO_LEVEL_ATR = 99.0

# A swing is an extreme of this many candles on either side; it is known that many candles later.
SWING_WING = 3
# Most recent confirmed swings that are looked at.
SWINGS_KEPT = 12


def nearest_levels(frame: pd.DataFrame, period: int) -> pd.DataFrame:
    """Distance from the close to the nearest swing support below and resistance above, in ATR.

    A swing (Williams fractal of 3 candles on either side) counts from the candle that confirms it, 3
    candles later, until it is `period` candles old. Returns columns `support_atr` and `resistance_atr`,
    both ≥ 0 and at most `NO_LEVEL_ATR`, which also stands where there is no level or no ATR yet.

    Raises:
        DataError: `frame` lacks high, low, close or atr.
    """
    if missing := [name for name in ("high", "low", "close", "atr") if name not in frame]:
        raise DataError(f"levels need column {missing[0]!r}; run compute_indicators on the candles first")
    high, low, close, atr = (frame[name].to_numpy(np.float64) for name in ("high", "low", "close", "atr"))
    columns = {
        "support_atr": _nearest(-close, -low, atr, period),
        "resistance_atr": _nearest(close, high, atr, period),
    }
    return pd.DataFrame(columns, index=frame.index)


def _nearest(close: np.ndarray, extreme: np.ndarray, atr: np.ndarray, period: int) -> np.ndarray:
    """Distance up to the nearest swing high of `extreme`, in ATR (supports come in mirrored)."""
    swings = _swing_highs(extreme)
    if swings.size == 0:
        return np.full(len(close), NO_LEVEL_ATR)
    position = np.arange(len(close))
    known = np.searchsorted(swings + SWING_WING, position, side="right")
    nearest = np.full(len(close), np.inf)
    for back in range(1, SWINGS_KEPT + 1):
        index = known - back
        swing = swings[np.maximum(index, 0)]
        distance = extreme[swing] - close
        usable = (index >= 0) & (position - swing <= period) & (distance >= 0)
        np.minimum(nearest, distance, out=nearest, where=usable)
    scaled = np.divide(nearest, atr, out=np.full(len(close), np.inf), where=atr > 0)
    return np.minimum(scaled, NO_LEVEL_ATR)


def _swing_highs(extreme: np.ndarray) -> np.ndarray:
    """Positions above the candles just before and not below those just after."""
    span = 2 * SWING_WING + 1
    if len(extreme) < span:
        return np.array([], dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(extreme, span)
    centre = windows[:, SWING_WING]
    before = windows[:, :SWING_WING].max(axis=1)
    after = windows[:, SWING_WING + 1 :].max(axis=1)
    return np.flatnonzero((centre > before) & (centre >= after)) + SWING_WING
