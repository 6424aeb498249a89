"""Candidate entries of the candles on disk, which the calibration and the stop report both judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.entries import JudgedPair, candidate_entries
from adaptive_pkg.reports.regimes import find_candle_files, read_candles
from adaptive_pkg.settings import AdaptiveSettings


def judged_pairs(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    console: Console,
    timerange: str | None = None,
) -> list[JudgedPair]:
    """Find the candidate entries of every pair. Raises DataError."""
    start, stop = timerange_bounds(timerange)
    judged = []
    files = find_candle_files(datadir, pairs, timeframe)
    for pair, source in track(list(files.items()), "judging candles", console=console, transient=True):
        try:
            path, entries = candidate_entries(read_candles(source), settings)
        except DataError as error:
            raise DataError(f"{source.name}: {error}") from None
        at = path.date[entries.row]
        judged.append(JudgedPair(pair, path, entries.only((at >= start) & (at < stop))))
    if not any(len(item.entries) for item in judged):
        raise DataError(
            f"no rule asked for an entry in {', '.join(files)} ({timeframe}, {timerange or 'all candles'}); "
            "give more candles"
        )
    return judged


def timerange_bounds(timerange: str | None) -> tuple[np.datetime64, np.datetime64]:
    """First and last moment of a timerange such as 20220101-20231231, open where it is open."""
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import ConfigurationError

    try:
        parsed = TimeRange.parse_timerange(timerange)
    except ConfigurationError as error:
        raise DataError(f"timerange {timerange!r}: {error}; write 20220101-20231231") from None
    start = parsed.startts if parsed.starttype == "date" else 0
    stop = parsed.stopts if parsed.stoptype == "date" else 2**32
    return np.datetime64(start, "s"), np.datetime64(stop, "s")
