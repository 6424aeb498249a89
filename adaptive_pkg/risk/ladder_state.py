"""What a ladder has bought and sold so far, read from the trade's filled orders and from nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from adaptive_pkg.errors import RiskError

# Order tags, each followed by a number from 1 on. freqtrade stores them with the order.
RUNG_TAG, SELL_TAG, SCALE_OUT_TAG = "rung", "sell rung", "scale out"


class FilledOrder(NamedTuple):
    """One order of the trade, as far as it has filled. A tuple in this order will do as well."""

    is_entry: bool
    tag: str | None
    price: float  # average fill
    amount: float  # filled, in base currency
    stake: float  # amount × price ÷ leverage


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of the first entry, or of one rung, at cost."""

    amount: float = 0.0
    stake: float = 0.0
    value: float = 0.0  # amount × fill price

    @property
    def price(self) -> float:
        """Average fill price; NaN where nothing is held."""
        return self.value / self.amount if self.amount else math.nan

    def plus(self, amount: float, stake: float, price: float) -> Holding:
        return Holding(self.amount + amount, self.stake + stake, self.value + amount * price)

    def times(self, part: float) -> Holding:
        return Holding(self.amount * part, self.stake * part, self.value * part)


NOTHING = Holding()


@dataclass(frozen=True, slots=True)
class LadderState:
    """Where a ladder is. Built from stored orders alone, so it is the same after a restart.

    A closed part is taken from what its tag names; an exit with a foreign tag (forced, say) takes from all
    holdings alike. An entry with a foreign tag belongs to the first entry.
    """

    entry: Holding  # what is left of the first entry
    entry_amount: float  # what was bought of it: scale-out shares are parts of this
    rungs: Mapping[int, Holding]  # by number from 1; what is left of each
    scaled_out: frozenset[int]  # steps done, from 1
    price_move: float  # of what was closed: value at exit less value at entry
    closed_value: float  # of what was closed: value at entry and value at exit, the base of its fees

    @property
    def stake(self) -> float:
        """Stake of all that is held, at cost."""
        return math.fsum(holding.stake for holding in self.holdings)

    @property
    def holdings(self) -> tuple[Holding, ...]:
        return (self.entry, *self.rungs.values())

    def rung(self, number: int) -> Holding:
        """What is held of a rung; NOTHING before it is bought and after it is sold."""
        return self.rungs.get(number, NOTHING)

    @classmethod
    def from_orders(cls, orders: Iterable[FilledOrder | tuple]) -> LadderState:
        """Read the state from the trade's filled orders, oldest first; unfilled ones (amount 0) are passed.

        Raises:
            RiskError: a price, amount or stake is not finite or has the wrong sign. Do nothing.
        """
        held: dict[int, Holding] = {0: NOTHING}  # 0: the first entry
        bought, move, closed_value, done = 0.0, 0.0, 0.0, set()
        for order in map(FilledOrder._make, orders):
            _check(order)
            if order.amount == 0.0:
                continue
            if order.is_entry:
                number = _number(order.tag, RUNG_TAG) or 0
                held[number] = held.get(number, NOTHING).plus(order.amount, order.stake, order.price)
                bought += order.amount if number == 0 else 0.0
                continue
            rung, step = _number(order.tag, SELL_TAG), _number(order.tag, SCALE_OUT_TAG)
            if step:
                done.add(step)
            named = {rung} & held.keys() if rung else {0} if step else set()
            rest = order.amount
            for keys in (named, set(held)):
                removed = _take(held, keys, rest)
                move += removed.amount * order.price - removed.value
                closed_value += removed.amount * order.price + removed.value
                rest -= removed.amount
        entry = held.pop(0)
        return cls(entry, bought, held, frozenset(done), move, closed_value)


def _take(held: dict[int, Holding], keys: set[int], amount: float) -> Holding:
    """Take `amount` from these holdings in proportion, as far as it is there. Returns what was taken."""
    there = math.fsum(held[key].amount for key in keys)
    if there <= 0.0 or amount <= 0.0:
        return NOTHING
    part = min(1.0, amount / there)
    taken = [held[key].times(part) for key in keys]
    for key in keys:
        held[key] = held[key].times(1.0 - part)
    return Holding(
        math.fsum(item.amount for item in taken),
        math.fsum(item.stake for item in taken),
        math.fsum(item.value for item in taken),
    )


def _number(tag: str | None, name: str) -> int | None:
    """The number in "<name> <number>"; None for any other tag."""
    head, _, tail = (tag or "").rpartition(" ")
    return int(tail) if head == name and tail.isascii() and tail.isdigit() and int(tail) > 0 else None


def _check(order: FilledOrder) -> None:
    if not 0.0 < order.price < math.inf:
        raise RiskError(f"filled order {order.tag!r}: price {order.price!r} is not a price; do nothing")
    for name in ("amount", "stake"):
        value = getattr(order, name)
        if not 0.0 <= value < math.inf:
            raise RiskError(f"filled order {order.tag!r}: {name} {value!r} is not finite and at least 0")
