"""A venue without sockets for the stream benchmark: candles on the loop's clock, outages of four kinds."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pandas as pd
from websockets.exceptions import ConnectionClosedError

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.errors import DataError
from adaptive_pkg.exchange.events import Event, candle_events
from adaptive_pkg.exchange.sequence import Gap
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.simulator.candles import CandleStore

MINUTE_MS = 60_000
UPDATE_SECONDS = 2.0  # between two messages of a candle under way, as documented
SYN_SECONDS = (0.0, 1.0, 3.0, 7.0)  # Linux sends a TCP opening again after these

Candle = tuple[str, str, str, str, str]  # open, high, low, close, volume
INVENTED: Candle = ("1", "1", "1", "1", "1")


@dataclass(frozen=True)
class Replay:
    """The candle streams of a venue. Without `candles` there is one at every step, for ever, all alike.

    `candles`: stream → start in epoch ms → candle; what is absent, the venue does not have.
    """

    streams: tuple[str, ...] = ("btcusdt@kline_1m",)
    step_ms: int = MINUTE_MS
    begin_ms: int = 1_700_000_040_000
    end_ms: float = math.inf
    candles: Mapping[str, Mapping[int, Candle]] | None = None

    def candle(self, stream: str, start: int) -> Candle | None:
        """The candle that starts then."""
        return INVENTED if self.candles is None else self.candles[stream].get(start)

    def newest_closed(self, stream: str, now_ms: int) -> int:
        """Start of the newest candle that has closed; before `begin_ms` where there is none."""
        start = now_ms // self.step_ms * self.step_ms - self.step_ms
        while start >= self.begin_ms and self.candle(stream, start) is None:
            start -= self.step_ms
        return start


def replay_folder(choice: CandleChoice, seconds: float) -> Replay:
    """The newest `seconds` that all pairs have, gaps included; less where there is less.

    Raises:
        DataError: no such candles, or no moment that all pairs have.
    """
    store, timeframe = CandleStore(choice.datadir), choice.timeframe
    chosen = list(choice.pairs or (pair for pair in store.pairs if timeframe in store.timeframes[pair]))
    if not chosen:
        raise DataError(f"{choice.datadir}: no {timeframe} candles; name another timeframe")
    step = int(timeframe_hours(timeframe) * 3_600_000)
    frames = {pair: store.load(pair, timeframe) for pair in chosen}
    first = max(_start_ms(frame["date"].iloc[0]) for frame in frames.values())
    end = min(_start_ms(frame["date"].iloc[-1]) for frame in frames.values()) + step
    begin = max(first, end - math.ceil(seconds * 1000 / step) * step)
    if end <= begin:
        raise DataError(f"{choice.datadir}: {', '.join(chosen)} have no {timeframe} candles in common")
    candles = {}
    for pair, frame in frames.items():
        starts = frame["date"].dt.as_unit("ms").astype("int64")
        rows = frame[starts >= begin]
        name = f"{pair.partition(':')[0].replace('/', '').lower()}@kline_{timeframe}"
        values = (rows[field].map(repr) for field in ("open", "high", "low", "close", "volume"))
        candles[name] = dict(zip(starts[rows.index].tolist(), zip(*values, strict=True), strict=True))
    return Replay(tuple(candles), step, begin, end, candles)


def _start_ms(date: pd.Timestamp) -> int:
    return date.value // 1_000_000


class FakeVenue:
    """Plays a replay on the loop's clock, with an outage of some kind now and then."""

    def __init__(self, rng: random.Random, replay: Replay):
        self._rng, self.replay = rng, replay
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.outage: str | None = None
        self.up_again = asyncio.Event()
        self.connects: list[float] = []
        self.connections: set[FakeConnection] = set()

    def now_ms(self) -> int:
        """The venue's clock."""
        return self.replay.begin_ms + int((self._loop.time() - self._began) * 1000)

    def begin(self, kind: str) -> None:
        """Everything that is open ends, or hangs."""
        self.outage = kind
        self.up_again.clear()
        for connection in list(self.connections):
            if kind != "black hole":
                connection.cut()

    def end(self) -> None:
        """The venue answers again; what hung stays lost."""
        self.outage = None
        self.up_again.set()

    async def connect(self, url: str) -> FakeConnection:
        """Open a connection, as well as the outage allows. The timeout is the shipped open_timeout."""
        self.connects.append(self._loop.time())
        if self.outage == "black hole":
            await self._knock(4.0)
        await asyncio.sleep(self._rng.uniform(0.05, 0.2))
        if self.outage == "refused":
            raise ConnectionRefusedError("refused")
        if self.outage == "errors":
            raise OSError("server rejected WebSocket connection: HTTP 503")
        return FakeConnection(self, self._rng)

    async def probe(self) -> bool:
        """Does the port answer?"""
        if self.outage == "black hole":
            try:
                await self._knock(4.0)
            except TimeoutError:
                return False
        await asyncio.sleep(0.05)
        return self.outage != "refused"

    async def backfill(self, gap: Gap) -> list[Event]:
        """REST's klines."""
        if self.outage:
            raise OSError("no route to host")
        await asyncio.sleep(self._rng.uniform(0.05, 0.4))
        rows = []
        for start in range(gap.first, gap.last + 1, gap.step):
            if len(rows) < gap.limit and (candle := self.replay.candle(gap.stream, start)) is not None:
                rows.append((start, *candle, start + gap.step - 1))
        return candle_events(gap.stream, rows, self.now_ms())

    async def _knock(self, timeout: float) -> None:
        """A TCP opening into a black hole: it succeeds with the first packet after the outage."""
        began = self._loop.time()
        for after in SYN_SECONDS:
            if after >= timeout:
                break
            await asyncio.sleep(began + after - self._loop.time())
            if self.outage != "black hole":
                return
        await asyncio.sleep(began + timeout - self._loop.time())
        raise TimeoutError("timed out during opening handshake")


class FakeConnection:
    """What `ResilientWebSocket` needs of a connection."""

    def __init__(self, venue: FakeVenue, rng: random.Random):
        self._venue, self._rng = venue, rng
        self._queue: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._cut = self._hangs = False
        self._feed: asyncio.Task[None] | None = None
        self.transport = SimpleNamespace(abort=self.cut)
        venue.connections.add(self)

    def cut(self) -> None:
        """End it without goodbye."""
        self._cut = True
        self._arrived.set()
        self._venue.connections.discard(self)
        if self._feed is not None:
            self._feed.cancel()

    async def close(self) -> None:
        """End it."""
        self.cut()

    async def wait_closed(self) -> None:
        """Wait for its task."""
        if self._feed is not None:
            await asyncio.gather(self._feed, return_exceptions=True)

    async def send(self, text: str) -> None:
        """A subscription: answer it and begin."""
        self._put({"result": None, "id": json.loads(text)["id"]})
        if self._feed is None:
            self._feed = asyncio.create_task(self._deliver())

    async def ping(self) -> asyncio.Future[float]:
        """Answered at once, unless the connection hangs."""
        pong = asyncio.get_running_loop().create_future()
        if not self._hangs and self._venue.outage != "black hole":
            pong.set_result(0.0)
        return pong

    async def recv(self) -> str:
        """The next message."""
        while not self._queue:
            if self._cut:
                raise ConnectionClosedError(None, None)
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    async def _deliver(self) -> None:
        """Every close of a candle, and its state now and then; some doubled, late or broken."""
        venue, rng = self._venue, self._rng
        step = venue.replay.step_ms
        last = venue.now_ms() // step
        while True:
            if venue.outage == "flapping":
                await asyncio.sleep(rng.uniform(0.0, 1.0))
                self.cut()
                return
            next_close = (last + 1) * step - venue.now_ms()
            await asyncio.sleep(min(UPDATE_SECONDS, max(next_close / 1000, 0.0)) + 1e-3)
            if venue.outage == "black hole":
                self._hangs = True
                await asyncio.Event().wait()  # half open: nothing comes any more, ever
            number = venue.now_ms() // step
            for stream in venue.replay.streams:
                if number != last:
                    self._candle(stream, last * step, True)
                self._candle(stream, number * step, False)
            last = number

    def _candle(self, stream: str, start: int, closed: bool) -> None:
        values = self._venue.replay.candle(stream, start)
        if values is None:
            return
        if not closed:
            values = (*values[:1] * 4, "0")  # nothing of what the candle will become
        symbol, _, interval = stream.partition("@kline_")
        candle = {"t": start, "T": start + self._venue.replay.step_ms - 1, "s": symbol.upper()}
        candle |= {"i": interval, "x": closed, **dict(zip("ohlcv", values, strict=True))}
        chance = self._rng.random()
        if closed and chance < 0.02:
            return
        body = {"stream": stream, "data": {"e": "kline", "E": self._venue.now_ms(), "k": candle}}
        self._put(body)
        if chance > 0.95:
            self._put(body)
        if 0.5 < chance < 0.51:
            self._queue.append('{"e":"kline","E":17')

    def _put(self, body: dict[str, Any]) -> None:
        self._queue.append(json.dumps(body))
        self._arrived.set()
