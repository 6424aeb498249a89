"""Closed candles by time: what a per-candle callback may know, found in about a microsecond."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from adaptive_pkg.errors import DataError


class PairCandles:
    """One pair's columns as plain lists; attribute access by column name through `column`."""

    __slots__ = ("_columns", "_frame", "starts", "timeframe_seconds")

    def __init__(self, frame: pd.DataFrame, columns: Sequence[str], timeframe_seconds: int) -> None:
        missing = [name for name in columns if name not in frame.columns]
        if missing:
            raise DataError(f"columns {missing} are missing from the candles; compute the indicators first")
        # seconds, whatever unit the frame stores
        self.starts: list[int] = frame["date"].astype("datetime64[s, UTC]").astype("int64").tolist()
        self.timeframe_seconds = timeframe_seconds
        self._frame = frame
        self._columns = {name: frame[name].tolist() for name in columns}

    def last_closed(self, now: datetime) -> int:
        """Index of the last candle that has closed by `now`; -1 when none has."""
        return bisect_right(self.starts, now.timestamp() - self.timeframe_seconds) - 1

    def first_since(self, moment: datetime) -> int:
        """Index of the first candle that closes after `moment` (a trade's entry candle), there yet or not."""
        return self.last_closed(moment) + 1

    def index_after(self, start: int) -> int:
        """Index of the first candle that starts after `start` (seconds since 1970)."""
        return bisect_right(self.starts, start)

    def column(self, name: str) -> list:
        return self._columns[name]

    def row(self, index: int) -> pd.DataFrame:
        """One candle with every column of the analysed frame; slow, for words about a single decision.

        Raises:
            DataError: there is no such candle.
        """
        if not 0 <= index < len(self.starts):
            raise DataError(f"candle {index} of {len(self.starts)}; it has not closed, or is too old")
        return self._frame.iloc[[index]]


class ClosedCandles:
    """The latest analysed candles of every pair."""

    def __init__(self, columns: Sequence[str], timeframe_seconds: int) -> None:
        self._columns = tuple(columns)
        self._timeframe_seconds = timeframe_seconds
        self._pairs: dict[str, PairCandles] = {}

    def put(self, pair: str, frame: pd.DataFrame) -> None:
        """Replace what is known of `pair`. Raises DataError for a missing column."""
        self._pairs[pair] = PairCandles(frame, self._columns, self._timeframe_seconds)

    def latest(self, pair: str) -> int | None:
        """Start of the newest analysed candle of `pair`, seconds since 1970; None before the first."""
        known = self._pairs.get(pair)
        return known.starts[-1] if known and known.starts else None

    def get(self, pair: str) -> PairCandles:
        """Raises DataError when `pair` has not been analysed yet."""
        try:
            return self._pairs[pair]
        except KeyError:
            raise DataError(f"{pair}: no analysed candles yet; wait for its first candle") from None
