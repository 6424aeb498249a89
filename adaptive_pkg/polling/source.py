"""What a source of slow data is, whichever service stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.store.series import Reading, SeriesSpec


class Failure(StrEnum):
    """Why a source has no answer, which decides what may help."""

    LIMITED = "limited"  # its allowance is used up: wait
    REFUSED = "refused"  # it does not accept our key, or the request: correct the settings
    DOWN = "down"  # no answer, or an error of its own: try again later
    MALFORMED = "malformed"  # an answer that cannot be read: its format may have changed
    RESTING = "resting"  # not asked: it has failed too often


class SourceError(AdaptiveError):
    """A source could not be read. Its columns stay neutral; the message says what to do."""

    def __init__(self, failure: Failure, message: str):
        super().__init__(message)
        self.failure = failure


LastAbout = Callable[[str], datetime | None]


class Source(Protocol):
    """One service. Give `fetch` to a `Poller`; it raises SourceError and nothing else on purpose.

    Attributes:
        name: for logs, and for the store's record of polls.
        specs: every series it may bring.
        every: time between two polls.
    """

    name: str
    specs: tuple[SeriesSpec, ...]
    every: timedelta

    async def fetch(self, last_about: LastAbout, now: datetime) -> list[Reading]:
        """What the service says now.

        Args:
            last_about: the end of the newest period the store holds of a series; None without one.
            now: aware.
        """
        ...
