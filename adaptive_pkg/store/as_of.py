"""The newest value that was known at a time, for many times at once. Pure; the same in backtest and live.

A history is a frame with the columns about, known and value: the end of the period a value speaks of, when
it became known, and the value. Times are whole milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError

HISTORY_COLUMNS = ("about", "known", "value")
KNOWN_SUFFIX = "_known"


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was known at each time; `value` NaN where nothing was, or nothing fresh enough."""

    value: NDArray[np.float64]
    known: NDArray[np.bool_]
    age_hours: NDArray[np.float64]  # since the end of the period it speaks of; NaN before the first


@dataclass(frozen=True, slots=True)
class Column:
    """One column to be: a history and how long a value lasts."""

    history: pd.DataFrame
    max_age: timedelta


def empty_history() -> pd.DataFrame:
    """A history without a value."""
    return pd.DataFrame(
        {"about": np.array([], np.int64), "known": np.array([], np.int64), "value": np.array([], float)}
    )


def check_history(history: pd.DataFrame) -> pd.DataFrame:
    """Return it ordered by when it was known, or raise DataError: known before its time, NaN, or doubled."""
    if missing := [name for name in HISTORY_COLUMNS if name not in history.columns]:
        raise DataError(f"history has no column {missing[0]!r}; needed: {', '.join(HISTORY_COLUMNS)}")
    early = history["known"].to_numpy() < history["about"].to_numpy()
    if early.any():
        row = history.iloc[int(np.argmax(early))]
        raise DataError(
            f"a value is said to be known at {row['known']:.0f} ms, before the period it speaks of ended "
            f"({row['about']:.0f} ms); correct its time"
        )
    if not np.isfinite(history["value"].to_numpy(dtype=float)).all():
        raise DataError("history holds a value that is no number; leave such rows out")
    if (twice := history.duplicated(["about", "known"])).any():
        row = history[twice].iloc[0]
        raise DataError(
            f"two values for the period that ended at {row['about']:.0f} ms, both known at "
            f"{row['known']:.0f} ms; keep one"
        )
    return history.sort_values(["known", "about"], kind="stable", ignore_index=True)


def as_of(history: pd.DataFrame, times_ms: NDArray[np.int64], max_age: timedelta) -> AsOf:
    """The value of the newest period known at each time, by its latest correction until then.

    A value that is known at the very millisecond counts. A late correction of an older period never
    replaces a newer period's value.

    Args:
        history: see the module. times_ms: (n,) in any order.
        max_age: a value whose period ended longer ago is missing.

    Raises:
        DataError: see `check_history`.
    """
    ordered = check_history(history)
    about = ordered["about"].to_numpy(np.int64)
    newest = about >= np.maximum.accumulate(about) if len(about) else np.array([], bool)
    about, known = about[newest], ordered["known"].to_numpy(np.int64)[newest]
    value = ordered["value"].to_numpy(np.float64)[newest]
    row = np.searchsorted(known, times_ms, side="right") - 1
    found = row >= 0
    if not found.any():
        nothing = np.full(len(times_ms), np.nan)
        return AsOf(nothing, np.zeros(len(times_ms), bool), nothing.copy())
    at = np.maximum(row, 0)
    age_ms = np.where(found, times_ms - about[at], 0)
    fresh = found & (age_ms <= max_age // timedelta(milliseconds=1))
    return AsOf(np.where(fresh, value[at], np.nan), fresh, np.where(found, age_ms / 3_600_000, np.nan))


def close_times(candles: pd.DataFrame, timeframe_seconds: int) -> NDArray[np.int64]:
    """When each candle has closed, in milliseconds: the moment at which it is judged.

    Raises:
        DataError: no column date, or dates without a zone.
    """
    if "date" not in candles.columns or getattr(candles["date"].dtype, "tz", None) is None:
        raise DataError("candles need a column date with times in UTC (the start of each candle)")
    starts = candles["date"].astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    return starts + timeframe_seconds * 1000


def add_columns(candles: pd.DataFrame, columns: Mapping[str, Column], timeframe_seconds: int) -> pd.DataFrame:
    """Candles with two more columns for each name: its value, and `<name>_known` (False: NaN, neutral).

    Each row holds what was known when its candle closed. Leaves `candles` as it is.
    """
    times = close_times(candles, timeframe_seconds)
    added: dict[str, NDArray] = {}
    for name, column in columns.items():
        read = as_of(column.history, times, column.max_age)
        added[name], added[name + KNOWN_SUFFIX] = read.value, read.known
    return candles.assign(**added)
