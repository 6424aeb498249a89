"""`ModelBook`: models by date in one file, read as of a candle's close, the same in backtest and live.

The file holds numbers only (NumPy's npz, read without pickle): loading one cannot run code.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.learning.estimators import from_arrays, to_arrays
from adaptive_pkg.learning.features import FEATURES, VERSION
from adaptive_pkg.learning.training import Target, forecast
from adaptive_pkg.learning.walk_forward import WEIGHED, Chapter, beyond
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.settings.journal import LearningSettings

FORMAT = 1


class ModelBook:
    """Chapters in order of time.

    Args:
        rules: `rules_fingerprint` of the settings whose candidates were learned from.
    """

    def __init__(self, chapters: Sequence[Chapter], rules: str, timeframe: str):
        self.chapters = tuple(sorted(chapters, key=lambda chapter: chapter.valid_from_ms))
        self.rules, self.timeframe = rules, timeframe
        self._begins = np.array([chapter.valid_from_ms for chapter in self.chapters], dtype=np.int64)

    def in_force(self, closed_ms: np.ndarray) -> np.ndarray:
        """Index of the newest chapter that begins no later than each close; −1 before the first."""
        return np.searchsorted(self._begins, np.asarray(closed_ms), side="right") - 1

    def predict(self, x: np.ndarray, closed_ms: np.ndarray) -> dict[Target, np.ndarray]:
        """What the chapter in force says of each candidate, (m,) by target; NaN before the first."""
        chapter = self.in_force(closed_ms)
        said = {target: np.full(len(x), np.nan) for target in Target}
        for index in np.unique(chapter[chapter >= 0]):
            rows = chapter == index
            for target in Target:
                said[target][rows] = forecast(self.chapters[index].blends[target], target, x[rows])
        return said

    def effect(
        self, x: np.ndarray, regime: np.ndarray, closed_ms: np.ndarray, settings: LearningSettings
    ) -> np.ndarray:
        """How much better than its regime's past a candidate looks, −1..1 (m,), by what was earned.

        The mean over win probability and expected R of (forecast − past mean) / full effect, within ±1, each
        times its earned weight. Holding time and excursion do not enter: they say what to expect of an
        entry, not whether it is good. 0 before the first chapter, and where nothing was earned.
        """
        chapter = self.in_force(closed_ms)
        out = np.zeros(len(x))
        for index in np.unique(chapter[chapter >= 0]):
            now, rows = self.chapters[index], chapter == index
            for target in WEIGHED:
                if weight := now.earned[target]:
                    said = forecast(now.blends[target], target, x[rows])
                    looks = beyond(said, now.base[target][regime[rows]], target, settings)
                    out[rows] += weight * looks / len(WEIGHED)
        return out

    def save(self, path: Path | str) -> None:
        """Write it at once: a bot that reads meanwhile sees the old file or the new one."""
        path = Path(path)
        arrays: dict[str, np.ndarray] = {}
        told = []
        for index, chapter in enumerate(self.chapters):
            told.append(
                {
                    "valid_from_ms": chapter.valid_from_ms,
                    "candidates": chapter.candidates,
                    "base": {target: values.tolist() for target, values in chapter.base.items()},
                    "earned": dict(chapter.earned),
                    "skill": {target: asdict(found) for target, found in chapter.skill.items()},
                    "worth": {target: asdict(found) for target, found in chapter.worth.items()},
                }
            )
            for target, blend in chapter.blends.items():
                arrays |= to_arrays(blend, f"{index}/{target}")
        meta = {
            "format": FORMAT,
            "features": list(FEATURES),
            "feature_version": VERSION,
            "rules": self.rules,
            "timeframe": self.timeframe,
            "chapters": told,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        with beside.open("wb") as file:
            np.savez_compressed(file, meta=np.array(json.dumps(meta)), **arrays)
        beside.replace(path)

    @classmethod
    def load(cls, path: Path | str) -> ModelBook:
        """Read one back.

        Raises:
            DataError: no such file, damaged, or of other features or another version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
        except FileNotFoundError:
            raise DataError(
                f"{path}: there is no such book; write it with `adaptive journal learn`"
            ) from None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: no book of models ({error}); write it anew") from None
        shape = (FORMAT, list(FEATURES), VERSION)
        if (meta.get("format"), meta.get("features"), meta.get("feature_version")) != shape:
            raise DataError(
                f"{path}: its models read other features than this version makes; write it anew with "
                "`adaptive journal learn`"
            )
        try:
            chapters = [_chapter(index, told, arrays) for index, told in enumerate(meta["chapters"])]
            return cls(chapters, meta["rules"], meta["timeframe"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: no book of models ({error!r}); write it anew") from None


def _chapter(index: int, told: dict, arrays: dict[str, np.ndarray]) -> Chapter:
    base = {Target(name): np.array(values, dtype=float) for name, values in told["base"].items()}
    if any(values.shape != (len(Regime),) for values in base.values()) or set(base) != set(Target):
        raise ValueError(f"chapter {index}: past means")
    return Chapter(
        valid_from_ms=int(told["valid_from_ms"]),
        blends={target: from_arrays(arrays, f"{index}/{target}", len(FEATURES)) for target in Target},
        base=base,
        earned={target: float(np.clip(told["earned"][target], 0.0, 1.0)) for target in WEIGHED},
        skill={target: Estimate(**told["skill"][target]) for target in WEIGHED},
        worth={target: Estimate(**told["worth"][target]) for target in WEIGHED},
        candidates=int(told["candidates"]),
    )
