"""The stop plan of one trade: everything its stop needs for life, fixed when the entry fills."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from adaptive_pkg.enums import ThresholdSet
from adaptive_pkg.errors import RiskError
from adaptive_pkg.settings import ComponentSettings, Preset, StopSettings

PLAN_VERSION = 1
# Where a trade's custom data holds its plan; no "_" or "%": freqtrade looks keys up with SQL wildcards.
PLAN_KEY = "adaptive plan"
LONG, SHORT = "long", "short"

# (volatility, multiple in ATR): straight lines between, flat outside.
# ABSOLUTE: bands end at 0.8/1.5/3/5 %; each band's value is reached in its middle, so no ATR % makes a jump.
_MULTIPLES = {
    ThresholdSet.RELATIVE: ((0.5, 1.0, 2.0), (1.5, 2.0, 3.0)),
    ThresholdSet.ABSOLUTE: ((0.4, 1.15, 2.25, 4.0, 6.0), (1.2, 1.5, 2.0, 2.5, 3.0)),
}
_NORMAL_MULTIPLE = 2.0  # the multiple at which a preset's stop_atr holds as written


@dataclass(frozen=True, slots=True)
class StopPlan:
    """What was decided about a trade's stop at its entry. Prices in quote currency, triggers in price moves.

    Building one checks it, so a plan read back from storage is either sound or an error.

    Raises:
        RiskError: a field is missing its meaning (NaN, wrong sign) or stands on the wrong side of the entry.
    """

    side: str  # "long" or "short"
    entry_price: float
    atr: float  # at the entry, in price
    fee: float  # of one side, as a fraction of the order's value
    initial_stop: float
    breakeven_stop: float  # closing here nets zero after both fees
    target_price: float
    breakeven_trigger: float  # favourable move, fraction of the entry price
    trail_trigger: float
    trail_atr: float  # trailing distance, in ATR
    market_gap: float  # least distance of a moved stop from the last close, in price
    breakeven: bool  # may the stop go to breakeven?
    trailing: bool  # may it trail?
    target: bool  # is target_price in force?
    version: int = PLAN_VERSION

    def __post_init__(self) -> None:
        if self.version != PLAN_VERSION:
            raise RiskError(
                f"stop plan version {self.version!r}: this release reads {PLAN_VERSION}; keep the last stop"
            )
        if self.side not in (LONG, SHORT):
            raise RiskError(f"stop plan side: {self.side!r} is neither {LONG!r} nor {SHORT!r}")
        for name in _FLOATS:
            value = getattr(self, name)
            if not isinstance(value, float) or not math.isfinite(value) or value < 0.0:
                raise RiskError(f"stop plan {name}: {value!r} is not a finite number of at least 0")
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise RiskError(f"stop plan {name}: {getattr(self, name)!r} is neither true nor false")
        below, above = (
            (self.initial_stop, self.target_price)
            if self.side == LONG
            else (self.target_price, self.initial_stop)
        )
        if not 0.0 < below < self.entry_price < above:
            raise RiskError(
                f"stop plan of a {self.side}: initial_stop {self.initial_stop:.8g}, entry_price "
                f"{self.entry_price:.8g} and target_price {self.target_price:.8g} are not in order"
            )

    @property
    def stop_fraction(self) -> float:
        """Distance of the initial stop, as a fraction of the entry price."""
        return abs(self.entry_price - self.initial_stop) / self.entry_price

    @property
    def loss_fraction(self) -> float:
        """Part of the position's value lost if the initial stop fills: distance and both fees. It is 1 R."""
        return self.stop_fraction + self.fee * (1.0 + self.initial_stop / self.entry_price)

    def r_multiple(self, profit: float, notional: float) -> float:
        """A trade's profit (after fees) in units of its initial risk; a stop filled as planned gives −1.

        Args:
            profit: in quote currency. notional: value of the position at its entry, same currency.

        Raises:
            RiskError: a number is not finite, or notional is not above 0.
        """
        if not math.isfinite(profit) or not 0.0 < notional < math.inf:
            raise RiskError(f"r_multiple: profit {profit!r} over notional {notional!r} has no meaning")
        return profit / (notional * self.loss_fraction)

    def target_reached(self, price: float) -> bool:
        """Whether `price` is at or beyond a target that is in force. NaN never is."""
        if not self.target:
            return False
        return price >= self.target_price if self.side == LONG else price <= self.target_price

    def to_dict(self) -> dict[str, str | float | bool | int]:
        """The plan as JSON-able values, for a trade's stored data."""
        return {name: getattr(self, name) for name in _FIELDS}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> StopPlan:
        """Read a plan back.

        Raises:
            RiskError: wrong version, a missing or unknown field, or a value that is not sound. The caller
                keeps the trade's last stop.
        """
        if not isinstance(stored, Mapping):
            raise RiskError(f"stop plan: expected named values, got {stored!r}; keep the last stop")
        if stored.get("version") != PLAN_VERSION:
            raise RiskError(
                f"stop plan version {stored.get('version')!r}: this release reads {PLAN_VERSION}; "
                "keep the last stop"
            )
        if set(stored) != _FIELD_SET:
            missing, unknown = sorted(_FIELD_SET - set(stored)), sorted(set(stored) - _FIELD_SET)
            raise RiskError(f"stop plan: missing {missing}, unknown {unknown}; keep the last stop")
        # JSON from other writers may hold 100 for 100.0
        values = {k: float(v) if k in _FLOATS and type(v) is int else v for k, v in stored.items()}
        return cls(**values)


_FIELDS = tuple(item.name for item in fields(StopPlan))
_FIELD_SET = frozenset(_FIELDS)
_FLAGS = ("breakeven", "trailing", "target")
_FLOATS = tuple(name for name in _FIELDS if name not in {*_FLAGS, "side", "version"})


def volatility_multiple(threshold_set: ThresholdSet, atr_pct: float, atr_ratio: float) -> float:
    """Stop distance in ATR for this volatility before preset and profile; continuous and never falling.

    RELATIVE reads `atr_ratio` (ATR % over its trailing mean): 1.5 up to 0.5, 2.0 at 1, 3.0 from 2 on.
    ABSOLUTE reads `atr_pct` (ATR in % of price): 1.2 up to 0.4 %; 1.5, 2, 2.5 at 1.15, 2.25, 4 %; 3 from 6 %.

    Raises:
        RiskError: the number it reads is not finite or not above 0.
    """
    name, x = ("atr_ratio", atr_ratio) if threshold_set is ThresholdSet.RELATIVE else ("atr_pct", atr_pct)
    _positive(name, x)
    knots, values = _MULTIPLES[threshold_set]
    right = bisect_right(knots, x)
    if right == 0:
        return values[0]
    if right == len(knots):
        return values[-1]
    share = (x - knots[right - 1]) / (knots[right] - knots[right - 1])
    return values[right - 1] + share * (values[right] - values[right - 1])


def plan_stop(
    side: str,
    entry_price: float,
    atr: float,
    atr_pct: float,
    atr_ratio: float,
    preset: Preset,
    settings: StopSettings,
    components: ComponentSettings,
    fee: float,
) -> StopPlan:
    """Plan a trade's stop from its fill price and the last closed candle.

    distance = preset.stop_atr × (volatility multiple ÷ 2) × profile_scale × ATR, held within
    [min_fraction, max_fraction] of the entry price. Dynamic stops off: fixed_fraction, and it never moves.

    Args:
        side: "long" or "short". entry_price: average fill. atr: in price. atr_pct: in %. atr_ratio: ATR %
        over its trailing mean. fee: of one side, as a fraction (0.001 is 0.1 %).

    Raises:
        RiskError: a number is NaN, infinite or has the wrong sign, or the target is below zero. Refuse the
            entry.
    """
    _positive("entry_price", entry_price)
    _positive("atr", atr)
    if not 0.0 <= fee < 0.1:
        raise RiskError(f"fee: {fee!r} is outside [0, 0.1); give one side's fee as a fraction")
    if components.dynamic_stops:
        multiple = volatility_multiple(settings.multiple_set, atr_pct, atr_ratio)
        in_atr = preset.stop_atr * (multiple / _NORMAL_MULTIPLE) * settings.profile_scale
        fraction = min(max(in_atr * atr / entry_price, settings.min_fraction), settings.max_fraction)
    else:
        fraction = settings.fixed_fraction
    sign = 1.0 if side == LONG else -1.0
    return StopPlan(
        side=side,
        entry_price=float(entry_price),
        atr=float(atr),
        fee=float(fee),
        initial_stop=float(entry_price * (1.0 - sign * fraction)),
        breakeven_stop=float(entry_price * (1.0 + sign * fee) / (1.0 - sign * fee)),
        target_price=float(entry_price + sign * preset.target_atr * settings.target_scale * atr),
        breakeven_trigger=settings.breakeven_trigger,
        trail_trigger=settings.trail_trigger,
        trail_atr=settings.trail_atr,
        market_gap=float(entry_price * settings.market_gap),
        breakeven=components.dynamic_stops and components.breakeven and preset.breakeven,
        trailing=components.dynamic_stops and components.trailing and preset.trailing,
        target=components.target and preset.take_profit,
    )


def _positive(name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise RiskError(f"{name}: {value!r} is not a finite number above 0; no stop can be planned from it")
