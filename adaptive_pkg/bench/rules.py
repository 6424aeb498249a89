"""Wall time of a rules-only AdaptiveGRU backtest beside freqtrade's SampleStrategy on the same candles."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import freqtrade.templates
from rich.table import Table

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.offline import run_offline
from adaptive_pkg.reports import report_console

DEFAULT_PAIRS = tuple(f"{coin}/USDT" for coin in ("BTC", "ETH", "SOL", "XRP", "ADA", "LTC", "LINK", "BNB"))
CONTESTANTS = ("AdaptiveGRU", "SampleStrategy")


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
        overlay = Path(folder) / "rules-only.json"
        overlay.write_text(
            json.dumps(
                {
                    "freqai": {"enabled": False},
                    "timeframe": "1h",
                    "exchange": {"pair_whitelist": chosen},
                }
            )
        )
        for _ in range(repeats):
            for name in CONTESTANTS:
                seconds[name].append(_backtest(name, datadir, timerange, overlay, Path(folder)))
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
    if json_path:
        json_path.write_text(
            json.dumps(
                {
                    "timerange": timerange,
                    "pairs": chosen,
                    "wall_seconds": seconds,
                    "wall_ratio_to_sample_strategy": ratio,
                },
                indent=2,
            )
        )
    return 0


def _backtest(strategy: str, datadir: Path, timerange: str, overlay: Path, folder: Path) -> float:
    arguments = ["backtesting", "--strategy", strategy, "--timerange", timerange, "--cache", "none"]
    arguments += ["--export", "none"]
    if strategy == "SampleStrategy":
        arguments += ["--strategy-path", str(Path(freqtrade.templates.__path__[0]))]
    started = time.perf_counter()
    status = run_offline(arguments, datadir=datadir, config_paths=[Path("user_data/config.json"), overlay])
    elapsed = time.perf_counter() - started
    if status:
        raise AdaptiveError(f"backtest of {strategy} ended with status {status}; see its output above")
    return elapsed
