"""What we have to say to the venue: subscriptions and their answers first, then messages with an expiry.

The drop rule: a message that finds the buffer full is refused, one that waits too long is dropped, and the
owner is told of both. Subscriptions are never buffered: a new connection is told all of them afresh.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from websockets.exceptions import ConnectionClosed

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.backoff import Pace
from adaptive_pkg.exchange.events import Answer
from adaptive_pkg.exchange.link import Loss
from adaptive_pkg.settings.exchange import StreamSettings

STREAMS_PER_COMMAND = 100


class Outbox:
    """A bounded buffer of outgoing messages for one connection after another."""

    def __init__(self, settings: StreamSettings):
        self._settings = settings
        self._ids = itertools.count(1)
        self._commands: deque[str] = deque()
        self._messages: deque[tuple[float, str]] = deque()  # (put at, text)
        self._waiting: dict[int, float] = {}  # id of an unanswered command: when its answer is overdue
        self._ready = asyncio.Event()

    @property
    def all_answered(self) -> bool:
        """Every subscription has been sent and confirmed."""
        return not self._commands and not self._waiting

    @property
    def answer_due(self) -> float:
        """When the first unanswered command is overdue; infinity: none is."""
        return min(self._waiting.values(), default=math.inf)

    def reopen(self, streams: Iterable[str]) -> None:
        """A new connection: it knows none of our streams."""
        self._commands.clear()
        self._waiting.clear()
        names = list(streams)
        for at in range(0, len(names), STREAMS_PER_COMMAND):
            self.command("SUBSCRIBE", names[at : at + STREAMS_PER_COMMAND])

    def command(self, method: str, streams: list[str]) -> None:
        """Tell the venue to begin or end streams."""
        number = next(self._ids)
        self._commands.append(json.dumps({"method": method, "params": streams, "id": number}))
        self._waiting[number] = math.inf  # until it is sent
        self._ready.set()

    def put(self, text: str, now: float) -> None:
        """Keep a message until it can be sent. Raises ExchangeError if the buffer is full."""
        if len(self._messages) >= self._settings.buffer_messages:
            raise ExchangeError(
                f"outgoing message refused: {len(self._messages)} wait for the connection already; "
                "send it again when the stream is live"
            )
        self._messages.append((now, text))
        self._ready.set()

    async def send_through(self, connection: Any, lose: Callable[[Loss], Any]) -> None:
        """Send what there is and what comes, evenly spaced, until the connection ends."""
        loop, pace = asyncio.get_running_loop(), Pace(self._settings.messages_per_second)
        while True:
            text = await self.next_message(lose, loop.time)
            now = loop.time()
            await asyncio.sleep(pace.ready_at(now) - now)
            pace.note(loop.time())
            is_message = self.sent(text, loop.time())
            try:
                await connection.send(text)
            except BaseException as error:
                if is_message:  # perhaps it left: never send it twice
                    lose(Loss("the connection ended while it was sent", text))
                if isinstance(error, ConnectionClosed | OSError):
                    return  # the reader sees it too, and says why
                raise

    async def next_message(self, lose: Callable[[Loss], Any], clock: Callable[[], float]) -> str:
        """The next text to send, waiting for one; messages that waited too long are lost.

        It stays here until it is `sent`.
        """
        while True:
            if self._commands:
                return self._commands[0]
            while self._messages:
                put_at, text = self._messages[0]
                if clock() - put_at <= self._settings.outgoing_seconds:
                    return text
                self._messages.popleft()
                lose(Loss("waited too long for the connection", text))
            self._ready.clear()
            await self._ready.wait()

    def sent(self, text: str, now: float) -> bool:
        """A text leaves now, once and for all. False: it is a command, whose answer is due from now on."""
        if self._commands and self._commands[0] is text:
            self._commands.popleft()
            self._waiting[json.loads(text)["id"]] = now + self._settings.answer_timeout_seconds
            return False
        if self._messages and self._messages[0][1] is text:
            self._messages.popleft()
        return True

    def answered(self, answer: Answer) -> None:
        """The venue has answered a command."""
        self._waiting.pop(answer.request_id, None)
