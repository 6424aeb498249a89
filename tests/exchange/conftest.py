"""Virtual time, a clock that tests move, and a loopback venue that misbehaves."""

import asyncio
import json
import random
import threading

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from adaptive_pkg.bench.virtual_time import VirtualLoop
from adaptive_pkg.exchange.events import candle_events
from adaptive_pkg.exchange.limiter import Clock
from adaptive_pkg.settings.exchange import StreamSettings


@pytest.fixture
def virtual_loop():
    """A loop whose time costs nothing; fails a test that leaves a task behind."""
    loop = VirtualLoop()
    yield loop
    left = asyncio.all_tasks(loop)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert not left, left


@pytest.fixture(scope="session")
def new_virtual_loop():
    """Makes loops like `virtual_loop`, for tests that need one per example."""
    return VirtualLoop


class ManualClock:
    """Time that tests move. A thread that waits moves it to the end of its wait."""

    def __init__(self, now=1000.0, wall=1_700_000_000.0):
        self.now = now
        self._ahead = wall - now
        self._lock = threading.Lock()

    def clock(self):
        return Clock(lambda: self.now, lambda: self.now + self._ahead, self._wait)

    def _wait(self, event, seconds):
        if seconds is None:
            assert event.wait(10.0), "nobody woke this thread"
        elif not event.wait(0.001):
            with self._lock:
                self.now += seconds


@pytest.fixture
def manual_clock():
    return ManualClock()


STREAM, STEP_MS = "btcusdt@kline_1s", 1000
SPEED = 25  # seconds of the venue's clock in one of ours
EPOCH_MS = 1_700_000_000_000

# the shipped settings, a hundred times faster where they are pauses
FAST = StreamSettings(
    backoff_start_seconds=0.02,
    backoff_top_seconds=0.6,
    probe_seconds=0.02,
    eager_seconds=0.03,
    healthy_seconds=0.1,
    open_timeout_seconds=0.5,
    close_timeout_seconds=0.2,
    answer_timeout_seconds=0.2,
    quiet_seconds=0.15,
    quiet_pong_seconds=0.15,
    silence_seconds=0.6,
    life_seconds=60.0,
    connects_window_seconds=3.0,
    messages_per_second=500.0,
    outgoing_seconds=0.5,
    reorder_seconds=0.005,
    backfill_retry_seconds=0.01,
    backfill_top_seconds=0.1,
)


class MisbehavingVenue:
    """A real WebSocket server on 127.0.0.1 with candles of a second, and a REST that knows them all.

    Faults: `lose`, `double`, `swap`, `break_text` are chances per closed candle; the methods do the rest.
    """

    def __init__(self, seed=1):
        self.rng = random.Random(seed)
        self.lose = self.double = self.swap = self.break_text = 0.0
        self.answers = True  # to subscriptions
        self.refuse_with = None  # (HTTP status, headers) for handshakes
        self.rest_fails = 0  # so many times
        self.silent = False
        self.connects = []
        self.heard = []
        self.asked = []
        self.connections = set()
        self._server = None
        self._port = 0

    @property
    def url(self):
        return f"ws://127.0.0.1:{self._port}/stream"

    def now_ms(self):
        return EPOCH_MS + int((asyncio.get_running_loop().time() - self._began) * 1000 * SPEED)

    async def __aenter__(self):
        self._began = asyncio.get_running_loop().time()
        await self.up()
        return self

    async def __aexit__(self, *exception):
        await self.down()

    async def up(self):
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            self._port,
            process_request=self._request,
            ping_interval=None,
            close_timeout=0.1,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def down(self):
        """Reset everything and close the port."""
        self.reset()
        self._server.close()
        await self._server.wait_closed()

    def reset(self):
        for connection in list(self.connections):
            connection.transport.abort()

    async def close(self, code, reason=""):
        for connection in list(self.connections):
            await connection.close(code, reason)

    def stall(self):
        """Half open: nothing is read, so not even a ping is answered, and nothing is sent."""
        for connection in list(self.connections):
            connection.transport.pause_reading()
            connection.stalled = True

    async def say(self, text):
        for connection in list(self.connections):
            await connection.send(text)

    async def backfill(self, gap):
        self.asked.append(gap)
        await asyncio.sleep(0.002)
        if self.rest_fails:
            self.rest_fails -= 1
            raise OSError("REST is down")
        now_ms = self.now_ms()
        starts = [at for at in range(gap.first, gap.last + 1, gap.step) if at < now_ms][: gap.limit]
        return candle_events(gap.stream, [row(at) for at in starts], now_ms)

    def _request(self, connection, request):
        self.connects.append(asyncio.get_running_loop().time())
        if self.refuse_with is not None:
            status, headers = self.refuse_with
            response = connection.respond(status, "no\n")
            for name, value in headers.items():
                response.headers[name] = value
            return response
        return None

    async def _talk(self, connection):
        connection.stalled = False
        self.connections.add(connection)
        sending = None
        try:
            async for text in connection:
                self.heard.append(text)
                body = json.loads(text)
                if not self.answers:
                    continue
                if "method" in body:
                    await connection.send(json.dumps({"result": None, "id": body["id"]}))
                if sending is None:
                    sending = asyncio.create_task(self._send(connection))
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(connection)
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, connection):
        rng, last, kept = self.rng, self.now_ms() // STEP_MS, []
        while True:
            await asyncio.sleep(0.25 / SPEED)
            if connection.stalled or self.silent:
                continue
            minute, texts = self.now_ms() // STEP_MS, []
            for closed in range(last, minute):
                if rng.random() < self.lose:
                    continue
                texts.append(message(closed, True, self.now_ms()))
                if rng.random() < self.double:
                    texts.append(texts[-1])
            last = minute
            texts.append(message(minute, False, self.now_ms()))
            if rng.random() < self.swap:
                kept += texts
                continue
            if rng.random() < self.break_text:
                texts.append(texts[0][: rng.randrange(len(texts[0]))])
            for text in [*texts, *kept]:
                await connection.send(text)
            kept = []


def row(start):
    return [start, "1", "2", "0.5", "1.5", "10", start + STEP_MS - 1]


def message(second, closed, at_ms):
    start = second * STEP_MS
    candle = {"t": start, "T": start + STEP_MS - 1, "s": "BTCUSDT", "i": "1s", "x": closed}
    return json.dumps({"stream": STREAM, "data": {"e": "kline", "E": at_ms, "s": "BTCUSDT", "k": candle}})


@pytest.fixture
def make_venue():
    return MisbehavingVenue


@pytest.fixture
def fast_settings():
    return FAST
