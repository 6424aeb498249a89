"""An Optuna study in an SQLite file: continued only for the same inputs, read as plain values."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.tuning.task import FORMAT, FoldScore, TuningTask
from adaptive_pkg.forecast.fingerprint import changes, fingerprint

PREFIX = "adaptive-tune-"
MARK = "adaptive_tune"  # user attribute that says what a study was made from
BUSY_SECONDS = 60  # how long one process waits for another one's write


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the study has it. `number` counts from the default, 0; it decides the trial's seed.

    state: complete, pruned, failed or unfinished. value: mean loss over folds, complete trials only.
    """

    number: int
    state: str
    value: float | None
    params: dict[str, Any]
    scores: tuple[FoldScore, ...]
    cpu_seconds: float
    reason: str


class StudyFile:
    """The study of one task. Raises DataError for a file that holds no usable studies."""

    def __init__(self, path: Path, task: TuningTask) -> None:
        self.path, self.inputs = Path(path), json.loads(json.dumps(task.inputs(), default=str))
        self.name = PREFIX + fingerprint(self.inputs)
        _check_file(self.path)
        with self._readable():
            self._storage = open_storage(self.path)
            # a study without marks was interrupted while it was being created
            before = [
                (summary.study_name, summary.user_attrs.get(MARK, {}))
                for summary in optuna.get_all_study_summaries(self._storage)
                if summary.user_attrs or not summary.study_name.startswith(PREFIX)
            ]
            for name, mark in before:
                if mark.get("format") != FORMAT:
                    raise DataError(
                        f"{self.path}: {name!r} was written by another program or version (format "
                        f"{mark.get('format')}, this release reads {FORMAT}); name another storage file"
                    )
            self.is_new = self.name not in [name for name, _ in before]
            self.others = [
                "; ".join(changes(mark["inputs"], self.inputs)) for name, mark in before if name != self.name
            ]
            self.study = optuna.create_study(
                storage=self._storage, study_name=self.name, direction="minimize", load_if_exists=True
            )
            if self.is_new:
                self.study.set_user_attr(MARK, {"format": FORMAT, "inputs": self.inputs})

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OptunaError, SQLAlchemyError, sqlite3.Error, RuntimeError, KeyError, ValueError) as error:
            why = str(error.__cause__ or error).splitlines()[0]
            raise DataError(
                f"{self.path}: not a usable study storage ({why}); name another file, "
                "or delete this one and start again"
            ) from error

    def forget_unfinished(self) -> int:
        """Give up trials that an interruption left running; they are run again. Call it under `only_user`."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            self.study.tell(trial.number, state=TrialState.FAIL)
        return len(running)

    def records(self) -> list[TrialRecord]:
        """Every trial that came to an end, by number. Raises DataError."""
        with self._readable():
            found = [_record(trial) for trial in self.study.get_trials(deepcopy=False)]
        return sorted((r for r in found if r.state != "unfinished"), key=lambda record: record.number)

    def held_out(self) -> dict[tuple[int, int], tuple[FoldScore, ...]]:
        """(trial, seed) → scores on the held-out folds, as far as they were ever made."""
        with self._readable():
            stored = self.study.user_attrs
            return {
                tuple(int(part) for part in name.split(":")[1:]): _scores(value)
                for name, value in stored.items()
                if name.startswith("held_out:")
            }

    def keep_held_out(self, trial: int, seed: int, scores: list[FoldScore]) -> None:
        self.study.set_user_attr(f"held_out:{trial}:{seed}", [asdict(score) for score in scores])


def open_storage(path: Path) -> optuna.storages.RDBStorage:
    """The storage behind a file. A study sent to another process opens it there anew."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}}
    )


@contextmanager
def only_user(path: Path) -> Iterator[None]:
    """Keep a second search off the same file, or both would run the same trials. Raises DataError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("w")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another storage file") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"{path}: another search is running on it; wait for it, or name another file"
            ) from None
        yield


def _check_file(path: Path) -> None:
    """Raise DataError for a file that is no whole SQLite database; an absent or empty one will become one."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")
    if not path.exists() or not path.stat().st_size:
        return
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
        try:
            answer = connection.execute("pragma integrity_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        raise DataError(
            f"{path}: the study storage is damaged ({answer.splitlines()[0]}); name another file, or delete "
            "this one and start again"
        )


def _record(trial: optuna.trial.FrozenTrial) -> TrialRecord:
    kept = trial.user_attrs
    result = kept.get("result", {})
    state = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}.get(trial.state, "unfinished")
    if trial.state is TrialState.FAIL and "reason" in kept:
        state = "failed"
    return TrialRecord(
        kept.get("trial", -1),
        state,
        trial.value if state == "complete" else None,
        dict(trial.params),
        _scores(result.get("scores", [])),
        result.get("cpu_seconds", 0.0),
        kept.get("reason", ""),
    )


def _scores(rows: list[dict[str, Any]]) -> tuple[FoldScore, ...]:
    return tuple(FoldScore(**row) for row in rows)
