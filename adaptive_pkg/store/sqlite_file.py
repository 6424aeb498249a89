"""An SQLite file of ours: how it is opened, its transactions, and what is wrong with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError

from adaptive_pkg.errors import DataError


class SqliteFile(ABC):
    """Opens the file, making it and its folder if need be. Its tables are the subclass's.

    Args:
        wait_seconds: how long another program's hold on the file is waited for.

    Raises:
        DataError: it is no such file, is damaged or locked, or was made by another program or version.
    """

    REMEDY = "If it is damaged, put a backup in its place"

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
            with self.transaction() as connection:
                self._open(connection)
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _open(self, connection: Connection) -> None:
        """Make the tables of a new file; refuse one that is another's. Raises DataError."""

    def close(self) -> None:
        """Let the file go."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, write: bool = True) -> Iterator[Connection]:
        """One transaction; a writer holds the file from its start, so what it read stays true."""
        try:
            with self._engine.connect().execution_options(write=write) as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise self._unusable(str(error.orig)) from error

    def _unusable(self, what: str) -> DataError:
        if "locked" in what:
            return DataError(f"{self.path}: another program has held it for {self._wait:g} s; end that one")
        return DataError(f"{self.path}: cannot be used ({what}). {self.REMEDY}")


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
