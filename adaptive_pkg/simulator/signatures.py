"""Who asks, and whether the request is theirs and of now: API key, HMAC signature, timestamp, recvWindow.

Source: Binance's public spot API reference, "Request security".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from adaptive_pkg.simulator.wire import BinanceError, integer_of

RECV_WINDOW_MS, LONGEST_WINDOW_MS, AHEAD_MS = 5000, 60_000, 1000
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")


def check_key(keys: Mapping[str, str], key: str | None) -> str:
    """The API key, if the venue knows it. Raises BinanceError -2014 or -2015."""
    if not key:
        raise BinanceError(-2014, "API-key format invalid.", status=401)
    if key not in keys:
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    return key


def check_signature(secret: str, query_string: str, body: str) -> None:
    """The signature over query string and body, as they were sent. Raises BinanceError -1102 or -1022."""
    payload = query_string + body
    found = _SIGNATURE.search(payload)
    if found is None or not found.group(2):
        raise BinanceError(
            -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed."
        )
    signed = payload[: found.start()] + payload[found.end() :]
    right = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, found.group(2).lower()):
        raise BinanceError(-1022, "Signature for this request is not valid.")


def check_time(query: Mapping[str, str], now_ms: int) -> None:
    """Timestamp and recvWindow against the venue's clock. Raises BinanceError -1102, -1131 or -1021."""
    sent = integer_of(query, "timestamp")
    if sent is None:
        raise BinanceError(
            -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
        )
    window = integer_of(query, "recvWindow", RECV_WINDOW_MS)
    if window > LONGEST_WINDOW_MS:
        raise BinanceError(-1131, f"recvWindow must be less than {LONGEST_WINDOW_MS}.")
    if sent > now_ms + AHEAD_MS:
        raise BinanceError(-1021, f"Timestamp for this request was {AHEAD_MS}ms ahead of the server's time.")
    if now_ms - sent > window:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
