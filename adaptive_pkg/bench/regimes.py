"""Candles a second through the regime detector."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.market.regime import METRIC_COLUMNS, MarketRegimeDetector
from adaptive_pkg.reports import report_console
from adaptive_pkg.settings import RegimeSettings


def bench_regimes(candles: int, json_path: Path | None) -> int:
    """Label seeded metrics three times; print the fastest rate beside a cumulative sum of one column."""
    rng = np.random.default_rng(5)
    # metrics that wander like the real ones: slow noise, so that regimes last for hours, not for one candle
    kernel = np.ones(24) / 24
    smooth = {name: np.convolve(rng.normal(size=candles + 23), kernel, "valid") for name in METRIC_COLUMNS}
    centre = {"adx": (24, 40), "atr_pct": (1, 1), "atr_ratio": (1, 1.5), "bb_width": (0.03, 0.05)}
    frame = pd.DataFrame(
        {
            name: np.abs(centre.get(name, (1, 2))[0] + centre.get(name, (1, 2))[1] * values)
            for name, values in smooth.items()
        }
    )
    detector = MarketRegimeDetector(RegimeSettings())
    detector.detect(frame.head(1000))
    seconds = min(_timed(lambda: detector.detect(frame)) for _ in range(3))
    column = frame["adx"].to_numpy()
    reference = min(_timed(lambda: np.cumsum(column)) for _ in range(3))
    rate = candles / seconds
    report_console().print(
        f"regime detector: {rate / 1e6:.2f} million candles a second "
        f"({seconds / reference:.0f} times a cumulative sum of one column)"
    )
    if json_path:
        json_path.write_text(
            json.dumps(
                {"candles": candles, "candles_per_second": rate, "time_ratio_to_cumsum": seconds / reference},
                indent=2,
            )
        )
    return 0


def _timed(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
