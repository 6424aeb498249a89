"""The ladder of one trade, planned at its entry: rungs towards the stop, steps towards the target.

The whole ladder is sized at once: `loss_fraction` is what its stop costs when every rung has filled, so the
stake sized by it (sizing.size_position) is the stake of all orders together, and the first order is only its
share. A trade that never reaches its rungs risks less than was decided, never more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from adaptive_pkg.enums import StopStage
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.ladder_state import LadderState
from adaptive_pkg.risk.stop_plan import LONG, SHORT, StopPlan
from adaptive_pkg.settings import ComponentSettings, LadderSettings, Preset

LADDER_VERSION = 1
# Where a trade's custom data holds its ladder; no "_" or "%": freqtrade looks keys up with SQL wildcards.
LADDER_KEY = "adaptive ladder"
HELD_PART = 0.5  # a rung counts as held from this part of its planned stake on: fills may be partial


@dataclass(frozen=True, slots=True)
class LadderPlan:
    """What was decided about a trade's further orders at its entry. Prices in quote currency.

    Building one checks it, so a plan read back from storage is either sound or an error.

    Raises:
        RiskError: a field is missing its meaning, or a price stands on the wrong side of another.
    """

    side: str  # "long" or "short"
    entry_price: float
    stop_price: float  # the initial stop: rungs are bought only while it is in force
    fee: float  # of one side, as a fraction of the order's value
    rungs: tuple[float, ...]  # prices, nearest to the entry first
    shares: tuple[float, ...]  # of the planned stake: the first entry's, then one for each rung; sum 1
    grid: bool  # are rungs sold again?
    sells: tuple[float, ...]  # prices, one for each rung of a grid
    scale_out_prices: tuple[float, ...]  # nearest first
    scale_out_shares: tuple[float, ...]  # of the first entry's amount
    planned_stake: float = 0.0  # margin of all orders together; 0 until it is known
    version: int = LADDER_VERSION

    def __post_init__(self) -> None:
        if self.version != LADDER_VERSION:
            raise RiskError(
                f"ladder version {self.version!r}: this release reads {LADDER_VERSION}; add nothing"
            )
        if self.side not in (LONG, SHORT):
            raise RiskError(f"ladder side: {self.side!r} is neither {LONG!r} nor {SHORT!r}")
        if not isinstance(self.grid, bool):
            raise RiskError(f"ladder grid: {self.grid!r} is neither true nor false")
        for name in _TUPLES:
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(_is_number(x) and x > 0.0 for x in value):
                raise RiskError(f"ladder {name}: {value!r} are not finite numbers above 0")
        for name in _FLOATS:
            value = getattr(self, name)
            if not _is_number(value) or value < 0.0:
                raise RiskError(f"ladder {name}: {value!r} is not a finite number of at least 0")
        if len(self.shares) != len(self.rungs) + 1 or abs(math.fsum(self.shares) - 1.0) > 1e-9:
            raise RiskError(f"ladder shares: {self.shares} must be one more than the rungs and sum to 1")
        if len(self.sells) != (len(self.rungs) if self.grid else 0):
            raise RiskError(f"ladder sells: {self.sells} must be one for each rung of a grid, else none")
        if len(self.scale_out_prices) != len(self.scale_out_shares) or sum(self.scale_out_shares) >= 1.0:
            raise RiskError(
                f"ladder scale_out_shares: {self.scale_out_shares} must be one for each of "
                f"{self.scale_out_prices} and sum below 1"
            )
        order = (0.0 if self.side == LONG else math.inf, self.stop_price, *reversed(self.rungs))
        order += (self.entry_price, *self.scale_out_prices)
        pairs = [*pairwise(order), *zip(self.rungs, self.sells, strict=False)]
        if not all(self.sign * left < self.sign * right for left, right in pairs):
            raise RiskError(
                f"ladder of a {self.side}: stop_price {self.stop_price:.8g}, rungs {self.rungs}, sells "
                f"{self.sells}, entry_price {self.entry_price:.8g} and scale_out_prices "
                f"{self.scale_out_prices} are not in order"
            )

    @property
    def sign(self) -> float:
        """1 long, −1 short: in sign × price, better is always higher."""
        return 1.0 if self.side == LONG else -1.0

    @property
    def loss_fraction(self) -> float:
        """Part of the planned position's value (each order's at its fill) lost if every rung fills at its
        price and then the stop fills, fees included. Without rungs it is `StopPlan.loss_fraction`.
        """
        prices = (self.entry_price, *self.rungs)
        return math.fsum(
            share * self.loss_at(price) for share, price in zip(self.shares, prices, strict=True)
        )

    @property
    def first_stake(self) -> float:
        """Stake of the first entry."""
        return self.planned_stake * self.shares[0]

    def loss_at(self, price: float) -> float:
        """Part of an order's value lost at the stop when it fills at `price`; falls towards the stop."""
        return self.sign * (price - self.stop_price) / price + self.fee * (1.0 + self.stop_price / price)

    def with_stake(self, total: float) -> LadderPlan:
        """The plan with the stake of all orders together (of a filled first entry: its stake ÷ shares[0]).

        Raises:
            RiskError: not a finite number above 0.
        """
        if not 0.0 < total < math.inf:
            raise RiskError(f"ladder planned_stake: {total!r} is not a finite number above 0")
        return replace(self, planned_stake=float(total))

    def rung_stake(self, number: int) -> float:
        """Stake of rung `number`, from 1."""
        return self.planned_stake * self.shares[number]

    def sell_price(self, number: int, fill: float) -> float:
        """Price at which rung `number`, filled at `fill`, is sold.

        A fill better than the rung waits for the planned price (else the rung would be bought again at
        once); a worse one moves it, so that each round earns its step after fees.
        """
        worse = max(0.0, self.sign * (fill - self.rungs[number - 1]))
        growth = (1.0 + self.sign * self.fee) / (1.0 - self.sign * self.fee)
        return self.sells[number - 1] + self.sign * worse * growth

    def is_held(self, state: LadderState, number: int) -> bool:
        """Whether at least half of rung `number`'s stake is held. False while no stake is planned."""
        return 0.0 < HELD_PART * self.rung_stake(number) <= state.rung(number).stake

    def reserved(self, state: LadderState, stage: StopStage = StopStage.INITIAL) -> float:
        """Stake still to be kept free for rungs that may yet be bought, or bought again in a grid.

        0 once the stop has moved: it never moves back, so no rung is bought any more.
        """
        if stage is not StopStage.INITIAL:
            return 0.0
        waiting = math.fsum(
            max(0.0, self.rung_stake(number) - state.rung(number).stake)
            for number in range(1, len(self.rungs) + 1)
            if not self.is_held(state, number)
        )
        return max(0.0, min(waiting, self.planned_stake - state.stake))

    def risk_money(self, leverage: float = 1.0) -> float:
        """What the whole ladder loses at its stop, in stake currency: the trade's 1 R.

        Raises:
            RiskError: leverage is not a finite number of at least 1.
        """
        if not 1.0 <= leverage < math.inf:
            raise RiskError(f"leverage: {leverage!r} is not a finite number of at least 1")
        return self.planned_stake * leverage * self.loss_fraction

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-able values, for a trade's stored data."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return {name: list(value) if name in _TUPLES else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> LadderPlan:
        """Read a plan back.

        Raises:
            RiskError: wrong version, a missing or unknown field, or a value that is not sound. The caller
                adds nothing to the trade and closes no part of it.
        """
        if not isinstance(stored, Mapping):
            raise RiskError(f"ladder: expected named values, got {stored!r}; add nothing")
        if stored.get("version") != LADDER_VERSION:
            raise RiskError(
                f"ladder version {stored.get('version')!r}: this release reads {LADDER_VERSION}; add nothing"
            )
        if set(stored) != set(_FIELDS):
            missing, unknown = sorted(set(_FIELDS) - set(stored)), sorted(set(stored) - set(_FIELDS))
            raise RiskError(f"ladder: missing {missing}, unknown {unknown}; add nothing")
        values = dict(stored)
        for name in _TUPLES:  # JSON has no tuples, and other writers' JSON may hold 100 for 100.0
            if isinstance(values[name], (list, tuple)):
                values[name] = tuple(_as_float(x) for x in values[name])
        for name in _FLOATS:
            values[name] = _as_float(values[name])
        return cls(**values)


_FIELDS = tuple(item.name for item in fields(LadderPlan))
_TUPLES = ("rungs", "shares", "sells", "scale_out_prices", "scale_out_shares")
_FLOATS = ("entry_price", "stop_price", "fee", "planned_stake")


def plan_ladder(
    stop_plan: StopPlan, preset: Preset, settings: LadderSettings, components: ComponentSettings
) -> LadderPlan:
    """Plan a trade's ladder from its stop plan.

    Rungs: at i × unit × dca_spacing from the entry, unit = depth × (way to the stop) ÷ dca_levels; those
    beyond depth × way are left out, so wider spacing gives fewer. Each rung's stake is `weight` times that
    of the order before it. Grid: a rung is sold where it earns grid_step × (rung distance) after both fees.
    Scale-outs: at parts of the way to the target, if that is in force. Ladder off: one entry, one exit.

    Raises:
        RiskError: a grid's sell price of a short would lie below zero. Refuse the entry.
    """
    sign = 1.0 if stop_plan.side == LONG else -1.0
    entry, fee = stop_plan.entry_price, stop_plan.fee
    on = components.ladder
    levels = preset.dca_levels if on and preset.allow_dca else 0
    reach = settings.depth * abs(entry - stop_plan.initial_stop)
    distance = preset.dca_spacing * reach / levels if levels else 0.0
    count = sum(i * preset.dca_spacing <= levels for i in range(1, levels + 1))
    rungs = tuple(entry - sign * i * distance for i in range(1, count + 1))
    grid = preset.allow_grid and count > 0
    step = settings.grid_step * distance
    sells = tuple((price * (1.0 + sign * fee) + sign * step) / (1.0 - sign * fee) for price in rungs)
    stakes = [settings.weight**i for i in range(count + 1)]
    whole = math.fsum(stakes)
    scales = on and preset.scale_out and stop_plan.target
    way = stop_plan.target_price - entry
    return LadderPlan(
        side=stop_plan.side,
        entry_price=entry,
        stop_price=stop_plan.initial_stop,
        fee=fee,
        rungs=rungs,
        shares=tuple(stake / whole for stake in stakes),
        grid=grid,
        sells=sells if grid else (),
        scale_out_prices=tuple(entry + part * way for part in settings.scale_out_steps) if scales else (),
        scale_out_shares=settings.scale_out_shares if scales else (),
    )


def rebase(stop_plan: StopPlan, average_entry: float) -> StopPlan:
    """The stop plan after a ladder fill: same initial stop and distance to the target, from the new average.

    Breakeven is recomputed with fees; triggers are the same fractions, of the new entry price. Closes from
    before the fill must not be measured from the new average (one could pass a trigger that the trade never
    reached): start its stop state anew at the fill (`StopBook.put` with the fill's time). Nothing is
    loosened by that, since rungs are bought only while the stop is the initial one.

    Raises:
        RiskError: average_entry is not a price between the initial stop and the target. Keep the old plan.
    """
    if not 0.0 < average_entry < math.inf:
        raise RiskError(f"average_entry: {average_entry!r} is not a price; keep the stop plan as it is")
    signed_fee = stop_plan.fee if stop_plan.side == LONG else -stop_plan.fee
    return replace(
        stop_plan,
        entry_price=float(average_entry),
        breakeven_stop=float(average_entry * (1.0 + signed_fee) / (1.0 - signed_fee)),
        target_price=float(average_entry + (stop_plan.target_price - stop_plan.entry_price)),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _as_float(value: Any) -> Any:
    return float(value) if type(value) is int else value
