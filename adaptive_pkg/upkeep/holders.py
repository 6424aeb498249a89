"""Holders: which processes have a folder's databases open."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

MAGIC = b"SQLite format 3\0"
WAIT_SECONDS = 1.0  # a reader that only passes by is gone by then


@dataclass(frozen=True)
class Holder:
    """A process, and the database that it has open. pid: None where only a lock was seen."""

    pid: int | None
    name: str
    database: Path

    def __str__(self) -> str:
        who = "a process that cannot be seen from here" if self.pid is None else f"{self.name} ({self.pid})"
        return f"{who} has {self.database} open"


def find_holder(folder: Path) -> Holder | None:
    """A process other than this one that has an SQLite file below a folder open; None if none was found.

    By what the processes have open, on Linux those in containers too. Where the system hides other users'
    processes, by whether a database can be locked, which misses a bot between two writes.
    """
    databases = {(at.st_dev, at.st_ino): path for path, at in _databases(folder)}
    if not databases:
        return None
    hidden = False
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            for key in _open_files(process):
                if key in databases:
                    return Holder(process.pid, process.name(), databases[key])
        except (psutil.AccessDenied, PermissionError):
            hidden = True
        except (psutil.Error, OSError):
            continue  # it has just ended
    locked = (path for path in databases.values() if _is_locked(path)) if hidden else iter(())
    return next((Holder(None, "", path) for path in locked), None)


def _databases(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in sorted(folder.rglob("*")):
        with suppress(OSError):
            if path.is_file():
                with path.open("rb") as stream:
                    if stream.read(len(MAGIC)) == MAGIC:
                        yield path, path.stat()


def _open_files(process: psutil.Process) -> Iterator[tuple[int, int]]:
    """Device and number of each file that a process has open."""
    if not sys.platform.startswith("linux"):
        names = [item.path for item in process.open_files()]
    else:  # a link is followed to the file itself, whatever it is called where the process runs
        names = [entry.path for entry in os.scandir(f"/proc/{process.pid}/fd")]
    for name in names:
        with suppress(FileNotFoundError):
            at = Path(name).stat()
            yield at.st_dev, at.st_ino


def _is_locked(path: Path) -> bool:
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    try:
        with closing(
            sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
        ) as database:
            database.execute("begin exclusive")
            database.execute("rollback")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.Error:
        pass  # damaged: nobody works with it
    return False
