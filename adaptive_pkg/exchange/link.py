"""What a connection is doing, what it has done, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class LinkState(StrEnum):
    """Where a connection stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    LIVE = "live"  # open, and every subscription confirmed
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class StateChange:
    """From one state to the next, why, and when on the event loop's clock."""

    old: LinkState
    new: LinkState
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that is gone for good: why, and the event, message or error itself."""

    reason: str
    what: Any


@dataclass(slots=True)
class LinkStats:
    """Counts since the start."""

    attempts: int = 0
    connections: int = 0
    failures: int = 0
    messages: int = 0
    malformed: int = 0
    backfills: int = 0
    backfill_failures: int = 0
    lost: int = 0
    live_seconds: float = 0.0  # of connections that have ended
    live_since: float | None = None

    @property
    def success_share(self) -> float:
        """Part of the attempts that led to a connection, 0 to 1."""
        return self.connections / self.attempts if self.attempts else 0.0

    def live_began(self, now: float) -> None:
        """The connection is up."""
        self.live_since = now

    def live_ended(self, now: float) -> None:
        """It is not, or never was."""
        if self.live_since is not None:
            self.live_seconds += now - self.live_since
            self.live_since = None

    def uptime_seconds(self, now: float) -> float:
        """Time spent live; it does not grow while the connection is down."""
        return self.live_seconds + (0.0 if self.live_since is None else now - self.live_since)
