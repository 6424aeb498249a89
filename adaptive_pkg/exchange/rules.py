"""What a venue limits, as `exchangeInfo` states it, and what its answers say about our use of it.

Source: Binance's public spot API reference, "LIMITS" and "rateLimits": windows are fixed stretches of the
venue's clock, 429 and 418 carry `Retry-After` in seconds, use is reported in `X-MBX-USED-WEIGHT-1M` and
`X-MBX-ORDER-COUNT-10S` for every window.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from adaptive_pkg.errors import ExchangeError

logger = logging.getLogger(__name__)

TOO_MANY_REQUESTS, BANNED = 429, 418
# Binance's longest window of an address's requests is 5 minutes (RAW_REQUESTS); twice that for its rounding.
LONGEST_REFUSAL_SECONDS = 600.0
# Binance's spot API reference, "LIMITS", "IP Limits": bans last "from 2 minutes to 3 days".
LONGEST_BAN_SECONDS = 3 * 86400.0

_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


class RuleKind(StrEnum):
    """What a limit counts."""

    WEIGHT = "REQUEST_WEIGHT"
    ORDERS = "ORDERS"
    REQUESTS = "RAW_REQUESTS"


_HEADER = {RuleKind.WEIGHT: "x-mbx-used-weight", RuleKind.ORDERS: "x-mbx-order-count"}


@dataclass(frozen=True, slots=True)
class RateRule:
    """One limit: so much of `kind` in each window of `interval_seconds` of the venue's clock."""

    kind: RuleKind
    interval_seconds: int
    limit: int

    def __post_init__(self) -> None:
        if self.interval_seconds < 1 or self.limit < 1:
            raise ExchangeError(
                f"rate limit {self.kind}: {self.limit} in {self.interval_seconds} s is no limit; "
                "both must be whole numbers above 0"
            )

    @property
    def header(self) -> str | None:
        """Lower-case name of the answer's header with our use of it, or None where none is sent."""
        for letter, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
            if self.interval_seconds % seconds == 0 and self.kind in _HEADER:
                return f"{_HEADER[self.kind]}-{self.interval_seconds // seconds}{letter}"
        return None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request uses: its weight, and how many orders it places."""

    weight: int = 1
    orders: int = 0

    def __post_init__(self) -> None:
        if self.weight < 0 or self.orders < 0:
            raise ExchangeError(f"cost: weight {self.weight} and orders {self.orders} must be 0 or more")

    def of(self, kind: RuleKind) -> int:
        """How much of a limit of this kind the request uses."""
        if kind is RuleKind.WEIGHT:
            return self.weight
        return self.orders if kind is RuleKind.ORDERS else 1


# Before exchangeInfo has been read: Binance spot as documented in 2026.
DEFAULT_RULES = (
    RateRule(RuleKind.WEIGHT, 60, 6000),
    RateRule(RuleKind.ORDERS, 10, 100),
    RateRule(RuleKind.ORDERS, 86400, 200_000),
    RateRule(RuleKind.REQUESTS, 300, 300_000),
)


def parse_rate_limits(exchange_info: Mapping[str, Any]) -> tuple[RateRule, ...]:
    """The limits in the body of `exchangeInfo`. Kinds we do not know are logged and left out.

    Raises:
        ExchangeError: there is no list of limits, none that we can keep, or one without its numbers.
    """
    rows = exchange_info.get("rateLimits")
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | Mapping):
        raise ExchangeError(f"exchangeInfo.rateLimits: expected a list of limits, got {rows!r}")
    rules = []
    for row in rows:
        try:
            kind, unit = row["rateLimitType"], row["interval"]
            if kind not in RuleKind.__members__.values():
                logger.warning("exchangeInfo: unknown kind of rate limit %r is not kept", row)
                continue
            rules.append(
                RateRule(RuleKind(kind), _SECONDS[unit] * int(row["intervalNum"]), int(row["limit"]))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ExchangeError(f"exchangeInfo.rateLimits: {row!r} cannot be read ({error!r})") from error
    if not rules:
        raise ExchangeError("exchangeInfo.rateLimits: no limit that can be kept; pass rules by hand")
    return tuple(rules)


def reported_use(headers: Mapping[str, str], rule: RateRule) -> int | None:
    """How much of `rule` the address (orders: the account) has used in the answer's window, if it says so."""
    if rule.header is None:
        return None
    text = _header(headers, rule.header)
    return int(text) if text is not None and text.strip().isdigit() else None


def retry_after_seconds(headers: Mapping[str, str], wall_seconds: float) -> float | None:
    """`Retry-After` in seconds from now, given as seconds or as an HTTP date; None where it is missing.

    Raises:
        ExchangeError: it is neither. Treat it like a missing one.
    """
    text = _header(headers, "retry-after")
    if text is None:
        return None
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise ExchangeError(f"Retry-After: {text!r} is neither seconds nor a date") from error
    return max(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - wall_seconds, 0.0)


def banned_until_ms(body: str) -> int | None:
    """The end of a ban in epoch milliseconds, where the error's text names it ("banned until 165…")."""
    match = _BANNED_UNTIL.search(body)
    return int(match.group(1)) if match else None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    """A header by its lower-case name, whatever case the client library keeps."""
    if name in headers:
        return headers[name]
    return next((value for key, value in headers.items() if key.lower() == name), None)
