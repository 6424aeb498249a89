"""Which of many messages go out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

HOUR_SECONDS = 3600.0


class Throttle:
    """At most one message of a topic in its time, at most `per_hour` in any hour, and a count of the others.

    Called from more than one thread it may at worst let one message too many pass: it needs no lock.

    Args:
        per_hour: most messages in any hour.
        clock: seconds that never run backwards.
    """

    def __init__(self, per_hour: int, clock: Callable[[], float]) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._sent: deque[float] = deque(
            maxlen=per_hour
        )  # when; a full one tells how long ago the hour began
        self._topics: dict[Hashable, float] = {}
        self._held = 0

    def admits(self, topic: Hashable, seconds: float, *, urgent: bool = False) -> bool:
        """Whether a message may go out now; if so it counts as sent. An urgent one always may.

        Args:
            topic: what the message is about. seconds: least time since the last one of this topic.
        """
        now = self._clock()
        last = self._topics.get(topic)
        if not urgent and ((last is not None and now - last < seconds) or self._full(now)):
            self._held += 1
            return False
        self._topics[topic] = now
        self._sent.append(now)
        return True

    def held_back(self) -> int:
        """How many were held back since the last time this was asked."""
        held, self._held = self._held, 0
        return held

    def _full(self, now: float) -> bool:
        return len(self._sent) == self._per_hour and now - self._sent[0] < HOUR_SECONDS
