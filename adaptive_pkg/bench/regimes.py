"""Candles a second through the regime detector, seeded ones or those of a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.regime import METRIC_COLUMNS, MarketRegimeDetector, RegimeFrame
from adaptive_pkg.reports import report_console
from adaptive_pkg.reports.regimes import find_candle_files, read_candles
from adaptive_pkg.settings import IndicatorSettings, RegimeSettings

REPEATS = 3


def bench_regimes(candles: int, json_path: Path | None, choice: CandleChoice | None = None) -> int:
    """Label metrics three times; print the fastest rate beside a cumulative sum, and each regime's share.

    Args:
        candles: how many seeded ones, without a choice.
        choice: these instead, one series a pair. Their indicators are computed before the clock starts.

    Raises:
        DataError: no such candles, or too few of them.
    """
    series = {"seeded": seeded_metrics(candles)} if choice is None else real_metrics(choice)
    frames = list(series.values())
    detector = MarketRegimeDetector(RegimeSettings())
    detector.detect(frames[0].head(1000))
    regimes = [detector.detect(frame) for frame in frames]
    seconds = min(_timed(lambda: [detector.detect(frame) for frame in frames]) for _ in range(REPEATS))
    columns = [frame["adx"].to_numpy() for frame in frames]
    reference = min(_timed(lambda: [np.cumsum(column) for column in columns]) for _ in range(REPEATS))
    total = sum(map(len, frames))
    rate, shares = total / seconds, _shares(regimes)
    console = report_console()
    console.print(
        f"regime detector: {rate / 1e6:.2f} million candles a second "
        f"({seconds / reference:.0f} times a cumulative sum of one column)"
    )
    console.print(
        f"of {total:,} candles ({', '.join(series)}): "
        + ", ".join(f"{regime} {share:.1f} %" for regime, share in shares.items())
    )
    figures = {
        "series": list(series),
        "timeframe": choice.timeframe if choice else None,
        "candles": total,
        "candles_per_second": rate,
        "time_ratio_to_cumsum": seconds / reference,
        "share_of_candles_pct": shares,
    }
    write_figures(figures, json_path)
    return 0


def seeded_metrics(candles: int) -> pd.DataFrame:
    """Metrics that wander like real ones: slow noise, so that regimes last for hours, not for one candle.

    Raises:
        DataError: fewer than 1,000 candles, which are too few to time.
    """
    if candles < 1000:
        raise DataError(f"candles: {candles} are too few to time; ask for at least 1000")
    rng = np.random.default_rng(5)
    kernel = np.ones(24) / 24
    smooth = {name: np.convolve(rng.normal(size=candles + 23), kernel, "valid") for name in METRIC_COLUMNS}
    centre = {"adx": (24, 40), "atr_pct": (1, 1), "atr_ratio": (1, 1.5), "bb_width": (0.03, 0.05)}
    return pd.DataFrame(
        {
            name: np.abs(centre.get(name, (1, 2))[0] + centre.get(name, (1, 2))[1] * values)
            for name, values in smooth.items()
        }
    )


def real_metrics(choice: CandleChoice) -> dict[str, pd.DataFrame]:
    """What the detector reads, by pair, warm-up left out. Raises DataError."""
    settings, series = IndicatorSettings(), {}
    need = startup_candles(settings)
    for pair, path in find_candle_files(choice.datadir, choice.pairs, choice.timeframe).items():
        candles = read_candles(path)
        if len(candles) <= need:
            raise DataError(f"{path.name}: {len(candles)} candles; the indicators need more than {need}")
        series[pair] = compute_indicators(candles, settings).iloc[need:].reset_index(drop=True)
    return series


def _shares(regimes: Sequence[RegimeFrame]) -> dict[str, float]:
    """Percent of all candles in each regime."""
    codes = np.concatenate([frame.codes for frame in regimes])
    return {str(regime): 100.0 * float((codes == regime.code).mean()) for regime in Regime}


def _timed(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
