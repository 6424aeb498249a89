"""The bundle's settings: one frozen value, parsed once from `config["adaptive"]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from adaptive_pkg.enums import Approach, Profile, Regime, RegimeChange, Style
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.exchange import ExchangeSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.settings.journal import JournalSettings, LearningSettings
from adaptive_pkg.settings.library import LibrarySettings
from adaptive_pkg.settings.live import BreakerSettings, GateSettings
from adaptive_pkg.settings.market import IndicatorSettings, RegimeSettings
from adaptive_pkg.settings.messages import MessageSettings
from adaptive_pkg.settings.policy import (
    DEFAULT_PRESETS,
    POOLED_PRESETS,
    ConfidenceSettings,
    Preset,
    parse_presets,
)
from adaptive_pkg.settings.risk import (
    KellySettings,
    LadderSettings,
    PortfolioSettings,
    SizingSettings,
    StopSettings,
)
from adaptive_pkg.settings.schema import Settings, describe, param, parse, section
from adaptive_pkg.settings.sources import SourcesSettings

__all__ = [
    "DEFAULT_PRESETS",
    "POOLED_PRESETS",
    "AdaptiveSettings",
    "BreakerSettings",
    "ComponentSettings",
    "ConfidenceSettings",
    "ExchangeSettings",
    "ForecastSettings",
    "GateSettings",
    "IndicatorSettings",
    "JournalSettings",
    "KellySettings",
    "LadderSettings",
    "LearningSettings",
    "LibrarySettings",
    "MessageSettings",
    "PortfolioSettings",
    "Preset",
    "RegimeSettings",
    "Settings",
    "SizingSettings",
    "SourcesSettings",
    "StopSettings",
    "describe",
    "load_forecast_settings",
    "load_settings",
]


@dataclass(frozen=True)
class ComponentSettings(Settings):
    """Switches, one per component, so that an ablation is a config change."""

    regime_presets: bool = param(True, doc="off: every regime trades the same pooled preset")
    forecast: bool = param(True, doc="off: the GRU's columns are ignored")
    confidence: bool = param(True, doc="off: every signal counts as full confidence")
    kelly: bool = param(True, doc="off: start_fraction for ever")
    drawdown_throttle: bool = param(True, doc="off: size does not fall in a drawdown")
    dynamic_stops: bool = param(True, doc="off: stops.fixed_fraction, and it never moves")
    breakeven: bool = param(True, doc="off: the stop never moves to breakeven")
    trailing: bool = param(True, doc="off: the stop never trails")
    target: bool = param(True, doc="off: no take-profit in ATR")
    ladder: bool = param(True, doc="off: one entry, one exit: no DCA, no grid, no scale-outs")
    portfolio_limits: bool = param(True, doc="off: no heat, correlation, cooldown, position or loss limits")
    market_gate: bool = param(True, doc="live; off: no added exchange calls, no look at spread and depth")
    circuit_breaker: bool = param(True, doc="live; off: entries go on after failures, on old data, in losses")


# What an approach means besides its presets, then what a profile means; a value in the config wins over both.
# Measured with the laboratory: near targets, tight trails and rungs cost a trend more than they save.
APPROACHES: dict[Approach, dict[str, dict[str, Any]]] = {
    Approach.BY_REGIME: {},
    Approach.HOLD_TREND: {
        "indicators": {"trend_lookbacks": [240, 300, 360, 420, 480]},
        "confidence": {"full_tier": 0.5, "reduced_tier": 0.5, "minimal_tier": 0.5},
        "kelly": {"start_fraction": 0.005, "floor": 0.0025},
        "stops": {"breakeven_trigger": 0.10, "trail_trigger": 0.20, "trail_atr": 15.0},
    },
}
# Held trends rise and fall together, and for weeks: each may risk little.
HELD_PROFILES: dict[Profile, dict[str, dict[str, float]]] = {
    Profile.CONSERVATIVE: {"kelly": {"cap": 0.0075}, "stops": {"max_fraction": 0.10}},
    Profile.MODERATE: {"kelly": {"cap": 0.0125}, "stops": {"max_fraction": 0.12}},
    Profile.AGGRESSIVE: {"kelly": {"cap": 0.02}, "stops": {"max_fraction": 0.15}},
}
PROFILES: dict[Profile, dict[str, dict[str, float]]] = {
    Profile.CONSERVATIVE: {
        "kelly": {"fraction": 0.25},
        "stops": {"profile_scale": 1.25, "max_fraction": 0.03},
    },
    Profile.MODERATE: {
        "kelly": {"fraction": 0.40},
        "stops": {"profile_scale": 1.0, "max_fraction": 0.05},
    },
    Profile.AGGRESSIVE: {
        "kelly": {"fraction": 0.50},
        "stops": {"profile_scale": 0.75, "max_fraction": 0.07},
    },
}


@dataclass(frozen=True)
class AdaptiveSettings(Settings):
    """Everything the strategy needs to know, checked."""

    profile: Profile = param(Profile.CONSERVATIVE, doc="conservative, moderate or aggressive")
    approach: Approach = param(
        Approach.BY_REGIME, doc="hold_trend: one long trend rule; by_regime: each regime's own style"
    )
    indicators: IndicatorSettings = section(IndicatorSettings)
    regime: RegimeSettings = section(RegimeSettings)
    presets: Mapping[Regime, Preset] = field(
        default_factory=lambda: dict(DEFAULT_PRESETS), metadata={"doc": "overrides per regime"}
    )
    confidence: ConfidenceSettings = section(ConfidenceSettings)
    library: LibrarySettings = section(LibrarySettings)
    kelly: KellySettings = section(KellySettings)
    sizing: SizingSettings = section(SizingSettings)
    stops: StopSettings = section(StopSettings)
    ladder: LadderSettings = section(LadderSettings)
    portfolio: PortfolioSettings = section(PortfolioSettings)
    regime_change: RegimeChange = param(
        RegimeChange.KEEP, doc="an open trade whose regime has changed: keep, tighten or exit"
    )
    gate: GateSettings = section(GateSettings)
    breaker: BreakerSettings = section(BreakerSettings)
    exchange: ExchangeSettings = section(ExchangeSettings)
    components: ComponentSettings = section(ComponentSettings)
    messages: MessageSettings = section(MessageSettings)
    sources: SourcesSettings = section(SourcesSettings)
    journal: JournalSettings = section(JournalSettings)

    def check(self) -> None:
        holding = self.approach is Approach.HOLD_TREND
        for regime, preset in self.presets.items():
            if preset.style is not Style.STAND_ASIDE and (preset.style is Style.HOLD_TREND) != holding:
                raise SettingsError(
                    f"presets.{regime}.style: {preset.style} does not go with approach {self.approach}, "
                    "for all trades of an approach leave by one rule; change one of the two"
                )
        if holding and not self.indicators.trend_lookbacks:
            raise SettingsError("indicators.trend_lookbacks: approach hold_trend needs at least one channel")

    def replaced(self, values: Mapping[str, Any]) -> AdaptiveSettings:
        """The same settings with some values changed, each checked.

        Args:
            values: by dotted key, e.g. {"regime.adx_trend": 27.0}.

        Raises:
            SettingsError: a value is out of range, or does not go with the others.
        """
        sections: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            group, _, name = key.partition(".")
            sections.setdefault(group, {})[name] = value
        return replace(self, **{name: replace(getattr(self, name), **v) for name, v in sections.items()})

    @property
    def takes_profit(self) -> bool:
        """Whether any trade has a take-profit."""
        return self.components.target and any(self.preset(regime).take_profit for regime in Regime)

    @property
    def adjusts_positions(self) -> bool:
        """Whether any trade has a ladder: rungs below the entry, or parts sold on the way."""
        presets = map(self.preset, Regime)
        return self.components.ladder and any(one.allow_dca or one.scale_out for one in presets)

    def preset(self, regime: Regime) -> Preset:
        """The preset that trades `regime`."""
        return self.presets[regime] if self.components.regime_presets else POOLED_PRESETS[self.approach]


def load_settings(config: Mapping[str, Any]) -> AdaptiveSettings:
    """Parse `config["adaptive"]`: defaults, then approach and profile, then what the config says itself.

    Without `adaptive.approach` it is hold_trend.

    Raises:
        SettingsError: names the key, its value, the allowed range, and the nearest key for a typo.
    """
    block = config.get("adaptive", {})
    if not isinstance(block, Mapping):
        raise SettingsError(f"adaptive: expected an object with named settings, got {block!r}")
    chosen = parse(_Choices, {k: v for k, v in block.items() if k in _CHOICES}, "adaptive")
    merged: dict[str, Any] = {**block, "approach": chosen.approach}
    for layer in _layers(chosen.approach, chosen.profile):  # what wins first
        for name, values in layer.items():
            own = merged.get(name, {})
            merged[name] = {**values, **own} if isinstance(own, Mapping) else own
    merged["presets"] = parse_presets(merged.get("presets", {}), "adaptive.presets", chosen.approach)
    known = {item.name for item in fields(AdaptiveSettings)}
    if unknown := set(merged) - known:
        parse(AdaptiveSettings, {key: merged[key] for key in unknown}, "adaptive")
    return parse(AdaptiveSettings, merged, "adaptive")


def load_forecast_settings(config: Mapping[str, Any]) -> ForecastSettings:
    """Parse `config["freqai"]["model_training_parameters"]`. Raises SettingsError."""
    block = config.get("freqai", {}).get("model_training_parameters", {})
    return parse(ForecastSettings, block, "freqai.model_training_parameters")


@dataclass(frozen=True)
class _Choices(Settings):
    profile: Profile = param(Profile.CONSERVATIVE, doc="")
    approach: Approach = param(Approach.HOLD_TREND, doc="")


_CHOICES = frozenset(item.name for item in fields(_Choices))


def _layers(approach: Approach, profile: Profile) -> list[dict[str, dict[str, Any]]]:
    layers: list[dict[str, dict[str, Any]]] = [PROFILES[profile], APPROACHES[approach]]
    if approach is Approach.HOLD_TREND:
        layers.insert(0, HELD_PROFILES[profile])
    return layers
