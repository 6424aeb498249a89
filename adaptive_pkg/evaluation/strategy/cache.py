"""Results of finished jobs, one file each, under the fingerprint of all they follow from.

A file is written beside its place and renamed into it, so it is there whole or not at all; its own hash is
checked when it is read, and what does not agree is made again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.jobs import FORMAT, JobResult

_SUFFIX = ".json.gz"


@dataclass(frozen=True)
class JobCache:
    """Files `<key>.json.gz` below one folder."""

    folder: Path

    def path(self, key: str) -> Path:
        return Path(self.folder) / f"{key}{_SUFFIX}"

    def read(self, key: str) -> JobResult | None:
        """The result of a job; None where there is none, or none that can be trusted."""
        path = self.path(key)
        try:
            stored = json.loads(gzip.decompress(path.read_bytes()))
            body = stored["result"]
            if stored["format"] != FORMAT or stored["key"] != key or stored["hash"] != _hash(body):
                raise ValueError("not what its name says")
            return JobResult.from_dict(body)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, DataError):
            path.unlink(missing_ok=True)  # cut short by a full disk or a crash of the machine, or edited
            return None

    def write(self, key: str, result: JobResult) -> None:
        """Store a result whole. Raises DataError where the folder cannot be written."""
        body = result.to_dict()
        stored = {"format": FORMAT, "key": key, "hash": _hash(body), "result": body}
        # no time in the header: the same result is the same file
        packed = gzip.compress(json.dumps(stored, allow_nan=False).encode(), compresslevel=6, mtime=0)
        with told(self.folder):
            write_whole(self.path(key), packed)

    def __contains__(self, key: str) -> bool:
        return self.read(key) is not None

    def __len__(self) -> int:
        return sum(1 for _ in Path(self.folder).glob(f"*{_SUFFIX}"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that another process sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).chmod(0o644)  # temporary files are their owner's alone
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Say which folder could not be written. Raises DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None


def _hash(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, allow_nan=False).encode()).hexdigest()
