"""The strategy's hyperopt parameters, which stand for settings: where each one's value lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings import AdaptiveSettings

# by space, then by section of the settings: attributes of the strategy
_SECTIONS = {
    "regime": {"regime": ("adx_trend", "adx_flat", "atr_high", "width_tight", "min_dwell_candles")},
    "policy": {
        "confidence": (
            "threshold_shift", "volume_scale", "forecast_agree", "forecast_disagree", "regime_effect",
        )
    },
    "risk": {
        "stops": ("profile_scale", "target_scale", "breakeven_trigger", "trail_trigger", "trail_atr"),
        "kelly": ("fraction",),
    },
}  # fmt: skip


# where hyperopt looks, for what an approach reads on another scale; every corner is a valid setting
_RANGES = {
    Approach.BY_REGIME: {
        "breakeven_trigger": (0.005, 0.025), "trail_trigger": (0.025, 0.08), "trail_atr": (0.5, 4.0),
    },
    Approach.HOLD_TREND: {
        "breakeven_trigger": (0.03, 0.15), "trail_trigger": (0.15, 0.40), "trail_atr": (4.0, 20.0),
    },
}  # fmt: skip


class HyperStrategy(Protocol):
    """What is read of a strategy; freqtrade's has it."""

    _ft_params_from_file: dict[str, dict[str, Any]]


def parameters() -> Iterator[tuple[str, str, str]]:
    """Space, section of the settings and name of every parameter."""
    for space, sections in _SECTIONS.items():
        for section, names in sections.items():
            yield from ((space, section, name) for name in names)


def lay_under(strategy: HyperStrategy, settings: AdaptiveSettings) -> None:
    """Let the settings replace the parameters' defaults, and their approach the ranges of some.

    What a hyperopt result names is laid over both, as freqtrade will do after `bot_start`.

    Raises:
        SettingsError: that result was made under another approach.
    """
    for name, (low, high) in _RANGES[settings.approach].items():
        parameter = getattr(strategy, name)
        parameter.low, parameter.high = low, high
        found = strategy._ft_params_from_file.get("risk", {}).get(name)
        if found is not None and not low <= found <= high:
            raise SettingsError(
                f"{name}: {found} in the hyperopt result beside the strategy is outside {low} to {high}, "
                f"where approach {settings.approach} looks; set adaptive.approach to the one it was made "
                "under, or move the file away"
            )
    strategy.target_scale.optimize = settings.takes_profit  # else hyperopt would search what does nothing
    for space, section, name in parameters():
        named = strategy._ft_params_from_file.get(space, {})
        # not `value`: its setter rounds to the grid that hyperopt searches
        getattr(strategy, name)._value = named.get(name, getattr(getattr(settings, section), name))


def within_stoploss(settings: AdaptiveSettings, stoploss: float) -> AdaptiveSettings:
    """Settings whose stops lie within freqtrade's `stoploss`, read as a move of the price.

    Raises:
        SettingsError: nearer than `stops.min_fraction`.
    """
    farthest = abs(stoploss)
    if farthest >= settings.stops.max_fraction:
        return settings
    return settings.replaced({"stops.max_fraction": farthest})


def present_values(strategy: HyperStrategy) -> dict[str, Any]:
    """The parameters' values at this moment, by key of `AdaptiveSettings.replaced`."""
    return {f"{section}.{name}": getattr(strategy, name).value for _, section, name in parameters()}
