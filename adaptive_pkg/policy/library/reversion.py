"""Rules that go against the move: VWAP bands, RSI, swing failure, volume profile.

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
    swing_pairs,
)
from adaptive_pkg.policy.library.profile import volume_profile_levels
from adaptive_pkg.policy.library.trend import rolling_vwap
from adaptive_pkg.settings.library import RuleThresholds

DIVERGENCE_HOLDS = 5  # candles that an RSI divergence counts after it is known


def vwap_bands_mr(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """Fade of the first close beyond a VWAP band by a fast move on volume.

    .45 + .24 a penetration in ATR + .16 a move in ATR, at most .70: the original's rates, which it wrote per
    price, at an ATR of 0.8 %.
    """

    def long(market: LibraryInputs) -> Array:
        band = rolling_vwap(market, limits.vwap_candles) - limits.vwap_band_atr * market.atr
        outside = market.close < band
        move = ratio(earlier(market.close) - market.close, market.atr)
        left = outside & ~earlier(outside) & ~np.isnan(earlier(band))
        fires = left & (move > limits.vwap_move_atr) & (market.volume_ratio > limits.vwap_volume)
        strength = 0.45 + 0.24 * ratio(band - market.close, market.atr) + 0.16 * move
        return np.where(fires, np.minimum(0.70, strength), 0.0)

    return both_ways(long, market)


def rsi_mr(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """RSI beyond a threshold that ADX moves; the farther beyond, the stronger.

    .30 + .25 × part of the threshold that RSI is beyond it, + .12 for the close on that side of the bands,
    + .18 for a fresh divergence, + .08 for volume; at most .80. Silent more than `rsi_overshoot_atr` beyond
    the band. The original's ±5 buffer is left out: with it a quiet market was bought at RSI 40, and the
    signal grew while RSI left oversold.
    """
    adx = market.adx
    threshold = np.select(
        [adx > 40, adx < 25, adx >= 25], [limits.rsi_trend, limits.rsi_range, limits.rsi_between], np.nan
    )

    def long(market: LibraryInputs) -> Array:
        place = ratio(market.close - market.bb_lower, market.bb_upper - market.bb_lower)
        fires = (market.rsi < threshold) & (
            market.close >= market.bb_lower - limits.rsi_overshoot_atr * market.atr
        )
        strength = (
            0.30
            + 0.25 * (threshold - market.rsi) / threshold
            + 0.12 * (place < 0.4)
            + 0.18 * _fresh_divergence(market, limits)
            + 0.08 * (market.volume_ratio > 0.6)
        )
        return np.where(fires, np.minimum(0.80, strength), 0.0)

    return both_ways(long, market)


def sfp(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """Swing failure: a wick beyond the swing of the candles before, the close back inside: .55 against it."""

    def long(market: LibraryInputs) -> Array:
        swing = earlier(talib.MIN(market.low, limits.swing_candles))
        wick = np.minimum(market.open, market.close) - market.low
        swept = (market.low < swing) & (market.close > swing)
        return np.where(swept & (wick > 0.5 * np.abs(market.close - market.open)), 0.55, 0.0)

    return both_ways(long, market)


def volume_profile(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """A close back inside the value area with room to its peak, or a close across that peak.

    Back inside: towards the peak, .40 + .40 × the way left over 3 ATR, at most .80. Across, and still near:
    .55 the way it crossed. Meant by the original, which faded every close over 1 % from the peak, 76 % of
    all candles, so that it stood against every trend; a rejection and a cross are events of one candle.
    """
    levels = volume_profile_levels(market, limits.profile_candles, limits.profile_bins, limits.value_area)
    peak, low, high = (earlier(values) for values in levels)  # of the candles before this one

    def long(market: LibraryInputs, peak: Array, low: Array) -> Array:
        before = earlier(market.close)
        room = ratio(peak - market.close, market.atr)
        returned = (before < low) & (market.close >= low) & (room >= limits.profile_room_atr)
        crossed = (before <= peak) & (market.close > peak) & (-room <= limits.profile_near_atr)
        fade = np.minimum(0.80, 0.40 + 0.40 * room / 3.0)
        return np.where(returned, fade, np.where(crossed, 0.55, 0.0))

    return long(market, peak, low) - long(market.mirrored(), -peak, -high)


def _fresh_divergence(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """A lower swing low in price with a higher one in RSI, known for fewer than DIVERGENCE_HOLDS candles."""
    first, second, known = swing_pairs(market.low, limits.divergence_candles)
    diverges = (market.low[second] < market.low[first]) & (market.rsi[second] > market.rsi[first])
    flags = np.zeros(len(market), dtype=bool)
    flags[known[diverges]] = True
    at = last_true(flags)
    return (at >= 0) & (np.arange(len(market)) - at < DIVERGENCE_HOLDS)
