"""`ObservationStore`: every value with the time it became known, in one SQLite file.

Rows are only ever added. Any number of threads and processes may read while one writes; writers wait for
each other. Times are kept as whole milliseconds since 1970.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from adaptive_pkg.errors import DataError
from adaptive_pkg.store.as_of import check_history, empty_history
from adaptive_pkg.store.database import OBSERVATIONS, POLLS, StoreFile
from adaptive_pkg.store.series import Reading, SeriesSpec, milliseconds, moment


@dataclass(frozen=True, slots=True)
class SeriesState:
    """What the store holds of one series."""

    series: str
    values: int
    first_about: datetime
    last_about: datetime
    last_known: datetime
    last_value: float


@dataclass(frozen=True, slots=True)
class PollState:
    """How a source's polls have gone."""

    source: str
    tried: datetime
    succeeded: datetime | None
    failures: int  # in a row
    message: str  # of the last failure; empty after a success


class ObservationStore:
    """Opens the file, making it and its folder if need be.

    Raises:
        DataError: it is no SQLite file, is damaged, or was made by another version.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._file = StoreFile(self.path)
        self._cache: dict[str, tuple[int, pd.DataFrame]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    # --- writing --------------------------------------------------------------------------------------

    def append(self, series: str, history: pd.DataFrame) -> int:
        """Add values whose time of knowledge is given: an import. Known ones are passed over.

        Args:
            history: columns about, known (milliseconds) and value; see `as_of`.

        Returns:
            how many were new.

        Raises:
            DataError: the store holds another value for the same period and time of knowledge, or a value
                is known before its period ended.
        """
        rows = check_history(history)
        with self._file.transaction() as connection:
            held = self._frame(connection, series).set_index(["about", "known"])["value"]
            index = pd.MultiIndex.from_frame(rows[["about", "known"]])
            before = held.reindex(index).to_numpy()
            values = rows["value"].to_numpy()
            if (other := ~np.isnan(before) & (before != values)).any():
                at = int(np.argmax(other))
                raise DataError(
                    f"{self.path}: {series} of {moment(rows['about'].iloc[at])} is {before[at]} there and "
                    f"{values[at]} here, both known at {moment(rows['known'].iloc[at])}; a correction has a "
                    "later time of knowledge, and history is never overwritten"
                )
            latest = self._latest(connection, series)
            new = [
                {"series": series, "about_ms": int(a), "known_ms": int(k), "value": float(v)}
                for a, k, v, b in zip(rows["about"], rows["known"], values, before, strict=True)
                if np.isnan(b) and latest.get(int(a), (None,))[0] != float(v)
            ]
            self._insert(connection, new)
        return len(new)

    def record(
        self,
        source: str,
        specs: Sequence[SeriesSpec],
        readings: Iterable[Reading],
        received: datetime,
        watch: timedelta,
    ) -> int:
        """Add what a poll has brought; values that are there already are passed over.

        Known from `received` on: a correction, and every value of a source that was asked no longer than
        `watch` ago, in vain or not. A series' first values, and those after a longer silence (a bot that was
        down), came out at a time nobody saw: then their period's end and the series' delay count, unless
        that is as recent as `watch`, or the source was asked after it and did not give them.

        Returns:
            how many were new.

        Raises:
            DataError: a series that `specs` does not name, or a value from the future.
        """
        by_name = {spec.name: spec for spec in specs}
        now = milliseconds(received)
        with self._file.transaction() as connection:
            asked = connection.execute(
                select(POLLS.c.tried_ms).where(POLLS.c.source == source)
            ).scalar_one_or_none()
            window = watch // timedelta(milliseconds=1)
            latest = {name: self._latest(connection, name) for name in by_name}
            first = {name for name in by_name if not latest[name]}
            new = []
            for reading in readings:
                if reading.series not in by_name:
                    raise DataError(f"{source}: unexpected series {reading.series!r}")
                about, value = milliseconds(reading.about), float(reading.value)
                if about > now:
                    raise DataError(
                        f"{reading.series}: a value about {reading.about} came at {received}; "
                        "set this machine's clock"
                    )
                before, before_known = latest[reading.series].get(about, (None, -1))
                if before == value:
                    continue
                known = max(now, before_known + 1)  # a clock set back must not hide a correction
                published = about + by_name[reading.series].delay // timedelta(milliseconds=1)
                unseen = reading.series in first or asked is None or asked < min(published, now - window)
                if before is None and unseen and published + window < now:
                    known = published
                latest[reading.series][about] = (value, known)
                new.append({"series": reading.series, "about_ms": about, "known_ms": known, "value": value})
            self._insert(connection, new)
            self._note(connection, source, now, "")
        return len(new)

    def note_failure(self, source: str, tried: datetime, message: str) -> None:
        """A poll has failed."""
        with self._file.transaction() as connection:
            self._note(connection, source, milliseconds(tried), message or "failed")

    # --- reading --------------------------------------------------------------------------------------

    def history(self, series: str, until: datetime | None = None) -> pd.DataFrame:
        """Everything known of a series (until then), in order of knowledge: about, known, value.

        An unknown series is empty. The frame is the caller's own.
        """
        with self._file.transaction(write=False) as connection:
            newest = connection.execute(
                select(func.max(OBSERVATIONS.c.id)).where(OBSERVATIONS.c.series == series)
            ).scalar_one()
            with self._lock:
                cached = self._cache.get(series)
            if cached is not None and cached[0] == newest:
                frame = cached[1]
            else:
                frame = self._frame(connection, series)
                with self._lock:
                    self._cache[series] = (newest, frame)
        if until is not None:
            frame = frame[frame["known"] <= milliseconds(until)]
        return frame.reset_index(drop=True)

    def last_about(self, series: str) -> datetime | None:
        """The end of the newest period held; None without a value."""
        with self._file.transaction(write=False) as connection:
            ms = connection.execute(
                select(func.max(OBSERVATIONS.c.about_ms)).where(OBSERVATIONS.c.series == series)
            ).scalar_one()
        return None if ms is None else moment(ms)

    def states(self) -> list[SeriesState]:
        """What is held of each series, by name."""
        with self._file.transaction(write=False) as connection:
            names = connection.execute(select(OBSERVATIONS.c.series).distinct()).scalars().all()
            found = []
            for name in sorted(names):
                frame = self._frame(connection, name)
                newest = frame.loc[frame["about"] == frame["about"].max()].iloc[-1]
                found.append(
                    SeriesState(
                        name,
                        len(frame),
                        moment(frame["about"].min()),
                        moment(newest["about"]),
                        moment(newest["known"]),
                        float(newest["value"]),
                    )
                )
        return found

    def polls(self) -> list[PollState]:
        """How each source's polls have gone, by name."""
        with self._file.transaction(write=False) as connection:
            rows = connection.execute(select(POLLS).order_by(POLLS.c.source)).all()
        return [
            PollState(
                row.source,
                moment(row.tried_ms),
                None if row.succeeded_ms is None else moment(row.succeeded_ms),
                row.failures,
                row.message,
            )
            for row in rows
        ]

    @staticmethod
    def _frame(connection: Connection, series: str) -> pd.DataFrame:
        table = OBSERVATIONS.c
        rows = connection.execute(
            select(table.about_ms, table.known_ms, table.value)
            .where(table.series == series)
            .order_by(table.known_ms, table.about_ms)
        ).all()
        if not rows:
            return empty_history()
        about, known, value = zip(*rows, strict=True)
        return pd.DataFrame(
            {"about": np.array(about, np.int64), "known": np.array(known, np.int64), "value": value}
        )

    def _latest(self, connection: Connection, series: str) -> dict[int, tuple[float, int]]:
        """The latest known value of each period, and when it became known."""
        frame = self._frame(connection, series)
        pairs = zip(frame["value"].tolist(), frame["known"].tolist(), strict=True)
        return dict(zip(frame["about"].tolist(), pairs, strict=True))

    @staticmethod
    def _insert(connection: Connection, rows: list[dict]) -> None:
        if rows:
            connection.execute(insert(OBSERVATIONS), rows)

    @staticmethod
    def _note(connection: Connection, source: str, now: int, message: str) -> None:
        before = connection.execute(select(POLLS).where(POLLS.c.source == source)).one_or_none()
        values = {
            "tried_ms": now,
            "succeeded_ms": (before.succeeded_ms if before else None) if message else now,
            "failures": (before.failures if before else 0) + 1 if message else 0,
            "message": message[:500],
        }
        statement = insert(POLLS).values(source=source, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))
