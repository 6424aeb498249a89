"""The trial ledger: every backtest and hyperopt epoch ever looked at, in one file that only grows.

A Sharpe ratio chosen from many tries means less than one tried once, so the tries are counted. The same
settings on the same span are one try, however often they were run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import DAYS

FORMAT = 1
KINDS = ("backtest", "hyperopt", "baseline", "research")


@dataclass(frozen=True)
class Trial:
    """One try. sharpe: annual, of its daily returns. settings: fingerprint of all that decided the result.

    start, end: ISO dates of the span. at: ISO time it was recorded. note: what it was, in words.
    """

    kind: str
    name: str
    settings: str
    start: str
    end: str
    sharpe: float
    days: int
    at: str
    note: str = ""

    @property
    def identity(self) -> str:
        """Equal for the same try run again."""
        return "|".join((self.name, self.settings, self.start, self.end))


def settings_fingerprint(settings: Mapping[str, Any]) -> str:
    """Hash of settings, whatever the order of their keys. Raises DataError for what JSON cannot hold."""
    try:
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"trial ledger: settings cannot be fingerprinted ({error}); use plain values"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TrialLedger:
    """A file of JSON lines. Several processes may add to it at once; a line is there whole or not at all."""

    path: Path

    def add(self, trials: Iterable[Trial]) -> int:
        """Append those not there yet; return how many were new.

        Raises:
            DataError: an unknown kind, a Sharpe ratio that is no number, or a file that cannot be used.
        """
        wanted = list(trials)
        for trial in wanted:
            _check(trial)
        with self._locked() as file:
            known = {trial.identity for trial in self._parse(file)}
            fresh = {trial.identity: trial for trial in wanted if trial.identity not in known}
            lines = [json.dumps({"format": FORMAT, **asdict(trial)}) + "\n" for trial in fresh.values()]
            file.seek(0, os.SEEK_END)
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
        return len(fresh)

    def trials(self) -> list[Trial]:
        """Every try, oldest first. A last line cut short by a crash is left out. Raises DataError."""
        if not self.path.exists():
            return []
        try:
            with self.path.open("rb") as file:
                return list(self._parse(file))
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}); name another ledger") from None

    def sharpes(self, start: str | None = None, end: str | None = None) -> np.ndarray:
        """Annual Sharpe ratio of every try whose span meets [start, end)."""
        return np.array(
            [
                trial.sharpe
                for trial in self.trials()
                if (end is None or trial.start < end) and (start is None or trial.end > start)
            ]
        )

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+b")
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written ({error.strerror}); name another ledger"
            ) from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._cut_unfinished(file)
            yield file

    def _cut_unfinished(self, file: Any) -> None:
        """Drop the start of a line that a crash left at the end, so that the next line begins its own."""
        file.seek(0)
        whole = file.read()
        if whole and not whole.endswith(b"\n"):
            file.truncate(whole.rfind(b"\n") + 1)

    def _parse(self, file: Any) -> Iterator[Trial]:
        file.seek(0)
        for number, line in enumerate(file.read().split(b"\n")[:-1], start=1):
            yield _parsed(
                line,
                f"{self.path}, line {number}",
                "a ledger is only ever added to, so restore the file or name another one (its tries then "
                "count no more)",
            )


_TYPES = {item.name: item.type for item in fields(Trial)}  # as text: "str", "float", "int"


def _parsed(line: bytes, where: str, remedy: str) -> Trial:
    """One line of a file. Raises DataError that names where it stands."""
    try:
        values = json.loads(line)
        made_by = values.pop("format")
        trial = Trial(**values)
        datetime.fromisoformat(trial.start), datetime.fromisoformat(trial.end)
        for name, kind in _TYPES.items():
            value = getattr(trial, name)
            known = {"str": str, "int": int, "float": (int, float)}[kind]
            if isinstance(value, bool) or not isinstance(value, known):
                raise TypeError(f"{name} is {value!r}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{where}: not a trial ({error}); {remedy}") from None
    if made_by != FORMAT:
        raise DataError(f"{where}: format {made_by}, this release reads {FORMAT}; name another file")
    return trial


def read_trials(path: Path) -> list[Trial]:
    """Tries of another file, to be added to a ledger.

    Args:
        path: JSON lines as a ledger holds them (`Trial` and "format": 1), by another ledger or by hand;
            unlike in a ledger, a last line without an end counts.

    Raises:
        DataError: no such file, none in it, or a line that is no trial.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a file of trials") from None
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            trial = _parsed(line, where, "write it as a ledger has it, or leave it out")
            try:
                _check(trial)
            except DataError as error:
                raise DataError(f"{where}: {error}") from None
            found.append(trial)
    if not found:
        raise DataError(f"{path}: holds no trial; a ledger has one JSON object a line")
    return found


def make_trial(
    kind: str,
    name: str,
    settings: Mapping[str, Any],
    returns: Any,
    at: datetime,
    note: str = "",
) -> Trial:
    """A trial from daily returns (a series by day).

    Args:
        at: when it was made; the caller's clock.

    Raises:
        DataError: no days, or settings that cannot be fingerprinted.
    """
    x = np.asarray(returns, dtype=float)
    if len(x) < 2:
        raise DataError(f"trial {name!r}: {len(x)} days of returns; a Sharpe ratio needs two")
    deviation = x.std(ddof=1)
    sharpe = float(x.mean() / deviation * np.sqrt(DAYS)) if deviation > 1e-14 else 0.0
    first, last = returns.index[0], returns.index[-1]
    return Trial(
        kind,
        name,
        settings_fingerprint(settings),
        first.date().isoformat(),
        last.date().isoformat(),
        sharpe,
        len(x),
        at.isoformat(timespec="seconds"),
        note,
    )


def _check(trial: Trial) -> None:
    if trial.kind not in KINDS:
        raise DataError(f"trial {trial.name!r}: kind {trial.kind!r} is none of {', '.join(KINDS)}")
    if not np.isfinite(trial.sharpe) or trial.days < 1:
        raise DataError(
            f"trial {trial.name!r}: Sharpe ratio {trial.sharpe} over {trial.days} days is not a record"
        )
