"""What waits for a consumer that is behind.

The drop rule, when the buffer is full:
- a candle under way or a best price gives way to the next one of its stream: only the newest is kept;
- a closed candle or a trade is not kept; its stream fetches it again once there is room;
- anything else cannot be fetched again: it is dropped, counted, and the owner is told.
"""

from __future__ import annotations

import asyncio
from collections import deque

from adaptive_pkg.exchange.events import Event, EventKind


class Inbox:
    """A bounded buffer between one producer and one consumer of the same event loop.

    Attributes:
        superseded: states that gave way to newer ones.
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.superseded = 0
        self._events: deque[Event] = deque()
        self._newest: dict[str, Event] = {}
        self._arrived = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._events) + len(self._newest)

    @property
    def room(self) -> int:
        """How many more messages fit."""
        return max(self.capacity - len(self._events), 0)

    def put(self, event: Event) -> bool:
        """Keep a message. False: there was no room for it, and it is not kept."""
        state = event.kind is EventKind.BOOK or not event.final
        if not self.room and not state:
            return False
        self.superseded += self._newest.pop(event.stream, None) is not None  # never behind what comes later
        if self.room:
            self._events.append(event)
        else:
            self._newest[event.stream] = event
        self._arrived.set()
        return True

    async def get(self) -> Event | None:
        """The next message, waiting for one; None once closed and empty."""
        while not len(self):
            if self._closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        if self._events:
            return self._events.popleft()
        return self._newest.pop(next(iter(self._newest)))

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        self._arrived.set()
