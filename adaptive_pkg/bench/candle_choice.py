"""Which candles a benchmark is to use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CandleChoice:
    """A folder of candle files, and which of them. `pairs` None: every pair of that timeframe in it."""

    datadir: Path
    pairs: list[str] | None = None
    timeframe: str = "1h"
