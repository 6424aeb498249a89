"""What a bot leaves behind: its trades in the database, the lines of its log, its footprint as a process."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) - (\S+) - ([A-Z]+) - (.*)$")


@dataclass(frozen=True)
class LogLine:
    """One message of the bot's log; `at` is the bot's (fake) time, `message` may span lines."""

    at: datetime
    logger: str
    level: str
    message: str


@dataclass(frozen=True)
class BotTrade:
    """One trade as its database row, with its orders and what the strategy stored with it.

    Attributes:
        row: columns of freqtrade's `trades` table; dates as datetimes in UTC.
        orders: rows of its `orders`, oldest first.
        custom_data: the strategy's own data of the trade, decoded.
    """

    row: dict[str, Any]
    orders: tuple[dict[str, Any], ...]
    custom_data: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.row:
            raise AttributeError(name)
        return self.row[name]


@dataclass(frozen=True)
class Footprint:
    """A process at one moment.

    Attributes:
        at: the rehearsal's time.
        rss_mb: resident memory in MiB.
        threads, sockets, files: how many it has; files are open descriptors of any kind.
        cpu_seconds: CPU time used so far.
    """

    at: datetime
    rss_mb: float
    threads: int
    sockets: int
    files: int
    cpu_seconds: float


def read_trades(database: Path) -> list[BotTrade]:
    """All trades of a bot's SQLite database, oldest first; none where it has no file yet."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as db:
        db.row_factory = sqlite3.Row
        tables = {row[0] for row in db.execute("select name from sqlite_master where type = 'table'")}
        if "trades" not in tables:
            return []
        with closing(db.cursor()) as cursor:
            cursor.execute("begin")
            trades = [_row(row) for row in cursor.execute("select * from trades order by id")]
            orders = [_row(row) for row in cursor.execute("select * from orders order by id")]
            custom = [dict(row) for row in cursor.execute("select * from trade_custom_data order by id")]
    return [
        BotTrade(
            row,
            tuple(order for order in orders if order["ft_trade_id"] == row["id"]),
            {
                entry["cd_key"]: _decoded(entry["cd_type"], entry["cd_value"])
                for entry in custom
                if entry["ft_trade_id"] == row["id"]
            },
        )
        for row in trades
    ]


def read_log(path: Path) -> Iterator[LogLine]:
    """The log's messages in order; lines that begin none (tracebacks) belong to the one before."""
    current: list[Any] | None = None
    if not path.exists():
        return
    with path.open(errors="replace") as file:
        for text in file:
            if match := _LINE.match(text.rstrip("\n")):
                if current:
                    yield LogLine(*current)
                at = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)
                current = [at, match[2], match[3], match[4]]
            elif current:
                current[3] += "\n" + text.rstrip("\n")
    if current:
        yield LogLine(*current)


def footprint(pid: int, at: datetime) -> Footprint:
    """How a process is doing now. Raises ProcessLookupError where it has ended."""
    folder = Path("/proc") / str(pid)
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        links = [_link(entry) for entry in (folder / "fd").iterdir()]
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        memory = float(status["VmRSS"].split()[0]) / 1024
    except (FileNotFoundError, KeyError, PermissionError) as error:
        raise ProcessLookupError(f"process {pid} has ended") from error
    sockets = sum(link.startswith("socket:") for link in links)
    cpu = (int(fields[11]) + int(fields[12])) / 100
    return Footprint(at, memory, int(status["Threads"]), sockets, len(links), cpu)


def _link(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:
        return ""


def _row(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    for name, value in found.items():
        if value is not None and (name.endswith(("_date", "_date_utc"))):
            found[name] = datetime.fromisoformat(value).replace(tzinfo=UTC)
    return found


def _decoded(kind: str, text: str) -> Any:
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        return float(text) if kind == "float" else int(text)
    return text if kind == "str" else json.loads(text)
