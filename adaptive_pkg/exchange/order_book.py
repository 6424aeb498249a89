"""An order book as a value: spread and depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from adaptive_pkg.errors import ExchangeError

Level = tuple[float, float]  # price, amount in base currency


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Both sides, best first. Every price and amount is finite and above 0, and no bid reaches an ask.

    Raises:
        ExchangeError: a side is empty, crossed, out of order, or holds a number that is none.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def __post_init__(self) -> None:
        for name, side, sign in (("bids", self.bids, -1), ("asks", self.asks, 1)):
            if not side:
                raise ExchangeError(f"order book without {name}; skip the entry")
            if not all(math.isfinite(n) and n > 0 for level in side for n in level):
                raise ExchangeError(f"order book: {name} hold a price or an amount that is none: {side[:3]}")
            prices = [sign * price for price, _ in side]
            if any(after <= before for before, after in pairwise(prices)):
                raise ExchangeError(f"order book: {name} are out of order: {side[:3]}")
        if self.bids[0][0] >= self.asks[0][0]:
            raise ExchangeError(f"order book is crossed: bid {self.bids[0][0]}, ask {self.asks[0][0]}")

    @property
    def middle(self) -> float:
        """Halfway between best bid and best ask."""
        return (self.bids[0][0] + self.asks[0][0]) / 2

    @property
    def spread(self) -> float:
        """(ask − bid) ÷ middle."""
        return (self.asks[0][0] - self.bids[0][0]) / self.middle

    def depth(self, band: float) -> tuple[float, float]:
        """Money resting within `band` of the middle price, (bids, asks) in quote currency.

        A book that ends within the band counts as far as it goes: ask for more levels.
        """
        low, high = self.middle * (1 - band), self.middle * (1 + band)
        return (
            sum(price * amount for price, amount in self.bids if price >= low),
            sum(price * amount for price, amount in self.asks if price <= high),
        )


def parse_order_book(body: Any) -> OrderBook:
    """REST's answer to `depth`. Raises ExchangeError for anything that is no whole order book."""
    if not isinstance(body, Mapping):
        raise ExchangeError(f"order book: expected an object, got {str(body)[:80]!r}")
    return OrderBook(_side(body, "bids"), _side(body, "asks"))


def _side(body: Mapping[str, Any], name: str) -> tuple[Level, ...]:
    rows = body.get(name)
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise ExchangeError(f"order book: {name} is {str(rows)[:80]!r}, expected a list of levels")
    try:
        return tuple((float(row[0]), float(row[1])) for row in rows)
    except (TypeError, ValueError, IndexError) as error:
        raise ExchangeError(f"order book: a level of {name} cannot be read ({error!r})") from error
