"""The accounts of one limit: the clock's windows, every stretch as long as a window, a token bucket.

A request that leaves at `t` is counted by the venue a little later, and its clock is known only roughly. So
a request is charged to every window it may be counted in, and freed from the others once its answer is here.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

SLICES = 120  # a stretch is kept in this many pieces: no log of single requests, 1/120 of it given away


class CalendarWindows:
    """Use in the windows of the venue's clock: [k·interval, (k + 1)·interval) in epoch seconds.

    `own` is what we sent; `foreign` is the most others on the address may have used, as far as answers told.
    """

    __slots__ = ("_answered", "_reported", "foreign", "interval", "own")

    def __init__(self, interval_seconds: float):
        self.interval = interval_seconds
        self.own: dict[int, int] = {}
        self.foreign: dict[int, int] = {}
        self._answered: dict[int, int] = {}
        self._reported: dict[int, int] = {}

    def index(self, venue_seconds: float) -> int:
        """The window that holds this moment."""
        return math.floor(venue_seconds / self.interval)

    def charge(self, first: int, last: int, amount: int) -> None:
        """Count a request in every window from `first` to `last`."""
        if last not in self.own and len(self.own) > 3:
            self._forget(first - 1)
        for index in range(first, last + 1):
            self.own[index] = self.own.get(index, 0) + amount

    def uncharge(self, first: int, last: int, amount: int) -> None:
        """Take a request back from these windows, as far as they are still kept."""
        for index in range(first, last + 1):
            if index in self.own:
                self.own[index] = max(self.own[index] - amount, 0)

    def full_until(self, first: int, last: int, amount: int, own_cap: int, cap: int) -> int | None:
        """The last window from `first` to `last` without room for `amount`, or None."""
        for index in range(last, first - 1, -1):
            own = self.own.get(index, 0)
            if own + amount > own_cap or own + self.others(index) + amount > cap:
                return index
        return None

    def others(self, index: int) -> int:
        """What others may use in this window: what is known of it, or as much as in the window before."""
        return max(self.foreign.get(index, 0), self.foreign.get(index - 1, 0))

    def answered(self, index: int, amount: int) -> None:
        """A request has certainly been counted in this window."""
        self._answered[index] = self._answered.get(index, 0) + amount

    def report(self, index: int, used: int) -> None:
        """The venue said `used` when it counted a request in this window.

        Within a window its count only grows, so an answer overtaken by a later one says nothing new.
        """
        if used < self._reported.get(index, 0):
            return
        self._reported[index] = used
        # More than all we sent: others are there. Then our requests still under way may be missing from
        # `used`, so only the answered ones are taken off. Otherwise nothing speaks for others at all.
        alone = used <= self.own.get(index, 0)
        self.foreign[index] = 0 if alone else used - self._answered.get(index, 0)

    def rename(self, old: int, new: int) -> None:
        """Carry use over when the venue's clock turns out to be in another window than assumed."""
        if old != new and old in self.own:
            self.own[new] = max(self.own.get(new, 0), self.own[old])

    def _forget(self, oldest: int) -> None:
        for table in (self.own, self.foreign, self._answered, self._reported):
            for index in [index for index in table if index < oldest]:
                del table[index]


class AnyWindow:
    """Use in the last `interval_seconds`, wherever the venue's windows begin.

    `slack_seconds`: how much closer two requests may arrive than they left.
    """

    __slots__ = ("_pieces", "_slice", "interval", "span", "used")

    def __init__(self, interval_seconds: float, slack_seconds: float):
        self.interval = interval_seconds
        self.span = interval_seconds + slack_seconds
        self.used = 0
        self._slice = interval_seconds / SLICES
        self._pieces: deque[list[float]] = deque()  # [first, last, amount] in order of time

    def expire(self, now: float) -> None:
        """Forget what is older than the stretch."""
        pieces = self._pieces
        while pieces and pieces[0][1] + self.span <= now:
            self.used -= int(pieces.popleft()[2])

    def charge(self, now: float, amount: int) -> None:
        """Count a request that leaves now."""
        self.used += amount
        pieces = self._pieces
        if pieces and now - pieces[-1][0] < self._slice:
            pieces[-1][1] = now
            pieces[-1][2] += amount
        else:
            pieces.append([now, now, amount])

    def uncharge(self, at: float, amount: int) -> None:
        """Take back a request that was to leave at `at`, if it is still counted."""
        for piece in reversed(self._pieces):
            if piece[0] <= at <= piece[1]:
                taken = min(amount, int(piece[2]))
                piece[2] -= taken
                self.used -= taken
                return

    def room_at(self, amount: int, cap: int) -> float:
        """The moment at which `amount` fits under `cap`, if nothing else is sent. Minus infinity: now."""
        excess = self.used + amount - cap
        if excess <= 0:
            return -math.inf
        for _, last, held in self._pieces:
            excess -= int(held)
            if excess <= 0:
                return last + self.span
        return math.inf


@dataclass(slots=True)
class TokenBucket:
    """Spreads requests: `capacity` at once, then `rate` a second.

    A request heavier than the bucket leaves when the bucket is full and is paid off afterwards.
    """

    capacity: float
    tokens: float
    at: float

    def refill(self, now: float, rate: float, capacity: float) -> None:
        """Bring the bucket to `now`; a smaller capacity spills what no longer fits."""
        self.capacity = capacity
        self.tokens = min(self.tokens + max(now - self.at, 0.0) * rate, capacity)
        self.at = max(self.at, now)  # it may lie ahead: nothing is filled in before a refusal is over

    def ready_at(self, amount: int, rate: float) -> float:
        """When `amount` may be taken, if nothing else is. Not before `at`."""
        missing = min(amount, self.capacity) - self.tokens
        return self.at if missing <= 1e-9 else self.at + missing / rate
