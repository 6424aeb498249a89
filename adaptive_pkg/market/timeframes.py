"""Lengths of candles in freqtrade's and Binance's notation, and candles joined into longer ones."""

from __future__ import annotations

import pandas as pd

from adaptive_pkg.errors import SettingsError

OHLCV = ("open", "high", "low", "close", "volume")
HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}


def timeframe_hours(timeframe: str) -> float:
    """Length of a candle in hours. Raises SettingsError for an unknown notation."""
    number, unit = timeframe[:-1], timeframe[-1:]
    if unit not in HOURS or not number.isdigit() or int(number) == 0:
        raise SettingsError(f"timeframe: {timeframe!r} is not a number with m, h, d or w, such as 5m or 1h")
    return int(number) * HOURS[unit]


def resample(candles: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Join candles into longer ones, aligned to the epoch (weeks: to Monday) as on Binance. Gaps stay.

    The first and the last may be incomplete, as `candles` begin and end.
    """
    hours = timeframe_hours(timeframe)
    origin = pd.Timestamp("1970-01-05", tz="UTC") if hours >= 168 else pd.Timestamp(0, tz="UTC")
    rule = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    joined = candles.set_index("date").resample(pd.Timedelta(hours=hours), origin=origin).agg(rule)
    return joined.dropna(subset=["open"]).reset_index()[["date", *OHLCV]]
