"""Settings of the policy room: the five presets, confidence weights and tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adaptive_pkg.enums import Regime, Style
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param, parse


@dataclass(frozen=True)
class Preset(Settings):
    """How to trade in one regime."""

    style: Style = param(Style.STAND_ASIDE, doc="family of entry and exit rules")
    use_breakouts: bool = param(False, doc="Donchian breakouts are allowed as entries")
    size_multiplier: float = param(1.0, 0.0, 2.0, doc="multiplier on the fraction at risk")
    stop_atr: float = param(2.0, 0.25, 20.0, doc="initial stop in ATR at normal volatility")
    target_atr: float = param(3.0, 0.25, 50.0, doc="take-profit in ATR from the entry")
    trailing: bool = param(True, doc="the stop may trail")
    confidence_threshold: float = param(0.60, 0.0, 1.0, doc="least confidence for an entry")
    volume_filter: float = param(1.0, 0.0, 10.0, doc="multiplier on the least volume ratio (0.5)")
    allow_dca: bool = param(False, doc="adding to a losing position is allowed (not used yet)")
    allow_grid: bool = param(False, doc="grid orders are allowed (not used yet)")


# Columns: style, breakouts, size, stop, target, trailing, confidence, volume, DCA, grid.
DEFAULT_PRESETS: dict[Regime, Preset] = {
    Regime.STRONG_TREND: Preset(Style.TREND_FOLLOWING, True, 1.2, 2.5, 4.0, True, 0.50, 0.8, False, False),
    Regime.VOLATILE_TREND: Preset(Style.CAUTIOUS_TREND, False, 0.7, 3.0, 4.0, True, 0.70, 1.5, True, False),
    Regime.TIGHT_RANGE: Preset(Style.MEAN_REVERSION, False, 1.0, 1.5, 1.5, False, 0.55, 0.7, True, True),
    Regime.CHOPPY: Preset(Style.STAND_ASIDE, False, 0.5, 2.0, 2.0, False, 0.80, 2.0, False, False),
    Regime.TRANSITIONAL: Preset(Style.CAUTIOUS_TREND, False, 0.6, 2.0, 2.5, True, 0.75, 1.5, True, False),
}

# What every regime gets when the regime presets are switched off.
POOLED_PRESET = Preset(Style.TREND_FOLLOWING, True, 1.0, 2.0, 3.0, True, 0.60, 1.0, False, False)


@dataclass(frozen=True)
class ConfidenceSettings(Settings):
    """Weights of the confidence score, tiers of size, and what a forecast may add or take."""

    rsi: float = param(0.15, 0.0, 1.0, doc="weight of RSI room")
    macd: float = param(0.20, 0.0, 1.0, doc="weight of MACD histogram agreement")
    volume: float = param(0.30, 0.0, 1.0, doc="weight of volume")
    trend_alignment: float = param(0.20, 0.0, 1.0, doc="weight of trend alignment")
    support_resistance: float = param(0.10, 0.0, 1.0, doc="weight of room to the opposite level")
    sentiment: float = param(0.05, 0.0, 1.0, doc="weight of sentiment (neutral without a source)")
    full_tier: float = param(0.75, 0.0, 1.0, doc="confidence for full size")
    reduced_tier: float = param(0.60, 0.0, 1.0, doc="confidence for 0.6 of full size")
    minimal_tier: float = param(0.50, 0.0, 1.0, doc="confidence for 0.3 of full size; below it: no entry")
    forecast_agree: float = param(0.30, 0.0, 2.0, doc="largest relative gain from an agreeing forecast")
    forecast_disagree: float = param(0.40, 0.0, 1.0, doc="largest relative loss from a disagreeing forecast")
    regime_effect: float = param(0.10, 0.0, 1.0, doc="relative gain or loss at regime confidence 1 or 0")
    forecast_full_sigma: float = param(0.5, 0.01, 10.0, doc="forecast in σ at which its effect is full")

    @property
    def weights(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in CONFIDENCE_WEIGHTS}

    def check(self) -> None:
        total = sum(self.weights.values())
        if abs(total - 1.0) > 1e-6:
            raise SettingsError(f"weights {self.weights} sum to {total:.6g}; they must sum to 1")
        if not self.minimal_tier <= self.reduced_tier <= self.full_tier:
            raise SettingsError(
                f"tiers must rise: minimal_tier {self.minimal_tier}, reduced_tier {self.reduced_tier}, "
                f"full_tier {self.full_tier}"
            )


CONFIDENCE_WEIGHTS = ("rsi", "macd", "volume", "trend_alignment", "support_resistance", "sentiment")


def parse_presets(mapping: Mapping[str, Any], path: str) -> dict[Regime, Preset]:
    """Lay a config's per-regime overrides over the default table."""
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"{path}: expected an object keyed by regime, got {mapping!r}")
    presets = dict(DEFAULT_PRESETS)
    for key, overrides in mapping.items():
        try:
            regime = Regime(key)
        except ValueError:
            raise SettingsError(f"{path}.{key}: unknown regime. Valid: {', '.join(Regime)}.") from None
        parse(Preset, overrides, f"{path}.{key}")  # names a bad key, type or value
        presets[regime] = replace(presets[regime], **overrides)
    return presets
