"""Filling the gaps of a feed through REST, a few at a time, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence

from adaptive_pkg.exchange.events import Event
from adaptive_pkg.exchange.feed import Feed
from adaptive_pkg.exchange.inbox import Inbox
from adaptive_pkg.exchange.link import LinkStats
from adaptive_pkg.exchange.sequence import Gap

logger = logging.getLogger(__name__)

Backfill = Callable[[Gap], Awaitable[Sequence[Event]]]
REPAIRS_AT_ONCE = 4


class GapRepair:
    """Asks `backfill` for what is missing, and hands what comes to `pass_on`.

    Attributes:
        wake: set it when a gap has appeared, or when the consumer has made room.
    """

    def __init__(
        self,
        feed: Feed,
        inbox: Inbox,
        stats: LinkStats,
        backfill: Backfill | None,
        pass_on: Callable[[Iterable[Event]], None],
    ):
        self.wake = asyncio.Event()
        self._feed, self._inbox, self._stats = feed, inbox, stats
        self._backfill, self._pass_on = backfill, pass_on
        self._running: set[asyncio.Task[None]] = set()
        self._failing: set[str] = set()  # streams whose failure has been told

    async def run(self) -> None:
        """Repair until cancelled."""
        if self._backfill is None:
            return
        try:
            while True:
                self.wake.clear()
                await self._pause(self._begin(self._backfill))
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self, backfill: Backfill) -> float:
        """Start what is due; the seconds until there is more to start (infinity: until woken)."""
        now = asyncio.get_running_loop().time()
        free = REPAIRS_AT_ONCE - len(self._running)
        for gap in self._feed.due(now, self._inbox.room, free):
            task = asyncio.create_task(self._fill(gap, backfill), name=f"backfill {gap.stream}")
            self._running.add(task)
            task.add_done_callback(self._done)
        if len(self._running) >= REPAIRS_AT_ONCE or not self._inbox.room:
            return math.inf
        return max(self._feed.next_due() - now, 0.0)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self.wake.wait()
        except TimeoutError:
            pass

    async def _fill(self, gap: Gap, backfill: Backfill) -> None:
        now = asyncio.get_running_loop().time
        self._stats.backfills += 1
        try:
            events = await backfill(gap)
            ready = self._feed.fill(gap, events, now(), self._inbox.room)
        except Exception as error:  # whatever it is, the gap is still there and will be asked for again
            self._stats.backfill_failures += 1
            # an outage is told once, not with every attempt
            level = logging.DEBUG if gap.stream in self._failing else logging.WARNING
            logger.log(level, "%s: backfill from %d failed: %r", gap.stream, gap.first, error)
            self._failing.add(gap.stream)
            self._feed.failed(gap, now())
        else:
            if gap.stream in self._failing:
                self._failing.discard(gap.stream)
                logger.info("%s: backfill works again", gap.stream)
            self._pass_on(ready)
