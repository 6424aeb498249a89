"""The venue's doors: HTTP requests and WebSocket handshakes, and the faults they meet on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web

from adaptive_pkg.simulator.api_sessions import ApiSession
from adaptive_pkg.simulator.desk import Desk
from adaptive_pkg.simulator.faults import Chaos, Fault, FaultKind
from adaptive_pkg.simulator.limits import LimitedError
from adaptive_pkg.simulator.service import Ask, Reply, Service
from adaptive_pkg.simulator.sessions import Session
from adaptive_pkg.simulator.streams import Source, source_of

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.02  # how often time is looked at
API_PATH = "/ws-api/v3"

PERPETUAL_STREAMS = "/public"  # before the path of the perpetuals' bids and asks


class Front:
    """Serves a `Service` on one address. Everything here belongs to the loop that runs it."""

    def __init__(
        self,
        service: Service,
        clock: Callable[[], int],
        chaos: Chaos,
        requests: Counter[str],
        witness: Callable[[str], None] | None = None,
    ):
        # account's streams by session: whose it is, and what ends it
        self.sessions: dict[Session, dict[str, tuple[Desk, Callable[[], None]]]] = {}
        self._service, self._clock, self._chaos = service, clock, chaos
        self._requests = requests
        self._witness = witness or (lambda event: None)
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._port = 0

    # --- the port ---------------------------------------------------------------------------------------

    async def open(self, port: int) -> int:
        """Open the port (0: any that is free) and return its number. Raises OSError."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await self._listen(port)
        self._port = self._runner.addresses[0][1]
        return self._port

    async def close(self) -> None:
        for session in list(self.sessions):
            session.cut()
        if self._runner:
            await self._runner.cleanup()

    async def run(self) -> None:
        """Let time pass: orders meet the market, streams speak, the port closes and opens again."""
        while True:
            try:
                await self._tick(self._clock())
            except Exception:
                logger.exception("loopback venue: a moment failed")
            await asyncio.sleep(POLL_SECONDS)

    async def _tick(self, now_ms: int) -> None:
        down = next(iter(self._chaos.active(FaultKind.RESTART, now_ms)), None)
        if down and self._site:
            self._chaos.struck[FaultKind.RESTART] += 1
            await self._go_down()
        elif not down and not self._site:
            await self._listen(self._port)
        self._service.advance(now_ms)
        self._expire(now_ms)
        for session in list(self.sessions):
            await session.pump(now_ms)

    async def _listen(self, port: int) -> None:
        assert self._runner
        site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        self._site = site

    async def _go_down(self) -> None:
        assert self._site and self._runner
        site, self._site = self._site, None
        await site.stop()
        for connection in list(self._runner.server.connections if self._runner.server else ()):
            if connection.transport:
                connection.transport.abort()

    # --- requests ---------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._requests[request.path] += 1
        came_ms = self._clock()
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        where = "ws connect" if upgrade else f"{request.method} {request.path}"
        body = "" if upgrade else await request.text()
        if delay := self._chaos.delay_seconds(where, self._clock()):
            await asyncio.sleep(delay)
        now_ms = self._clock()
        before = partial(self._chaos.find, where=where, now_ms=now_ms)
        if stall := before(FaultKind.STALL):
            return await self._stall(request, stall)
        reset, failing = before(FaultKind.RESET), before(FaultKind.STATUS)
        if reset and not reset.after:
            return _abort(request)
        if failing and not failing.after:
            return _failure(failing)
        if refusal := self._refusal(request.path, before, now_ms):
            return _response(refusal)
        if upgrade:
            return await self._serve_socket(request, now_ms, came_ms)
        ask = Ask(
            request.method,
            request.path,
            request.rel_url.raw_query_string,
            body,
            request.headers.get("X-MBX-APIKEY"),
            came_ms,
        )
        self._witness(where)
        reply = self._service.answer(ask, now_ms, self._chaos.skew_ms(now_ms))
        self._witness(f"{where} done")
        if reset:
            return _abort(request)
        if failing:
            return _failure(failing)
        text = json.dumps(reply.body)
        if before(FaultKind.MALFORMED):
            text = text[: random.Random(text).randrange(1, max(len(text), 2))]
        if slow := before(FaultKind.SLOW):
            return await _dribble(request, reply, text, slow.bytes_per_second)
        return _response(reply, text)

    def _refusal(self, path: str, before: Callable[[FaultKind], Fault | None], now_ms: int) -> Reply | None:
        """An injected 429 or 418; with limits kept, going on is a violation like after a real one."""
        limits = self._service.limits_of(path)
        for kind, status in ((FaultKind.TOO_MANY, 429), (FaultKind.BAN, 418)):
            if not (fault := before(kind)):
                continue
            seconds = max(round(fault.seconds), 1)
            try:
                if limits and status == 418:
                    limits.ban(now_ms, seconds)
                elif limits:
                    limits.refuse(now_ms, seconds)
            except LimitedError as error:
                return _limited(error)
            until = f"IP(127.0.0.1) banned until {now_ms + seconds * 1000}."
            return _limited(LimitedError(f"Way too many requests; {until}", status, seconds))
        return None

    async def _stall(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Half open: nothing comes until the fault's seconds, or its time, are over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + fault.seconds if fault.seconds else float("inf")
        while loop.time() < until and not self._chaos.is_over(fault, self._clock()):
            if request.transport is None or request.transport.is_closing():
                break
            await asyncio.sleep(POLL_SECONDS)
        return _abort(request)

    # --- streams ----------------------------------------------------------------------------------------

    async def _serve_socket(self, request: web.Request, now_ms: int, came_ms: int) -> web.StreamResponse:
        path = request.path.removeprefix(PERPETUAL_STREAMS)
        perpetual = path != request.path
        limits = self._service.perpetual_limits if perpetual else self._service.limits
        names = [name for name in request.query.get("streams", "").split("/") if name]
        if path.startswith("/ws/"):
            names = [name for name in path.removeprefix("/ws/").split("/") if name]
        elif path not in ("/ws", "/stream", API_PATH):
            return _response(Reply({"code": -5000, "msg": f"Path {request.path} is invalid"}, 404))
        try:
            if limits:
                limits.connect(now_ms, came_ms)
        except LimitedError as error:
            return _response(_limited(error))
        socket = web.WebSocketResponse(autoping=False, autoclose=True, compress=False, timeout=0.5)
        await socket.prepare(request)
        assert request.transport is not None
        session = self._session(socket, request.transport, path, perpetual)
        self.sessions[session] = {}
        try:
            session.subscribe(names)
            await session.serve()
        finally:
            if isinstance(session, ApiSession):
                session.close_subscriptions()
            for stream in list(self.sessions[session]):
                self._part(session, stream)
            del self.sessions[session]
        return socket

    def _session(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, path: str, perpetual: bool
    ) -> Session:
        if path == API_PATH:
            return ApiSession(
                self._service,
                lambda: self._chaos.skew_ms(self._clock()),
                _listen,
                socket,
                transport,
                clock=self._clock,
                chaos=self._chaos,
            )
        session = Session(
            socket,
            transport,
            combined=path == "/stream",
            open_stream=lambda stream: self._open_stream(session, stream, perpetual),
            clock=self._clock,
            chaos=self._chaos,
        )
        return session

    def _open_stream(self, session: Session, stream: str, perpetual: bool) -> Source | None:
        """A market stream's source; an account's stream is joined instead."""
        for desk in self._service.desks.values():
            if desk.owns(stream, self._clock()):
                end = _listen(desk, partial(self._tell, session, stream))
                self.sessions[session][stream] = desk, end
                return None
        market = self._service.perpetual if perpetual else self._service.spot
        return source_of(stream, market.listings)

    def _expire(self, now_ms: int) -> None:
        """An account's stream ends when its key does, and says so."""
        for session, joined in self.sessions.items():
            for stream, (desk, _) in list(joined.items()):
                if not desk.owns(stream, now_ms):
                    session.tell(stream, {"e": "listenKeyExpired", "E": now_ms, "listenKey": stream})
                    self._part(session, stream)

    def _part(self, session: Session, stream: str) -> None:
        _, end = self.sessions[session].pop(stream)
        end()
        logger.debug("loopback venue: stream %s left", stream)

    @staticmethod
    def _tell(session: Session, stream: str, message: dict[str, Any]) -> None:
        if stream in session.streams:
            session.tell(stream, message)


def _listen(desk: Desk, listener: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
    """Hear an account's events; gives what ends that."""
    desk.listeners.append(listener)

    def end() -> None:
        with contextlib.suppress(ValueError):
            desk.listeners.remove(listener)

    return end


def _response(reply: Reply, text: str | None = None) -> web.Response:
    return web.Response(
        text=json.dumps(reply.body) if text is None else text,
        status=reply.status,
        headers=dict(reply.headers),
        content_type="application/json",
    )


def _limited(error: LimitedError) -> Reply:
    return Reply(error.body, error.status, {"Retry-After": str(error.retry_after_seconds)})


def _failure(fault: Fault) -> web.Response:
    """A proxy's page, not the venue's JSON: that is what a storm looks like."""
    page = f"<html><body><h1>{fault.status}</h1></body></html>"
    return web.Response(text=page, status=fault.status, content_type="text/html")


def _abort(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _dribble(request: web.Request, reply: Reply, text: str, per_second: float) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    response.content_type = "application/json"
    response.content_length = len(text.encode())
    try:
        await response.prepare(request)
        step = max(round(per_second * POLL_SECONDS), 1)
        body = text.encode()
        for i in range(0, len(body), step):
            await response.write(body[i : i + step])
            await asyncio.sleep(step / per_second)
    except ConnectionError:
        logger.debug("loopback venue: a client did not wait for slow bytes")
    return response
