"""Locks for threads and tasks at once: ordered, so they cannot deadlock; timed, so they name who is late.

Why ordered locks and not one big one: a trade's turn is held while the venue answers, and must not stop
other pairs. Every lock has a place in one order (trade, position, order, balance; then by key). Several asked
for together are taken in that order. Who already holds locks gets only later ones, or those already held; any
other wish is refused at once. So nobody ever waits for a lock before one of his own in that order, and no
circle of waiters can close.

A lock belongs to the task or thread that took it; work handed on to another thread or task has to ask for
itself. A waiting task lets its event loop run. The mutex inside guards a few dictionary operations and is
never held while anybody waits.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from adaptive_pkg.errors import LockOrderError, LockTimeoutError
from adaptive_pkg.exchange.lock_names import Holder, LockKind, LockName, LockStats
from adaptive_pkg.settings.exchange import StateSettings

logger = logging.getLogger(__name__)

Owner = asyncio.Task | threading.Thread


@dataclass(slots=True)
class _Waiter:
    owner: Owner
    where: str
    wake: Callable[[], None]
    served: bool = False


@dataclass(slots=True)
class _Lock:
    owner: Owner
    where: str
    since: float
    depth: int = 1
    waiters: deque[_Waiter] = field(default_factory=deque)


class OrderedLocks:
    """All locks of one trading state, made when first asked for and forgotten when nobody holds them.

    Args:
        settings: how long to wait, and from when on a hold is worth a warning.
        clock: monotonic seconds, for the statistics and messages.
    """

    def __init__(self, settings: StateSettings | None = None, clock: Callable[[], float] = time.monotonic):
        self.settings = settings or StateSettings()
        self._clock = clock
        self._mutex = threading.Lock()
        self._locks: dict[LockName, _Lock] = {}
        self._held: dict[Owner, list[LockName]] = {}
        self._stats: dict[LockKind, dict[str, float]] = {
            kind: dict.fromkeys(LockStats.__slots__, 0) for kind in LockKind
        }

    def hold(self, *names: LockName, timeout: float | None = None) -> Hold:
        """These locks, for a `with` in a thread or an `async with` in a task.

        Args:
            names: taken in the fixed order, whatever order they are given in.
            timeout: seconds for all of them; None: the settings'.

        Raises (on entering):
            LockTimeoutError: names who holds the missing one, since when, and where he took it.
            LockOrderError: out of order, or a `with` on an event loop, which it would stop.
        """
        limit = self.settings.lock_timeout_seconds if timeout is None else timeout
        return Hold(self, tuple(sorted(set(names), key=lambda name: name.place)), limit)

    def statistics(self) -> dict[LockKind, LockStats]:
        """Waits, holds and contention so far, by kind."""
        with self._mutex:
            return {kind: LockStats(**values) for kind, values in self._stats.items()}

    def holders(self) -> list[Holder]:
        """Who holds what at this moment."""
        with self._mutex:
            return [self._holder(name) for name in self._locks]

    def take(self, name: LockName, owner: Owner, where: str, wake: Callable[[], None]) -> _Waiter | None:
        """Take one lock, or join those who wait for it. Raises LockOrderError."""
        with self._mutex:
            held = self._held.get(owner, ())
            lock = self._locks.get(name)
            if lock is not None and lock.owner is owner:
                lock.depth += 1
                self._stats[name.kind]["acquisitions"] += 1
                return None
            if held and name.place <= held[-1].place:
                self._stats[name.kind]["refusals"] += 1
                raise LockOrderError(
                    f"{name} asked for while holding {', '.join(map(str, held))} at {where}: locks are taken "
                    f"in the order {', '.join(LockKind)}, then by key; ask for all of them together"
                )
            if lock is None:
                self._locks[name] = _Lock(owner, where, self._clock())
                self._note(owner, name, 0.0, contended=False)
                return None
            waiter = _Waiter(owner, where, wake)
            lock.waiters.append(waiter)
            return waiter

    def served(self, name: LockName, waiter: _Waiter, waited: float) -> bool:
        """Whether a waiter has got the lock; if so it is his."""
        with self._mutex:
            if waiter.served:
                self._note(waiter.owner, name, waited, contended=True)
            return waiter.served

    def abandon(self, name: LockName, waiter: _Waiter, timeout: float | None) -> LockTimeoutError | None:
        """Stop waiting. None if the lock came in the same moment and is his."""
        with self._mutex:
            if waiter.served:
                self._note(waiter.owner, name, timeout or 0.0, contended=True)
                return None
            lock = self._locks[name]
            lock.waiters.remove(waiter)
            if timeout is not None:
                self._stats[name.kind]["timeouts"] += 1
            holder = self._holder(name)
        return LockTimeoutError(
            f"{name}: not free within {timeout} s, wanted by {_describe(waiter.owner)} at {waiter.where}. "
            f"{holder}. Look there for what keeps it"
        )

    def release(self, name: LockName, owner: Owner) -> None:
        """Give one lock back; the longest waiter gets it."""
        with self._mutex:
            lock = self._locks[name]
            lock.depth -= 1
            if lock.depth:
                return
            now = self._clock()
            held_for, where = now - lock.since, lock.where
            stats = self._stats[name.kind]
            stats["hold_total"] += held_for
            stats["hold_longest"] = max(stats["hold_longest"], held_for)
            names = self._held[owner]
            names.remove(name)
            if not names:
                del self._held[owner]
            while lock.waiters:
                waiter = lock.waiters.popleft()
                lock.owner, lock.where, lock.since, lock.depth = waiter.owner, waiter.where, now, 1
                waiter.served = True
                try:
                    waiter.wake()
                except RuntimeError:  # its event loop is gone, and the waiter with it
                    continue
                break
            else:
                del self._locks[name]
        if held_for > self.settings.slow_hold_seconds and name.kind is not LockKind.TRADE:
            logger.warning("%s was held for %.2f s by %s at %s", name, held_for, _describe(owner), where)

    def _note(self, owner: Owner, name: LockName, waited: float, contended: bool) -> None:
        self._held.setdefault(owner, []).append(name)
        stats = self._stats[name.kind]
        stats["acquisitions"] += 1
        stats["contended"] += contended
        stats["wait_total"] += waited
        stats["wait_longest"] = max(stats["wait_longest"], waited)

    def _holder(self, name: LockName) -> Holder:
        lock = self._locks[name]
        return Holder(name, _describe(lock.owner), self._clock() - lock.since, lock.where, len(lock.waiters))


class Hold:
    """Some locks of an `OrderedLocks`, held while its block runs. One use only."""

    def __init__(self, locks: OrderedLocks, names: tuple[LockName, ...], timeout: float):
        self.names = names
        self._locks, self._timeout = locks, timeout
        self._owner: Owner | None = None
        self._taken: list[LockName] = []

    def __enter__(self) -> Self:
        where = call_site()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise LockOrderError(
                f"`with` at {where} would stop the event loop while it waits; use `async with` there"
            )
        owner = self._owner = threading.current_thread()
        deadline = time.monotonic() + self._timeout
        try:
            for name in self.names:
                woken = threading.Event()
                started = self._locks._clock()
                waiter = self._locks.take(name, owner, where, woken.set)
                if waiter is not None:
                    self._wait_blocking(name, waiter, woken, deadline, started)
                self._taken.append(name)
        except BaseException:
            self.release()
            raise
        return self

    def _wait_blocking(
        self, name: LockName, waiter: _Waiter, woken: threading.Event, deadline: float, started: float
    ) -> None:
        try:
            woken.wait(max(deadline - time.monotonic(), 0.0))
        except BaseException:  # an interrupt from the keyboard
            if self._locks.abandon(name, waiter, None) is None:
                self._taken.append(name)
            raise
        if not self._locks.served(name, waiter, self._locks._clock() - started):
            late = self._locks.abandon(name, waiter, self._timeout)
            if late is not None:
                raise late

    async def __aenter__(self) -> Self:
        where = call_site()
        loop = asyncio.get_running_loop()
        owner = self._owner = asyncio.current_task()
        assert owner is not None
        deadline = loop.time() + self._timeout
        try:
            for name in self.names:
                woken = asyncio.Event()
                started = self._locks._clock()
                wake = _threadsafe(loop, woken)
                waiter = self._locks.take(name, owner, where, wake)
                if waiter is not None:
                    await self._wait(name, waiter, woken, deadline, started)
                self._taken.append(name)
        except BaseException:
            self.release()
            raise
        return self

    async def _wait(
        self, name: LockName, waiter: _Waiter, woken: asyncio.Event, deadline: float, started: float
    ) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await woken.wait()
        except TimeoutError:
            late = self._locks.abandon(name, waiter, self._timeout)
            if late is not None:
                raise late from None
        except BaseException:
            if self._locks.abandon(name, waiter, None) is None:
                self._taken.append(name)  # it came in the same moment: give it back with the others
            raise
        else:
            self._locks.served(name, waiter, self._locks._clock() - started)

    def release(self) -> None:
        """Give everything back, last one first."""
        assert self._owner is not None
        while self._taken:
            self._locks.release(self._taken.pop(), self._owner)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def current_owner() -> Owner:
    """The task that runs, or the thread where no event loop does."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.current_thread()


def call_site() -> str:
    """file:line in function of the nearest caller outside this machinery."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "") in _MACHINERY:
        frame = frame.f_back
    name = frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{name}:{frame.f_lineno} in {frame.f_code.co_name}"


_MACHINERY = {__name__, "adaptive_pkg.exchange.trading_state", "contextlib"}


def _threadsafe(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> Callable[[], None]:
    return lambda: loop.call_soon_threadsafe(woken.set)


def _describe(owner: Owner) -> str:
    if isinstance(owner, threading.Thread):
        return f"thread {owner.name!r}{'' if owner.is_alive() else ' (which has ended)'}"
    return f"task {owner.get_name()!r}{' (which has ended)' if owner.done() else ''}"
