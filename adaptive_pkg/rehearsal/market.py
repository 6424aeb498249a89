"""A synthetic market to rehearse on where no real candles are at hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
TIMEFRAME = "1h"
SEED, DAYS = 2, 120
BEGIN = datetime(2023, 2, 17, 16, tzinfo=UTC)  # with this seed: after the start-up candles, among many trades


def write_market(folder: Path, seed: int = SEED, days: int = DAYS) -> Path:
    """Candles of `PAIRS` from 2023-01-01 on, in freqtrade's format; the folder."""
    frames = simulate_markets(PAIRS, 24 * days, seed, TIMEFRAME, start=pd.Timestamp("2023-01-01", tz="UTC"))
    folder.mkdir(parents=True, exist_ok=True)
    write_candles(frames, folder, TIMEFRAME, also=HIGHER_TIMEFRAMES)
    return folder
