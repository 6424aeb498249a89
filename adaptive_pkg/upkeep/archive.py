"""A backup's archive: its manifest, and everything in it checked before any of it is believed."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from adaptive_pkg.errors import DataError

FORMAT = 1
MANIFEST = "manifest.json"
USER_DATA = "user_data"  # in an archive: a folder that freqtrade takes as --user-data-dir
_CHUNK = 1 << 20
_NAME = re.compile(r"[\w./+@= -]+")  # letters and digits of any language; nothing a shell or a screen acts on
_MOST_MANIFEST = 32 << 20  # bytes


@dataclass(frozen=True)
class Entry:
    """One file. what: database, store, models, config or parameters; size in bytes."""

    name: str
    what: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an archive holds.

    Attributes:
        made: ISO time, UTC. versions: of this package, freqtrade, Python.
        files: every other member, in order.
        left_out: names of the secrets that stay in the environment or elsewhere, and files not taken.
        dry_run: whether the config was one of a dry run.
        identifier: FreqAI's; "" where it is off.
    """

    made: str
    versions: Mapping[str, str]
    files: tuple[Entry, ...]
    left_out: tuple[str, ...]
    dry_run: bool
    identifier: str

    def to_json(self) -> bytes:
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes, source: Path) -> Manifest:
        """Raises DataError for anything but a sound manifest of this format."""
        try:
            values: dict[str, Any] = json.loads(text)
            made_by = values.pop("format")
            if made_by != FORMAT:
                raise DataError(f"{source}: format {made_by!r}, this release reads {FORMAT}")
            files = tuple(Entry(**item) for item in values.pop("files"))
            manifest = cls(files=files, **{**values, "left_out": tuple(values["left_out"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{source}: its manifest cannot be read ({error!r}); not a backup of ours"
            ) from None
        for item in files:
            check_name(item.name, source)
            sound = isinstance(item.size, int) and item.size >= 0 and isinstance(item.sha256, str)
            if not sound or len(item.sha256) != 64:
                raise DataError(f"{source}: {item.name!r} has no usable size or hash in the manifest")
        if len({item.name for item in files}) < len(files):
            raise DataError(f"{source}: a name stands in the manifest twice; nothing was touched")
        return manifest


def check_name(name: Any, source: Path) -> PurePosixPath:
    """A name of letters, digits, spaces and . _ / + @ = - that stays below the folder it is restored into.

    Raises:
        DataError: any other name.
    """
    path = PurePosixPath(name) if isinstance(name, str) else None
    bad = (
        path is None
        or not name
        or path.is_absolute()
        or any(part in ("..", ".") for part in name.split("/"))
        or name.startswith("-")
        or not _NAME.fullmatch(name)
        or path == PurePosixPath(MANIFEST)
    )
    if bad:
        raise DataError(
            f"{source}: {name!r} is no name a backup may hold; it was tampered with, restore nothing"
        )
    return path


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    known = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(_CHUNK):
            known.update(part)
    return known.hexdigest()


def read_manifest(source: Path) -> Manifest:
    """The manifest alone, which lies first; the other members are not looked at. Raises DataError."""
    with _opened(source) as archive:
        return _first(archive, source)


def unpack(source: Path, folder: Path) -> Manifest:
    """Check an archive whole while writing it into an empty folder, which is only good if this returns.

    Raises:
        DataError: a member that is no plain file or has a name that leads out of the folder, one that the
            manifest does not know, one that is missing, or a hash that differs.
    """
    with _opened(source) as archive:
        manifest = _first(archive, source)
        due = {item.name: item for item in manifest.files}
        while (member := archive.next()) is not None:
            _check_kind(member, source)
            name = check_name(member.name, source)
            item = due.pop(member.name, None)
            if item is None:
                raise DataError(
                    f"{source}: {member.name!r} is not in the manifest, or twice in the archive; it was "
                    "tampered with, restore nothing"
                )
            target = folder.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            stream = archive.extractfile(member)
            if (
                stream is None
                or member.size != item.size
                or _copied(stream, target, item.size) != item.sha256
            ):
                raise DataError(
                    f"{source}: {member.name!r} is not what the manifest says (size or hash differs); it was "
                    "damaged or tampered with, take another backup"
                )
    if due:
        raise DataError(f"{source}: {', '.join(sorted(due))} missing in the archive; take another backup")
    return manifest


def _first(archive: tarfile.TarFile, source: Path) -> Manifest:
    member = archive.next()
    if member is None or member.name != MANIFEST:
        raise DataError(f"{source}: it does not begin with {MANIFEST}; not a backup of ours")
    _check_kind(member, source)
    if member.size > _MOST_MANIFEST:
        raise DataError(f"{source}: its manifest is {member.size} bytes long; not a backup of ours")
    return Manifest.from_json(archive.extractfile(member).read(), source)


def _check_kind(member: tarfile.TarInfo, source: Path) -> None:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise DataError(
            f"{source}: {member.name!r} is a link, folder or device, which no backup holds; it was tampered "
            "with, restore nothing"
        )


def _copied(stream: BinaryIO, target: Path, size: int) -> str:
    """Write at most `size` bytes; the hash of what was written."""
    known, left = hashlib.sha256(), size
    with target.open("xb") as file:
        while left and (part := stream.read(min(_CHUNK, left))):
            known.update(part)
            file.write(part)
            left -= len(part)
    return known.hexdigest()


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    """Raises DataError: no such file, or not one that tar and gzip can read to its end."""
    try:
        with tarfile.open(source, "r:gz") as archive:
            yield archive
    except FileNotFoundError as error:
        if error.filename in (None, str(source)):
            raise DataError(f"{source}: no such file") from None
        raise
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{source}: cannot be read as a backup ({error}); take another one") from None
    except Exception as error:
        if type(error).__module__ == "zlib":  # zlib.error is no OSError
            raise DataError(f"{source}: damaged ({error}); take another backup") from None
        raise
