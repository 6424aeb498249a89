"""Candles as the market room takes them in: checked once, then trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError

OHLCV = ("open", "high", "low", "close", "volume")


def check_candles(candles: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the OHLCV columns as contiguous float64 arrays, or say what is wrong with them.

    One NaN would silently poison every later value of a recursive indicator, so it is refused here.

    Raises:
        DataError: a column is missing, or holds a NaN, an infinity, a price that is not positive or a
            negative volume; names the column and the first date.
    """
    if missing := [name for name in OHLCV if name not in candles.columns]:
        raise DataError(
            f"candles have no column {missing[0]!r}; needed: {', '.join(OHLCV)}; "
            f"found: {', '.join(map(str, candles.columns))}"
        )
    arrays: dict[str, np.ndarray] = {}
    for name in OHLCV:
        try:
            values = np.ascontiguousarray(candles[name].to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError):
            raise DataError(f"candles: column {name!r} holds {candles[name].dtype}, not numbers") from None
        good = np.isfinite(values) & ((values >= 0) if name == "volume" else (values > 0))
        if not good.all():
            row = int(np.argmin(good))
            rule = "volume must be 0 or more" if name == "volume" else "a price must be above 0"
            raise DataError(
                f"candles: column {name!r} is {values[row]} at {_when(candles, row)} ({rule}; "
                f"{int((~good).sum())} such candles); download or repair these candles"
            )
        arrays[name] = values
    return arrays


def is_filler(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Candles that stand in for an exchange outage: no volume, open = high = low = close."""
    flat = (arrays["high"] == arrays["low"]) & (arrays["open"] == arrays["close"])
    return flat & (arrays["volume"] == 0) & (arrays["open"] == arrays["high"])


def _when(candles: pd.DataFrame, row: int) -> str:
    return str(candles["date"].iloc[row] if "date" in candles.columns else candles.index[row])
