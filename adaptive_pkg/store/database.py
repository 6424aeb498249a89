"""The SQLite file of the store: its tables, its transactions, and what is wrong with it."""

from __future__ import annotations

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
)

from adaptive_pkg.errors import DataError
from adaptive_pkg.store.sqlite_file import SqliteFile

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


class StoreFile(SqliteFile):
    """The store's file; see `SqliteFile`."""

    REMEDY = (
        "If it is damaged, put a backup in its place, or move it away and import its series again; what was "
        "recorded live is lost then"
    )

    def __init__(self, path: Path):
        super().__init__(path, WAIT_SECONDS)

    def _open(self, connection: Connection) -> None:
        damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if damage != "ok":
            raise self._unusable(damage)
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
