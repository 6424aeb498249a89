"""`Poller` asks one source once; `SourceKeeper` asks all of them again and again, in a background thread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.polling.breaker import PollBreaker
from adaptive_pkg.polling.source import Failure, Source, SourceError
from adaptive_pkg.settings.sources import PollingSettings
from adaptive_pkg.store.observations import ObservationStore

logger = logging.getLogger(__name__)

JOIN_SECONDS = 10.0
_TICK_SECONDS = 1.0

MakeSources = Callable[[aiohttp.ClientSession], Sequence[Source]]


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll has come to."""

    source: str
    added: int  # values that were new
    failure: Failure | None = None
    message: str = ""


class Poller:
    """One source with its breaker.

    Args:
        source: whom to ask. store: where values go.
        settings: when it rests.
        wall: epoch seconds. monotonic: seconds that never go back.
    """

    def __init__(
        self,
        source: Source,
        store: ObservationStore,
        settings: PollingSettings,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self.source = source
        self._store, self._wall, self._monotonic = store, wall, monotonic
        self._breaker = PollBreaker(settings.failures, settings.pause_minutes * 60)

    async def poll(self) -> PollResult:
        """Ask once and keep what is new. Never raises: a failure is logged, noted in the store, returned."""
        name = self.source.name
        if (rest := self._breaker.resting_seconds(self._monotonic())) > 0:
            message = f"{name} rests for {rest:.0f} s more after {self._breaker.failures} failures in a row"
            return PollResult(name, 0, Failure.RESTING, message)
        try:
            readings = await self.source.fetch(self._store.last_about, self._now())
            # the answer's time, not the question's: paging takes its time
            added = self._store.record(
                name, self.source.specs, readings, self._now(), watch=2.5 * self.source.every
            )
        except AdaptiveError as error:
            return self._failed(error)
        except Exception as error:  # a source's defect must not end the others
            logger.exception("source %s has a defect; its columns stay neutral", name)
            return self._failed(error)
        self._breaker.succeeded()
        return PollResult(name, added)

    def _failed(self, error: Exception) -> PollResult:
        name = self.source.name
        self._breaker.failed(self._monotonic())
        failure = error.failure if isinstance(error, SourceError) else Failure.MALFORMED
        logger.warning("source %s: %s (%d in a row)", name, error, self._breaker.failures)
        try:
            self._store.note_failure(name, self._now(), str(error))
        except AdaptiveError as noting:
            logger.warning("source %s: %s", name, noting)
        return PollResult(name, 0, failure, str(error))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)


async def poll_once(
    make_sources: MakeSources, store: ObservationStore, settings: PollingSettings
) -> list[PollResult]:
    """Ask every source once, all at the same time."""
    async with aiohttp.ClientSession(trust_env=True) as session:
        pollers = [Poller(source, store, settings) for source in make_sources(session)]
        return list(await asyncio.gather(*(poller.poll() for poller in pollers)))


class SourceKeeper:
    """Polls from a thread of its own as long as `beat` is called.

    Args:
        make_sources: called in the thread with its session.
        store: where values go; its owner closes it.
    """

    def __init__(self, make_sources: MakeSources, store: ObservationStore, settings: PollingSettings):
        self._make_sources, self._store, self._settings = make_sources, store, settings
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._last_beat = 0.0
        self._not_before = float("-inf")  # after a defect: not again at every beat
        self._guard = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether it polls."""
        return self._thread is not None and self._thread.is_alive()

    def beat(self) -> None:
        """The bot lives: go on, or begin. Costs nothing worth speaking of; call it in every loop."""
        with self._guard:
            self._last_beat = time.monotonic()
            if not self.alive and self._last_beat >= self._not_before:
                self._ending.clear()
                self._thread = threading.Thread(target=self._serve, name="source-keeper", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End it, and wait for its thread."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
            if self._thread.is_alive():
                logger.warning("the sources' thread has not ended within %g s", JOIN_SECONDS)

    def _serve(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception:
            pause = self._settings.pause_minutes
            self._not_before = time.monotonic() + 60 * pause
            logger.exception(
                "polling has ended by a defect; sources go stale and count as missing; "
                "it begins again in %g minutes",
                pause,
            )

    async def _live(self) -> None:
        async with aiohttp.ClientSession(trust_env=True) as session:
            pollers = [Poller(source, self._store, self._settings) for source in self._make_sources(session)]
            tasks = [asyncio.create_task(self._keep(poller)) for poller in pollers]
            try:
                while not self._ending.is_set() and not self._lease_over():
                    await asyncio.sleep(min(_TICK_SECONDS, self._settings.lease_seconds / 4))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if not self._ending.is_set():
            logger.info("polling ends: no sign of life from the bot")

    async def _keep(self, poller: Poller) -> None:
        while True:
            await poller.poll()
            await asyncio.sleep(poller.source.every.total_seconds())

    def _lease_over(self) -> bool:
        return time.monotonic() - self._last_beat > self._settings.lease_seconds
