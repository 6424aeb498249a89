"""Futures leverage that keeps liquidation beyond the stop."""

from __future__ import annotations

import math

from adaptive_pkg.errors import RiskError
from adaptive_pkg.settings import SizingSettings


def max_safe_leverage(stop_fraction: float, maintenance_margin: float, buffer: float) -> float:
    """Largest leverage at which the stop is hit before liquidation, isolated margin, long and short.

    A position at leverage L is liquidated when the price has moved (1/L − m)/(1 + m) against a short, and a
    little farther, (1/L − m)/(1 − m), against a long. The stop must lie within (1 − buffer) of the nearer.

    Args:
        stop_fraction: stop distance over entry price. maintenance_margin: m, the venue's rate.
        buffer: part of the way to liquidation that stays free beyond the stop, in [0, 1).

    Raises:
        RiskError: a number is out of range, or even leverage 1 would be liquidated first.
    """
    if not 0.0 < stop_fraction < math.inf:
        raise RiskError(f"stop_fraction: {stop_fraction!r} is not a finite number above 0")
    if not (0.0 <= maintenance_margin < 1.0 and 0.0 <= buffer < 1.0):
        raise RiskError(f"maintenance_margin {maintenance_margin!r} and buffer {buffer!r} must lie in [0, 1)")
    leverage = 1.0 / (stop_fraction * (1.0 + maintenance_margin) / (1.0 - buffer) + maintenance_margin)
    if leverage < 1.0:
        raise RiskError(
            f"stop_fraction: {stop_fraction:.4g} is not safe from liquidation even at leverage 1; "
            "bring the stop nearer"
        )
    return leverage


def safe_leverage(stop_fraction: float, venue_max: float, settings: SizingSettings) -> float:
    """Leverage to ask for: the safe one, at most `settings.max_leverage` and the venue's, at least 1.

    Raises:
        RiskError: as `max_safe_leverage`, or venue_max is below 1.
    """
    if not venue_max >= 1.0:
        raise RiskError(f"venue_max: {venue_max!r} is below 1; the pair cannot be traded with leverage")
    safe = max_safe_leverage(stop_fraction, settings.maintenance_margin, settings.liquidation_buffer)
    return min(safe, settings.max_leverage, venue_max)
