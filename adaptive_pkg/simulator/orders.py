"""An order of the loopback venue, its fills, and how Binance writes both."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from adaptive_pkg.simulator.markets import Market
from adaptive_pkg.simulator.wallet import ZERO, plain_decimal


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Kind(StrEnum):
    """Binance's order types."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"

    @property
    def waits(self) -> bool:
        """Starts to work only when the stop price is reached."""
        return self.startswith(("STOP", "TAKE"))

    @property
    def is_market(self) -> bool:
        """Takes whatever price there is."""
        return self in (Kind.MARKET, Kind.STOP_LOSS, Kind.TAKE_PROFIT)


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        return self in (Status.NEW, Status.PARTIALLY_FILLED)


@dataclass(frozen=True)
class Fill:
    """One execution of an order."""

    trade_id: int
    time_ms: int
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool

    @property
    def cost(self) -> Decimal:
        return self.price * self.amount


@dataclass
class Order:
    """One order. `locked` is what it still holds of the currency it spends."""

    order_id: int
    client_id: str
    market: Market
    side: Side
    kind: Kind
    time_in_force: str
    price: Decimal
    amount: Decimal
    stop_price: Decimal
    time_ms: int
    quote_amount: Decimal = ZERO
    status: Status = Status.NEW
    working: bool = True
    updated_ms: int = 0
    locked: Decimal = ZERO
    fills: list[Fill] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        return sum((fill.amount for fill in self.fills), ZERO)

    @property
    def cost(self) -> Decimal:
        return sum((fill.cost for fill in self.fills), ZERO)

    @property
    def left(self) -> Decimal:
        return self.amount - self.filled

    @property
    def buys(self) -> bool:
        return self.side is Side.BUY

    @property
    def spends(self) -> str:
        return self.market.quote if self.buys else self.market.base

    @property
    def receives(self) -> str:
        return self.market.base if self.buys else self.market.quote

    def row(self) -> dict[str, Any]:
        """As GET order, openOrders and allOrders show it."""
        return {
            "symbol": self.market.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_id,
            "price": plain_decimal(self.price),
            "origQty": plain_decimal(self.amount),
            "executedQty": plain_decimal(self.filled),
            "cummulativeQuoteQty": plain_decimal(self.cost),
            "status": self.status.value,
            "timeInForce": self.time_in_force,
            "type": self.kind.value,
            "side": self.side.value,
            "stopPrice": plain_decimal(self.stop_price),
            "icebergQty": plain_decimal(ZERO),
            "time": self.time_ms,
            "updateTime": self.updated_ms,
            "isWorking": self.working,
            "workingTime": self.time_ms if self.working else -1,
            "origQuoteOrderQty": plain_decimal(self.quote_amount),
            "selfTradePreventionMode": "NONE",
        }

    def answer(self) -> dict[str, Any]:
        """As POST order answers (newOrderRespType FULL)."""
        fills = [
            {
                "price": plain_decimal(fill.price),
                "qty": plain_decimal(fill.amount),
                "commission": plain_decimal(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in self.fills
        ]
        return self.row() | {"transactTime": self.time_ms, "fills": fills}

    def trade_rows(self) -> list[dict[str, Any]]:
        """As `myTrades` shows its fills."""
        return [
            {
                "symbol": self.market.symbol,
                "id": fill.trade_id,
                "orderId": self.order_id,
                "orderListId": -1,
                "price": plain_decimal(fill.price),
                "qty": plain_decimal(fill.amount),
                "quoteQty": plain_decimal(fill.cost),
                "commission": plain_decimal(fill.fee),
                "commissionAsset": fill.fee_asset,
                "time": fill.time_ms,
                "isBuyer": self.buys,
                "isMaker": fill.maker,
                "isBestMatch": True,
            }
            for fill in self.fills
        ]

    def report(self, execution: str, at_ms: int, fill: Fill | None = None, client_id: str = "") -> dict:
        """The user stream's `executionReport`: NEW, TRADE, CANCELED, EXPIRED."""
        return {
            "e": "executionReport",
            "E": at_ms,
            "s": self.market.symbol,
            "c": client_id or self.client_id,
            "S": self.side.value,
            "o": self.kind.value,
            "f": self.time_in_force,
            "q": plain_decimal(self.amount),
            "p": plain_decimal(self.price),
            "P": plain_decimal(self.stop_price),
            "F": plain_decimal(ZERO),
            "g": -1,
            "C": self.client_id if client_id else "",
            "x": execution,
            "X": self.status.value,
            "r": "NONE",
            "i": self.order_id,
            "l": plain_decimal(fill.amount if fill else ZERO),
            "z": plain_decimal(self.filled),
            "L": plain_decimal(fill.price if fill else ZERO),
            "n": plain_decimal(fill.fee if fill else ZERO),
            "N": fill.fee_asset if fill else None,
            "T": at_ms,
            "t": fill.trade_id if fill else -1,
            "w": self.status.is_open and self.working,
            "m": bool(fill and fill.maker),
            "O": self.time_ms,
            "Z": plain_decimal(self.cost),
            "Y": plain_decimal(fill.cost if fill else ZERO),
            "Q": plain_decimal(self.quote_amount),
            "W": self.time_ms,
            "V": "NONE",
        }
