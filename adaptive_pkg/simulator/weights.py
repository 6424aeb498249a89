"""What each request costs: weight, and orders placed.

Source: Binance's public API reference, "Market Data endpoints" to "Account endpoints", as of 2026. Since
April 2026 placing and cancelling orders weighs nothing where it succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping

_PLAIN = {
    "GET ping": 1,
    "GET time": 1,
    "GET exchangeInfo": 20,
    "GET klines": 2,
    "GET aggTrades": 4,
    "GET avgPrice": 2,
    "GET order": 4,
    "GET allOrders": 20,
    "GET account": 20,
    "GET account/commission": 20,
    "POST userDataStream": 2,
    "PUT userDataStream": 2,
    "DELETE userDataStream": 2,
}
_DEPTH = ((100, 5), (500, 25), (1000, 50), (5000, 250))
# (with one symbol, without any)
_EACH = {"ticker/24hr": (2, 80), "ticker/price": (2, 4), "ticker/bookTicker": (2, 4), "openOrders": (6, 80)}
_FREE_IF_DONE = {
    ("POST", "/api/v3/order"),
    ("DELETE", "/api/v3/order"),
    ("DELETE", "/api/v3/openOrders"),
}


def weight_of(method: str, path: str, query: Mapping[str, str]) -> int:
    """The weight of a request to `/api/v3/…`; 1 where nothing else is documented, and on other books."""
    name = path.removeprefix("/api/v3/")
    if method == "GET" and name == "depth":
        limit = int(query["limit"]) if query.get("limit", "").isdigit() else 100
        return next((weight for top, weight in _DEPTH if limit <= top), _DEPTH[-1][1])
    if method == "GET" and name in _EACH:
        if name == "ticker/24hr" and "symbols" in query:
            count = query["symbols"].count(",") + 1
            return 2 if count <= 20 else 40 if count <= 100 else 80
        return _EACH[name][0 if "symbol" in query else 1]
    if method == "GET" and name == "myTrades":
        return 5 if "orderId" in query else 20
    return _PLAIN.get(f"{method} {name}", 1)


def is_free_if_done(method: str, path: str) -> bool:
    """Whether a request's weight is given back when it has succeeded."""
    return (method, path) in _FREE_IF_DONE


def places_order(method: str, path: str) -> bool:
    """Whether a request counts as an order."""
    return (method, path) == ("POST", "/api/v3/order")
