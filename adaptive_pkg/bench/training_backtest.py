"""Time of a FreqAI backtest that retrains every week, beside FreqAI's own LightGBM on the same features."""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.offline import run_offline

CONFIG = Path("user_data/config.json")
MODELS = Path("user_data/models")
# The strategy has two labels: FreqAI's LightGBM, at its defaults, needs one model per label for them.
CONTESTANTS = ("GRURegressor", "LightGBMRegressorMultiTarget")


def backtest_seconds(
    datadir: Path, pairs: tuple[str, ...], timerange: str = "20230101-20231231"
) -> dict[str, Any]:
    """Backtest AdaptiveGRU once with each FreqAI model, from the project's root.

    Returns:
        Wall and CPU seconds by model, nothing reused from an earlier run.

    Raises:
        AdaptiveError: a backtest did not finish, so nothing could be measured.
    """
    figures: dict[str, Any] = {"backtest_timerange": timerange}
    with tempfile.TemporaryDirectory(prefix="adaptive-bench-") as folder:
        for model in CONTESTANTS:
            identifier = f"bench-{model}"
            overlay = Path(folder) / f"{model}.json"
            overlay.write_text(json.dumps({"freqai": {"identifier": identifier}}))
            arguments = ["backtesting", "--freqaimodel", model, "--timerange", timerange]
            arguments += ["--pairs", *pairs, "--cache", "none", "--export", "none"]
            shutil.rmtree(MODELS / identifier, ignore_errors=True)
            wall, cpu = time.perf_counter(), _cpu_seconds()
            try:
                status = run_offline(arguments, datadir=datadir, config_paths=[CONFIG, overlay])
            finally:
                shutil.rmtree(MODELS / identifier, ignore_errors=True)
            wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
            if status:
                raise AdaptiveError(f"backtest with {model} ended with status {status}; see its output above")
            figures[f"backtest_wall_seconds_{model}"] = wall
            figures[f"backtest_cpu_seconds_{model}"] = cpu
    return figures


def _cpu_seconds() -> float:
    """CPU seconds of this process and of the ones it has started and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)
