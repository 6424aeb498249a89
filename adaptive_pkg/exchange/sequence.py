"""What is missing, doubled or late in one stream. No clock, no socket.

Candles and trades have neighbours: the key after one is known. They are passed on in order, each once; what
comes after a hole waits until the hole is filled. Best prices have growing ids with holes: only newer ones
pass. Everything else passes unless the very same message was here before.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from adaptive_pkg.exchange.events import Event

HELD = 1000  # messages kept behind a hole; more are fetched again with the hole
REMEMBERED = 4096  # messages without neighbours that are recognised when they come again


@dataclass(frozen=True, slots=True)
class Gap:
    """Keys from `first` to `last`, in steps of `step`, that a stream has not passed on yet.

    Ask REST for the `limit` oldest ones it has from `first` on. `last` is known to exist, so what is absent
    before an answer's newest key does not exist at the venue either.
    """

    stream: str
    first: int
    last: int
    step: int
    limit: int = 1000

    @property
    def count(self) -> int:
        """How many keys."""
        return (self.last - self.first) // self.step + 1


class NeighbourSequence:
    """A stream whose keys follow each other at a fixed distance.

    Attributes:
        last: the newest key passed on; None before the first.
        known: the newest key that must exist by now.
        duplicates, late: messages dropped because they had passed already, or were overtaken.
        absent: keys the venue itself does not have.
    """

    def __init__(self, stream: str, step: int):
        self.stream, self.step = stream, step
        self.last: int | None = None
        self.known: int | None = None
        self.duplicates = self.late = self.absent = 0
        self._held: dict[int, Event] = {}
        self._newest_ms = 0

    def resume(self, key: int) -> None:
        """Everything up to `key` is here already."""
        if self.last is None or key > self.last:
            self.last = key
            self._held = {held: event for held, event in self._held.items() if held > key}

    def offer(self, event: Event, room: int = HELD) -> list[Event]:
        """What may be passed on now that this message is here: at most `room` messages."""
        key = event.key
        if self.last is None:
            self.last = key - self.step
        if key <= self.last:
            self.duplicates += 1
            return []
        if not event.final:
            return self._unfinished(event)
        self.reveal(key)
        if key in self._held:
            self.duplicates += 1
            return []
        if room <= 0 or len(self._held) >= HELD:
            return []  # it exists, so it is missing now, and fetched when there is room
        self._held[key] = event
        return self._ready(room)

    def reveal(self, key: int) -> None:
        """`key` exists. What lies between is missing unless it is held."""
        if self.last is not None and key > self.last and (self.known is None or key > self.known):
            self.known = key

    def gap(self) -> Gap | None:
        """What is missing, up to the newest key known to exist; None when all is here."""
        if self.last is None or self.known is None or self.known <= self.last:
            return None
        return Gap(self.stream, self.last + self.step, self.known, self.step)

    def fill(self, events: Iterable[Event], room: int = HELD) -> list[Event]:
        """What may be passed on after REST's answer. A hole before its newest key is a hole at the venue."""
        assert self.last is not None
        fetched = {event.key: event for event in events if event.final and event.key > self.last}
        if not fetched:
            return []
        passed: list[Event] = []
        newest = max(fetched)
        self.reveal(newest)
        for key in range(self.last + self.step, newest + self.step, self.step):
            event = self._held.get(key) or fetched.get(key)
            if event is None:
                self.absent += 1
            elif len(passed) >= room:
                return passed
            else:
                passed.append(event)
                self._held.pop(key, None)
            self.last = key
        return passed + self._ready(room - len(passed))

    def _unfinished(self, event: Event) -> list[Event]:
        """A candle under way: the newest state of the one after the last that closed, nothing else."""
        assert self.last is not None
        self.reveal(event.key - self.step)
        if event.key != self.last + self.step or event.at_ms <= self._newest_ms:
            self.late += 1
            return []
        self._newest_ms = event.at_ms
        return [event]

    def _ready(self, room: int) -> list[Event]:
        assert self.last is not None
        ready: list[Event] = []
        while len(ready) < room and (event := self._held.pop(self.last + self.step, None)) is not None:
            ready.append(event)
            self.last += self.step
        return ready


class NewestOnly:
    """A stream of states: only newer ones than the last pass."""

    def __init__(self) -> None:
        self.last = -1
        self.duplicates = 0

    def offer(self, event: Event) -> bool:
        """Whether to pass it on."""
        if event.key <= self.last:
            self.duplicates += 1
            return False
        self.last = event.key
        return True


class SeenOnce:
    """Messages without order: each passes once, as far back as is remembered."""

    def __init__(self, remembered: int = REMEMBERED):
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._remembered = remembered
        self.duplicates = 0

    def offer(self, event: Event) -> bool:
        """Whether to pass it on."""
        key = json.dumps(event.data, sort_keys=True)
        if key in self._seen:
            self._seen.move_to_end(key)
            self.duplicates += 1
            return False
        self._seen[key] = None
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return True
