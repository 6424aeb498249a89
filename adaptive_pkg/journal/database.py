"""The journal's SQLite file: its table, its transactions, and what is wrong with it."""

from __future__ import annotations

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
from adaptive_pkg.journal.candidates import NUMBERS, TEXTS
from adaptive_pkg.store.sqlite_file import SqliteFile

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


class JournalFile(SqliteFile):
    """The journal's file; see `SqliteFile`."""

    REMEDY = "If it is damaged, move it away or put a backup in its place; a new journal begins by itself"

    def _open(self, connection: Connection) -> None:
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
