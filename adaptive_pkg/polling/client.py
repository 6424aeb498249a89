"""`PollingClient`: the requests to one service. Each waits for its turn; each answer is JSON or an error."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from adaptive_pkg.errors import ExchangeError, RateLimitError
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.rules import RateRule, RuleKind, retry_after_seconds
from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.settings.sources import PollingSettings

_SHOWN = 160  # characters of an answer that an error quotes
_MOST_BYTES = 32 * 2**20
_EPOCH = 10**9  # a reset above this is a time, below it seconds from now
_TOO_MANY = 429


def request_limiter(requests: int, seconds: int) -> AdaptiveRateLimiter:
    """A limiter for one service: so many requests in any stretch of so many seconds."""
    return AdaptiveRateLimiter((RateRule(RuleKind.REQUESTS, seconds, requests),))


class PollingClient:
    """Asks one service.

    A failure of the service (no answer, HTTP 5xx) is tried again; a refusal or a used-up allowance is not.
    An answer that says nothing is left of the allowance holds later requests back until its reset, and so
    does a 429, whether it says so in Retry-After or in x-ratelimit-reset / x-rate-limit-reset (seconds from
    now, or an epoch time).

    Args:
        name: of the service, for errors.
        session: an open session; its owner closes it.
        limiter: leave to send.
        settings: times and attempts.
        wall, monotonic, sleep: time, injected in tests.
    """

    def __init__(
        self,
        name: str,
        session: aiohttp.ClientSession,
        limiter: AdaptiveRateLimiter,
        settings: PollingSettings,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ):
        self.name = name
        self._session, self._limiter, self._settings = session, limiter, settings
        self._wall, self._monotonic, self._sleep = wall, monotonic, sleep
        self._empty_until = float("-inf")

    async def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON of one GET. Raises SourceError."""
        return await self._ask("GET", url, params=params, headers=headers)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of one POST of a form. Raises SourceError."""
        return await self._ask("POST", url, data=form, headers=headers)

    async def _ask(self, method: str, url: str, **options: Any) -> Any:
        pause = self._settings.retry_seconds
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return await self._once(method, url, options)
            except SourceError as error:
                if error.failure is not Failure.DOWN or attempt == self._settings.attempts:
                    raise
            await self._sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    async def _once(self, method: str, url: str, options: Mapping[str, Any]) -> Any:
        timeout = self._settings.timeout_seconds
        if (left := self._empty_until - self._monotonic()) > 0:
            raise self._error(Failure.LIMITED, f"its allowance is used up for {left:.0f} s more")
        try:
            async with asyncio.timeout(timeout):
                grant = await self._limiter.acquire(0)
                sent = False
                try:
                    # a redirect would carry a key elsewhere
                    async with self._session.request(method, url, allow_redirects=False, **options) as answer:
                        sent = True
                        body = await answer.content.read(_MOST_BYTES + 1)
                        while not answer.content.at_eof() and len(body) <= _MOST_BYTES:
                            body += await answer.content.read(_MOST_BYTES + 1 - len(body))
                finally:
                    if sent:
                        headers = self._read_limits(answer.status, answer.headers)
                        self._limiter.answered(grant, answer.status, headers)
                    # else: it may have left; its place stays used
        except RateLimitError as error:
            raise self._error(Failure.LIMITED, str(error)) from error
        except TimeoutError:
            raise self._error(Failure.DOWN, f"no answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._error(Failure.DOWN, repr(error)) from error
        if len(body) > _MOST_BYTES:
            raise self._error(Failure.MALFORMED, f"an answer of more than {_MOST_BYTES} bytes")
        return self._read(answer.status, body)

    def _read(self, status: int, body: bytes) -> Any:
        text = body.decode("utf-8", errors="replace")
        shown = " ".join(text[:_SHOWN].split())
        if status == _TOO_MANY:
            raise self._error(Failure.LIMITED, "HTTP 429: too many requests; it is asked again later")
        if status >= 500:
            raise self._error(Failure.DOWN, f"HTTP {status}: {shown}")
        if status in (401, 403):
            raise self._error(Failure.REFUSED, f"HTTP {status}: {shown}; correct its key or its access")
        if status != 200:
            raise self._error(Failure.REFUSED, f"HTTP {status}: {shown}")
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._error(Failure.MALFORMED, f"the answer is no JSON: {shown!r}") from error

    def _read_limits(self, status: int, headers: Mapping[str, str]) -> dict[str, str]:
        """The answer's headers for the limiter, with a Retry-After where the service names a reset."""
        known = {name.lower(): value for name, value in headers.items()}
        reset = _number(known.get("x-ratelimit-reset", known.get("x-rate-limit-reset")))
        if reset is not None and reset > _EPOCH:
            reset = max(reset - self._wall(), 0.0)
        remaining = _number(known.get("x-ratelimit-remaining", known.get("x-rate-limit-remaining")))
        if reset is not None and remaining is not None and remaining < 1:
            self._empty_until = self._monotonic() + reset
        if status == _TOO_MANY:
            try:
                pause = retry_after_seconds(known, self._wall())
            except ExchangeError:
                pause = None
            if pause is None:
                pause = 60.0 if reset is None else reset
            self._empty_until = max(self._empty_until, self._monotonic() + pause)
            known["retry-after"] = f"{pause:.0f}"
        return known

    def _error(self, failure: Failure, what: str) -> SourceError:
        return SourceError(failure, f"{self.name}: {what}")


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
