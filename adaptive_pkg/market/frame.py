"""The market as rules, stops and regime see it: one candle a row, every reading a column."""

from __future__ import annotations

import pandas as pd

from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.market.levels import nearest_levels
from adaptive_pkg.market.trend_state import TREND_STATE_COLUMNS, trend_shares
from adaptive_pkg.settings.market import IndicatorSettings


def market_frame(candles: pd.DataFrame, settings: IndicatorSettings) -> pd.DataFrame:
    """Candles with indicators and distances to the levels. Causal; raises DataError for unusable candles.

    The trends of higher timeframes come from freqtrade's informative candles, or from
    `higher_trend.add_higher_trends` where there are only these candles.
    """
    frame = compute_indicators(candles, settings)
    levels = nearest_levels(frame, settings.reference_period)
    added = {name: levels[name] for name in levels}
    if settings.trend_lookbacks:
        shares = trend_shares(frame["close"].to_numpy(), settings.trend_lookbacks)
        added |= dict(zip(TREND_STATE_COLUMNS, shares, strict=True))
    return frame.assign(**added)
