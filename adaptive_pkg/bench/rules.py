"""Wall time of a rules-only AdaptiveGRU backtest beside freqtrade's SampleStrategy on the same candles."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.table import Table

from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.bench.timed_run import CONTESTANTS, timed_run, write_overlay
from adaptive_pkg.reports import report_console

DEFAULT_PAIRS = tuple(f"{coin}/USDT" for coin in ("BTC", "ETH", "SOL", "XRP", "ADA", "LTC", "LINK", "BNB"))


def bench_rules(
    datadir: Path, timerange: str, pairs: list[str] | None, repeats: int, json_path: Path | None
) -> int:
    """Time both backtests `repeats` times, alternating; print the fastest of each and their ratio.

    Raises:
        AdaptiveError: a backtest did not finish, so nothing could be measured.
    """
    chosen = list(pairs or DEFAULT_PAIRS)
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory(prefix="adaptive-bench-") as folder:
        overlay = write_overlay(Path(folder), chosen)
        arguments = ["backtesting", "--timerange", timerange, "--cache", "none", "--export", "none"]
        for _ in range(repeats):
            for name in CONTESTANTS:
                seconds[name].append(timed_run(arguments, name, datadir, overlay))
    best = {name: min(values) for name, values in seconds.items()}
    ratio = best["AdaptiveGRU"] / best["SampleStrategy"]
    table = Table(
        "strategy",
        "wall seconds",
        "ratio",
        title=f"{len(chosen)} pairs, 1h, {timerange}, fastest of {repeats}",
    )
    for name in CONTESTANTS:
        table.add_row(name, f"{best[name]:.1f}", f"{best[name] / best['SampleStrategy']:.2f}")
    report_console().print(table)
    figures = {
        "timerange": timerange,
        "pairs": chosen,
        "wall_seconds": seconds,
        "wall_ratio_to_sample_strategy": ratio,
    }
    write_figures(figures, json_path)
    return 0
