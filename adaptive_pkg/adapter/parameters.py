"""The strategy's hyperopt parameters, which stand for settings: where each one's value lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

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


class HyperStrategy(Protocol):
    """What is read of a strategy; freqtrade's has it."""

    _ft_params_from_file: dict[str, dict[str, Any]]


def parameters() -> Iterator[tuple[str, str, str]]:
    """Space, section of the settings and name of every parameter."""
    for space, sections in _SECTIONS.items():
        for section, names in sections.items():
            yield from ((space, section, name) for name in names)


def lay_under(strategy: HyperStrategy, settings: AdaptiveSettings) -> None:
    """Let the settings replace the parameters' defaults; what a hyperopt result names is left alone."""
    for space, section, name in parameters():
        if name not in strategy._ft_params_from_file.get(space, {}):
            # not `value`: its setter rounds to the grid that hyperopt searches
            getattr(strategy, name)._value = getattr(getattr(settings, section), name)


def present_values(strategy: HyperStrategy) -> dict[str, Any]:
    """The parameters' values at this moment, by key of `AdaptiveSettings.replaced`."""
    return {f"{section}.{name}": getattr(strategy, name).value for _, section, name in parameters()}
