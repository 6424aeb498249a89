"""Until when nothing may be sent to a host: what its last 429 or 418 said, for every client of this process.

A limit and a ban of Binance belong to the address, not to the client that met them, and a ban grows for one
who goes on asking: so what one client is told holds for all. Elsewhere a refused GET holds the host's GETs,
and any other refused request only its own path and method: no order waits because candles were refused.

No hold is longer than `LONGEST_REFUSAL_SECONDS` (429) or `LONGEST_BAN_SECONDS` (418), whatever an answer
says: after that a request goes through, and if it is refused again, all is held again.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.rules import (
    BANNED,
    LONGEST_BAN_SECONDS,
    LONGEST_REFUSAL_SECONDS,
    TOO_MANY_REQUESTS,
    banned_until_ms,
    retry_after_seconds,
)

MINUTE_SECONDS = 60.0
_LONGEST = {TOO_MANY_REQUESTS: LONGEST_REFUSAL_SECONDS, BANNED: LONGEST_BAN_SECONDS}
_SAME_REST_SECONDS = 1.0  # ends of our limiter's rest that are as close are of one rest

# Of Binance: an account's orders, not the address's requests. Its answer need not carry a Retry-After
# (same source, "Unfilled Order Count"), but its text names the window: "100 orders per 10 SECOND".
_TOO_MANY_ORDERS = re.compile(r'"code"\s*:\s*-1015\b')
_WINDOW = re.compile(r"\bper ([1-9]\d{0,3}) (SECOND|MINUTE|HOUR|DAY)S?\b", re.IGNORECASE)
_UNIT_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is sent to `host` before `until`, in seconds of the clock that never goes back.

    `status`: the answer that said so; 0: our own limiter waits.
    `only`: where not everything is held, what is: "GET", or a method and a path.
    """

    host: str
    status: int
    until: float
    wall_until: float
    only: str = ""

    @property
    def text(self) -> str:
        """Why nothing is sent, and until when."""
        moment = datetime.fromtimestamp(self.wall_until, UTC)
        said = f"it answered {self.status}" if self.status else "the rate limiter rests"
        what = f"no {self.only}" if self.only else "nothing"
        return f"{what} is sent to {self.host} before {moment:%F %T} UTC: {said}"


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
        self._own: dict[str, AdaptiveRateLimiter] = {}
        self._rests: dict[str, tuple[float, float]] = {}  # our limiters': the end, and since when known
        self._lock = threading.Lock()

    def join(self, url: str, limiter: AdaptiveRateLimiter) -> None:
        """Hold our own client of this host whenever it is held, and the others while that one is."""
        with self._lock:
            self._own[_host(url)] = limiter
        if (hold := self.held(url)) and hold.status:
            limiter.hold(hold.until - self._monotonic(), banned=hold.status == BANNED)

    def held(self, url: str, method: str = "GET") -> Hold | None:
        """Why nothing may be sent there now; None: it may."""
        now, host = self._monotonic(), _host(url)
        with self._lock:
            found = [self._known.get(key) for key in (host, f"{_kind(url, method)} {host}")]
            limiter = self._own.get(host)
        if limiter is not None:
            found.append(self._resting(host, limiter, now))
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
        per_address: bool = True,
    ) -> Hold | None:
        """Learn from an answer; the hold that it begins or lengthens, if any.

        A Retry-After counts; only without a usable one the end in the text, which needs our clock to be
        right. Without either a 418 holds for `ban_seconds`, and a 429 until the clock's minute ends; one for
        too many orders until the window ends that its text names.

        Args:
            minute_windows: whether the venue counts by the clock's minutes; elsewhere a 429 that does not say
                for how long holds nothing.
            per_address: whether the venue limits the address, so that all requests to the host are held;
                elsewhere a GET holds GETs, and any other request its own path and method.
        """
        if status not in _LONGEST:
            return None
        wall = self._wall()
        orders = status == TOO_MANY_REQUESTS and _TOO_MANY_ORDERS.search(body) is not None
        seconds = _stated_seconds(headers, body, wall)
        if seconds is None and status == BANNED:
            seconds = self._ban_seconds
        elif seconds is None and minute_windows:
            window = _window_seconds(body) if orders else MINUTE_SECONDS
            seconds = (math.floor(wall / window) + 1) * window - wall
        if not seconds:
            return None
        seconds = min(seconds, _LONGEST[status])
        only = "" if per_address and not orders else _kind(url, method)
        hold = Hold(_host(url), status, self._monotonic() + seconds, wall + seconds, only)
        key = f"{only} {hold.host}" if only else hold.host
        with self._lock:
            before = self._known.get(key)
            if before is not None and before.until >= hold.until:
                return None
            self._known[key] = hold
            limiter = self._own.get(hold.host)
        if limiter is not None and not only:
            limiter.hold(seconds, banned=status == BANNED)
        return hold

    def _resting(self, host: str, limiter: AdaptiveRateLimiter, now: float) -> Hold | None:
        """While our own client of this host waits; of one rest no longer than the longest of its kind."""
        rest = limiter.blocked_seconds
        if rest <= 0.0:
            return None
        until, longest = now + rest, _LONGEST[BANNED if limiter.status().bans else TOO_MANY_REQUESTS]
        with self._lock:
            known, since = self._rests.get(host, (-math.inf, now))
            if abs(until - known) > _SAME_REST_SECONDS:
                since = now
            self._rests[host] = until, since
        until = min(until, since + longest)
        return Hold(host, 0, until, self._wall() + until - now)


def _stated_seconds(headers: Mapping[str, str], body: str, wall: float) -> float | None:
    """For how long an answer says to wait; 0 only where its Retry-After says so. None: it does not say."""
    try:
        seconds = retry_after_seconds(headers, wall)
    except ExchangeError:
        seconds = None
    if seconds is not None and math.isfinite(seconds):
        return seconds
    until = banned_until_ms(body)
    left = 0.0 if until is None else until / 1000 - wall
    return left if left > 0.0 else None  # an end that is over by our clock says nothing: the ban is on


def _window_seconds(body: str) -> float:
    """Length of the window that a refusal's text names, in seconds; a minute where it names none."""
    match = _WINDOW.search(body)
    return int(match[1]) * _UNIT_SECONDS[match[2].upper()] if match else MINUTE_SECONDS


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def _kind(url: str, method: str) -> str:
    """What is held with a request where not all of its host is: reads, or one method and path.

    Other methods are told apart by their path because some venues read by POST, too.
    """
    method = method.upper()
    return method if method == "GET" else f"{method} {urlsplit(url).path}"
