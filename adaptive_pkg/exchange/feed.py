"""All streams of one connection together: what to pass on, and which gaps to fill. No socket, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from adaptive_pkg.exchange.events import Event, EventKind, key_step
from adaptive_pkg.exchange.sequence import Gap, NeighbourSequence, NewestOnly, SeenOnce
from adaptive_pkg.settings.exchange import StreamSettings

CLOCK_MARGIN_MS = 2000  # a candle that closed this recently may still be open by the venue's clock


@dataclass(slots=True)
class _Repair:
    """The filling of one stream's gap: not before `due`."""

    due: float
    pause: float
    running: bool = False


class Feed:
    """Keeps every stream in order.

    Args:
        settings: how long a missing message may still come by itself, and how often REST is asked.
    """

    def __init__(self, settings: StreamSettings):
        self._settings = settings
        self._ordered: dict[str, NeighbourSequence] = {}
        self._newest: dict[str, NewestOnly] = {}
        self._others = SeenOnce()
        self._repairs: dict[str, _Repair] = {}
        self._forgotten: set[str] = set()
        self.seen_at: dict[str, float] = {}
        self.gaps_found = self.gaps_filled = 0

    def watch(self, stream: str, resume: int | None = None) -> None:
        """Expect a stream. `resume`: the newest key the consumer has already. Raises ExchangeError."""
        step = key_step(stream)
        self._forgotten.discard(stream)
        if step is not None:
            sequence = self._ordered.setdefault(stream, NeighbourSequence(stream, step))
            if resume is not None:
                sequence.resume(resume)

    def forget(self, stream: str) -> None:
        """Expect it no longer, and pass on nothing of it that is still under way."""
        self._forgotten.add(stream)
        for table in (self._ordered, self._newest, self._repairs, self.seen_at):
            table.pop(stream, None)

    def offer(self, event: Event, now: float, room: int) -> list[Event]:
        """What to pass on now that this message is here.

        Args:
            event: the message.
            now: monotonic seconds.
            room: how many messages the consumer's buffer takes; what can be fetched again waits for it.
        """
        if event.stream in self._forgotten:
            return []
        self.seen_at[event.stream] = now
        if event.kind in (EventKind.CANDLE, EventKind.TRADE):
            if event.stream not in self._ordered:
                self.watch(event.stream)
            ready = self._ordered[event.stream].offer(event, room)
            self._plan(event.stream, now)
            return ready
        if event.kind is EventKind.BOOK:
            newest = self._newest.setdefault(event.stream, NewestOnly())
            return [event] if newest.offer(event) else []
        return [event] if self._others.offer(event) else []

    def reconnected(self, now: float, venue_ms: int) -> None:
        """A connection is up: every candle that has closed must exist, whether or not a message says so."""
        for stream, sequence in self._ordered.items():
            _reveal_closed(sequence, venue_ms - CLOCK_MARGIN_MS)
            if (repair := self._repairs.get(stream)) is not None:  # REST may be back as well
                repair.due, repair.pause = now, self._settings.backfill_retry_seconds
            self._plan(stream, now, at_once=True)

    def look(self, now: float, venue_ms: int) -> None:
        """One stream may fall silent while others speak: its candles that closed long ago exist as well.

        "Long" is `silence_seconds`.
        """
        for stream, sequence in self._ordered.items():
            _reveal_closed(sequence, venue_ms - round(self._settings.silence_seconds * 1000))
            self._plan(stream, now, at_once=True)

    def due(self, now: float, room: int, most: int) -> list[Gap]:
        """At most `most` gaps to ask REST for now, with limits that the consumer has room for."""
        asked: list[Gap] = []
        for stream, repair in self._repairs.items():
            gap = self._ordered[stream].gap()
            if gap is None or repair.running or repair.due > now or room <= 0 or len(asked) >= most:
                continue
            repair.running = True
            asked.append(replace(gap, limit=min(gap.limit, gap.count, room)))
            room -= asked[-1].limit
        return asked

    def next_due(self) -> float:
        """When `due` will have something; infinity: not by itself."""
        return min((repair.due for repair in self._repairs.values() if not repair.running), default=math.inf)

    def fill(self, gap: Gap, events: Iterable[Event], now: float, room: int) -> list[Event]:
        """What to pass on after REST's answer. An answer with nothing new counts as a failure."""
        sequence = self._ordered.get(gap.stream)
        if sequence is None:
            return []
        before = sequence.last
        ready = sequence.fill((event for event in events if event.key <= gap.last), room)
        if sequence.last == before:
            self.failed(gap, now)
            return ready
        repair = self._repairs.get(gap.stream)
        if repair is not None:  # the rest at once
            repair.running, repair.due, repair.pause = False, now, self._settings.backfill_retry_seconds
        self._plan(gap.stream, now)
        return ready

    def failed(self, gap: Gap, now: float) -> None:
        """REST did not help: ask again later."""
        if gap.stream not in self._ordered:
            return
        repair = self._repairs.get(gap.stream)
        if repair is not None:
            repair.running, repair.due = False, now + repair.pause
            repair.pause = min(repair.pause * 2, self._settings.backfill_top_seconds)
        self._plan(gap.stream, now)

    @property
    def has_gaps(self) -> bool:
        """Whether anything is missing; cheap enough to ask with every message."""
        return bool(self._repairs)

    @property
    def open_gaps(self) -> list[Gap]:
        """What is missing at this moment."""
        gaps = (sequence.gap() for sequence in self._ordered.values())
        return [gap for gap in gaps if gap is not None]

    @property
    def duplicates(self) -> int:
        """Messages dropped because they had been here."""
        each = (*self._ordered.values(), *self._newest.values(), self._others)
        return sum(item.duplicates for item in each)

    @property
    def late(self) -> int:
        """States of a candle that newer ones had overtaken."""
        return sum(item.late for item in self._ordered.values())

    @property
    def absent(self) -> int:
        """Candles and trades that the venue itself does not have."""
        return sum(item.absent for item in self._ordered.values())

    def _plan(self, stream: str, now: float, at_once: bool = False) -> None:
        """Start or end the repair of a stream's gap."""
        gap = self._ordered[stream].gap()
        if gap is None:
            repair = self._repairs.get(stream)
            if repair is not None and not repair.running:
                del self._repairs[stream]
                self.gaps_filled += 1
        elif stream not in self._repairs:
            self.gaps_found += 1
            settings = self._settings
            due = now if at_once else now + settings.reorder_seconds
            self._repairs[stream] = _Repair(due, settings.backfill_retry_seconds)


def _reveal_closed(sequence: NeighbourSequence, venue_ms: int) -> None:
    """Every candle that has closed by then must exist."""
    if sequence.step > 1:
        sequence.reveal(venue_ms // sequence.step * sequence.step - sequence.step)
