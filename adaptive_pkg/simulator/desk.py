"""One account's signed endpoints: orders, fills, balances, and the key of its own stream.

Shapes and error codes: Binance's public spot API reference, "Trading endpoints" and "Account endpoints".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from adaptive_pkg.simulator.answers import Answers
from adaptive_pkg.simulator.filters import read_ticket
from adaptive_pkg.simulator.matching import Matching, Terms
from adaptive_pkg.simulator.orders import Order
from adaptive_pkg.simulator.wallet import Wallet, plain_decimal
from adaptive_pkg.simulator.wire import BinanceError, integer_of

LISTEN_KEY_MS = 3_600_000
Query = Mapping[str, str]


class Desk:
    """What one API key may do.

    Args:
        answers: the spot markets.
        balances: currency → amount at the start.

    Attributes:
        listeners: called with every message of the account's stream, in order.
    """

    def __init__(
        self, answers: Answers, key: str, balances: Mapping[str, Decimal | float | str], terms: Terms
    ):
        self.wallet = Wallet(balances)
        self.matching = Matching(answers.listings, self.wallet, terms, self._publish)
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self._answers = answers
        self._key = key
        self._terms = terms
        self._listen_key: tuple[str, int] | None = None
        self._listen_keys = 0

    # --- orders -----------------------------------------------------------------------------------------

    def new_order(self, query: Query, now_ms: int) -> Any:
        return self._accept(query, now_ms).answer()

    def test_order(self, query: Query, now_ms: int) -> Any:
        listing = self._answers.listing(query)
        read_ticket(query, listing.market, self._answers.last_price(listing, now_ms))
        return {}

    def order(self, query: Query, now_ms: int) -> Any:
        return self._find(query, -2013, "Order does not exist.").row()

    def cancel_order(self, query: Query, now_ms: int) -> Any:
        order = self._find(query, -2011, "Unknown order sent.")
        new_id = query.get("newClientOrderId") or f"cancel{order.order_id:08d}"
        self.matching.cancel(order, now_ms, new_id)
        return order.row() | {"origClientOrderId": order.client_id, "clientOrderId": new_id}

    def cancel_all(self, query: Query, now_ms: int) -> Any:
        """Every open order of one symbol. Raises BinanceError -2011 where there is none."""
        orders = self.matching.open_orders(self._symbol(query))
        if not orders:
            raise BinanceError(-2011, "Unknown order sent.")
        for order in orders:
            self.matching.cancel(order, now_ms)
        return [order.row() | {"origClientOrderId": order.client_id} for order in orders]

    def open_orders(self, query: Query, now_ms: int) -> Any:
        symbol = self._symbol(query) if "symbol" in query else None
        return [order.row() for order in self.matching.open_orders(symbol)]

    def all_orders(self, query: Query, now_ms: int) -> Any:
        """From an id on, or the latest, within the times given."""
        orders, first = self._orders(query), integer_of(query, "orderId")
        chosen = [o for o in orders if _inside(query, o.time_ms) and (first is None or o.order_id >= first)]
        return [order.row() for order in _page(chosen, query, from_start=first is not None)]

    def my_trades(self, query: Query, now_ms: int) -> Any:
        """From a trade id on, or the latest, within the times given; of one order if it is named."""
        first, order_id = integer_of(query, "fromId"), integer_of(query, "orderId")
        rows = [
            row
            for order in self._orders(query)
            if order_id in (None, order.order_id)
            for row in order.trade_rows()
            if _inside(query, row["time"]) and (first is None or row["id"] >= first)
        ]
        rows.sort(key=lambda row: row["id"])
        return _page(rows, query, from_start=first is not None)

    # --- the account ------------------------------------------------------------------------------------

    def account(self, query: Query, now_ms: int) -> Any:
        maker, taker = (plain_decimal(fee) for fee in (self._terms.maker_fee, self._terms.taker_fee))
        rows = self.wallet.rows()
        if query.get("omitZeroBalances") == "true":
            rows = [row for row in rows if Decimal(row["free"]) or Decimal(row["locked"])]
        return {
            "makerCommission": int(self._terms.maker_fee * 10_000),
            "takerCommission": int(self._terms.taker_fee * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": "0", "seller": "0"},
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": now_ms,
            "accountType": "SPOT",
            "balances": rows,
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def commission(self, query: Query, now_ms: int) -> Any:
        maker, taker = (plain_decimal(fee) for fee in (self._terms.maker_fee, self._terms.taker_fee))
        rates = {"maker": maker, "taker": taker, "buyer": "0", "seller": "0"}
        none = dict.fromkeys(rates, "0")
        return {
            "symbol": self._symbol(query),
            "standardCommission": rates,
            "taxCommission": none,
            "specialCommission": none,
            "discount": {"enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB"},
        }

    def trade_fees(self, query: Query, now_ms: int) -> Any:
        """sapi's fees of one symbol, or of all."""
        maker, taker = (plain_decimal(fee) for fee in (self._terms.maker_fee, self._terms.taker_fee))
        symbols = [self._symbol(query)] if "symbol" in query else list(self._answers.listings)
        return [{"symbol": s, "makerCommission": maker, "takerCommission": taker} for s in symbols]

    # --- its own stream ---------------------------------------------------------------------------------

    def open_stream(self, query: Query, now_ms: int) -> Any:
        """The key of the stream: the one in force, kept for another hour, else a new one."""
        if not self.owns(self._listen_key[0] if self._listen_key else "", now_ms):
            self._listen_keys += 1
            text = hashlib.sha256(f"{self._key}|{self._listen_keys}".encode()).hexdigest()
            self._listen_key = (text[:60], now_ms)
        assert self._listen_key is not None
        self._listen_key = (self._listen_key[0], now_ms + LISTEN_KEY_MS)
        return {"listenKey": self._listen_key[0]}

    def keep_stream(self, query: Query, now_ms: int) -> Any:
        self._require_stream(query, now_ms)
        self.open_stream(query, now_ms)
        return {}

    def close_stream(self, query: Query, now_ms: int) -> Any:
        self._require_stream(query, now_ms)
        self._listen_key = None
        return {}

    def owns(self, listen_key: str, now_ms: int) -> bool:
        """Whether this key opens the account's stream now."""
        return self._listen_key is not None and (
            self._listen_key[0] == listen_key and now_ms < self._listen_key[1]
        )

    # --- inside -----------------------------------------------------------------------------------------

    def _accept(self, query: Query, now_ms: int) -> Order:
        listing = self._answers.listing(query)
        last = self._answers.last_price(listing, now_ms)
        return self.matching.place(read_ticket(query, listing.market, last), listing, last, now_ms)

    def _publish(self, message: dict[str, Any]) -> None:
        for listener in list(self.listeners):
            listener(message)

    def _require_stream(self, query: Query, now_ms: int) -> None:
        if not self.owns(query.get("listenKey", ""), now_ms):
            raise BinanceError(-1125, "This listenKey does not exist.")

    def _symbol(self, query: Query) -> str:
        return self._answers.listing(query).market.symbol

    def _orders(self, query: Query) -> list[Order]:
        symbol = self._symbol(query)
        return [order for order in self.matching.orders.values() if order.market.symbol == symbol]

    def _find(self, query: Query, code: int, message: str) -> Order:
        order_id, client_id = integer_of(query, "orderId"), query.get("origClientOrderId")
        if order_id is None and not client_id:
            raise BinanceError(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        order = self.matching.find(self._symbol(query), order_id, client_id)
        if order is None:
            raise BinanceError(code, message)
        return order


def _inside(query: Query, time_ms: int) -> bool:
    start, end = integer_of(query, "startTime", 0), integer_of(query, "endTime")
    return start <= time_ms and (end is None or time_ms <= end)


def _page(rows: list, query: Query, from_start: bool) -> list:
    """At most `limit` of them: the first ones where a start was named, else the latest."""
    limit = min(integer_of(query, "limit", 500), 1000)
    from_start = from_start or "startTime" in query
    return rows[:limit] if from_start else rows[-limit:] if limit else []


SIGNED: dict[tuple[str, str], Callable[[Desk, Query, int], Any]] = {
    ("POST", "/api/v3/order"): Desk.new_order,
    ("POST", "/api/v3/order/test"): Desk.test_order,
    ("GET", "/api/v3/order"): Desk.order,
    ("DELETE", "/api/v3/order"): Desk.cancel_order,
    ("DELETE", "/api/v3/openOrders"): Desk.cancel_all,
    ("GET", "/api/v3/openOrders"): Desk.open_orders,
    ("GET", "/api/v3/allOrders"): Desk.all_orders,
    ("GET", "/api/v3/myTrades"): Desk.my_trades,
    ("GET", "/api/v3/account"): Desk.account,
    ("GET", "/api/v3/account/commission"): Desk.commission,
    ("GET", "/sapi/v1/asset/tradeFee"): Desk.trade_fees,
}
WITH_KEY: dict[tuple[str, str], Callable[[Desk, Query, int], Any]] = {
    ("POST", "/api/v3/userDataStream"): Desk.open_stream,
    ("PUT", "/api/v3/userDataStream"): Desk.keep_stream,
    ("DELETE", "/api/v3/userDataStream"): Desk.close_stream,
}
