"""Hundreds of outages of a simulated venue: how soon the stream is whole again, and whether a candle is lost.

Production settings on a virtual clock: every pause, timeout and limit is the shipped one, only nobody waits.
Recovery is the time from the moment the venue answers again until the stream is live and the consumer has
every candle that closed before that moment.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.bench.stream_venue import FakeVenue, Replay, replay_folder
from adaptive_pkg.bench.virtual_time import VirtualLoop
from adaptive_pkg.errors import DataError
from adaptive_pkg.exchange.events import Event
from adaptive_pkg.exchange.link import LinkState
from adaptive_pkg.exchange.websocket import ResilientWebSocket
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.reports import report_console

SEED = 23
FIRST_CANDLES = 2.5  # of peace, before the first outage
MOST_SECONDS_PER_OUTAGE = 2100  # the longest outage, and the longest peace after it
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


async def _storm(outages: int, rng: random.Random, replay: Replay) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    venue = FakeVenue(rng, replay)
    recoveries = {kind: Recovery(kind) for kind in OUTAGES}
    received: dict[str, list[Event]] = {name: [] for name in replay.streams}
    progress = asyncio.Event()
    stream = ResilientWebSocket(
        "ws://venue.test/stream",
        replay.streams,
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
                received[event.stream].append(event)
                progress.set()

    async with stream:
        consumer = asyncio.create_task(consume(stream.__aiter__()))
        await asyncio.sleep(FIRST_CANDLES * replay.step_ms / 1000)
        for number in range(outages):
            kind = list(OUTAGES)[number % len(OUTAGES)]
            # seconds to half an hour, most of them minutes
            down = min(max(rng.lognormvariate(4.0, 1.3), 2.0), 1800.0)
            venue.begin(kind)
            await asyncio.sleep(down)
            venue.end()
            if venue.now_ms() >= replay.end_ms:
                raise DataError(
                    f"the candles end after {number} outages; ask for fewer, or give more candles"
                )
            ended = loop.time()
            closed = {name: replay.newest_closed(name, venue.now_ms()) for name in replay.streams}
            while not (
                stream.state is LinkState.LIVE
                and all(events and events[-1].key >= closed[name] for name, events in received.items())
            ):
                progress.clear()
                await progress.wait()
            recovery = recoveries[kind]
            recovery.outages += 1
            recovery.down_seconds += down
            recovery.seconds.append(loop.time() - ended)
            await asyncio.sleep(rng.uniform(60, 240))
        uptime = stream.stats.uptime_seconds(loop.time())
    await consumer
    windows = np.array(venue.connects)
    most = max(int(np.sum((windows > at - 300) & (windows <= at))) for at in windows)
    every = np.concatenate([recovery.seconds for recovery in recoveries.values()])
    return {
        "streams": list(replay.streams),
        "outages": outages,
        "simulated_hours": (loop.time() - venue._began) / 3600,
        "uptime_share": uptime / (loop.time() - venue._began),
        "kinds": [recovery.figures() for recovery in recoveries.values()],
        "p99_seconds": float(np.percentile(every, 99)),
        "worst_seconds": float(every.max()),
        **_whole(replay, received),
        "most_connects_in_300_seconds": most,
        "stats": asdict(stream.stats),
        "duplicates_dropped": stream.feed.duplicates,
        "gaps_filled": stream.feed.gaps_filled,
    }


def _whole(replay: Replay, received: dict[str, list[Event]]) -> dict[str, int]:
    """What came beside what the venue has, between the first and the last that came."""
    totals: Counter[str] = Counter()
    for name, events in received.items():
        keys = [event.key for event in events]
        span = range(keys[0], keys[-1] + 1, replay.step_ms)
        known = {key: values for key in span if (values := replay.candle(name, key)) is not None}
        totals.update(
            candles=len(known),
            candles_absent_at_the_venue=len(span) - len(known),
            candles_missing=len(known.keys() - set(keys)),
            candles_doubled=len(keys) - len(set(keys)),
            candles_out_of_order=int(np.sum(np.diff(keys) <= 0)),
            candles_changed=sum(
                tuple(event.data[field] for field in "ohlcv") != known.get(event.key) for event in events
            ),
        )
    return dict(totals)


def run(outages: int = 400, seed: int = SEED, replay: Replay | None = None) -> dict[str, Any]:
    """Every kind of outage in turn; figures for JSON. Raises DataError if the candles end before."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_storm(outages, random.Random(seed), replay or Replay()))
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
    faults = ("missing", "doubled", "out_of_order", "changed")
    whole = not any(figures[f"candles_{fault}"] for fault in faults)
    met = (
        whole
        and figures["p99_seconds"] < GOAL_SECONDS
        and figures["most_connects_in_300_seconds"] <= GOAL_CONNECTS
    )
    console.print(
        f"{figures['outages']} outages in {figures['simulated_hours']:.0f} simulated hours: whole again "
        f"{figures['p99_seconds']:.1f} s later at p99 (goal: under 5), {figures['worst_seconds']:.1f} s at "
        f"worst; of {figures['candles']:,} candles {figures['candles_missing']} missing, "
        f"{figures['candles_doubled']} doubled, {figures['candles_changed']} changed; "
        f"at most {figures['most_connects_in_300_seconds']} connects in 5 minutes (goal: 300): "
        f"{'met' if met else 'missed'}"
    )


def bench_stream(
    outages: int = 400, json_path: Path | None = None, choice: CandleChoice | None = None
) -> int:
    """Run, print, and write the figures where asked. Returns 0.

    Args:
        choice: candles that the venue plays, one stream a pair; without, invented minutes of one pair.

    Raises:
        DataError: no such candles, too few of them, or fewer outages than there are kinds.
    """
    if outages < len(OUTAGES):
        raise DataError(f"outages: {outages} are fewer than the {len(OUTAGES)} kinds there are; ask for more")
    replay = None
    if choice:
        most = FIRST_CANDLES * 3600 * timeframe_hours(choice.timeframe) + outages * MOST_SECONDS_PER_OUTAGE
        replay = replay_folder(choice, most)
    talk = logging.getLogger("adaptive_pkg.exchange")
    level = talk.level
    talk.setLevel(logging.CRITICAL)  # an outage is told once; thousands of them say nothing
    try:
        figures = run(outages, replay=replay)
    finally:
        talk.setLevel(level)
    show(figures)
    write_figures(figures, json_path)
    return 0
