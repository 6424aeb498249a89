"""When a connection that still looks open is given up: half open, silent, or as old as a venue lets it be."""

from __future__ import annotations

import math
from typing import Any

from adaptive_pkg.settings.exchange import StreamSettings

RENEW = "renewed before the venue ends it"
LIFE_SPREAD = 0.05  # connections opened together are renewed apart


class Watchdog:
    """Watches one connection. Times are monotonic seconds.

    Args:
        settings: how long quiet, silence and life may last.
        now: the connection's beginning.
        draw: 0 to 1, shortens its life a little.
    """

    def __init__(self, settings: StreamSettings, now: float, draw: float):
        self._settings = settings
        self._opened = self.heard_at = now
        self._renew_at = now + settings.life_seconds * (1 - LIFE_SPREAD * draw)
        self._pinged_at: float | None = None
        self._asked_at = now
        self._pong: Any = None

    @property
    def age(self) -> float:
        """From the beginning to the last message."""
        return self.heard_at - self._opened

    def heard(self, now: float) -> None:
        """A message came."""
        self.heard_at = self._asked_at = now
        self._pong = self._pinged_at = None

    def pinged(self, pong: Any, now: float) -> None:
        """A ping has left; `pong` is a future that is done when it is answered."""
        self._pong, self._pinged_at = pong, now

    def next_at(self, talkative: bool) -> float:
        """When to `look` again."""
        if not talkative:
            return self._renew_at
        silent_at = self.heard_at + self._settings.silence_seconds
        return min(self._renew_at, silent_at, self._ping_matters_at())

    def wants_ping(self, now: float) -> bool:
        """Whether it has been quiet for long enough to ask."""
        return self._pinged_at is None and now >= self._asked_at + self._settings.quiet_seconds

    def look(self, now: float, talkative: bool) -> str | None:
        """Why the connection is given up now, or None."""
        if now >= self._renew_at:
            return RENEW
        if not talkative:
            return None
        if now >= self.heard_at + self._settings.silence_seconds:
            return f"silent for {self._settings.silence_seconds} s"
        if self._pinged_at is not None and now >= self._ping_matters_at():
            if not self._pong.done():
                return f"half open: no answer to a ping in {self._settings.quiet_pong_seconds} s"
            self._asked_at, self._pong, self._pinged_at = now, None, None  # it is there: ask again later
        return None

    def _ping_matters_at(self) -> float:
        if self._pinged_at is None:
            return self._asked_at + self._settings.quiet_seconds
        return self._pinged_at + self._settings.quiet_pong_seconds if self._pong is not None else math.inf
