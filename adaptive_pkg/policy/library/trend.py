"""Rules that go with the move: squeeze, VWAP pullback, breakout retest, momentum candle, pinch of averages.

Each returns a signed strength (n,): above 0 long, below 0 short, 0 silent.
"""

from __future__ import annotations

import numpy as np
import talib

from adaptive_pkg.policy.library.inputs import (
    Array,
    LibraryInputs,
    both_ways,
    earlier,
    last_true,
    ratio,
    rolling_sum,
    trailing_quantile,
)
from adaptive_pkg.settings.library import RuleThresholds

LEAST_WIDTHS = 40  # known band widths before any is called narrow


def bb_squeeze(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """Bands narrow until the candle before, now a close at or beyond one: .70 beyond, .55 close to it.

    Narrow: at most `squeeze_slack` times the `squeeze_quantile` of the last widths. The width of the candle
    before counts, since the break itself widens the bands.
    """
    width = market.bb_width
    quantile = trailing_quantile(width, limits.squeeze_quantile, limits.reference_candles, LEAST_WIDTHS)
    narrow = earlier(width <= limits.squeeze_slack * quantile)

    def long(market: LibraryInputs) -> Array:
        near = market.bb_upper - limits.near_band * (market.bb_upper - market.bb_lower)
        strength = np.where(market.close >= market.bb_upper, 0.70, 0.55)
        return np.where(narrow & (market.close >= near), strength, 0.0)

    return both_ways(long, market)


def rolling_vwap(market: LibraryInputs, candles: int) -> Array:
    """Mean typical price of the last `candles`, weighted by volume; NaN until there are as many.

    Rolling, so that its level does not depend on where the history begins.
    """
    typical = (market.high + market.low + market.close) / 3.0
    return ratio(rolling_sum(typical * market.volume, candles), rolling_sum(market.volume, candles))


def vwap_pullback(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """Within `vwap_near_atr` of VWAP, the close beyond both EMAs on the trend's side: .55."""

    def long(market: LibraryInputs) -> Array:
        near = np.abs(market.close - rolling_vwap(market, limits.vwap_candles)) <= (
            limits.vwap_near_atr * market.atr
        )
        return np.where(near & (market.close > market.ema_slow) & (market.close > market.ema_fast), 0.55, 0.0)

    return both_ways(long, market)


def breakout_retest(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """First return to a broken Donchian level within `retest_candles` of the break, closing beyond it: .60.

    Meant by the original, whose channel included the candle itself and so could not be broken. Here the
    channel ends at the candle before, the level is the one that broke, and a close back inside ends it.
    """
    position = np.arange(len(market))

    def long(market: LibraryInputs) -> Array:
        beyond = market.close > market.donchian_high
        broke_at = last_true(beyond & ~earlier(beyond))
        level = np.where(broke_at >= 0, market.donchian_high[np.maximum(broke_at, 0)], np.nan)
        after = (position > broke_at) & (broke_at >= 0) & (position - broke_at <= limits.retest_candles)
        reached = after & (market.low <= level + limits.retest_atr * market.atr)
        failed = after & (market.close <= level)
        over_at = last_true(reached | failed)  # the first of either, of this break, decides
        first = (over_at == position) & (_previous_position(over_at) <= broke_at)
        return np.where(reached & ~failed & first, 0.60, 0.0)

    return both_ways(long, market)


def atr_momentum(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """A body above `momentum_body_atr` with ADX: its direction, .50 + .15 a body in ATR, at most .85."""
    body = ratio(market.close - market.open, market.atr)
    fires = (np.abs(body) > limits.momentum_body_atr) & (market.adx >= limits.momentum_adx)
    return np.where(fires, np.sign(body) * np.minimum(0.85, 0.50 + 0.15 * np.abs(body)), 0.0)


def ema_pinch(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """Fast, slow and long average as close together as rarely, and in order: .50 the way they are ordered."""
    long_average = talib.SMA(market.close, limits.ema_long)
    fast, slow = market.ema_fast, market.ema_slow
    gaps = np.abs(fast - slow) + np.abs(fast - long_average) + np.abs(slow - long_average)
    gap = ratio(gaps, market.close)
    lowest = trailing_quantile(gap, limits.pinch_quantile, limits.reference_candles, limits.reference_candles)
    up = (fast > slow) & (slow > long_average)
    down = (fast < slow) & (slow < long_average)
    return np.where(gap <= lowest, 0.50 * (up.astype(float) - down.astype(float)), 0.0)


def _previous_position(positions: Array) -> Array:
    """The position known one candle earlier; −1 at the first."""
    return np.concatenate([np.full(min(1, len(positions)), -1), positions[:-1]])
