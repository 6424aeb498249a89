"""Until when nothing may be sent to a host: what its last 429 or 418 said, for every client of this process.

A limit and a ban belong to the address, not to the client that met them, and a ban grows for one who goes on
asking: so what one client is told holds for all.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.rules import BANNED, TOO_MANY_REQUESTS, banned_until_ms, retry_after_seconds

MINUTE_SECONDS = 60.0
_TOO_MANY_ORDERS = '"code":-1015'  # of Binance: an account's orders, not the address's requests


class Holding(Protocol):
    """One of our own clients, which keeps its own account: `AdaptiveRateLimiter`."""

    @property
    def blocked_seconds(self) -> float: ...

    def hold(self, seconds: float, *, banned: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is sent to `host` before `until`, on the clock that never goes back.

    `status`: the answer that said so; 0: our own limiter waits.
    """

    host: str
    status: int
    until: float
    wall_until: float

    @property
    def text(self) -> str:
        """Why nothing is sent, and until when."""
        moment = datetime.fromtimestamp(self.wall_until, UTC)
        said = f"it answered {self.status}" if self.status else "the rate limiter rests"
        return f"nothing is sent to {self.host} before {moment:%F %T} UTC: {said}"


_OF_THIS_PROCESS: dict[str, Hold] = {}  # outlives the bot objects that a /reload_config makes anew


class HostHolds:
    """What hosts have refused, and until when. From any thread.

    Args:
        ban_seconds: pause after a 418 that carries no Retry-After.
        monotonic, wall: clocks in seconds: one that never goes back, and the epoch's.
        known: where holds are kept; by default one place for the whole process.
    """

    def __init__(
        self,
        ban_seconds: float = 120.0,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        known: MutableMapping[str, Hold] | None = None,
    ):
        self._ban_seconds, self._monotonic, self._wall = ban_seconds, monotonic, wall
        self._known = _OF_THIS_PROCESS if known is None else known
        self._own: dict[str, Holding] = {}
        self._lock = threading.Lock()

    def join(self, url: str, limiter: Holding) -> None:
        """Hold our own client of this host whenever it is held, and the others while that one is."""
        with self._lock:
            self._own[_host(url)] = limiter
        if (hold := self.held(url)) and hold.status:
            limiter.hold(hold.until - self._monotonic(), banned=hold.status == BANNED)

    def held(self, url: str, method: str = "GET") -> Hold | None:
        """Why nothing may be sent there now; None: it may."""
        now, host = self._monotonic(), _host(url)
        with self._lock:
            found = [self._known.get(key) for key in (host, _orders(url, method))]
            limiter = self._own.get(host)
        rest = limiter.blocked_seconds if limiter is not None else 0.0
        if rest > 0.0:
            found.append(Hold(host, 0, now + rest, self._wall() + rest))
        longest = max((hold for hold in found if hold), key=lambda hold: hold.until, default=None)
        return longest if longest and now < longest.until else None

    def refused(
        self,
        url: str,
        status: int,
        headers: Mapping[str, str],
        body: str = "",
        *,
        method: str = "GET",
        minute_windows: bool = True,
    ) -> Hold | None:
        """Learn from an answer; the hold that it begins or lengthens, if any.

        Without a Retry-After (or an end in the text) a 418 holds for `ban_seconds`, and a 429 until the
        clock's minute ends.

        Args:
            minute_windows: whether the venue counts by the clock's minutes; elsewhere a 429 that does not say
                for how long holds nothing.
        """
        if status not in (TOO_MANY_REQUESTS, BANNED):
            return None
        wall = self._wall()
        try:
            seconds = retry_after_seconds(headers, wall)
        except ExchangeError:
            seconds = None
        banned_until = banned_until_ms(body)
        if banned_until is not None:
            seconds = max(seconds or 0.0, banned_until / 1000 - wall)
        if seconds is None and status == BANNED:
            seconds = self._ban_seconds
        elif seconds is None and minute_windows:
            seconds = (math.floor(wall / MINUTE_SECONDS) + 1) * MINUTE_SECONDS - wall
        if not seconds or not math.isfinite(seconds) or seconds <= 0.0:
            return None
        hold = Hold(_host(url), status, self._monotonic() + seconds, wall + seconds)
        too_many_orders = status == TOO_MANY_REQUESTS and _TOO_MANY_ORDERS in body.replace(" ", "")
        key = _orders(url, method) if too_many_orders else hold.host
        with self._lock:
            before = self._known.get(key)
            if before is not None and before.until >= hold.until:
                return None
            self._known[key] = hold
            limiter = self._own.get(hold.host)
        if limiter is not None and not too_many_orders:
            limiter.hold(seconds, banned=status == BANNED)
        return hold


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def _orders(url: str, method: str) -> str:
    """Key of one path and method: what a limit on orders stops."""
    return f"{method.upper()} {_host(url)}{urlsplit(url).path}"
