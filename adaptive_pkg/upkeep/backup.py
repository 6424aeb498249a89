"""A backup: database, models, stores and config in one archive, without a secret, beside a running bot."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_pkg import __version__
from adaptive_pkg.doctor.access import password_paths, secret_paths, secret_values, without_passwords
from adaptive_pkg.doctor.facts import database_file, database_url
from adaptive_pkg.doctor.findings import block, is_live
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY
from adaptive_pkg.settings.places import resolve_path
from adaptive_pkg.upkeep.archive import (
    MANIFEST,
    USER_DATA,
    Entry,
    Manifest,
    check_name,
    digest,
    read_manifest,
)
from adaptive_pkg.upkeep.freshness import models_folder
from adaptive_pkg.upkeep.inspection import user_folder
from adaptive_pkg.upkeep.trade_book import read_only

ATTEMPTS = 10  # to copy a file, or the models, between two writes of a running bot
PAUSE = 0.2  # seconds between them
LEAST_SECRET = 6  # characters; a shorter one would be found everywhere
COPIED_CONFIG = "config.json"  # in the models' folder; FreqAI keeps the first config file's name


@dataclass(frozen=True)
class Backup:
    """An archive that was made."""

    path: Path
    manifest: Manifest
    notes: tuple[str, ...]


def make_backup(
    target: Path,
    configs: Sequence[Path],
    config: Mapping[str, Any],
    now: pd.Timestamp,
    *,
    database: Path | None = None,
) -> Backup:
    """Write an archive; a bot may run meanwhile.

    Databases are copied by SQLite's online backup, each at one moment; a model that changes while it is
    copied is copied again. The archive is there whole or not at all, readable by its owner alone.

    Args:
        target: the archive; replaced if it is one already. configs: files that go into it, secrets left out.
        config: what freqtrade makes of them and of the environment.

    Raises:
        DataError: no database, or a file cannot be read or written. SettingsError: a database on a server.
    """
    file = database or database_file(database_url(config))
    if file is None:
        raise SettingsError(
            "db_url: the database is not a file on this machine; back it up with its own tools"
        )
    notes: list[str] = []
    if target.exists():
        read_manifest(target)  # an older backup is replaced, any other file is not
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as name:
            folder = Path(name)
            written = _with_added(configs)
            stage = _Stage(folder / "files", config, written)
            stage.database(file, "database", file.name)
            for what, store in _stores(config):
                if not store.is_file():
                    notes.append(f"no {what} at {store}: not begun, or it lies elsewhere")
                    continue
                copy = stage.database if store.suffix in (".sqlite", ".db") else stage.file
                copy(store, "store", f"{USER_DATA}/{store.name}")
            models = models_folder(config, user_folder(config))
            if models is not None and models.is_dir():
                stage.models(models)
            elif models is not None:
                notes.append(f"no models at {models} yet")
            parameters = user_folder(config) / "strategies" / f"{STRATEGY}.json"
            if parameters.is_file():
                stage.file(parameters, "parameters", f"{USER_DATA}/strategies/{parameters.name}")
            for path in written:
                stage.config(path)
            manifest = Manifest(
                made=now.isoformat(timespec="seconds"),
                versions={
                    "adaptive": __version__,
                    "freqtrade": version("freqtrade"),
                    "python": platform.python_version(),
                },
                files=tuple(stage.entries),
                left_out=tuple(dict.fromkeys(stage.left_out)),
                dry_run=not is_live(config),
                identifier=models.name if models is not None else "",
            )
            _pack(folder / "whole", manifest, folder / "files", target)
    except OSError as error:
        raise DataError(f"{error.filename or target}: {error.strerror}; name another place") from None
    return Backup(target, manifest, tuple(notes))


class _Stage:
    """Copies of the files, hashed as they will lie in the archive."""

    def __init__(self, folder: Path, config: Mapping[str, Any], configs: Sequence[Path]) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.left_out: list[str] = []
        # one that the environment overrides still stands in its file, and in whatever copied that
        everywhere = (config, *map(_load, configs))
        known = {value for one in everywhere for value in secret_values(one) if len(value) >= LEAST_SECRET}
        # as it is, and as JSON writes it
        self._secrets = sorted(known | {json.dumps(value)[1:-1] for value in known})
        named = (*configs, *map(Path, config.get("config_files") or ()))
        self._copies = {COPIED_CONFIG, *(path.name for path in named)}

    def database(self, source: Path, what: str, name: str) -> None:
        target = self._place(name)
        try:
            with closing(read_only(source)) as reader, closing(sqlite3.connect(target)) as copy:
                reader.backup(copy)  # in one step: a writer waits that long, and nothing is seen half
                if (damage := copy.execute("pragma quick_check(1)").fetchone()[0]) != "ok":
                    raise DataError(f"{source}: it is damaged ({damage}); start the bot on an older backup")
                copy.execute("pragma journal_mode = delete")  # one file, without companions
        except sqlite3.Error as error:
            raise DataError(f"{source}: cannot be copied ({error})") from None
        self._enter(target, what)

    def file(self, source: Path, what: str, name: str) -> None:
        target = self._place(name)
        _copy_settled(source, target)
        if self._tells(target.read_bytes()):
            target.unlink()
            self.left_out.append(f"{source} (it holds a secret)")
            return
        self._enter(target, what)

    def models(self, source: Path) -> None:
        """The identifier's folder. A retrain may add and drop files meanwhile; then it is copied again."""
        for attempt in range(1, ATTEMPTS + 1):
            before = self._models(source)
            known, told = len(self.entries), len(self.left_out)
            try:
                # what the dictionary names is there before it is named, so it goes first
                for path in sorted(before, key=lambda path: (path.name != "pair_dictionary.json", path)):
                    inside = path.relative_to(source).as_posix()
                    self.file(path, "models", f"{USER_DATA}/models/{source.name}/{inside}")
                # a file that was rewritten since is whole all the same; a missing or new one matters
                if set(self._models(source)) == set(before):
                    return
            except FileNotFoundError:
                pass
            if attempt == ATTEMPTS:
                raise DataError(f"{source}: it keeps changing; try again when no model is being trained")
            for entry in self.entries[known:]:
                (self.folder / entry.name).unlink()
            del self.entries[known:], self.left_out[told:]
            time.sleep(PAUSE)

    def _models(self, source: Path) -> list[Path]:
        """Without the config that FreqAI's backtest copies there, secrets and all."""
        return [path for path in _listing(source) if path.name not in self._copies]

    def config(self, source: Path) -> None:
        """A config file as plain JSON: every secret in it empty, and no password in an address."""
        written = _load(source)
        for *names, last in secret_paths(written):
            inner: Any = written
            for name in names:
                inner = inner[int(name)] if isinstance(inner, list) else inner[name]
            self.left_out.append(".".join((*names, last)))
            if isinstance(inner, list):
                inner[int(last)] = ""
            else:
                inner[last] = [] if isinstance(inner[last], list) else ""
        if secret_values({"db_url": written.get("db_url")}):
            written.pop("db_url")
            self.left_out.append("db_url")
        self.left_out += map(".".join, password_paths(written))
        written = without_passwords(written)
        text = json.dumps(written, indent=4) + "\n"
        if self._tells(text.encode()):
            self.left_out.append(f"{source} (a secret stands at an unknown place in it)")
            return
        written.pop("add_config_files", None)  # they lie beside it, and are named before it
        text = json.dumps(written, indent=4) + "\n"
        target = self._place(f"config/{source.name}")
        target.write_text(text)
        self._enter(target, "config")

    def _tells(self, content: bytes) -> bool:
        return any(value.encode() in content for value in self._secrets)

    def _place(self, name: str) -> Path:
        """Where a file of that name lies; a second one of the same name gets a number."""
        target, number = self.folder / name, 2
        while target.exists():
            target, number = (self.folder / name).with_name(f"{number}-{Path(name).name}"), number + 1
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _enter(self, target: Path, what: str) -> None:
        name = target.relative_to(self.folder).as_posix()
        try:
            check_name(name, target)
        except DataError:
            raise DataError(
                f"{name!r}: a backup holds only letters, digits, spaces and . _ / + @ = - in names; rename it"
            ) from None
        self.entries.append(Entry(name, what, target.stat().st_size, digest(target)))


def _copy_settled(source: Path, target: Path) -> None:
    """Copy a file that may be rewritten at any moment: again, until it was the same before and after."""
    for _ in range(ATTEMPTS):
        before = source.stat()
        shutil.copyfile(source, target)
        after = source.stat()
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and target.stat().st_size == after.st_size:
            return
        time.sleep(PAUSE)
    raise DataError(f"{source}: it keeps changing; try again in a minute")


def _listing(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _stores(config: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """What the strategy keeps beside the trades, and where."""
    named = (
        ("outside data", ("sources",), "path", "user_data/sources.sqlite"),
        ("journal", ("journal",), "path", "user_data/adaptive_journal.sqlite"),
        ("book of what was learned", ("journal", "learning"), "book", "user_data/adaptive_learned.npz"),
    )
    for what, names, key, default in named:
        path = str(block(config, "adaptive", *names).get(key) or default)
        yield what, resolve_path(path, config.get("user_data_dir"))


def _load(config: Path) -> dict[str, Any]:
    """One config file as it is written, without those that it adds."""
    from freqtrade.configuration.load_config import load_config_file

    return load_config_file(str(config))


def _with_added(configs: Sequence[Path]) -> list[Path]:
    """The config files, each after those that it adds, whose values it overrides."""
    found: list[Path] = []
    for path in configs:
        if path.is_file() and path not in found:
            added = _load(path).get("add_config_files") or []
            found += _with_added([path.parent / name for name in added])
            found.append(path)
    return list(dict.fromkeys(found))


def _pack(draft: Path, manifest: Manifest, folder: Path, target: Path) -> None:
    with tarfile.open(draft, "w:gz") as archive:
        told = manifest.to_json()
        archive.addfile(_header(MANIFEST, len(told)), io.BytesIO(told))
        for entry in manifest.files:
            with (folder / entry.name).open("rb") as stream:
                archive.addfile(_header(entry.name, entry.size), stream)
    draft.chmod(0o600)
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(target)


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Neither owner nor time: they are nobody's business."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header
