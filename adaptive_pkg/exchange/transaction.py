"""The operations that change balances, orders and positions together.

Spot: a buy moves quote currency into base currency, a sell the other way; what an open order may still spend
is reserved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from adaptive_pkg.errors import StateError
from adaptive_pkg.exchange.account import (
    ZERO,
    Account,
    Amount,
    Balance,
    Order,
    OrderSide,
    OrderStatus,
    Position,
    amount_of,
    currencies,
)
from adaptive_pkg.exchange.lock_names import LockKind, LockName


class Transaction:
    """Changes that become visible together when their block ends well, or not at all.

    Every change needs the lock that guards it, so a transaction can only touch what its block has locked.
    Amounts must be above 0 unless said otherwise. All methods raise StateError, which ends the block and so
    undoes it.
    """

    def __init__(self, account: Account, holds: Callable[[LockName], bool]):
        self._account, self._holds = account, holds
        self.writes: dict[tuple[str, str], Any] = {}

    def balance(self, currency: str) -> Balance:
        """The balance as this transaction sees it."""
        return self._read("balances", currency, Balance())

    def position(self, pair: str) -> Position:
        """The position as this transaction sees it."""
        return self._read("positions", pair, Position())

    def order(self, order_id: str) -> Order:
        """The order as this transaction sees it."""
        order = self._read("orders", order_id, None)
        if order is None:
            raise StateError(f"order {order_id!r} is not known here; place it first, or ask the venue")
        return order

    def deposit(self, currency: str, amount: Amount) -> None:
        """Add to a balance; below 0: take from what is free."""
        number, balance = amount_of(amount, f"deposit {currency}"), self.balance(currency)
        if number < 0 and balance.free + number < 0:
            raise StateError(f"{currency}: {-number} to take, {balance.free} free")
        self._write_balance(currency, replace(balance, total=balance.total + number))

    def set_total(self, currency: str, total: Amount) -> None:
        """Take the venue's word for a balance. What is reserved stays reserved."""
        number = amount_of(total, f"total {currency}")
        self._write_balance(currency, replace(self.balance(currency), total=number))

    def reserve(self, currency: str, amount: Amount) -> None:
        """Keep a part of the free balance for something."""
        number, balance = _positive(amount, f"reserve {currency}"), self.balance(currency)
        if number > balance.free:
            raise StateError(f"{currency}: {number} to reserve, {balance.free} free; ask for less")
        self._write_balance(currency, replace(balance, reserved=balance.reserved + number))

    def release(self, currency: str, amount: Amount) -> None:
        """Give back what was reserved."""
        number, balance = _positive(amount, f"release {currency}"), self.balance(currency)
        if number > balance.reserved:
            raise StateError(f"{currency}: {number} to release, {balance.reserved} reserved")
        self._write_balance(currency, replace(balance, reserved=balance.reserved - number))

    def place(self, order_id: str, pair: str, side: OrderSide, amount: Amount, spend: Amount) -> Order:
        """Record an order before it is sent, and reserve what it may spend.

        Args:
            order_id: the client order id it is sent with, so that a lost answer can be looked up.
            pair: "BASE/QUOTE".
            side: buy or sell.
            amount: base currency.
            spend: most it may cost: quote currency for a buy, base currency for a sell.
        """
        if self._read("orders", order_id, None) is not None:
            raise StateError(f"order {order_id!r} exists already; an id is used once")
        spend_number = _positive(spend, "spend")
        order = Order(order_id, pair, OrderSide(side), _positive(amount, "amount"), spend_number)
        self.reserve(order.spends, spend_number)
        self._write_order(order)
        return order

    def fill(
        self, order_id: str, fill_id: str, amount: Amount, price: Amount, fee: Amount = 0, fee_in: str = ""
    ) -> bool:
        """Book one fill: order, both balances and the position. A fill seen before changes nothing.

        Args:
            order_id: ours.
            fill_id: the venue's id of this fill.
            amount: base currency.
            price: quote currency for one.
            fee: 0 or more, taken from `fee_in`, which is the quote currency if not given.

        Returns:
            Whether it was new.
        """
        order = self.order(order_id)
        if fill_id in order.fills:
            return False
        number, paid = _positive(amount, "amount"), _positive(price, "price")
        fee_number = amount_of(fee, "fee")
        if fee_number < 0 or order.filled + number > order.amount:
            raise StateError(
                f"order {order_id}: fill {fill_id} of {number} with fee {fee_number} on {order.filled} of "
                f"{order.amount}; ask the venue for its fills"
            )
        base, quote = currencies(order.pair)
        fee_in = fee_in or quote
        value, position = number * paid, self.position(order.pair)
        quote_fee = fee_number if fee_in == quote else ZERO
        if order.side is OrderSide.BUY:
            moved, used = {base: number, quote: -value}, min(order.reserved, value + quote_fee)
            position = replace(
                position, amount=position.amount + number, cost=position.cost + value + quote_fee
            )
        else:
            moved, used = {base: -number, quote: value}, min(order.reserved, number)
            share = number / position.amount if position.amount else ZERO
            cost = position.cost * share
            position = replace(
                position,
                amount=position.amount - number,
                cost=position.cost - cost,
                realised=position.realised + value - quote_fee - cost,
            )
        moved[fee_in] = moved.get(fee_in, ZERO) - fee_number
        for currency, change in moved.items():
            if change:
                balance = self.balance(currency)
                self._write_balance(currency, replace(balance, total=balance.total + change))
        if used:
            self.release(order.spends, used)
        self._require(LockName(LockKind.POSITION, order.pair))
        self.writes["positions", order.pair] = position
        filled = replace(
            order,
            filled=order.filled + number,
            reserved=order.reserved - used,
            fills=order.fills | {fill_id},
        )
        self._write_order(filled)
        if filled.filled == filled.amount:
            self.close(order_id, OrderStatus.FILLED)
        return True

    def close(self, order_id: str, status: OrderStatus) -> None:
        """Nothing more will happen to this order, as the venue says: give back what it has not spent."""
        order, status = self.order(order_id), OrderStatus(status)
        if not status.is_final or order.status.is_final:
            raise StateError(f"order {order_id}: {order.status} cannot become {status}")
        if order.reserved:
            self.release(order.spends, order.reserved)
        self._write_order(replace(order, status=status, reserved=ZERO))

    def doubt(self, order_id: str) -> None:
        """No answer came: the order may or may not exist. Its money stays reserved until the venue tells."""
        order = self.order(order_id)
        if order.status.is_final:
            raise StateError(f"order {order_id}: {order.status} is certain")
        self._write_order(replace(order, status=OrderStatus.UNKNOWN))

    def confirm(self, order_id: str) -> None:
        """The venue knows the order: it is open."""
        order = self.order(order_id)
        if order.status.is_final:
            raise StateError(f"order {order_id}: {order.status} cannot be open again")
        self._write_order(replace(order, status=OrderStatus.OPEN))

    def forget(self, order_id: str) -> None:
        """Drop an order to which nothing more will happen, so that the past does not pile up."""
        if not self.order(order_id).status.is_final:
            raise StateError(
                f"order {order_id}: {self.order(order_id).status}; only a finished one is dropped"
            )
        self._require(LockName(LockKind.ORDER, order_id))
        self.writes["orders", order_id] = None

    def commit(self) -> None:
        """Make every change visible. Called by the state, under its mutex."""
        for (table, key), value in self.writes.items():
            stored = getattr(self._account, table)
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value

    def _read(self, table: str, key: str, default: Any) -> Any:
        if (table, key) in self.writes:
            value = self.writes[table, key]
            return default if value is None else value
        return getattr(self._account, table).get(key, default)

    def _write_balance(self, currency: str, balance: Balance) -> None:
        self._require(LockName(LockKind.BALANCE))
        self.writes["balances", currency] = balance

    def _write_order(self, order: Order) -> None:
        self._require(LockName(LockKind.ORDER, order.order_id))
        self.writes["orders", order.order_id] = order

    def _require(self, name: LockName) -> None:
        if not self._holds(name):
            raise StateError(f"{name} is not locked here; use an atomic block that names it")


def _positive(value: Amount, name: str) -> Decimal:
    number = amount_of(value, name)
    if number <= 0:
        raise StateError(f"{name}: {value!r} must be above 0")
    return number
