"""The journal's SQLite file: its table, its transactions, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.exc import DatabaseError

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import NUMBERS, TEXTS

VERSION = 1  # of the table, in SQLite's user_version
APPLICATION = 0x41444A31  # "ADJ1", in SQLite's application_id: this is a journal

_META = MetaData()
CANDIDATES = Table(
    "candidates",
    _META,
    Column("id", Integer, primary_key=True),
    Column("run", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("rules", String, nullable=False),
    *(Column(name, String, nullable=False) for name in TEXTS),
    Column("closed_ms", Integer, nullable=False),
    Column("side", Integer, nullable=False),
    *(Column(name, Float) for name in NUMBERS),
    Column("open_trades", Integer),
    UniqueConstraint("run", "pair", "timeframe", "closed_ms", "side"),
    Index("by_time", "closed_ms"),
)


class JournalFile:
    """Opens the file, making it and its folder if need be.

    Args:
        wait_seconds: how long another program's hold on the file is waited for.

    Raises:
        DataError: it is no journal, is damaged or locked, or was made by another version.
    """

    def __init__(self, path: Path, wait_seconds: float):
        self.path, self._wait = path, wait_seconds
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path}: its folder cannot be made ({error}); give another path") from error
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": wait_seconds, "check_same_thread": False}
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, write: bool = True) -> Iterator[Connection]:
        """One transaction; a writer holds the file from its start."""
        try:
            with self._engine.connect().execution_options(write=write) as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise self._unusable(str(error.orig)) from error

    def _unusable(self, what: str) -> DataError:
        if "locked" in what:
            return DataError(f"{self.path}: another program has held it for {self._wait:g} s; end that one")
        return DataError(
            f"{self.path}: cannot be used ({what}). If it is damaged, move it away or put a backup in its "
            "place; a new journal begins by itself"
        )

    def _open(self) -> None:
        with self.transaction() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            owner = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            if not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
                _META.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
            elif owner != APPLICATION:
                raise DataError(f"{self.path}: another program's database; give another path")
            elif version != VERSION:
                raise DataError(
                    f"{self.path}: made by another version (table {version}, here {VERSION}); move it away, "
                    "and a new journal begins"
                )


def _prepare(connection, _record) -> None:
    """SQLAlchemy begins transactions, not the driver; readers do not stop the writer (WAL)."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
