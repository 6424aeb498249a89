"""How sure the detector is of the regime it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adaptive_pkg.enums import Regime, ThresholdSet
from adaptive_pkg.settings.market import RegimeSettings

# Parts of the confidence; they sum to 1.
ADX_WEIGHT = 0.40
STATE_WEIGHT = 0.25
VOLUME_WEIGHT = 0.10
MOMENTUM_WEIGHT = 0.10
AGE_WEIGHT = 0.15

# Relative distance from a threshold at which its evidence is three quarters.
MARGIN_SCALE = 0.25

# By Regime.code: STRONG_TREND, VOLATILE_TREND, TIGHT_RANGE, CHOPPY, TRANSITIONAL.
# +1: more of it confirms, −1: less of it confirms, 0: says nothing.
_ADX = {Regime.STRONG_TREND: 1, Regime.VOLATILE_TREND: 1, Regime.TIGHT_RANGE: -1, Regime.CHOPPY: -1}
_VOLATILITY = {Regime.STRONG_TREND: -1, Regime.VOLATILE_TREND: 1}
_WIDTH = {Regime.TIGHT_RANGE: -1, Regime.CHOPPY: 1}
_VOLUME = {Regime.STRONG_TREND: 1, Regime.VOLATILE_TREND: 1, Regime.TIGHT_RANGE: -1}
_MOMENTUM = {Regime.STRONG_TREND: 1, Regime.VOLATILE_TREND: 1, Regime.TIGHT_RANGE: -1, Regime.CHOPPY: -1}


def _table(signs: Mapping[Regime, int]) -> np.ndarray:
    return np.array([float(signs.get(regime, 0)) for regime in Regime])


_ADX_SIGN = _table(_ADX)
_VOLATILITY_SIGN = _table(_VOLATILITY)
_WIDTH_SIGN = _table(_WIDTH)
_VOLUME_SIGN = _table(_VOLUME)
_MOMENTUM_SIGN = _table(_MOMENTUM)


@dataclass(frozen=True)
class RegimeThresholds:
    """Where each state begins and where it ends."""

    trend_enter: float
    trend_leave: float
    flat_enter: float
    flat_leave: float
    volatile_enter: float
    volatile_leave: float
    tight_enter: float
    tight_leave: float
    momentum_atr: float
    dwell: float

    @classmethod
    def of(cls, settings: RegimeSettings) -> RegimeThresholds:
        relative = settings.threshold_set is ThresholdSet.RELATIVE
        volatile = settings.atr_high if relative else settings.absolute_atr_high_pct
        tight = settings.width_tight if relative else settings.absolute_width_tight
        back = settings.hysteresis
        return cls(
            trend_enter=settings.adx_trend,
            trend_leave=max(settings.adx_trend * (1 - back), settings.adx_flat),
            flat_enter=settings.adx_flat,
            flat_leave=min(settings.adx_flat * (1 + back), settings.adx_trend),
            volatile_enter=volatile,
            volatile_leave=volatile * (1 - back),
            tight_enter=tight,
            tight_leave=tight * (1 + back),
            momentum_atr=settings.momentum_atr,
            dwell=float(settings.min_dwell_candles),
        )


def regime_confidence(
    codes: np.ndarray, ages: np.ndarray, metrics: Mapping[str, np.ndarray], limits: RegimeThresholds
) -> np.ndarray:
    """Confidence in the reported regime, 0..1, from five pieces of evidence, each in 0..1.

    0.40 ADX margin + 0.25 state margin + 0.10 volume + 0.10 momentum + 0.15 age, where

    - a margin is ½ + ½ x / (1 + |x|): ½ at the threshold, ¾ at 25 % beyond it on the regime's side,
      below ½ on the other side; x = (metric / threshold − 1) / 0.25 with the regime's sign.
      TRANSITIONAL's ADX margin is the nearer of the two thresholds that enclose it.
    - state: volatility for the two trends, Bollinger width for the two ranges, ½ for TRANSITIONAL.
    - volume: v / (1 + v) of the volume ratio for the trends, 1 / (1 + v) for TIGHT_RANGE, else ½.
    - momentum: m / (m + a ATR), with m = |momentum %|, ATR in % and a = `momentum_atr`, for the trends;
      what is missing to 1 for the ranges; ½ for TRANSITIONAL.
    - age: n / (n + min_dwell_candles) for the n-th candle of the reported regime.

    Smooth, and monotone in every piece: more confirming volume never lowers it. `codes` and `ages` are
    integer arrays of length n; `metrics` holds adx, volatility, width, volume_ratio, momentum_pct and
    atr_pct, all float arrays of length n. Returns a new float array; NaN where a metric is.
    """
    adx = metrics["adx"]
    above_trend = adx / limits.trend_enter - 1.0
    above_flat = adx / limits.flat_enter - 1.0
    adx_sign = _ADX_SIGN[codes]
    margin = np.where(
        adx_sign > 0,
        above_trend,
        np.where(adx_sign < 0, -above_flat, np.minimum(-above_trend, above_flat)),
    )
    state = _VOLATILITY_SIGN[codes] * (metrics["volatility"] / limits.volatile_enter - 1.0)
    state += _WIDTH_SIGN[codes] * (metrics["width"] / limits.tight_enter - 1.0)
    volume = metrics["volume_ratio"]
    move = np.abs(metrics["momentum_pct"])
    # The tiny addend keeps a market that never moved from being 0 / 0.
    directional = move / (move + limits.momentum_atr * metrics["atr_pct"] + 1e-12)
    confidence = ADX_WEIGHT * _side(margin)
    confidence += STATE_WEIGHT * _side(state)
    confidence += VOLUME_WEIGHT * (0.5 + _VOLUME_SIGN[codes] * (volume / (1.0 + volume) - 0.5))
    confidence += MOMENTUM_WEIGHT * (0.5 + _MOMENTUM_SIGN[codes] * (directional - 0.5))
    confidence += AGE_WEIGHT * (ages / (ages + limits.dwell))
    return confidence


def _side(margin: np.ndarray) -> np.ndarray:
    scaled = margin / MARGIN_SCALE
    return 0.5 + 0.5 * scaled / (1.0 + np.abs(scaled))
