"""Settings of the policy room: the five presets, confidence weights and tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adaptive_pkg.enums import Approach, Regime, Style
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param, parse


@dataclass(frozen=True)
class Preset(Settings):
    """How to trade in one regime."""

    style: Style = param(Style.STAND_ASIDE, doc="family of entry and exit rules")
    use_breakouts: bool = param(False, doc="Donchian breakouts are allowed as entries")
    size_multiplier: float = param(1.0, 0.0, 2.0, doc="multiplier on the fraction at risk")
    max_positions: int = param(3, 0, 1000, doc="most open trades while this is a pair's regime")
    stop_atr: float = param(2.0, 0.25, 20.0, doc="initial stop in ATR at normal volatility")
    take_profit: bool = param(True, doc="there is a take-profit at target_atr")
    target_atr: float = param(3.0, 0.25, 50.0, doc="take-profit in ATR from the entry")
    breakeven: bool = param(True, doc="the stop may move to breakeven")
    trailing: bool = param(True, doc="the stop may trail")
    confidence_threshold: float = param(0.60, 0.0, 1.0, doc="least confidence for an entry")
    volume_filter: float = param(1.0, 0.0, 10.0, doc="multiplier on the least volume ratio (0.5)")
    cooldown: float = param(1.0, 0.0, 100.0, doc="multiplier on portfolio.cooldown_candles")
    avoid_reversals: bool = param(
        False, doc="no entry against the pair's last trade within portfolio.reversal_candles"
    )
    allow_dca: bool = param(False, doc="adding to a losing position is allowed")
    allow_grid: bool = param(False, doc="rungs are sold again one step higher: a grid")
    dca_levels: int = param(0, 0, 20, doc="most rungs below the entry")
    dca_spacing: float = param(1.0, 0.1, 10.0, doc="multiplier on the distance between rungs")
    scale_out: bool = param(False, doc="part of the position is closed on the way to the target")
    reduce_exposure: bool = param(False, doc="half of the portfolio's heat limits while this is the regime")
    pause: bool = param(False, doc="no entries at all")


# One row a setting, one column a regime; `adaptive.presets.<regime>.<setting>` in the config overrides one.
_TREND, _CAUTIOUS, _RANGE, _ASIDE = (
    Style.TREND_FOLLOWING, Style.CAUTIOUS_TREND, Style.MEAN_REVERSION, Style.STAND_ASIDE,
)  # fmt: skip
_TABLE: dict[str, tuple] = {
    "":                     (Regime.STRONG_TREND, Regime.VOLATILE_TREND, Regime.TIGHT_RANGE, Regime.CHOPPY,
                             Regime.TRANSITIONAL),
    "style":                (_TREND,  _CAUTIOUS,  _RANGE,  _ASIDE,  _CAUTIOUS),
    "use_breakouts":        (True,    False,      False,   False,   False),
    "size_multiplier":      (1.2,     0.7,        1.0,     0.5,     0.6),
    "max_positions":        (5,       3,          5,       2,       2),
    "stop_atr":             (2.5,     3.0,        1.5,     2.0,     2.0),
    "target_atr":           (4.0,     4.0,        1.5,     2.0,     2.5),
    "trailing":             (True,    True,       False,   False,   True),
    "confidence_threshold": (0.50,    0.70,       0.55,    0.80,    0.75),
    "volume_filter":        (0.8,     1.5,        0.7,     2.0,     1.5),
    "cooldown":             (0.8,     1.5,        0.6,     2.0,     1.5),
    "avoid_reversals":      (True,    True,       False,   False,   False),
    "allow_dca":            (False,   True,       True,    False,   True),
    "allow_grid":           (False,   False,      True,    False,   False),
    "dca_levels":           (0,       2,          4,       1,       2),
    "dca_spacing":          (1.0,     1.5,        0.8,     1.0,     1.0),
    "scale_out":            (False,   True,       False,   False,   True),
    "reduce_exposure":      (False,   True,       False,   True,    False),
    "pause":                (False,   False,      False,   False,   False),
}  # fmt: skip
DEFAULT_PRESETS: dict[Regime, Preset] = {
    regime: Preset(**{name: row[column] for name, row in _TABLE.items() if name})
    for column, regime in enumerate(_TABLE[""])
}

# Holding a trend: the same rule in every regime, with that regime's size. The stop is there for the worst
# case, far enough not to end a trend that goes on.
_HELD = Preset(
    style=Style.HOLD_TREND, size_multiplier=1.0, max_positions=8, stop_atr=8.0, take_profit=False,
    confidence_threshold=0.5, cooldown=12.0,
)  # fmt: skip
HELD_PRESETS: dict[Regime, Preset] = {
    regime: replace(_HELD, size_multiplier=preset.size_multiplier)
    for regime, preset in DEFAULT_PRESETS.items()
}
PRESETS: Mapping[Approach, Mapping[Regime, Preset]] = {
    Approach.BY_REGIME: DEFAULT_PRESETS,
    Approach.HOLD_TREND: HELD_PRESETS,
}

# What every regime gets when the regime presets are switched off.
POOLED_PRESETS: Mapping[Approach, Preset] = {
    Approach.BY_REGIME: Preset(style=Style.TREND_FOLLOWING, use_breakouts=True),
    Approach.HOLD_TREND: _HELD,
}


@dataclass(frozen=True)
class ConfidenceSettings(Settings):
    """Weights of the confidence score, tiers of size, and what a forecast may add or take."""

    rsi: float = param(0.15, 0.0, 1.0, doc="weight of RSI room")
    macd: float = param(0.20, 0.0, 1.0, doc="weight of MACD histogram agreement")
    volume: float = param(0.30, 0.0, 1.0, doc="weight of volume")
    trend_alignment: float = param(0.20, 0.0, 1.0, doc="weight of trend alignment, three timeframes")
    support_resistance: float = param(0.10, 0.0, 1.0, doc="weight of room to the opposite level")
    sentiment: float = param(0.05, 0.0, 1.0, doc="weight of sentiment")
    sentiment_effect: float = param(
        0.0, 0.0, 1.0, doc="how far a known mood (sources) moves its part from neutral; none has earned it"
    )
    full_tier: float = param(0.75, 0.0, 1.0, doc="confidence for full size")
    reduced_tier: float = param(0.60, 0.0, 1.0, doc="confidence for 0.6 of full size")
    minimal_tier: float = param(0.50, 0.0, 1.0, doc="confidence for 0.3 of full size; below it: no entry")
    forecast_agree: float = param(0.30, 0.0, 2.0, doc="largest relative gain from an agreeing forecast")
    forecast_disagree: float = param(0.40, 0.0, 1.0, doc="largest relative loss from a disagreeing forecast")
    regime_effect: float = param(0.10, 0.0, 1.0, doc="relative gain or loss at regime confidence 1 or 0")
    threshold_shift: float = param(0.0, -0.5, 0.5, doc="added to every preset's confidence_threshold")
    volume_scale: float = param(1.0, 0.0, 10.0, doc="multiplier on every preset's volume_filter")
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


def parse_presets(
    mapping: Mapping[str, Any], path: str, approach: Approach = Approach.BY_REGIME
) -> dict[Regime, Preset]:
    """Lay a config's per-regime overrides over the approach's table."""
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"{path}: expected an object keyed by regime, got {mapping!r}")
    presets = dict(PRESETS[approach])
    for key, overrides in mapping.items():
        try:
            regime = Regime(key)
        except ValueError:
            raise SettingsError(f"{path}.{key}: unknown regime. Valid: {', '.join(Regime)}.") from None
        parse(Preset, overrides, f"{path}.{key}")  # names a bad key, type or value
        presets[regime] = replace(presets[regime], **overrides)
    return presets
