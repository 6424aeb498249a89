"""Leap time: a clock at the real pace while anything works, that leaps when the bot's main thread sleeps.

So a candle takes as long as its work, however slow the machine: none is ever skipped, and what the bot does
takes milliseconds of the rehearsal's time as it does of real time. The clock's offset from the real one is in
a file, which the venue reads and which outlives a killed bot. The bot has it in its environment as well, for
Debian's libfaketime looks there whenever the process asks for the time.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adaptive_pkg.rehearsal.fast_time import (
    POLL_REAL_SECONDS,
    RehearsalError,
    faketime_program,
    mend_waits,
    wait_for,
)

_ENTRY = ("REHEARSAL_LEAP_SECONDS", "REHEARSAL_PAUSE_SECONDS")


@dataclass(frozen=True)
class LeapTime:
    """A clock that is at `start` (UTC) when it is set.

    Args:
        file: where its offset from the real clock is kept; made by `begin`.
        longest_leap: seconds; a longer sleep is several leaps.
        pause: real seconds between leaps, in which everything else has its turn.
    """

    start: datetime
    file: Path
    longest_leap: float = 900.0
    pause: float = 0.005

    speed = 1.0  # while anything works

    def begin(self) -> None:
        """Set the clock to its start."""
        write_offset(self.file, self.start.timestamp() - time.time())

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line of the venue's process."""
        return list(command)

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Environment of the venue's process, which is not on this clock itself, but reads it.

        Raises:
            RehearsalError: without faketime.
        """
        own = {
            "TZ": "UTC",
            "REHEARSAL_SPEED": "1",
            "REHEARSAL_CLOCK": str(self.file),
            "REHEARSAL_LIBRARY": faketime_library(),
            "REHEARSAL_LEAP_SECONDS": str(self.longest_leap),
            "REHEARSAL_PAUSE_SECONDS": str(self.pause),
        }
        return {**inherited, **own}

    def now(self) -> datetime:
        """Its time, for a process that is not on it."""
        return datetime.fromtimestamp(time.time() + read_offset(self.file), UTC)

    def leap(self, seconds: float) -> None:
        """Let time pass while no bot runs."""
        left = seconds
        while left > 0:
            step = min(left, self.longest_leap)
            write_offset(self.file, read_offset(self.file) + step)
            time.sleep(self.pause)
            left -= step


def faketime_library() -> str:
    """What `faketime` preloads on this machine. Raises RehearsalError."""
    asked = subprocess.run([faketime_program(), "-f", "+0", "env"], capture_output=True, text=True)
    for line in asked.stdout.splitlines():
        name, _, value = line.partition("=")
        if name == "LD_PRELOAD":
            return value
    raise RehearsalError(f"faketime says nothing of its library: {asked.stdout[-200:]}{asked.stderr[-200:]}")


def read_offset(file: Path) -> float:
    """Seconds that the clock is ahead of the real one."""
    return float(file.read_text())


def write_offset(file: Path, seconds: float) -> None:
    """Replace it in one go: other processes read it at any moment."""
    new = file.with_name(file.name + ".new")
    new.write_text(f"{seconds:+.6f}\n")
    new.replace(file)


def leap_clock_ms(file: Path) -> int:
    """The clock's time in epoch milliseconds, for a process that is not on it."""
    return round((time.time() + read_offset(file)) * 1000)


def on_leap_time(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment that puts a bot started now on the clock, given that of the venue's process.

    One variable, not the file, tells libfaketime the time: its reading of a file is not safe with threads.
    """
    offset = read_offset(Path(environment["REHEARSAL_CLOCK"]))
    own = {"LD_PRELOAD": environment["REHEARSAL_LIBRARY"], "FAKETIME": f"{offset:+.6f}"}
    return {**environment, **own, "FAKETIME_NO_CACHE": "1", "NO_FAKE_STAT": "1"}


def leap_instead_of_sleeping(environment: Mapping[str, str]) -> None:
    """In the bot's process, first of all: its main thread's sleeps become leaps, other waits follow them.

    Other threads' sleeps, timed waits on locks, and timers of event loops outside the main thread look at
    the clock every few real milliseconds, so that a leap wakes what has come due.
    """
    longest, pause = (float(environment[name]) for name in _ENTRY)
    file = Path(environment["REHEARSAL_CLOCK"])
    mend_waits(1.0)
    main, sleep = threading.main_thread(), time.sleep

    def sleep_or_leap(seconds: float) -> None:
        if threading.current_thread() is not main:
            wait_for(lambda: False, seconds, POLL_REAL_SECONDS, sleep)
            return
        left = seconds
        while left > 0:
            step = min(left, longest)
            offset = read_offset(file) + step
            os.environ["FAKETIME"] = f"{offset:+.6f}"
            write_offset(file, offset)
            sleep(pause)
            left -= step + pause

    time.sleep = sleep_or_leap
    follow_leaps()


def follow_leaps() -> None:
    """Event loops look at the clock every few real milliseconds, or a leap would find them asleep."""
    select = selectors.DefaultSelector.select

    def short_select(self: Any, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > POLL_REAL_SECONDS:
            timeout = POLL_REAL_SECONDS
        return select(self, timeout)

    selectors.DefaultSelector.select = short_select  # type: ignore[method-assign]
