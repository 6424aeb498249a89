"""Fast time: one fake clock, many times as fast as the real one, for the venue, the bot and all they start.

Debian's `faketime` replaces the clock, sleeps and socket timeouts in every process under it. What it leaves
alone are Python's waits on locks, which would never end: `mend_waits` makes them watch the fake clock.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adaptive_pkg.errors import AdaptiveError

POLL_REAL_SECONDS = 0.002


class RehearsalError(AdaptiveError):
    """A rehearsal cannot start, or did not go on. The message says what to do or where to look."""


@dataclass(frozen=True)
class FastTime:
    """A clock that is at `start` (UTC) when its first process starts, and runs `speed` times as fast.

    Raises:
        RehearsalError: the speed is not at least 1, or `start` has no time zone.
    """

    start: datetime
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not self.speed >= 1:
            raise RehearsalError(f"speed: {self.speed} must be 1 or more")
        if self.start.tzinfo is None:
            raise RehearsalError(f"start: {self.start} has no time zone; rehearsals begin at a moment of UTC")

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` on this clock. Raises RehearsalError without faketime."""
        utc = self.start.timestamp()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(utc))
        return [faketime_program(), "-f", f"@{stamp} x{self.speed:g}", *command]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Environment for it. A process that starts later goes on with the same clock."""
        own = {"FAKETIME_DONT_RESET": "1", "TZ": "UTC", "REHEARSAL_SPEED": f"{self.speed:g}"}
        return {**inherited, **own}


def faketime_program() -> str:
    """Where `faketime` is. Raises RehearsalError that says how to install it."""
    program = shutil.which("faketime")
    if program is None:
        raise RehearsalError("`faketime` is not installed; install it: apt-get install faketime")
    return program


def mend_waits(speed: float) -> None:
    """Let waits on locks that have a time limit follow this process's fake clock. Call it first of all.

    Covers threading's Condition, Event, Semaphore and Barrier, queues and futures, and Thread.join.
    """
    pause = POLL_REAL_SECONDS * speed
    allocate = threading._allocate_lock  # type: ignore[attr-defined]

    class Waiter:
        """A lock whose timed wait looks at the clock again and again."""

        def __init__(self) -> None:
            lock = allocate()
            self._try = lock.acquire
            self.release, self.locked = lock.release, lock.locked

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            if not blocking or timeout is None or timeout < 0:
                return self._try(blocking)
            return wait_for(lambda: self._try(False), timeout, pause)

        def __enter__(self) -> bool:
            return self._try()

        def __exit__(self, *exception: object) -> None:
            self.release()

    join = threading.Thread.join

    def patient_join(self: threading.Thread, timeout: float | None = None) -> None:
        watched = timeout is not None and self.is_alive() and self is not threading.current_thread()
        if watched and not wait_for(lambda: not self.is_alive(), timeout, pause):
            return
        join(self)

    threading._allocate_lock = Waiter  # type: ignore[attr-defined]
    threading.Thread.join = patient_join  # type: ignore[method-assign]


def wait_for(
    holds: Callable[[], bool], timeout: float, pause: float, sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Look again and again, for `timeout` seconds of this process's clock; whether it came to hold."""
    end = time.monotonic() + timeout
    while not holds():
        left = end - time.monotonic()
        if left <= 0:
            return False
        if left > timeout:  # the clock was misread
            end -= left - timeout
        sleep(min(left, pause))
    return True
