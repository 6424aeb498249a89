"""What Binance refuses in a new order before it looks at the account: parameters and filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from adaptive_pkg.simulator.markets import MIN_NOTIONAL, Market
from adaptive_pkg.simulator.orders import Kind, Side
from adaptive_pkg.simulator.wallet import ZERO
from adaptive_pkg.simulator.wire import BinanceError, text_of

MAX_PRICE, MAX_AMOUNT, MAX_NOTIONAL = Decimal(1_000_000), Decimal(9_000_000), Decimal(9_000_000)
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")


@dataclass(frozen=True)
class Ticket:
    """A new order as asked for. `client_id` "" lets the venue choose one."""

    side: Side
    kind: Kind
    amount: Decimal
    quote_amount: Decimal
    price: Decimal
    stop_price: Decimal
    time_in_force: str
    client_id: str


def read_ticket(query: Mapping[str, str], market: Market, last: float) -> Ticket:
    """Check a new order's parameters and filters.

    Args:
        last: the last price, at which a market order's value is judged.

    Raises:
        BinanceError: -1102, -1106, -1111, -1115, -1116, -1117 or -1013 as Binance answers.
    """
    side = _one_of(Side, text_of(query, "side"), -1117, "Invalid side.")
    kind = _one_of(Kind, text_of(query, "type"), -1116, "Invalid orderType.")
    force = query.get("timeInForce", "GTC")
    if force not in TIMES_IN_FORCE:
        raise BinanceError(-1115, "Invalid timeInForce.")
    if not kind.is_market and kind is not Kind.LIMIT_MAKER:
        text_of(query, "timeInForce")
    by_cost = kind is Kind.MARKET and "quantity" not in query
    amount = ZERO if by_cost else _number(query, "quantity")
    cost = _number(query, "quoteOrderQty") if by_cost else ZERO
    if kind.is_market and "price" in query:
        raise BinanceError(-1106, "Parameter 'price' sent when not required.")
    price = ZERO if kind.is_market else _number(query, "price")
    stop = _number(query, "stopPrice") if kind.waits else ZERO
    for value in (price, stop):
        if value and not (_on_grid(value, market.tick) and value <= MAX_PRICE):
            raise BinanceError(-1013, "Filter failure: PRICE_FILTER")
    if not by_cost and not (_on_grid(amount, market.lot) and amount <= MAX_AMOUNT):
        raise BinanceError(-1013, "Filter failure: LOT_SIZE")
    value = cost if by_cost else amount * (price or stop or Decimal(str(last)))
    if value < Decimal(str(MIN_NOTIONAL)) or (value > MAX_NOTIONAL and not kind.is_market):
        raise BinanceError(-1013, "Filter failure: NOTIONAL")
    client_id = query.get("newClientOrderId", "")
    if len(client_id) > 36:
        raise BinanceError(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    return Ticket(side, kind, amount, cost, price, stop, force, client_id)


def step_of(step: float) -> Decimal:
    """A tick or lot as an exact decimal."""
    return Decimal(f"{step:.8f}").normalize()


def _on_grid(value: Decimal, step: float) -> bool:
    return value >= step_of(step) and value % step_of(step) == 0


def _number(query: Mapping[str, str], name: str) -> Decimal:
    text = text_of(query, name)
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number <= 0:
        raise BinanceError(-1100, f"Illegal characters found in parameter '{name}'.")
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        raise BinanceError(-1111, f"Parameter '{name}' has too much precision.")
    return number


def _one_of(kind, text: str, code: int, message: str):
    if text not in kind.__members__.values():
        raise BinanceError(code, message)
    return kind(text)
