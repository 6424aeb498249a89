"""Rules on who traded and what they left behind: cumulative volume delta, fair value gaps.

Each returns a signed strength (n,): above 0 long, below 0 short, 0 silent.
"""

from __future__ import annotations

import numpy as np

from adaptive_pkg.policy.library.inputs import Array, LibraryInputs, both_ways, earlier, swing_pairs
from adaptive_pkg.settings.library import RuleThresholds


def volume_delta(market: LibraryInputs) -> Array:
    """Volume bought less volume sold, guessed from where a candle closes; 0 in one without range."""
    span = market.high - market.low
    place = np.divide(
        2.0 * market.close - market.high - market.low, span, out=np.zeros(len(market)), where=span > 0
    )
    return market.volume * place


def cvd(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """Divergence of price and cumulative volume delta (CVD) at two swings, else a cross of its own mean.

    Divergence: a lower swing low, and more bought than sold on the way to it. Size s: a quarter of the price
    move in ATR plus the net part of the volume between the swings, at most 1; from `divergence_least` on
    .50 + .30 s, at the candle that confirms the second swing. Cross of the mean of the last
    `cvd_mean_candles` CVDs: .40. Only differences of CVD enter, so nothing depends on where history begins.
    """

    def long(market: LibraryInputs) -> Array:
        delta = volume_delta(market)
        lead = _above_own_mean(delta, limits.cvd_mean_candles)
        strength = np.where((lead > 0) & (earlier(lead) <= 0), 0.40, 0.0)
        first, second, known = swing_pairs(market.low, limits.divergence_candles)
        drop = market.low[first] - market.low[second]
        bought = _between(delta, first, second)
        with np.errstate(invalid="ignore", divide="ignore"):
            size = drop / market.atr[second] / 4.0 + bought / _between(market.volume, first, second)
        diverges = (drop > 0) & (bought > 0) & (size >= limits.divergence_least)
        strength[known[diverges]] = 0.50 + 0.30 * np.minimum(1.0, size[diverges])
        return strength

    return both_ways(long, market)


def fvg(market: LibraryInputs, limits: RuleThresholds) -> Array:
    """First return to a fair value gap that price had left and has not filled.

    Bullish gap: a low above the high two candles before by `gap_atr`. It lives `gap_age_candles`, and ends
    when a low reaches its far edge. Strength: gap in ATR × volume ratio of its candle (at most 2), at most
    .90, × 1 inside the gap falling to ½ at `gap_near_atr` from it. Of several gaps the strongest counts.
    """

    def long(market: LibraryInputs) -> Array:
        strength = np.zeros(len(market))
        floor = earlier(market.high, 2)
        height = market.low - floor
        found = np.flatnonzero(height >= limits.gap_atr * market.atr)
        if not len(found):
            return strength
        ahead = found[:, None] + np.arange(1, limits.gap_age_candles + 1)
        inside = ahead < len(market)
        rows = np.minimum(ahead, len(market) - 1)
        low = np.where(inside, market.low[rows], np.nan)
        reach = limits.gap_near_atr * market.atr[rows]
        distance = low - market.low[found, None]  # above the gap's near edge
        left = np.logical_or.accumulate(distance > reach, axis=1)
        filled = np.logical_or.accumulate(low <= floor[found, None], axis=1)
        returned = (distance <= reach) & left & ~filled
        column = returned.argmax(axis=1)
        gap = np.flatnonzero(returned.any(axis=1))
        column, row = column[gap], ahead[gap, column[gap]]
        size = height[found[gap]] / market.atr[found[gap]] * np.minimum(market.volume_ratio[found[gap]], 2.0)
        outside = np.maximum(distance[gap, column], 0.0)
        share = np.divide(outside, reach[gap, column], out=np.zeros(len(gap)), where=outside > 0)
        np.maximum.at(strength, row, np.nan_to_num(np.minimum(0.90, size) * (1.0 - 0.5 * share)))
        return strength

    return both_ways(long, market)


def _above_own_mean(delta: Array, candles: int) -> Array:
    """The sum of `delta` so far less the mean of its last `candles` values; NaN until there are as many.

    Equal to Σ_j delta[t − j] (candles − 1 − j) / candles, which needs no sum from the beginning.
    """
    if len(delta) < candles:
        return np.full(len(delta), np.nan)
    weights = np.arange(candles - 1, -1, -1) / candles
    lead = np.convolve(delta, weights)[: len(delta)]
    lead[: candles - 1] = np.nan
    return lead


def _between(values: Array, first: Array, second: Array) -> Array:
    """Sum of the values after `first` up to `second`."""
    total = np.cumsum(values)
    return total[second] - total[first]
