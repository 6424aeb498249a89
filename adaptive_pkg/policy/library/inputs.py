"""What the library's rules read: a market frame's columns as arrays, and the few shapes they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError

Array = np.ndarray

LIBRARY_COLUMNS = (
    "open", "high", "low", "close", "volume", "adx", "atr", "rsi", "ema_fast", "ema_slow",
    "bb_upper", "bb_lower", "bb_width", "donchian_high", "donchian_low", "volume_ratio", "atr_ratio",
)  # fmt: skip
FRACTAL_WING = 2  # candles on either side of a swing; it is known that many candles later


@dataclass(frozen=True)
class LibraryInputs:
    """Columns of a `market_frame`, each float (n,)."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    adx: Array
    atr: Array
    rsi: Array
    ema_fast: Array
    ema_slow: Array
    bb_upper: Array
    bb_lower: Array
    bb_width: Array
    donchian_high: Array
    donchian_low: Array
    volume_ratio: Array
    atr_ratio: Array

    @classmethod
    def of(cls, frame: pd.DataFrame) -> LibraryInputs:
        """Read the columns. Raises DataError for a missing one."""
        if missing := [name for name in LIBRARY_COLUMNS if name not in frame.columns]:
            raise DataError(
                f"signal library: columns {missing} are missing; run market.frame.market_frame first"
            )
        return cls(**{name: frame[name].to_numpy(np.float64) for name in LIBRARY_COLUMNS})

    def __len__(self) -> int:
        return len(self.close)

    def mirrored(self) -> LibraryInputs:
        """The market upside down: prices negated, highs for lows. A rule for longs then serves shorts."""
        return LibraryInputs(
            open=-self.open, high=-self.low, low=-self.high, close=-self.close, volume=self.volume,
            adx=self.adx, atr=self.atr, rsi=100.0 - self.rsi,
            ema_fast=-self.ema_fast, ema_slow=-self.ema_slow,
            bb_upper=-self.bb_lower, bb_lower=-self.bb_upper, bb_width=self.bb_width,
            donchian_high=-self.donchian_low, donchian_low=-self.donchian_high,
            volume_ratio=self.volume_ratio, atr_ratio=self.atr_ratio,
        )  # fmt: skip


def earlier(values: Array, candles: int = 1) -> Array:
    """Each candle gets the value `candles` before it: NaN, or False, where there is none."""
    out = np.zeros_like(values) if values.dtype == bool else np.full(len(values), np.nan)
    if candles < len(values):
        out[candles:] = values[:-candles]
    return out


def ratio(above: Array, below: Array) -> Array:
    """above / below; NaN where `below` is not positive."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def last_true(flags: Array) -> Array:
    """Position of the last True up to each candle, −1 before the first; int (n,)."""
    return (
        np.maximum.accumulate(np.where(flags, np.arange(len(flags)), -1)) if len(flags) else flags.astype(int)
    )


def rolling_sum(values: Array, candles: int) -> Array:
    """Sum of the last `candles` values; NaN until there are as many."""
    return pd.Series(values, copy=False).rolling(candles).sum().to_numpy()


def trailing_quantile(values: Array, quantile: float, candles: int, least: int) -> Array:
    """Quantile of the last `candles` values, this one included; NaN with fewer than `least` known."""
    return pd.Series(values, copy=False).rolling(candles, min_periods=least).quantile(quantile).to_numpy()


def swing_lows(low: Array) -> Array:
    """Positions of lows below the two candles before and not above the two after (5-candle fractals)."""
    span = 2 * FRACTAL_WING + 1
    if len(low) < span:
        return np.array([], dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(low, span)
    centre = windows[:, FRACTAL_WING]
    lower = centre < windows[:, :FRACTAL_WING].min(axis=1)
    return np.flatnonzero(lower & (centre <= windows[:, FRACTAL_WING + 1 :].min(axis=1))) + FRACTAL_WING


def swing_pairs(low: Array, candles: int) -> tuple[Array, Array, Array]:
    """Neighbouring swing lows with both inside `candles` of the candle that confirms the second.

    Returns three int arrays (m,): the first swing, the second, and the candle at which both are known.
    """
    swings = swing_lows(low)
    first, second = swings[:-1], swings[1:]
    known = second + FRACTAL_WING
    near = known - first < candles
    return first[near], second[near], known[near]


def both_ways(rule, market: LibraryInputs, *arguments) -> Array:
    """Signed strength (n,) of a rule for longs, applied to the market and to its mirror image.

    Where both sides fire, they cancel to the difference.
    """
    return rule(market, *arguments) - rule(market.mirrored(), *arguments)
