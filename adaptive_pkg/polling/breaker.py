"""`PollBreaker`: lets a source that keeps failing rest, then tries it once. Time is passed in."""

from __future__ import annotations


class PollBreaker:
    """Counts failures in a row of one source.

    After `failures` it rests for `pause_seconds`; then one poll may go. Its failure begins another rest, its
    success closes the circuit. Time is in seconds that never go back.
    """

    def __init__(self, failures: int, pause_seconds: float):
        self._most, self._pause = failures, pause_seconds
        self.failures = 0
        self._until = float("-inf")

    def resting_seconds(self, now: float) -> float:
        """How long it still rests; 0: it may be asked."""
        return max(self._until - now, 0.0)

    def failed(self, now: float) -> None:
        """A poll has failed."""
        self.failures += 1
        if self.failures >= self._most:
            self._until = now + self._pause

    def succeeded(self) -> None:
        """A poll has brought an answer."""
        self.failures = 0
        self._until = float("-inf")
