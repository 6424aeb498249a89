"""When and how to open the next connection: within the venue's limits, patient, but quick when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect as websockets_connect
from websockets.exceptions import InvalidStatus

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.backoff import Backoff, ConnectBudget
from adaptive_pkg.exchange.budget import Grant
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.rules import retry_after_seconds
from adaptive_pkg.settings.exchange import StreamSettings

Connect = Callable[[str], Awaitable[Any]]
Probe = Callable[[], Awaitable[bool]]
HANDSHAKE_WEIGHT = 2
SWITCHING_PROTOCOLS = 101


class Dialer:
    """Opens connections to one URL, one after another. Time is the event loop's clock.

    After a failure it waits 2, 4, 8 … 60 s. While it waits it asks the `probe`, which costs the venue no
    WebSocket connection, and tries again early once the venue answers, but never sooner than `eager_seconds`
    after the last attempt, never beyond the connect budget, and never before a Retry-After is over. With the
    limiter of the address's REST requests, never during a ban of those either.
    """

    def __init__(
        self,
        url: str,
        settings: StreamSettings,
        rng: random.Random,
        budget: ConnectBudget,
        connect: Connect | None,
        probe: Probe | None,
        wall_seconds: Callable[[], float],
        limiter: AdaptiveRateLimiter | None = None,
    ):
        self.backoff = Backoff(settings, rng)
        self._url, self._settings, self._budget = url, settings, budget
        self._limiter = limiter
        self._grant: Grant | None = None
        self._connect = connect or self._open
        self._probe = probe or (lambda: tcp_probe(url, settings.open_timeout_seconds))
        self._wall_seconds = wall_seconds
        self._nudged = asyncio.Event()
        self._attempted_at = self._blocked_until = float("-inf")

    def nudge(self) -> None:
        """Somebody has seen the venue answer: do not wait longer."""
        self._nudged.set()

    async def turn(self) -> None:
        """Wait until an attempt is allowed, and count it. Raises RateLimitError: the limiter is closed."""
        while True:
            while (at := max(self._budget.ready_at(now := _now()), self._blocked_until)) > now:
                await asyncio.sleep(at - now)
            if self._limiter is None:
                break
            grant = await self._limiter.acquire(HANDSHAKE_WEIGHT)
            now = _now()
            if self._budget.ready_at(now) <= now:  # other sockets may have used it up meanwhile
                self._grant = grant
                break
            self._limiter.unsent(grant)
        self._attempted_at = now
        self._budget.note(now)
        self._nudged.clear()

    async def dial(self) -> Any:
        """Open a connection. Raises ExchangeError with the reason."""
        grant, self._grant = self._grant, None
        try:
            connection = await self._connect(self._url)
        except Exception as error:  # the system's, TLS's and the library's: all mean no connection
            if isinstance(error, InvalidStatus):
                self._heed(error, grant)
            raise ExchangeError(f"cannot connect: {error!r}") from error
        if self._limiter is not None and grant is not None:
            self._limiter.answered(grant, SWITCHING_PROTOCOLS)
        return connection

    async def pause(self) -> None:
        """Wait after a failure; shorter when the venue shows signs of life."""
        settings = self._settings
        end = _now() + self.backoff.next_pause()
        eager = self._attempted_at + self.backoff.jittered(settings.eager_seconds)
        while (now := _now()) < end:
            step = settings.probe_seconds if now >= eager else eager - now
            try:
                async with asyncio.timeout(min(step, end - now)):
                    await self._nudged.wait()
                return
            except TimeoutError:
                pass
            if eager <= _now() < end and await self._probe():
                return

    def _heed(self, error: InvalidStatus, grant: Grant | None) -> None:
        """429 and 418 at the handshake: nothing is tried before Retry-After is over."""
        headers = dict(error.response.headers.raw_items())
        if self._limiter is not None and grant is not None:
            body = (error.response.body or b"").decode(errors="replace")
            self._limiter.answered(grant, error.response.status_code, headers, body)
        with contextlib.suppress(ExchangeError):
            pause = retry_after_seconds(headers, self._wall_seconds())
            if pause is not None:
                self._blocked_until = max(self._blocked_until, _now() + pause)

    async def _open(self, url: str) -> Any:
        return await open_connection(url, self._settings)


async def open_connection(url: str, settings: StreamSettings, proxy: str | None = None) -> Any:
    """A connection of the `websockets` library. `proxy`: its address; None: what the environment says."""
    return await websockets_connect(
        url,
        open_timeout=settings.open_timeout_seconds,
        close_timeout=settings.close_timeout_seconds,
        ping_interval=settings.ping_seconds,
        ping_timeout=settings.pong_timeout_seconds,
        proxy=proxy or True,
    )


async def tcp_probe(url: str, timeout: float) -> bool:
    """Whether the host of `url` accepts a TCP connection."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("wss", "https") else 80)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
