"""Importing history from files into the store, each kind of file with its own stamps and delay."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.onchain.coin_metrics import coin_metrics_history
from adaptive_pkg.onchain.futures import funding_spec
from adaptive_pkg.sentiment.fear_greed import fear_greed_spec
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.store.history import dated_history, funding_history, read_csv, written_history
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import SeriesSpec


class FileKind(StrEnum):
    """What a file holds."""

    FEAR_GREED = "fear-greed"  # CSV: date, value
    COIN_METRICS = "coin-metrics"  # CSV of one coin: time and metrics
    FUNDING = "funding"  # freqtrade's feather file of funding rates
    SERIES = "series"  # CSV as `adaptive sources export` writes it: about, known, value
    DATED = "dated"  # any CSV with a column of dates and one of values


def import_file(
    store: ObservationStore,
    path: Path,
    kind: FileKind,
    settings: SourcesSettings,
    *,
    series: str | None = None,
    coin: str | None = None,
    date_column: str = "date",
    value_column: str = "value",
    period_hours: float = 24.0,
    delay_hours: float = 24.0,
) -> dict[str, int]:
    """Read a file and keep what is new of it: how many values of each series.

    Args:
        series: for kinds series and dated. coin: for kinds coin-metrics and funding.
        date_column, value_column, period_hours, delay_hours: for kind dated: the columns, how long after
            its stamp a value's period ends, and how long after that it was published.

    Raises:
        DataError: a file that cannot be read, a missing series or coin, or values the store contradicts.
    """
    found = _read(path, kind, settings, series, coin, date_column, value_column, period_hours, delay_hours)
    return {name: store.append(name, history) for name, history in found.items()}


def _read(
    path: Path,
    kind: FileKind,
    settings: SourcesSettings,
    series: str | None,
    coin: str | None,
    date_column: str,
    value_column: str,
    period_hours: float,
    delay_hours: float,
) -> dict[str, pd.DataFrame]:
    try:
        if kind is FileKind.FEAR_GREED:
            spec = fear_greed_spec(settings.fear_greed)
            return {spec.name: dated_history(read_csv(path), spec, "date", "value", timedelta(0))}
        if kind is FileKind.COIN_METRICS:
            return coin_metrics_history(read_csv(path), _needed(coin, "coin"), settings.coin_metrics)
        if kind is FileKind.FUNDING:
            spec = funding_spec(_needed(coin, "coin"), settings.futures)
            return {spec.name: funding_history(path, spec)}
        name = _needed(series, "series")
        delay = timedelta(hours=delay_hours)
        spec = SeriesSpec(name, delay, delay + timedelta(days=1))  # checks the name and the delay
        if kind is FileKind.SERIES:
            return {name: written_history(read_csv(path))}
        period = timedelta(hours=period_hours)
        return {name: dated_history(read_csv(path), spec, date_column, value_column, period)}
    except DataError as error:
        raise DataError(error if str(path) in str(error) else f"{path}: {error}") from error


def _needed(value: str | None, name: str) -> str:
    if not value:
        raise DataError(f"a {name} is needed for this kind of file; give --{name}")
    return value
