"""Wall time of a freqtrade command: rules-only AdaptiveGRU and freqtrade's SampleStrategy, one config."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import freqtrade.templates

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.offline import run_offline

CONTESTANTS = ("AdaptiveGRU", "SampleStrategy")


def write_overlay(folder: Path, pairs: Sequence[str]) -> Path:
    """A config file that makes both run on these pairs, 1h, without FreqAI."""
    path = folder / "rules-only.json"
    whitelist = {"pair_whitelist": list(pairs)}
    path.write_text(json.dumps({"freqai": {"enabled": False}, "timeframe": "1h", "exchange": whitelist}))
    return path


def timed_run(arguments: Sequence[str], strategy: str, datadir: Path, overlay: Path) -> float:
    """Seconds that `freqtrade ARGUMENTS --strategy STRATEGY` takes.

    Raises:
        AdaptiveError: it did not finish, so nothing could be measured.
    """
    line = [*arguments, "--strategy", strategy]
    if strategy == "SampleStrategy":
        line += ["--strategy-path", str(Path(freqtrade.templates.__path__[0]))]
    started = time.perf_counter()
    status = run_offline(line, datadir=datadir, config_paths=[Path("user_data/config.json"), overlay])
    elapsed = time.perf_counter() - started
    if status:
        raise AdaptiveError(f"{arguments[0]} of {strategy} ended with status {status}; see its output above")
    return elapsed
