"""One small file per finished job, so that an interrupted evaluation goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np

import adaptive_pkg.forecast
from adaptive_pkg.evaluation.forecast.models import FoldForecast


@dataclass(frozen=True)
class JobStore:
    """Files `<fingerprint>.npz` below one folder; the fingerprint is of all that a result depends on."""

    folder: Path

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def read(self, key: str) -> FoldForecast | None:
        """The result of a job, or None where there is none that can be trusted."""
        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                values = {name: stored[name].astype(np.float64) for name in stored.files if name != "weights"}
                return FoldForecast(values, json.loads(str(stored["weights"])))
        except FileNotFoundError:
            return None
        except (BadZipFile, OSError, ValueError, KeyError, EOFError):
            path.unlink(missing_ok=True)  # cut short by a full disk or a crash of the machine
            return None

    def write(self, key: str, result: FoldForecast) -> None:
        """Store a result: written beside its place, then renamed into it, so it is there whole or not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as part:
            try:
                arrays = {name: values.astype(np.float32) for name, values in result.values.items()}
                np.savez_compressed(part, weights=np.array(json.dumps(result.weights)), **arrays)
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).replace(self.path(key))
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise


@cache
def code_digest() -> str:
    """Hash of the sources that decide a forecast: another release never answers with this one's results."""
    known = hashlib.sha256()
    here = [Path(__file__).with_name(name) for name in ("models.py", "panel.py", "folds.py")]
    for path in sorted([*Path(adaptive_pkg.forecast.__file__).parent.glob("*.py"), *here]):
        known.update(path.read_bytes())
    return known.hexdigest()[:12]
