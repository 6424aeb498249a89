"""The eleven rules of the signal library, read off a market frame in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from adaptive_pkg.policy.library import flow, reversion, trend
from adaptive_pkg.policy.library.inputs import Array, LibraryInputs
from adaptive_pkg.settings.library import LIBRARY_RULES, LibrarySettings, RuleThresholds


class Family(StrEnum):
    """What a rule counts on. The vote favours a family in its regime."""

    TREND = "trend"
    RANGE = "range"
    EITHER = "either"


class LibraryRule(StrEnum):
    """Name of a rule. The order is that of the columns of `Readings`."""

    BB_SQUEEZE = "bb_squeeze"
    VWAP_PULLBACK = "vwap_pullback"
    VWAP_BANDS_MR = "vwap_bands_mr"
    BREAKOUT_RETEST = "breakout_retest"
    ATR_MOMENTUM = "atr_momentum"
    RSI_MR = "rsi_mr"
    SFP = "sfp"
    EMA_PINCH = "ema_pinch"
    CVD = "cvd"
    FVG = "fvg"
    VOLUME_PROFILE = "volume_profile"


FAMILIES: Mapping[LibraryRule, Family] = {
    LibraryRule.BB_SQUEEZE: Family.TREND,
    LibraryRule.VWAP_PULLBACK: Family.TREND,
    LibraryRule.VWAP_BANDS_MR: Family.RANGE,
    LibraryRule.BREAKOUT_RETEST: Family.TREND,
    LibraryRule.ATR_MOMENTUM: Family.TREND,
    LibraryRule.RSI_MR: Family.RANGE,
    LibraryRule.SFP: Family.RANGE,
    LibraryRule.EMA_PINCH: Family.TREND,
    LibraryRule.CVD: Family.EITHER,
    LibraryRule.FVG: Family.EITHER,
    LibraryRule.VOLUME_PROFILE: Family.EITHER,
}

_RULES: Mapping[LibraryRule, Callable[[LibraryInputs, RuleThresholds], Array]] = {
    LibraryRule.BB_SQUEEZE: trend.bb_squeeze,
    LibraryRule.VWAP_PULLBACK: trend.vwap_pullback,
    LibraryRule.VWAP_BANDS_MR: reversion.vwap_bands_mr,
    LibraryRule.BREAKOUT_RETEST: trend.breakout_retest,
    LibraryRule.ATR_MOMENTUM: trend.atr_momentum,
    LibraryRule.RSI_MR: reversion.rsi_mr,
    LibraryRule.SFP: reversion.sfp,
    LibraryRule.EMA_PINCH: trend.ema_pinch,
    LibraryRule.CVD: flow.cvd,
    LibraryRule.FVG: flow.fvg,
    LibraryRule.VOLUME_PROFILE: reversion.volume_profile,
}


@dataclass(frozen=True)
class RuleReading:
    """One rule at one candle. direction: 1 long, −1 short, 0 silent. strength: 0..1."""

    name: LibraryRule
    direction: int
    strength: float
    weight: float


@dataclass(frozen=True)
class Readings:
    """Every rule at every candle.

    signed: float (n, rules), direction × strength, in −1..1; never NaN. weights: float (rules,), as set.
    """

    signed: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.signed)

    @property
    def direction(self) -> Array:
        """int8 (n, rules): 1 long, −1 short, 0 silent."""
        return np.sign(self.signed).astype(np.int8)

    @property
    def strength(self) -> Array:
        """float (n, rules), 0..1."""
        return np.abs(self.signed)

    def of(self, rule: LibraryRule) -> Array:
        """One rule's signed strength (n,)."""
        return self.signed[:, list(LibraryRule).index(rule)]

    def at(self, candle: int) -> tuple[RuleReading, ...]:
        """The rules that speak at a candle, strongest vote first."""
        row = self.signed[candle]
        spoken = [
            RuleReading(rule, int(np.sign(value)), float(abs(value)), float(weight))
            for rule, value, weight in zip(LibraryRule, row, self.weights, strict=True)
            if value
        ]
        return tuple(sorted(spoken, key=lambda reading: -reading.strength * reading.weight))


def read_rules(frame: pd.DataFrame, settings: LibrarySettings) -> Readings:
    """Ask every rule at every candle of a `market_frame`.

    Causal: a candle's readings do not change when candles are appended. Silent, 0, where a rule has not the
    candles or indicators it needs, and on a candle without volume, which is no market.

    Raises:
        DataError: a column is missing.
    """
    market = LibraryInputs.of(frame)
    signed = np.column_stack([_RULES[rule](market, settings.rules) for rule in LibraryRule])
    signed[~(market.volume > 0)] = 0.0
    return Readings(signed, np.array([getattr(settings.weights, name) for name in LIBRARY_RULES]))


def library_startup_candles(limits: RuleThresholds) -> int:
    """Candles before every rule can speak, beside what the indicators need (`startup_candles`)."""
    return max(
        limits.ema_long + limits.reference_candles,
        limits.profile_candles + 1,
        limits.vwap_candles + 1,
        limits.gap_age_candles + 2,
        limits.divergence_candles + limits.cvd_mean_candles,
    )
