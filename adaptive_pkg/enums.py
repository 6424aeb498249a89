"""Closed vocabularies. Values are strings, so they can stand in frames, entry tags and JSON."""

from enum import StrEnum


class Regime(StrEnum):
    """What kind of market it is. Order is the order of `Regime.code`."""

    STRONG_TREND = "strong_trend"
    VOLATILE_TREND = "volatile_trend"
    TIGHT_RANGE = "tight_range"
    CHOPPY = "choppy"
    TRANSITIONAL = "transitional"

    @property
    def code(self) -> int:
        """Position in the enum: the integer that stands for the regime in arrays."""
        return _REGIME_CODES[self]

    @classmethod
    def from_code(cls, code: int) -> "Regime":
        return _REGIMES[code]


_REGIMES = tuple(Regime)
_REGIME_CODES = {regime: code for code, regime in enumerate(_REGIMES)}


class Approach(StrEnum):
    """What the presets, stops and tiers are by default."""

    HOLD_TREND = "hold_trend"  # hold while long channels rise, whatever the regime, which sets the size
    BY_REGIME = "by_regime"  # each regime its own style, target and ladder


class Style(StrEnum):
    """How a preset trades."""

    HOLD_TREND = "hold_trend"
    TREND_FOLLOWING = "trend_following"
    CAUTIOUS_TREND = "cautious_trend"
    MEAN_REVERSION = "mean_reversion"
    STAND_ASIDE = "stand_aside"


class Profile(StrEnum):
    """How much risk the user accepts."""

    CONSERVATIVE = "conservative"
    MODERATE = "moderate"
    AGGRESSIVE = "aggressive"


class StopStage(StrEnum):
    """Where a stop is in its life. It only ever moves down this list."""

    INITIAL = "initial"
    BREAKEVEN = "breakeven"
    TRAILING = "trailing"


class RegimeChange(StrEnum):
    """What happens to an open trade when its pair's regime is no longer the one it was entered in."""

    KEEP = "keep"  # the trade keeps the plan it was entered with; its ladder adds no more
    TIGHTEN = "tighten"  # the stop also moves to where the new regime's preset would put it
    EXIT = "exit"  # the trade is closed


class SizingMode(StrEnum):
    """What the Kelly fraction is a fraction of."""

    RISK = "risk"  # equity lost if the stop is hit
    NOTIONAL = "notional"  # equity put into the position (the literal reading)


class ThresholdSet(StrEnum):
    """Where the regime thresholds come from."""

    RELATIVE = "relative"  # ATR and Bollinger width against their own past: any timeframe
    ABSOLUTE = "absolute"  # ATR 3 %, Bollinger width 0.01
