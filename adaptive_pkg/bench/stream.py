"""Hundreds of outages of a simulated venue: how soon the stream is whole again, and whether a candle is lost.

Production settings on a virtual clock: every pause, timeout and limit is the shipped one, only nobody waits.
Recovery is the time from the moment the venue answers again until the stream is live and the consumer has
every candle that closed before that moment.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from rich.table import Table
from websockets.exceptions import ConnectionClosedError

from adaptive_pkg.bench.virtual_time import VirtualLoop
from adaptive_pkg.exchange.events import Event, candle_events
from adaptive_pkg.exchange.link import LinkState
from adaptive_pkg.exchange.sequence import Gap
from adaptive_pkg.exchange.websocket import ResilientWebSocket
from adaptive_pkg.reports import report_console

SEED, STREAM, MINUTE_MS = 23, "btcusdt@kline_1m", 60_000
EPOCH_MS = 1_700_000_040_000
UPDATE_SECONDS = 2.0  # between two messages of a candle under way, as documented
SYN_SECONDS = (0.0, 1.0, 3.0, 7.0)  # Linux sends a TCP opening again after these
GOAL_SECONDS, GOAL_CONNECTS = 5.0, 300
OUTAGES = {
    "refused": "the port is closed",
    "black hole": "packets vanish, connections hang half open",
    "errors": "the handshake is answered with 503",
    "flapping": "connections open and are cut within a second",
}


@dataclass
class Recovery:
    """All outages of one kind."""

    kind: str
    outages: int = 0
    down_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """For the table and JSON."""
        p50, p99, worst = np.percentile(self.seconds, [50, 99, 100])
        return {
            "kind": self.kind,
            "outages": self.outages,
            "mean_down_seconds": self.down_seconds / self.outages,
            "p50_seconds": float(p50),
            "p99_seconds": float(p99),
            "worst_seconds": float(worst),
        }


class FakeVenue:
    """A venue without sockets: candles on the loop's clock, and an outage of some kind now and then."""

    def __init__(self, rng: random.Random):
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.outage: str | None = None
        self.up_again = asyncio.Event()
        self.connects: list[float] = []
        self.connections: set[FakeConnection] = set()

    def now_ms(self) -> int:
        """The venue's clock."""
        return EPOCH_MS + int((self._loop.time() - self._began) * 1000)

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
        starts = range(gap.first, gap.last + 1, gap.step)[: gap.limit]
        rows = [(start, *"11111", start + MINUTE_MS - 1) for start in starts]
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
        last = venue.now_ms() // MINUTE_MS
        while True:
            if venue.outage == "flapping":
                await asyncio.sleep(rng.uniform(0.0, 1.0))
                self.cut()
                return
            next_close = (last + 1) * MINUTE_MS - venue.now_ms()
            await asyncio.sleep(min(UPDATE_SECONDS, max(next_close / 1000, 0.0)) + 1e-3)
            if venue.outage == "black hole":
                self._hangs = True
                await asyncio.Event().wait()  # half open: nothing comes any more, ever
            minute = venue.now_ms() // MINUTE_MS
            if minute != last:
                self._candle(last, True)
                last = minute
            self._candle(minute, False)

    def _candle(self, minute: int, closed: bool) -> None:
        start = minute * MINUTE_MS
        candle = {"t": start, "T": start + MINUTE_MS - 1, "s": "BTCUSDT", "i": "1m", "x": closed}
        chance = self._rng.random()
        if closed and chance < 0.02:
            return
        body = {"stream": STREAM, "data": {"e": "kline", "E": self._venue.now_ms(), "k": candle}}
        self._put(body)
        if chance > 0.95:
            self._put(body)
        if 0.5 < chance < 0.51:
            self._queue.append('{"e":"kline","E":17')

    def _put(self, body: dict[str, Any]) -> None:
        self._queue.append(json.dumps(body))
        self._arrived.set()


async def _storm(outages: int, rng: random.Random) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    venue = FakeVenue(rng)
    recoveries = {kind: Recovery(kind) for kind in OUTAGES}
    received: list[int] = []
    progress = asyncio.Event()
    stream = ResilientWebSocket(
        "ws://venue.test/stream",
        [STREAM],
        backfill=venue.backfill,
        rng=random.Random(rng.random()),
        now_ms=venue.now_ms,
        connect=venue.connect,
        probe=venue.probe,
        on_state=lambda change: progress.set(),
    )

    async def consume(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.final:
                received.append(event.key)
                progress.set()

    async with stream:
        consumer = asyncio.create_task(consume(stream.__aiter__()))
        await asyncio.sleep(150)
        for number in range(outages):
            kind = list(OUTAGES)[number % len(OUTAGES)]
            # seconds to half an hour, most of them minutes
            down = min(max(rng.lognormvariate(4.0, 1.3), 2.0), 1800.0)
            venue.begin(kind)
            await asyncio.sleep(down)
            venue.end()
            ended, closed = loop.time(), venue.now_ms() // MINUTE_MS * MINUTE_MS - MINUTE_MS
            while not (stream.state is LinkState.LIVE and received and received[-1] >= closed):
                progress.clear()
                await progress.wait()
            recovery = recoveries[kind]
            recovery.outages += 1
            recovery.down_seconds += down
            recovery.seconds.append(loop.time() - ended)
            await asyncio.sleep(rng.uniform(60, 240))
        uptime = stream.stats.uptime_seconds(loop.time())
    await consumer
    expected = np.arange(received[0], received[-1] + 1, MINUTE_MS)
    windows = np.array(venue.connects)
    most = max(int(np.sum((windows > at - 300) & (windows <= at))) for at in windows)
    every = np.concatenate([recovery.seconds for recovery in recoveries.values()])
    return {
        "outages": outages,
        "simulated_hours": (loop.time() - venue._began) / 3600,
        "uptime_share": uptime / (loop.time() - venue._began),
        "kinds": [recovery.figures() for recovery in recoveries.values()],
        "p99_seconds": float(np.percentile(every, 99)),
        "worst_seconds": float(every.max()),
        "candles": len(expected),
        "candles_missing": len(set(expected.tolist()) - set(received)),
        "candles_doubled": len(received) - len(set(received)),
        "candles_out_of_order": int(np.sum(np.diff(received) <= 0)),
        "most_connects_in_300_seconds": most,
        "stats": asdict(stream.stats),
        "duplicates_dropped": stream.feed.duplicates,
        "gaps_filled": stream.feed.gaps_filled,
    }


def run(outages: int = 400, seed: int = SEED) -> dict[str, Any]:
    """Every kind of outage in turn; figures for JSON."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_storm(outages, random.Random(seed)))
    finally:
        loop.close()


def show(figures: dict[str, Any]) -> None:
    """Print what `run` measured."""
    table = Table("outage", "what happens", "number", "mean length", "p50", "p99", "worst")
    for row in figures["kinds"]:
        table.add_row(
            *(row["kind"], OUTAGES[row["kind"]], str(row["outages"]), f"{row['mean_down_seconds']:.0f} s"),
            *(f"{row[name]:.1f} s" for name in ("p50_seconds", "p99_seconds", "worst_seconds")),
        )
    console = report_console()
    console.print(table)
    whole = not (figures["candles_missing"] or figures["candles_doubled"] or figures["candles_out_of_order"])
    met = (
        whole
        and figures["p99_seconds"] < GOAL_SECONDS
        and figures["most_connects_in_300_seconds"] <= GOAL_CONNECTS
    )
    console.print(
        f"{figures['outages']} outages in {figures['simulated_hours']:.0f} simulated hours: whole again "
        f"{figures['p99_seconds']:.1f} s later at p99 (goal: under 5), {figures['worst_seconds']:.1f} s at "
        f"worst; of {figures['candles']:,} candles {figures['candles_missing']} missing, "
        f"{figures['candles_doubled']} doubled; at most {figures['most_connects_in_300_seconds']} connects "
        f"in 5 minutes (goal: 300): {'met' if met else 'missed'}"
    )


def bench_stream(outages: int = 400, json_path: Path | None = None) -> int:
    """Run, print, and write the figures where asked. Returns 0."""
    talk = logging.getLogger("adaptive_pkg.exchange")
    level = talk.level
    talk.setLevel(logging.CRITICAL)  # an outage is told once; thousands of them say nothing
    try:
        figures = run(outages)
    finally:
        talk.setLevel(level)
    show(figures)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=2))
    return 0
