"""Values from files: CSV with dates and values, CSV as the store writes it, freqtrade's funding rates."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.store.as_of import HISTORY_COLUMNS, check_history
from adaptive_pkg.store.series import SeriesSpec

_DAY = timedelta(days=1)


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file as it is. Raises DataError when there is none, or none that can be read."""
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the CSV file to import") from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path}: not a readable CSV file ({error})") from error


def dated_history(
    rows: pd.DataFrame, spec: SeriesSpec, date_column: str, value_column: str, period: timedelta
) -> pd.DataFrame:
    """History of values that are stamped with their date.

    Known `spec.delay` after the period's end, as far as the file can say: a later correction of the past
    cannot be seen in it. Rows without a value are left out.

    Args:
        period: from the stamp to the end of what the value speaks of. Zero for a stamp at the end.

    Raises:
        DataError: a column is missing, a date cannot be read or comes twice, or a value is no number.
    """
    for name in (date_column, value_column):
        if name not in rows.columns:
            raise DataError(
                f"{spec.name}: no column {name!r}; there are: {', '.join(map(str, rows.columns))}"
            )
    kept = rows[rows[value_column].notna()]
    value = pd.to_numeric(kept[value_column], errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(value).all():
        bad = kept[value_column].iloc[int(np.argmin(np.isfinite(value)))]
        raise DataError(f"{spec.name}: {value_column} {str(bad)!r} is no number")
    try:
        stamp = pd.to_datetime(kept[date_column], utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(f"{spec.name}: {date_column} holds no ISO dates ({error})") from None
    if stamp.duplicated().any():
        raise DataError(f"{spec.name}: {stamp[stamp.duplicated()].iloc[0]} comes twice; keep one row")
    about = stamp.dt.as_unit("ms").astype("int64").to_numpy() + period // timedelta(milliseconds=1)
    known = about + spec.delay // timedelta(milliseconds=1)
    return check_history(pd.DataFrame({"about": about, "known": known, "value": value}))


def written_history(rows: pd.DataFrame) -> pd.DataFrame:
    """History as `store_csv` has written it: columns about, known (ISO times) and value. Raises DataError."""
    if missing := [name for name in HISTORY_COLUMNS if name not in rows.columns]:
        raise DataError(f"no column {missing[0]!r}; needed: {', '.join(HISTORY_COLUMNS)}")
    try:
        times = {
            name: pd.to_datetime(rows[name], utc=True, format="ISO8601").dt.as_unit("ms").astype("int64")
            for name in ("about", "known")
        }
        value = rows["value"].astype(float)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"a time or value cannot be read ({error})") from None
    return check_history(pd.DataFrame({**times, "value": value}))


def store_csv(history: pd.DataFrame, path: Path) -> None:
    """Write a history so that `written_history` reads the same again."""
    frame = history.assign(
        **{name: pd.to_datetime(history[name], unit="ms", utc=True) for name in ("about", "known")}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")


def funding_history(path: Path, spec: SeriesSpec) -> pd.DataFrame:
    """Funding rates as freqtrade downloads them: feather, the rate in the column open, stamped when paid.

    Raises:
        DataError: no such file, or it holds something else.
    """
    try:
        rows = pd.read_feather(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a feather file of funding rates ({error})") from error
    return dated_history(rows, spec, "date", "open", timedelta(0))
