"""The bundle's settings: one frozen value, parsed once from `config["adaptive"]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from adaptive_pkg.enums import Profile, Regime, RegimeChange
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.exchange import ExchangeSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.settings.library import LibrarySettings
from adaptive_pkg.settings.live import BreakerSettings, GateSettings
from adaptive_pkg.settings.market import IndicatorSettings, RegimeSettings
from adaptive_pkg.settings.messages import MessageSettings
from adaptive_pkg.settings.policy import (
    DEFAULT_PRESETS,
    POOLED_PRESET,
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
    "POOLED_PRESET",
    "AdaptiveSettings",
    "BreakerSettings",
    "ComponentSettings",
    "ConfidenceSettings",
    "ExchangeSettings",
    "ForecastSettings",
    "GateSettings",
    "IndicatorSettings",
    "KellySettings",
    "LadderSettings",
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


# What a profile means; a value written in the config wins over it.
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

    def preset(self, regime: Regime) -> Preset:
        """The preset that trades `regime`."""
        return self.presets[regime] if self.components.regime_presets else POOLED_PRESET


def load_settings(config: Mapping[str, Any]) -> AdaptiveSettings:
    """Parse `config["adaptive"]`: defaults, then the profile, then what the config says itself.

    Raises:
        SettingsError: names the key, its value, the allowed range, and the nearest key for a typo.
    """
    block = config.get("adaptive", {})
    if not isinstance(block, Mapping):
        raise SettingsError(f"adaptive: expected an object with named settings, got {block!r}")
    profile = parse(_ProfileOnly, {k: v for k, v in block.items() if k == "profile"}, "adaptive").profile
    merged: dict[str, Any] = dict(block)
    for name, values in PROFILES[profile].items():
        own = merged.get(name, {})
        merged[name] = {**values, **own} if isinstance(own, Mapping) else own
    presets = parse_presets(merged.pop("presets", {}), "adaptive.presets")
    known = {item.name for item in fields(AdaptiveSettings)}
    if unknown := set(merged) - known:
        parse(AdaptiveSettings, {key: merged[key] for key in unknown}, "adaptive")
    return replace(parse(AdaptiveSettings, merged, "adaptive"), presets=presets)


def load_forecast_settings(config: Mapping[str, Any]) -> ForecastSettings:
    """Parse `config["freqai"]["model_training_parameters"]`. Raises SettingsError."""
    block = config.get("freqai", {}).get("model_training_parameters", {})
    return parse(ForecastSettings, block, "freqai.model_training_parameters")


@dataclass(frozen=True)
class _ProfileOnly(Settings):
    profile: Profile = param(Profile.CONSERVATIVE, doc="")
