"""The added REST calls: each waits for its turn, and each answer is read whole or refused."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from adaptive_pkg.errors import ExchangeError, UnreachableError
from adaptive_pkg.exchange.endpoints import Endpoints
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.order_book import OrderBook, parse_order_book
from adaptive_pkg.exchange.rules import BANNED, TOO_MANY_REQUESTS

_NOT_ABOUT_US = (TOO_MANY_REQUESTS, BANNED)
_SHOWN = 160  # characters of an answer that an error quotes


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The venue's clock beside ours: above 0, the venue is ahead; true to ± `error_seconds`."""

    offset_seconds: float
    error_seconds: float

    def is_off(self, most_seconds: float) -> bool:
        """Whether the clocks certainly differ by more than this."""
        return abs(self.offset_seconds) - self.error_seconds > most_seconds

    def __str__(self) -> str:
        way = "behind" if self.offset_seconds > 0 else "ahead of"
        seconds = abs(self.offset_seconds)
        return f"this machine's clock is {seconds:.1f} s {way} the venue's; synchronise it, or orders fail"


class MarketData:
    """Asks one market of a venue. Every method raises ExchangeError when there is no usable answer.

    Args:
        session: an open session; its owner closes it.
        limiter: leave to send. proxy: address of an HTTP proxy.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoints: Endpoints,
        limiter: AdaptiveRateLimiter,
        proxy: str | None = None,
    ):
        self._session, self._endpoints, self._limiter, self._proxy = session, endpoints, limiter, proxy

    async def order_book(self, symbol: str, levels: int, timeout: float) -> OrderBook:
        """The book at this moment."""
        limit, weight = self._endpoints.book_request(levels)
        return parse_order_book(await self._get("depth", weight, timeout, symbol=symbol, limit=str(limit)))

    async def funding(self, symbol: str, timeout: float) -> float:
        """What a long pays for the present interval, as a fraction."""
        body = await self._get("premiumIndex", 1, timeout, symbol=symbol)
        try:
            rate = float(body["lastFundingRate"])
        except (KeyError, TypeError, ValueError) as error:
            raise ExchangeError(f"{symbol}: no funding rate in {str(body)[:_SHOWN]!r}") from error
        if not math.isfinite(rate):
            raise ExchangeError(f"{symbol}: funding rate {rate!r} is no number")
        return rate

    async def read_limits(self, timeout: float) -> None:
        """Put the venue's present limits in force."""
        info = await self._get("exchangeInfo", self._endpoints.info_weight, timeout)
        if not isinstance(info, Mapping):
            raise ExchangeError(f"exchangeInfo: expected an object, got {str(info)[:_SHOWN]!r}")
        self._limiter.read_rules(info)

    async def read_clock(self, timeout: float) -> ClockReading:
        """Compare clocks, and let the limiter count by the venue's."""
        sent, wall = time.monotonic(), time.time()
        body = await self._get("time", 1, timeout)
        received = time.monotonic()
        try:
            venue_ms = int(body["serverTime"])
        except (KeyError, TypeError, ValueError) as error:
            raise ExchangeError(f"time: no server time in {str(body)[:_SHOWN]!r}") from error
        self._limiter.synchronise(sent, received, venue_ms)
        half = (received - sent) / 2
        return ClockReading(venue_ms / 1000 - (wall + half), half)

    async def _get(self, name: str, weight: int, timeout: float, **query: str) -> Any:
        """One GET, waiting for its turn included in `timeout`."""
        url = f"{self._endpoints.rest}/{name}"
        try:
            async with asyncio.timeout(timeout):
                grant = await self._limiter.acquire(weight)
                async with self._session.get(url, params=query, proxy=self._proxy) as answer:
                    text = ""
                    try:
                        text = await answer.text()
                    finally:  # a refusal counts even if its text never comes
                        self._limiter.answered(grant, answer.status, answer.headers, text)
        except TimeoutError:
            raise UnreachableError(f"{name} {query}: no answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            raise UnreachableError(f"{name} {query}: {error!r}") from error
        if answer.status != 200:
            kind = (
                UnreachableError if answer.status in _NOT_ABOUT_US or answer.status >= 500 else ExchangeError
            )
            raise kind(f"{name} {query}: HTTP {answer.status}: {text[:_SHOWN]}")
        try:
            return json.loads(text)
        except ValueError as error:
            raise UnreachableError(f"{name} {query}: the answer is no JSON: {text[:_SHOWN]!r}") from error
