"""A restore: an archive checked whole, then put in its place in one step."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE
from adaptive_pkg.upkeep.archive import USER_DATA, Manifest, read_manifest, unpack
from adaptive_pkg.upkeep.holders import find_holder

MARGIN = 1.05  # of the archive's bytes, that the disk must have free


@dataclass(frozen=True)
class Restored:
    """What was restored. aside: where a folder that was in the way lies now, None if none was."""

    folder: Path
    manifest: Manifest
    aside: Path | None

    @property
    def start(self) -> tuple[str, ...]:
        """How to go on, from the bundle's folder, a line a step."""
        lines = ["stop the old bot first: two bots on one account trade against each other"]
        if self.manifest.left_out:
            lines.append(
                "put back what a backup never holds, best into the environment (FREQTRADE__EXCHANGE__KEY …): "
                + ", ".join(self.manifest.left_out)
            )
        kept = (*self.of("store"), *self.of("parameters"))
        lines += [f"cp -n {self._shell(name)} {shlex.quote(name)}" for name in kept]
        configs = " ".join(f"--config {self._shell(name)}" for name in self.of("config"))
        address = f"sqlite:///{self.folder / self.of('database')[0]}"
        url = f"--db-url {shlex.quote(address)}"
        lines.append(f"freqtrade show-trades {url}")
        lines.append(
            f"freqtrade trade {configs} {url} --user-data-dir {self._shell(USER_DATA)} "
            f"--strategy-path user_data/strategies --freqaimodel-path user_data/freqaimodels{self._candles()}"
        )
        return tuple(lines)

    def _candles(self) -> str:
        """The folder of candles that the models were trained from, which the bot holds them to."""
        mark = self.folder / USER_DATA / "models" / self.manifest.identifier / FINGERPRINT_FILE
        try:
            made_on = json.loads(mark.read_text())["inputs"]["datadir"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return f" --datadir {shlex.quote(str(made_on))}" if made_on else ""

    def _shell(self, name: str) -> str:
        return shlex.quote(str(self.folder / name))

    def of(self, what: str) -> tuple[str, ...]:
        """Names of the files of one kind."""
        return tuple(entry.name for entry in self.manifest.files if entry.what == what)


def restore(source: Path, folder: Path, now: pd.Timestamp, *, force: bool = False) -> Restored:
    """Restore an archive into a folder of its own.

    Every hash is checked, and every database asked whether it is whole, in a folder beside the target; only
    then is it renamed into its place. Models are pickles: restore only archives that you made.

    Args:
        folder: afterwards it holds the database, config/, and user_data/ with models and stores; the models'
            notes of where they lie are changed to this place.
        force: a folder that is there already is moved aside, not deleted.

    Raises:
        DataError: the archive is damaged or tampered with; the target is in use (without `force`), or a
            process has a database in it open; no room. The target is then as it was.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link stays the link that was named
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError(f"{folder}: a file or a link, not a folder; name another one")
    used = folder.is_dir() and any(folder.iterdir())
    if used and not force:
        raise DataError(
            f"{folder}: it is not empty; name another folder, or use --force, which moves it aside first"
        )
    manifest = read_manifest(source)
    wanted = sum(entry.size for entry in manifest.files) * MARGIN
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < wanted:
            raise DataError(f"{folder.parent}: less than {wanted / 2**20:.0f} MiB free; name another folder")
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder.parent) as name:
            draft = Path(name) / "draft"
            draft.mkdir()
            manifest = unpack(source, draft)
            for entry in manifest.files:
                if entry.what == "database" or entry.name.endswith(".sqlite"):
                    _check_database(draft / entry.name)
            _move_models(draft, folder)
            (draft / USER_DATA).mkdir(exist_ok=True)
            if used and (holder := find_holder(folder)) is not None:
                raise DataError(f"{folder}: {holder}; stop that bot first, nothing was replaced")
            aside = _step_aside(folder, now) if used else None
            if folder.is_dir():
                folder.rmdir()  # empty
            draft.replace(folder)
    except OSError as error:
        raise DataError(f"{error.filename or folder}: {error.strerror}; nothing was replaced") from None
    return Restored(folder, manifest, aside)


def _check_database(file: Path) -> None:
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as database:
            damage = database.execute("pragma integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        damage = str(error)
    if damage != "ok":
        raise DataError(f"{file.name}: the database in the backup is damaged ({damage}); take another backup")


def _move_models(draft: Path, folder: Path) -> None:
    """FreqAI notes where each model lies by its whole path: let it be the new one."""
    for notes in draft.glob(f"{USER_DATA}/models/*/pair_dictionary.json"):
        try:
            pairs = json.loads(notes.read_text())
            for item in pairs.values():
                name = re.split(r"[\\/]", str(item["data_path"]))[-1]
                if (notes.parent / name).is_dir():
                    item["data_path"] = str(folder / notes.parent.relative_to(draft) / name)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # FreqAI trains anew where it cannot read it
        notes.write_text(json.dumps(pairs))


def _step_aside(folder: Path, now: pd.Timestamp) -> Path:
    """Rename a folder that is in the way to a name that is free."""
    stem = f"{folder.name}.before-{now:%Y%m%dT%H%M%S}"
    for number in range(100):
        aside = folder.with_name(stem if not number else f"{stem}-{number}")
        if not aside.exists():
            folder.rename(aside)
            return aside
    raise DataError(f"{folder}: no free name beside it to move it to")
