"""Candidates that a bot would have met, found in candles: as the journal writes them, without a bot."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import asked_at, candidate_rows
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.settings import AdaptiveSettings


def rehearse(
    pair: str,
    timeframe: str,
    timeframe_seconds: int,
    candles: pd.DataFrame,
    settings: AdaptiveSettings,
    *,
    start: np.datetime64 | None = None,
    stop: np.datetime64 | None = None,
    can_short: bool = False,
) -> pd.DataFrame:
    """The journal's rows for a pair's candles, without a forecast and without what was learned.

    Args:
        candles: date, open, high, low, close, volume; no gaps. start, stop: of the candles judged, UTC; the
            ones before warm the indicators up.

    Raises:
        DataError: unusable candles, or no more than the warm-up.
    """
    need = startup_candles(settings.indicators)
    if len(candles) <= need:
        raise DataError(f"{pair}: {len(candles)} candles; the indicators need more than {need}")
    frame = market_frame(add_higher_trends(candles, settings.indicators), settings.indicators)
    judgement = judge(frame, settings, can_short=can_short)
    at = asked_at(judgement)
    date = frame["date"].dt.tz_convert(None).to_numpy()[at]
    wanted = at >= need
    if start is not None:
        wanted &= date >= start
    if stop is not None:
        wanted &= date < stop
    return candidate_rows(pair, timeframe, timeframe_seconds, frame, judgement, at[wanted])
