"""How long to wait before the next connection, and how often a venue lets us connect and speak."""

from __future__ import annotations

import random
from collections import deque

from adaptive_pkg.settings.exchange import StreamSettings


class Backoff:
    """Pauses between attempts: 2, 4, 8 … 60 s, each shortened by a random part of it.

    Args:
        settings: start, factor, top and jitter.
        rng: draws the jitter.
    """

    def __init__(self, settings: StreamSettings, rng: random.Random):
        self._settings, self._rng = settings, rng
        self.failures = 0

    def next_pause(self) -> float:
        """Seconds to wait after one more failure."""
        settings = self._settings
        # far enough up, the power alone would overflow
        exponent = min(self.failures, 64)
        self.failures += 1
        pause = min(
            settings.backoff_start_seconds * settings.backoff_factor**exponent, settings.backoff_top_seconds
        )
        return self.jittered(pause)

    def jittered(self, seconds: float) -> float:
        """Up to the jitter's part shorter, so that many bots do not come back in step."""
        return seconds * (1 - self._settings.jitter * self._rng.random())

    def reset(self) -> None:
        """A connection has proved healthy: start anew."""
        self.failures = 0


class ConnectBudget:
    """At most `connects` attempts in any stretch of `window_seconds`. Share one between sockets."""

    def __init__(self, connects: int, window_seconds: float):
        self._window = window_seconds
        self._attempts: deque[float] = deque(maxlen=connects)

    def ready_at(self, now: float) -> float:
        """When the next attempt may be made: `now`, or later."""
        if len(self._attempts) < (self._attempts.maxlen or 1):
            return now
        return max(now, self._attempts[0] + self._window)

    def note(self, now: float) -> None:
        """An attempt is made."""
        self._attempts.append(now)


class Pace:
    """Evenly spaced messages: at most `per_second`, and no burst."""

    def __init__(self, per_second: float):
        self._spacing = 1 / per_second
        self._next = float("-inf")

    def ready_at(self, now: float) -> float:
        """When the next message may leave: `now`, or later."""
        return max(now, self._next)

    def note(self, now: float) -> None:
        """A message leaves."""
        self._next = max(now, self._next) + self._spacing
