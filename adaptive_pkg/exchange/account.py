"""Balances, orders and positions as values.

Amounts are decimals, so that what goes out is exactly what came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from adaptive_pkg.errors import StateError

Amount = Decimal | int | float | str
ZERO = Decimal(0)


class OrderSide(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class OrderStatus(StrEnum):
    """What is known of an order. UNKNOWN: sent, and no answer came; only the venue can tell."""

    OPEN = "open"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Nothing more will happen to it."""
        return self not in (OrderStatus.OPEN, OrderStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Balance:
    """One currency: all of it, and the part that open orders may still spend."""

    total: Decimal = ZERO
    reserved: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        """What a new order may use. Below zero only after fills worse than was reserved for."""
        return self.total - self.reserved


@dataclass(frozen=True, slots=True)
class Position:
    """One pair: base currency held through fills, and the quote currency paid for it."""

    amount: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO  # quote currency gained by sells, fees in quote currency taken off


@dataclass(frozen=True, slots=True)
class Order:
    """One order, by the id we gave it before it was sent."""

    order_id: str
    pair: str
    side: OrderSide
    amount: Decimal
    reserved: Decimal  # of the currency it spends
    filled: Decimal = ZERO
    status: OrderStatus = OrderStatus.OPEN
    fills: frozenset[str] = frozenset()

    @property
    def spends(self) -> str:
        """The currency it pays with."""
        base, quote = currencies(self.pair)
        return quote if self.side is OrderSide.BUY else base


@dataclass(frozen=True, slots=True)
class AccountView:
    """Everything at one moment: whole transactions only."""

    balances: Mapping[str, Balance]
    positions: Mapping[str, Position]
    orders: Mapping[str, Order]

    def faults(self) -> list[str]:
        """Rules between balances, orders and positions that do not hold; empty when all is well."""
        found = []
        reserved: dict[str, Decimal] = {}
        for order in self.orders.values():
            if order.filled > order.amount:
                found.append(f"order {order.order_id}: filled {order.filled} of {order.amount}")
            if order.status.is_final and order.reserved:
                found.append(f"order {order.order_id}: {order.status}, yet {order.reserved} is reserved")
            reserved[order.spends] = reserved.get(order.spends, ZERO) + order.reserved
        for currency, balance in self.balances.items():
            if balance.reserved < reserved.get(currency, ZERO):
                found.append(f"{currency}: {balance.reserved} reserved, orders hold {reserved[currency]}")
            if balance.free < 0:
                found.append(f"{currency}: {balance.free} free")
        return found


def amount_of(value: Amount, name: str) -> Decimal:
    """A finite decimal; a float by its shortest text. Raises StateError."""
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except ArithmeticError:
        number = Decimal("nan")
    if not number.is_finite():
        raise StateError(f"{name}: {value!r} is not a finite number")
    return number


def currencies(pair: str) -> tuple[str, str]:
    """("BTC", "USDT") of "BTC/USDT" or "BTC/USDT:USDT". Raises StateError."""
    base, slash, rest = pair.partition("/")
    if not base or not slash or not rest:
        raise StateError(f"pair: {pair!r} is not of the form BASE/QUOTE")
    return base, rest.partition(":")[0]


class Account:
    """The stored values. Changed only by committing a transaction's writes."""

    def __init__(self) -> None:
        self.balances: dict[str, Balance] = {}
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, Order] = {}
