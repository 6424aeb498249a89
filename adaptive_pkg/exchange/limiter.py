"""`AdaptiveRateLimiter`: the request budget in first-come order, for threads and tasks at once.

Only the first in line waits for a time; the others wait for their turn. No lock is held while anybody waits,
and there is no thread of our own: whoever leaves the line, served or not, wakes the next.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from adaptive_pkg.errors import RateLimitError
from adaptive_pkg.exchange.budget import Grant, RequestBudget, Wait, WaitReason
from adaptive_pkg.exchange.rules import (
    BANNED,
    DEFAULT_RULES,
    TOO_MANY_REQUESTS,
    Cost,
    RateRule,
    parse_rate_limits,
)
from adaptive_pkg.settings.exchange import LimiterSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time as the limiter sees it.

    Args:
        monotonic: seconds that never go back.
        wall: epoch seconds; read once at the start and for a Retry-After that is a date.
        wait: let a thread wait for an event for at most so many seconds (None: until it is set).
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    wait: Callable[[threading.Event, float | None], Any] = threading.Event.wait


@dataclass(frozen=True, slots=True)
class LimiterStatus:
    """What the limiter has done, and where it stands."""

    granted: int
    waited: int  # of those, how many did not leave at once
    unsent: int
    refusals: int  # 429
    bans: int  # 418
    waiting: int  # in line now
    factor: float  # part of the limits in use
    used_share: float  # of the fullest window
    blocked_seconds: float  # nothing leaves for so long; 0: free
    longest_wait_seconds: float


@dataclass(slots=True, eq=False)
class _Ticket:
    cost: Cost
    wake: Callable[[], None]
    joined: float
    waited: bool = field(default=False)


class AdaptiveRateLimiter:
    """Keeps every request of this process within the venue's limits.

    Take a grant, send the request at once, report its answer:

        grant = await limiter.acquire(weight=2)      # a task; in a thread: limiter.acquire_blocking(2)
        response = await session.get(...)
        limiter.answered(grant, response.status, response.headers)

    A task cancelled while it waits gives its place up. A grant that is not used goes back with `unsent`.
    Several bots on one address: give each a `share`; what others use is also read from the answers.

    Args:
        rules: the venue's limits; `from_exchange_info` reads them from the venue.
        settings: share, margins and the reaction to refusals.
        clock: time, injected in tests.
    """

    def __init__(
        self,
        rules: Sequence[RateRule] = DEFAULT_RULES,
        settings: LimiterSettings | None = None,
        clock: Clock | None = None,
    ):
        self._clock = clock or Clock()
        now = self._clock.monotonic()
        self._budget = RequestBudget(rules, settings or LimiterSettings(), now, self._clock.wall())
        self._lock = threading.Lock()
        self._line: dict[_Ticket, None] = {}  # in order of arrival
        self._closed = False
        self._counts = dict.fromkeys(("granted", "waited", "unsent", "refusals", "bans"), 0)
        self._longest_wait = 0.0

    @classmethod
    def from_exchange_info(
        cls,
        exchange_info: Mapping[str, Any],
        settings: LimiterSettings | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """A limiter for the limits in the body of `exchangeInfo`. Raises ExchangeError if it has none."""
        return cls(parse_rate_limits(exchange_info), settings, clock)

    @property
    def rules(self) -> tuple[RateRule, ...]:
        """The limits in force."""
        return self._budget.rules

    def read_rules(self, exchange_info: Mapping[str, Any]) -> None:
        """Put the limits of a newer `exchangeInfo` in force; use so far stays counted."""
        rules = parse_rate_limits(exchange_info)
        with self._lock:
            self._budget.set_rules(rules)

    def try_acquire(self, weight: int = 1, orders: int = 0) -> Grant | None:
        """A grant if the request may leave now and nobody is in line; else None.

        Raises:
            RateLimitError: no waiting would make it allowed, or the limiter is closed.
        """
        cost = Cost(weight, orders)
        with self._lock:
            self._check(cost)
            if self._line:
                return None
            decision = self._budget.ask(self._clock.monotonic(), cost)
            if isinstance(decision, Wait):
                return None
            self._counts["granted"] += 1
            return decision

    async def acquire(self, weight: int = 1, orders: int = 0, timeout: float | None = None) -> Grant:
        """Wait for a task's turn. Never blocks the event loop.

        Args:
            weight: the request's weight.
            orders: orders it places.
            timeout: longest wait in seconds of the event loop; None: as long as it takes.

        Raises:
            RateLimitError: no waiting would make it allowed, the time is over, or the limiter was closed.
        """
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        ticket = self._join(Cost(weight, orders), lambda: loop.call_soon_threadsafe(woken.set))
        try:
            async with asyncio.timeout(timeout):
                while True:
                    woken.clear()
                    decision, pause = self._turn(ticket)
                    if decision is not None:
                        return decision
                    timer = None if pause is None else loop.call_later(pause, woken.set)
                    try:
                        await woken.wait()
                    finally:
                        if timer is not None:
                            timer.cancel()
        except TimeoutError:
            raise self._late(timeout) from None
        finally:
            self._leave(ticket)

    def acquire_blocking(self, weight: int = 1, orders: int = 0, timeout: float | None = None) -> Grant:
        """Wait for a thread's turn. Not for use on an event loop: it would stop it.

        Raises:
            RateLimitError: no waiting would make it allowed, the time is over, or the limiter was closed.
        """
        woken = threading.Event()
        ticket = self._join(Cost(weight, orders), woken.set)
        deadline = None if timeout is None else ticket.joined + timeout
        try:
            while True:
                woken.clear()
                decision, pause = self._turn(ticket)
                if decision is not None:
                    return decision
                if deadline is not None:
                    left = deadline - self._clock.monotonic()
                    if left <= 0:
                        raise self._late(timeout)
                    pause = left if pause is None else min(pause, left)
                self._clock.wait(woken, pause)
        finally:
            self._leave(ticket)

    def answered(
        self, grant: Grant, status: int, headers: Mapping[str, str] | None = None, body: str = ""
    ) -> None:
        """Report a request's answer: its HTTP status, headers and, after a refusal, its text."""
        with self._lock:
            now = self._clock.monotonic()
            self._budget.answered(now, grant, status, headers, body)
            if status in (TOO_MANY_REQUESTS, BANNED):
                self._counts["bans" if status == BANNED else "refusals"] += 1
                logger.warning(
                    "rate limit: HTTP %d; nothing is sent for %.1f s, then at %.0f %% of the limit",
                    status,
                    max(self._budget.blocked_until - now, 0.0),
                    100 * self._budget.pressure.factor(now),
                )

    def unsent(self, grant: Grant) -> None:
        """Give a grant back whose request never left. Never for one that may have left."""
        with self._lock:
            if not grant.done:
                self._counts["unsent"] += 1
                self._budget.unsent(grant)
            self._wake_first()

    def hold(self, seconds: float, *, banned: bool = False) -> None:
        """Send nothing for so long: another client on this address was refused (`banned`: by a 418)."""
        with self._lock:
            reason = WaitReason.BANNED if banned else WaitReason.REFUSED
            self._budget.hold(self._clock.monotonic(), seconds, reason)

    @property
    def blocked_seconds(self) -> float:
        """Nothing leaves for so long; 0: free."""
        with self._lock:
            return max(self._budget.blocked_until - self._clock.monotonic(), 0.0)

    def synchronise(self, sent: float, received: float, venue_ms: int) -> None:
        """Set the venue's clock from `GET /time`: both readings of our monotonic clock, and its answer."""
        with self._lock:
            self._budget.synchronise(sent, received, venue_ms / 1000)

    def status(self) -> LimiterStatus:
        """Where the limiter stands."""
        with self._lock:
            now = self._clock.monotonic()
            return LimiterStatus(
                **self._counts,
                waiting=len(self._line),
                factor=self._budget.pressure.factor(now),
                used_share=self._budget.used_share(now),
                blocked_seconds=max(self._budget.blocked_until - now, 0.0),
                longest_wait_seconds=self._longest_wait,
            )

    def close(self) -> None:
        """Send everybody in line home with an error, and grant nothing more."""
        with self._lock:
            self._closed = True
            for ticket in list(self._line):
                self._wake(ticket)

    def _join(self, cost: Cost, wake: Callable[[], None]) -> _Ticket:
        with self._lock:
            self._check(cost)
            ticket = _Ticket(cost, wake, self._clock.monotonic())
            self._line[ticket] = None
            return ticket

    def _turn(self, ticket: _Ticket) -> tuple[Grant | None, float | None]:
        """A grant, or how long to wait before asking again (None: until woken)."""
        with self._lock:
            if self._closed:
                raise RateLimitError("the rate limiter is closed; nothing more is sent")
            if next(iter(self._line)) is not ticket:
                ticket.waited = True
                return None, None
            now = self._clock.monotonic()
            decision = self._budget.ask(now, ticket.cost)
            if isinstance(decision, Wait):
                ticket.waited = True
                return None, decision.until - now
            self._counts["granted"] += 1
            self._counts["waited"] += ticket.waited
            self._longest_wait = max(self._longest_wait, now - ticket.joined)
            return decision, None

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            self._line.pop(ticket, None)
            self._wake_first()

    def _wake_first(self) -> None:
        while self._line:
            first = next(iter(self._line))
            if self._wake(first):
                return

    def _wake(self, ticket: _Ticket) -> bool:
        try:
            ticket.wake()
        except RuntimeError:  # its event loop is gone, and the waiter with it
            self._line.pop(ticket, None)
            return False
        return True

    def _check(self, cost: Cost) -> None:
        if self._closed:
            raise RateLimitError("the rate limiter is closed; nothing more is sent")
        self._budget.check(cost)

    def _late(self, timeout: float | None) -> RateLimitError:
        with self._lock:
            left = self._budget.blocked_until - self._clock.monotonic()
            why = self._budget.blocked_reason if left > 0 else WaitReason.WINDOW
        until = f" for {left:.1f} s more" if left > 0 else ""
        return RateLimitError(
            f"no leave to send within {timeout} s: {why}{until}, {len(self._line) - 1} others in line; "
            "try later or give it more time"
        )
