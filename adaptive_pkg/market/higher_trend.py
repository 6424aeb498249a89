"""The trend of higher timeframes, as known at the close of each of the strategy's own candles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import talib

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.timeframes import resample, timeframe_hours
from adaptive_pkg.settings.market import IndicatorSettings

HIGHER_TIMEFRAMES = ("4h", "1d")


def trend_column(timeframe: str) -> str:
    """Name of a timeframe's trend in the strategy's frame, which is freqtrade's for an informative column."""
    return f"trend_{timeframe}"


TREND_COLUMNS = tuple(map(trend_column, HIGHER_TIMEFRAMES))


def trend_reading(candles: pd.DataFrame, settings: IndicatorSettings) -> pd.DataFrame:
    """Read the trend of each candle: −1 down, 1 up, ±1/3 mixed; NaN until the slow EMA has its candles.

    The mean sign of three differences: close to fast EMA, close to slow EMA, fast to slow EMA.

    Returns:
        columns date and trend, one row a candle: what an informative method hands to freqtrade.
    """
    close = candles["close"].to_numpy(dtype=float)
    fast, slow = talib.EMA(close, settings.ema_fast), talib.EMA(close, settings.ema_slow)
    trend = (np.sign(close - fast) + np.sign(close - slow) + np.sign(fast - slow)) / 3.0
    return pd.DataFrame({"date": candles["date"], "trend": trend})


def add_higher_trends(
    candles: pd.DataFrame, settings: IndicatorSettings, timeframes: Iterable[str] = HIGHER_TIMEFRAMES
) -> pd.DataFrame:
    """Add the trend of each longer timeframe, read from the same candles joined.

    A long candle is known from the close of its last short one on, as freqtrade merges informative pairs;
    where the long candles' own files begin no earlier than these, the columns are equal to freqtrade's.

    Raises:
        DataError: fewer than two candles, or a timeframe shorter than the candles.
    """
    if len(candles) < 2:
        raise DataError(f"{len(candles)} candles; a higher timeframe's trend needs at least two")
    step = candles["date"].diff().min()
    added = {}
    for timeframe in timeframes:
        length = pd.Timedelta(hours=timeframe_hours(timeframe))
        if length < step:
            raise DataError(f"timeframe {timeframe} is shorter than the candles ({step}); leave it out")
        reading = trend_reading(resample(candles, timeframe), settings)
        known = (reading["date"] + length - step).to_numpy()
        row = np.searchsorted(known, candles["date"].to_numpy(), side="right") - 1
        trend = reading["trend"].to_numpy()
        added[trend_column(timeframe)] = np.where(row >= 0, trend[np.maximum(row, 0)], np.nan)
    return candles.assign(**added)
