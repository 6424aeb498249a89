"""Our own stream and ccxt's, live against the venue's faults."""

import asyncio
import contextlib
import json
import random
import urllib.request
from dataclasses import replace

import ccxt.pro

from adaptive_pkg.exchange.events import candle_events
from adaptive_pkg.exchange.link import LinkState
from adaptive_pkg.exchange.websocket import ResilientWebSocket
from adaptive_pkg.settings.exchange import StreamSettings
from adaptive_pkg.simulator.faults import Fault, FaultKind, FaultPlan

from .conftest import KEY, MINUTE_MS, SECRET, START_MS, walk

STREAM = "btcusdt@kline_1m"
# the shipped settings, a hundred times faster where they are pauses
FAST = StreamSettings(
    backoff_start_seconds=0.02,
    backoff_top_seconds=0.2,
    probe_seconds=0.02,
    eager_seconds=0.03,
    healthy_seconds=0.1,
    answer_timeout_seconds=1.0,
    quiet_seconds=0.3,
    quiet_pong_seconds=0.3,
    silence_seconds=1.0,
    reorder_seconds=0.02,
    backfill_retry_seconds=0.02,
    backfill_top_seconds=0.1,
    messages_per_second=50.0,
    connects_window_seconds=3.0,
)
STORM = (
    Fault(FaultKind.DROP, f"ws {STREAM}", chance=0.1),
    Fault(FaultKind.DUPLICATE, f"ws {STREAM}", chance=0.1),
    Fault(FaultKind.REORDER, f"ws {STREAM}", chance=0.1),
    Fault(FaultKind.MALFORMED, f"ws {STREAM}", chance=0.05),
    Fault(FaultKind.RESET, f"ws {STREAM}", chance=0.01),
    Fault(FaultKind.LATENCY, f"ws {STREAM}", chance=0.1, seconds=0.02, jitter=0.02),
    Fault(FaultKind.STATUS, "GET /api/v3/klines", chance=0.3),
    Fault(FaultKind.RESET, "GET /api/v3/klines", chance=0.2),
    Fault(FaultKind.RESTART, start=1800, end=2400),
)


def ask_rest(url, clock):
    """A backfill that asks the venue's own REST."""

    def ask(gap):
        where = f"symbol=BTCUSDT&interval=1m&startTime={gap.first}&limit={gap.limit}"
        with urllib.request.urlopen(f"{url}/api/v3/klines?{where}", timeout=1) as answer:
            return candle_events(gap.stream, json.load(answer), clock())

    return lambda gap: asyncio.to_thread(ask, gap)


def test_our_stream_comes_through_a_storm_with_every_candle_once(make_venue, clock):
    venue = make_venue(faults=FaultPlan(STORM, seed=11))
    began = clock.now_ms // MINUTE_MS

    async def scenario():
        seen = {}
        stream = ResilientWebSocket(
            venue.stream_url,
            [STREAM],
            settings=FAST,
            backfill=ask_rest(venue.url, clock),
            rng=random.Random(1),
            now_ms=clock,
        )

        async def read():
            async for event in stream:
                if event.final:
                    assert event.key not in seen, "a candle came twice"
                    seen[event.key] = event.data

        async with stream:
            reader = asyncio.create_task(read())
            goal = began + 60  # an hour, of which ten minutes without a venue
            async with asyncio.timeout(15):
                while max(seen, default=0) // MINUTE_MS < goal and not reader.done():
                    clock.tick(6)
                    await asyncio.sleep(0.005)
        with contextlib.suppress(asyncio.CancelledError):
            await reader
        minutes = [key // MINUTE_MS for key in seen]
        assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))  # in order, none missing
        assert minutes[0] <= began + 1 and len(minutes) >= 58
        rows = walk(1500, 1)
        for key, data in seen.items():
            assert [float(data[name]) for name in "ohlc"] == rows[(key - START_MS) // MINUTE_MS].tolist()
        assert stream.stats.connections >= 2

    asyncio.run(scenario())
    struck = venue.chaos.struck
    assert all(struck[fault.kind] for fault in STORM)


def test_our_stream_outlives_an_announced_shutdown_and_the_venues_24_hours(make_venue, clock):
    clock.now_ms = START_MS + 10 * MINUTE_MS
    venue = make_venue(faults=FaultPlan((Fault(FaultKind.SHUTDOWN, start=88_000, end=89_000, seconds=0.5),)))

    async def scenario():
        seen, reasons = [], []
        stream = ResilientWebSocket(
            venue.stream_url,
            [STREAM],
            # a busy machine must not end a connection before its time
            settings=replace(FAST, quiet_seconds=5.0, quiet_pong_seconds=5.0, silence_seconds=10.0),
            backfill=ask_rest(venue.url, clock),
            rng=random.Random(1),
            now_ms=clock,
            on_state=lambda change: reasons.append(change.reason),
        )

        async def read():
            async for event in stream:
                if event.final:
                    seen.append((event.key - START_MS) // MINUTE_MS)

        async with stream:
            reader = asyncio.create_task(read())
            async with asyncio.timeout(15):
                while not seen or seen[-1] < 1495:
                    if stream.state is LinkState.LIVE:
                        clock.tick(1200)
                    await asyncio.sleep(0.02)
        await reader
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert "server shutdown" in reasons and any("24 hours are over" in reason for reason in reasons)

    asyncio.run(scenario())


def test_ccxts_own_stream_finds_the_venue_through_the_live_overlay(make_venue, clock):
    venue = make_venue()

    async def scenario():
        config = venue.live_overlay()["exchange"]
        client = ccxt.pro.binance({**config["ccxt_config"], "apiKey": KEY, "secret": SECRET})
        try:
            await client.load_markets()
            async with asyncio.timeout(5):
                first = await client.watch_ohlcv("BTC/USDT", "1m")
                assert first[-1][0] == clock.now_ms // MINUTE_MS * MINUTE_MS
                clock.tick(65)
                while (await client.watch_ohlcv("BTC/USDT", "1m"))[-1][0] == first[-1][0]:
                    pass
        finally:
            await client.close()

    asyncio.run(scenario())


def test_the_asynchronous_client_trades_as_well(make_venue, clock):
    venue = make_venue()

    async def scenario():
        config = venue.live_overlay({"exchange": {"name": "binance"}})
        assert config["dry_run"] is False and config["exchange"]["key"] == KEY
        client = ccxt.pro.binance({**config["exchange"]["ccxt_config"], "apiKey": KEY, "secret": SECRET})
        client.milliseconds = clock
        try:
            orders = [client.create_order("BTC/USDT", "limit", "buy", 1, 50.0 + i) for i in range(5)]
            await asyncio.gather(*orders)
            assert len(await client.fetch_open_orders("BTC/USDT")) == 5
            balance = await client.fetch_balance()
            assert balance["used"]["USDT"] == 260
        finally:
            await client.close()

    asyncio.run(scenario())
