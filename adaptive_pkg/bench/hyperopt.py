"""Hyperopt epochs a minute of rules-only AdaptiveGRU beside freqtrade's SampleStrategy, same candles."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.table import Table

from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.bench.timed_run import CONTESTANTS, timed_run, write_overlay
from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.reports import report_console

DEFAULT_PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
SPACES = {"AdaptiveGRU": ("regime", "policy", "risk"), "SampleStrategy": ("buy", "sell")}
FEW = 4  # epochs of the run whose time is taken off: start-up, candles and indicators


def bench_hyperopt(
    datadir: Path, timerange: str, pairs: list[str] | None, epochs: int, json_path: Path | None
) -> int:
    """Time a short and a long search of each, one worker each; their difference is what epochs cost.

    Raises:
        AdaptiveError: a search did not finish, or too few epochs were asked for to measure.
    """
    if epochs < 5 * FEW:
        raise AdaptiveError(f"epochs: {epochs} are too few to measure; ask for at least {5 * FEW}")
    chosen = list(pairs or DEFAULT_PAIRS)
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="adaptive-bench-") as folder:
        overlay = write_overlay(Path(folder), chosen)
        for name in CONTESTANTS:
            few = _search(name, datadir, timerange, overlay, FEW)
            many = _search(name, datadir, timerange, overlay, FEW + epochs)
            rates[name] = 60.0 * epochs / (many - few)
    ratio = rates["AdaptiveGRU"] / rates["SampleStrategy"]
    title = f"{len(chosen)} pairs, 1h, {timerange}, {epochs} epochs, one worker"
    table = Table("strategy", "spaces", "epochs a minute", "ratio", title=title)
    for name in CONTESTANTS:
        share = rates[name] / rates["SampleStrategy"]
        table.add_row(name, " ".join(SPACES[name]), f"{rates[name]:.1f}", f"{share:.2f}")
    report_console().print(table)
    figures = {
        "timerange": timerange,
        "pairs": chosen,
        "epochs": epochs,
        "epochs_per_minute": rates,
        "epochs_per_minute_ratio_to_sample_strategy": ratio,
    }
    write_figures(figures, json_path)
    return 0


def _search(strategy: str, datadir: Path, timerange: str, overlay: Path, epochs: int) -> float:
    arguments = ["hyperopt", "--timerange", timerange, "--epochs", str(epochs)]
    arguments += ["--spaces", *SPACES[strategy], "--hyperopt-loss", "SharpeHyperOptLossDaily"]
    arguments += ["--job-workers", "1", "--random-state", "7", "--disable-param-export", "--min-trades", "1"]
    return timed_run(arguments, strategy, datadir, overlay)
