"""Settings under which the real strategy trades often, so that a short rehearsal has something to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.plan import MarketPlan

BUSY: dict[str, Any] = {
    "max_open_trades": 6,
    "adaptive": {
        "profile": "aggressive",  # the nearest stops
        "components": {"confidence": False, "portfolio_limits": False},  # every signal is taken
        "breaker": {"daily_loss": 1.0},
        "sizing": {"max_position_fraction": 0.15},
    },
}


def merged(*blocks: dict[str, Any]) -> dict[str, Any]:
    """Config blocks laid over each other, key by key."""
    found: dict[str, Any] = {}
    for block in blocks:
        for key, value in block.items():
            both = isinstance(value, dict) and isinstance(found.get(key), dict)
            found[key] = merged(found[key], value) if both else value
    return found


def write_busy_market(
    folder: Path, pairs: Sequence[str], start: datetime, *, days: float, seed: int = 1, timeframe: str = "5m"
) -> Path:
    """Candles of a synthetic market, three times as volatile as usual: stops are met. Returns `folder`.

    Args:
        start: of the rehearsal; the candles begin 40 days before it. days: how long they go on after it.
    """
    calm = MarketPlan()
    wild = {
        regime: replace(plan, volatility_pct=plan.volatility_pct * 3) for regime, plan in calm.regimes.items()
    }
    before = timedelta(days=40)
    candles = round((before + timedelta(days=days)) / timedelta(hours=timeframe_hours(timeframe)))
    frames = simulate_markets(
        pairs, candles, seed, timeframe, replace(calm, regimes=wild), pd.Timestamp(start - before)
    )
    write_candles(frames, folder, timeframe)
    return folder
