"""The SQLite file of the store: its tables, its transactions, and what is wrong with it."""

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

VERSION = 1  # of the tables, in SQLite's user_version
WAIT_SECONDS = 30.0

_META = MetaData()
OBSERVATIONS = Table(
    "observations",
    _META,
    Column("id", Integer, primary_key=True),
    Column("series", String, nullable=False),
    Column("about_ms", Integer, nullable=False),
    Column("known_ms", Integer, nullable=False),
    Column("value", Float, nullable=False),
    UniqueConstraint("series", "about_ms", "known_ms"),
    Index("by_known", "series", "known_ms"),
)
POLLS = Table(
    "polls",
    _META,
    Column("source", String, primary_key=True),
    Column("tried_ms", Integer, nullable=False),
    Column("succeeded_ms", Integer),
    Column("failures", Integer, nullable=False),
    Column("message", String, nullable=False),
)


class StoreFile:
    """Opens the file, making it and its folder if need be.

    Raises:
        DataError: it is no SQLite file, is damaged, or was made by another program or version.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path}: its folder cannot be made ({error}); give another path") from error
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False}
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
        """One transaction; a writer holds the file from its start, so what it read stays true."""
        try:
            with self._engine.connect().execution_options(write=write) as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise self._damaged(str(error.orig)) from error

    def _damaged(self, what: str) -> DataError:
        if "locked" in what:
            return DataError(f"{self.path}: another program holds it for {WAIT_SECONDS:g} s; end that one")
        return DataError(
            f"{self.path}: cannot be used ({what}). If it is damaged, put a backup in its place, or move it "
            "away and import its series again; what was recorded live is lost then"
        )

    def _open(self) -> None:
        with self.transaction() as connection:
            damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            if damage != "ok":
                raise self._damaged(damage)
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version == 0:
                if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
                    raise DataError(f"{self.path}: another program's database; give another path")
                _META.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise DataError(
                    f"{self.path}: made by another version (tables {version}, here {VERSION}); "
                    "update this package, or give another path"
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
