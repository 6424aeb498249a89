"""Makes freqtrade's own ccxt clients keep a Retry-After.

After a 429 or 418 freqtrade asks again after 1, 2, 5 and 10 s whatever the venue said, for every call and
pair, and a venue lengthens the ban of an address that goes on asking. With the guard such calls fail at once,
without being sent, with ccxt's DDoSProtection: of ccxt's errors the one that makes freqtrade's retrier pause
between its tries (RateLimitExceeded does not), and that every caller in freqtrade expects.

What is held is for `HostHolds` to say: everything at Binance, which limits the address, elsewhere never an
order because of a refused GET, and nowhere anything for longer than its longest times. About a stop that is
held nothing can be done: an order sent into a ban is refused, and makes the ban longer.
What is under way when the refusal comes cannot be called back, and what a client asks before `guard_exchange`
(the markets, when freqtrade starts or reloads) is sent in any case.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

from adaptive_pkg.exchange.holds import Hold, HostHolds

logger = logging.getLogger(__name__)

CLIENTS = ("_api", "_api_async", "_ws_async")  # of freqtrade's Exchange
_MARK = "_adaptive_holds"
_REST = {
    "fetch": ["url", "method", "headers", "body"],
    "on_rest_response": ["code", "reason", "url", "method", "response_headers", "response_body"],
}


def guard_exchange(exchange: Any, holds: HostHolds) -> int:
    """Guard every client of freqtrade's exchange; how many are guarded. Doing it again does nothing.

    A client that is not made as expected is left as it is, with a warning.
    """
    clients = [client for name in CLIENTS if (client := getattr(exchange, name, None)) is not None]
    if not clients:
        logger.warning(f"{exchange!r} has no ccxt client that can be told to keep a Retry-After")
    return sum(guard_client(client, holds) for client in clients)


def guard_client(client: Any, holds: HostHolds) -> bool:
    """Let one ccxt client, sync or async, send nothing to a host that is held; whether it now does so."""
    try:
        if _MARK not in vars(client):
            _wrap(client, holds)
    except Exception as error:
        logger.warning(f"{client!r} goes on asking after a 429 or 418, whatever Retry-After says: {error!r}")
        return False
    return True


def _wrap(client: Any, holds: HostHolds) -> None:
    """Raises whatever shows that the client is not made as expected; it is then as it was."""
    for name, expected in _REST.items():
        found = [*inspect.signature(getattr(client, name)).parameters][: len(expected)]
        if found != expected:
            raise TypeError(f"{name} takes {found}, not {expected}")
    refusal = client.httpExceptions["418"]
    binance = str(client.id).startswith("binance")  # counts an address's requests, by the clock's minutes
    fetch, on_rest_response = client.fetch, client.on_rest_response
    connect = getattr(client, "client", None)  # of ccxt.pro: the connection of a stream, made where missing

    def refuse(url: str, method: str) -> None:
        try:
            hold: Hold | None = holds.held(url, method)
            why = None if hold is None else hold.text
        except Exception:
            logger.exception(f"{url}: whether it may be asked is not known; it is")
            return
        if why is not None:
            raise refusal(f"{client.id} {method} {url}: {why}")

    def heard(code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any) -> Any:
        try:
            hold = holds.refused(
                url, code, headers, str(body), method=method, minute_windows=binance, per_address=binance
            )
            if hold is not None:
                logger.warning(hold.text)
        except Exception:
            logger.exception(f"{url}: a {code} could not be read")
        return on_rest_response(code, reason, url, method, headers, body, *rest)

    def ask(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        refuse(url, method)
        return fetch(url, method, headers, body)

    async def ask_async(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        refuse(url, method)
        return await fetch(url, method, headers, body)

    def stream(url: str, *rest: Any) -> Any:
        if url not in (client.clients or {}):
            refuse(url, "GET")
        return connect(url, *rest)  # type: ignore[misc]

    client.fetch = ask_async if inspect.iscoroutinefunction(fetch) else ask
    client.on_rest_response = heard
    if callable(connect) and hasattr(client, "clients"):
        client.client = stream
    setattr(client, _MARK, holds)
