"""One client's WebSocket connection: what it subscribed, what it is sent, and when it is shown the door.

Source: Binance's public reference, "WebSocket Streams": a ping every 20 s, no pong within a minute ends the
connection, so does the 24th hour, so do more than 5 messages a second from the client.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from adaptive_pkg.simulator.faults import Chaos, FaultKind
from adaptive_pkg.simulator.streams import Message, Source

logger = logging.getLogger(__name__)

PING_MS, PONG_MS, LIFE_MS = 20_000, 60_000, 24 * 3_600_000
MESSAGES_PER_SECOND = 5
STREAMS = 1024
QUEUED = 10_000  # a client that does not read is cut off

Open = Callable[[str], Source | None]


class Session:
    """A connection. Its owner calls `pump` as time passes, on the loop that runs `serve`.

    Args:
        socket: accepted, with pings left to us.
        combined: messages are wrapped with their stream's name.
        open_stream: makes a subscription's source from a stream's name.
        clock: the venue's, in epoch ms.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        *,
        combined: bool,
        open_stream: Open,
        clock: Callable[[], int],
        chaos: Chaos,
    ):
        self.streams: dict[str, Source | None] = {}
        self._socket, self._transport = socket, transport
        self._combined = combined
        self._open_stream = open_stream
        self._clock, self._chaos = clock, chaos
        self._at_ms = self._born_ms = clock()
        self._pinged_ms = self._born_ms
        self._waits_since: tuple[int, float] | None = None  # for a pong: venue's ms, loop's seconds
        self._heard: deque[float] = deque()
        self._queue: asyncio.Queue[tuple[float, bytes, float | None]] = asyncio.Queue(QUEUED)
        self._late: list[Message] = []
        self._stalled_until: float | None = None  # venue's ms; None: not stalled
        self._shutdown_sent = self._leaving = False
        self._goodbye: asyncio.Task[None] | None = None

    def subscribe(self, streams: list[str]) -> None:
        for stream in streams:
            self.streams.setdefault(stream, self._open_stream(stream))

    async def serve(self) -> None:
        """Listen until the client leaves or has to."""
        sender = asyncio.create_task(self._send())
        try:
            while True:
                message = await self._socket.receive()
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                    return
                if self._stalled_until is not None:
                    continue
                answers_us = message.type is WSMsgType.PONG and self._waits_since is not None
                if not answers_us and self._too_many(message.type):
                    logger.warning("loopback venue: a client sent more than 5 messages a second")
                    await self._close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
                    return
                if message.type is WSMsgType.PING:
                    await self._socket.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self._waits_since = None
                elif message.type is WSMsgType.TEXT:
                    self._say(Message("answer", message.data, self._answer(message.data)), bare=True)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    # --- time -------------------------------------------------------------------------------------------

    async def pump(self, now_ms: int) -> None:
        """Send what has happened since the last time."""
        if self._leaving:
            return
        if self._stalled_until is not None:
            if now_ms >= self._stalled_until:
                self.cut()
            return
        after, self._at_ms = self._at_ms, max(now_ms, self._at_ms)
        for source in list(self.streams.values()):
            for message in source(after, self._at_ms) if source else ():
                self._say(message)
        await self._keep(now_ms)

    def tell(self, stream: str, data: dict[str, Any]) -> None:
        """A message of the account's own stream."""
        if self._stalled_until is None:
            self._say(
                Message(stream, f"{data.get('e')}|{data['E']}|{json.dumps(data, sort_keys=True)}", data)
            )

    async def _keep(self, now_ms: int) -> None:
        """Pings, the age limit, and an announced end."""
        loop_now = asyncio.get_running_loop().time()
        waiting = self._waits_since
        if waiting and now_ms - waiting[0] > PONG_MS and loop_now - waiting[1] > 1.0:
            self.leave(WSCloseCode.POLICY_VIOLATION, "Pong timeout")
        elif now_ms - self._born_ms >= LIFE_MS:
            self.leave(WSCloseCode.GOING_AWAY, "24 hours are over")
        elif now_ms - self._pinged_ms >= PING_MS:
            self._pinged_ms = now_ms
            self._waits_since = waiting or (now_ms, loop_now)
            try:
                await self._socket.ping(str(now_ms).encode())
            except ConnectionError:
                self.cut()
        if not self._shutdown_sent:
            fault = self._chaos.find(FaultKind.SHUTDOWN, "ws shutdown", now_ms, str(self._born_ms))
            if fault:
                self.announce_shutdown(fault.seconds)

    def announce_shutdown(self, seconds: float) -> None:
        """`serverShutdown`, and the end of the connection so much later."""
        self._shutdown_sent = True
        self._put(json.dumps({"e": "serverShutdown", "E": self._clock()}))
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self.leave, WSCloseCode.GOING_AWAY, "shutdown")

    def leave(self, code: int, reason: str) -> None:
        """Begin to say goodbye; nobody waits for it."""
        if not self._leaving:
            self._leaving = True
            self._goodbye = asyncio.get_running_loop().create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(0.5):
                await self._socket.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError):
            self.cut()

    def cut(self) -> None:
        """End the connection without a word."""
        self._transport.abort()

    # --- what the client says ---------------------------------------------------------------------------

    def _too_many(self, kind: WSMsgType) -> bool:
        now = asyncio.get_running_loop().time()
        self._heard.append(now)
        while self._heard[0] <= now - 1.0:
            self._heard.popleft()
        return len(self._heard) > MESSAGES_PER_SECOND

    def _answer(self, text: str) -> dict[str, Any]:
        try:
            body = json.loads(text)
            method, number, params = body["method"], body.get("id"), body.get("params", [])
            if method == "SUBSCRIBE":
                if len(self.streams) + len(params) > STREAMS:
                    return {"error": {"code": 2, "msg": f"more than {STREAMS} streams"}, "id": number}
                self.subscribe([str(name) for name in params])
            elif method == "UNSUBSCRIBE":
                for name in params:
                    self.streams.pop(name, None)
            elif method == "LIST_SUBSCRIPTIONS":
                return {"result": list(self.streams), "id": number}
            elif method == "SET_PROPERTY" and params[0] == "combined":
                self._combined = bool(params[1])
            elif method == "GET_PROPERTY":
                return {"result": self._combined, "id": number}
            else:
                return {
                    "error": {"code": 2, "msg": f"Invalid request: unknown variant {method}"},
                    "id": number,
                }
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            return {"error": {"code": 3, "msg": f"Invalid JSON: {error}"}}
        return {"result": None, "id": number}

    # --- what the client is sent, and what goes wrong on the way ----------------------------------------

    def _say(self, message: Message, *, bare: bool = False, overtaken: bool = False) -> None:
        now_ms = self._clock()
        where, key, find = f"ws {message.stream}", message.key, self._chaos.find
        if stall := find(FaultKind.STALL, where, now_ms, key):
            self._stalled_until = now_ms + stall.seconds * 1000 if stall.seconds else float("inf")
            self._transport.pause_reading()
            return
        if find(FaultKind.RESET, where, now_ms, key):
            self.cut()
            return
        if find(FaultKind.DROP, where, now_ms, key):
            return
        if not (bare or overtaken or self._late) and find(FaultKind.REORDER, where, now_ms, key):
            self._late.append(message)
            return
        data = {"stream": message.stream, "data": message.data}
        text = json.dumps(data if self._combined and not bare else message.data)
        if find(FaultKind.MALFORMED, where, now_ms, key):
            text = text[: random.Random(key).randrange(1, len(text))]
        delay = self._chaos.delay_seconds(where, now_ms, key)
        slow = find(FaultKind.SLOW, where, now_ms, key)
        for _ in range(2 if find(FaultKind.DUPLICATE, where, now_ms, key) else 1):
            self._put(text, delay, slow.bytes_per_second if slow else None)
        late, self._late = self._late, []
        for kept in late:
            self._say(kept, overtaken=True)

    def _put(self, text: str, delay: float = 0.0, bytes_per_second: float | None = None) -> None:
        due = asyncio.get_running_loop().time() + delay if delay else 0.0
        try:
            self._queue.put_nowait((due, text.encode(), bytes_per_second))
        except asyncio.QueueFull:
            logger.warning("loopback venue: a client does not read its stream; cut off")
            self.cut()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, text, bytes_per_second = await self._queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if self._stalled_until is not None:
                continue
            try:
                if bytes_per_second is None:
                    await self._socket.send_str(text.decode())
                else:
                    await self._dribble(_frame(text), bytes_per_second)
            except ConnectionError:
                return

    async def _dribble(self, frame: bytes, bytes_per_second: float) -> None:
        for i in range(len(frame)):
            if self._transport.is_closing():
                return
            self._transport.write(frame[i : i + 1])
            await asyncio.sleep(1 / bytes_per_second)


def _frame(payload: bytes) -> bytes:
    """An unmasked text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        head = bytes([0x81, size])
    elif size < 65_536:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    return head + payload
