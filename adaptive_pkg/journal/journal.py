"""`DecisionJournal`: candidates written once a run, what was answered to them, and all of it read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import COLUMNS, Decision
from adaptive_pkg.journal.database import CANDIDATES, JournalFile

ROW_COLUMNS = ("run", "mode", "rules", *COLUMNS, "open_trades")
_KEY = ("run", "pair", "timeframe", "closed_ms", "side")
_ANSWER = ("decision", "decided_by", "reason", "open_trades")


@dataclass(frozen=True, slots=True)
class Run:
    """Who writes: one bot's life, one backtest.

    name: the same after a restart, so that a candle judged again is no second row. mode: live, dry_run,
    backtest or candles. rules: `rules_fingerprint` of its settings.
    """

    name: str
    mode: str
    rules: str


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the journal holds of one run."""

    run: Run
    timeframe: str
    candidates: int
    taken: int
    first_ms: int
    last_ms: int


class DecisionJournal:
    """Opens the file, making it and its folder if need be.

    Args:
        wait_seconds: how long a hold of another program is waited for at each call.

    Raises:
        DataError: it is no journal, is damaged or locked, or was made by another version.
    """

    def __init__(self, path: Path | str, wait_seconds: float = 30.0):
        self.path = Path(path)
        self._file = JournalFile(self.path, wait_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def write(self, run: Run, rows: pd.DataFrame) -> int:
        """Add candidates, all in one transaction; those the run has written already stay as they are.

        Args:
            rows: as `candidate_rows` makes them.

        Returns:
            how many were new.

        Raises:
            DataError: a column is missing, or the file cannot be written.
        """
        if missing := [name for name in COLUMNS if name not in rows]:
            raise DataError(f"journal: the rows have no column {missing[0]!r}")
        if rows.empty:
            return 0
        statement = insert(CANDIDATES).on_conflict_do_nothing(index_elements=list(_KEY))
        with self._file.transaction() as connection:
            # SQLAlchemy keeps no count of an INSERT's rows unless it is asked to
            written = connection.execute(
                statement, _records(run, rows), execution_options={"preserve_rowcount": True}
            )
            return written.rowcount

    def answer(self, run: Run, rows: pd.DataFrame) -> None:
        """Set what was decided about candidates after the rules had taken them; adds those not written yet.

        Args:
            rows: as `candidate_rows` makes them, with decision, decided_by and reason as they are now:
                `DecidedBy`, or the guard that refused ("breaker", "market", "lost order"). `open_trades` may
                be there.

        Raises:
            DataError: a column is missing, or the file cannot be written.
        """
        if missing := [name for name in COLUMNS if name not in rows]:
            raise DataError(f"journal: the rows have no column {missing[0]!r}")
        statement = insert(CANDIDATES)
        statement = statement.on_conflict_do_update(
            index_elements=list(_KEY), set_={name: statement.excluded[name] for name in _ANSWER}
        )
        with self._file.transaction() as connection:
            connection.execute(statement, _records(run, rows))

    def rows(
        self,
        *,
        run: str | None = None,
        rules: str | None = None,
        timeframe: str | None = None,
        pairs: Sequence[str] | None = None,
        until: datetime | None = None,
        last: int | None = None,
    ) -> pd.DataFrame:
        """Rows of ROW_COLUMNS in order of time, then of writing. None: no restriction.

        Args:
            until: those whose candle had closed by then. last: only so many newest ones.
        """
        table = CANDIDATES.c
        query = select(*(table[name] for name in ROW_COLUMNS))
        for name, value in (("run", run), ("rules", rules), ("timeframe", timeframe)):
            if value is not None:
                query = query.where(table[name] == value)
        if pairs is not None:
            query = query.where(table.pair.in_(list(pairs)))
        if until is not None:
            query = query.where(table.closed_ms <= int(until.timestamp() * 1000))
        query = query.order_by(table.closed_ms.desc(), table.id.desc()).limit(last)
        with self._file.transaction(write=False) as connection:
            found = connection.execute(query).all()
        frame = pd.DataFrame(found[::-1], columns=list(ROW_COLUMNS))
        numbers = {name: float for name, column in table.items() if _is_number(column) and name in frame}
        return frame.astype(numbers | {"closed_ms": "int64", "side": "int64"})

    def runs(self) -> list[RunSummary]:
        """What is held of each run and timeframe, the newest candidate first."""
        table = CANDIDATES.c
        keys = (table.run, table.mode, table.rules, table.timeframe)
        query = select(
            *keys,
            func.count(),
            func.count().filter(table.decision == str(Decision.TAKEN)),
            func.min(table.closed_ms),
            func.max(table.closed_ms),
        ).group_by(*keys)
        with self._file.transaction(write=False) as connection:
            found = connection.execute(query).all()
        held = [RunSummary(Run(*row[:3]), *row[3:]) for row in found]
        return sorted(held, key=lambda item: -item.last_ms)


def _is_number(column) -> bool:
    return column.name not in ("closed_ms", "side") and column.type.python_type in (float, int)


def _records(run: Run, rows: pd.DataFrame) -> list[dict]:
    """Plain values, NaN as none. Column by column: pandas' own way takes milliseconds for one row."""
    named = {"run": run.name, "mode": run.mode, "rules": run.rules, "open_trades": None}
    names = [name for name in (*COLUMNS, "open_trades") if name in rows]
    columns = ([None if value != value else value for value in rows[name].tolist()] for name in names)
    return [named | dict(zip(names, record, strict=True)) for record in zip(*columns, strict=True)]
