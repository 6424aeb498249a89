"""The venue's streams, with the real `websockets` library as the client."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidMessage, InvalidStatus

from adaptive_pkg.simulator.faults import Fault, FaultKind, FaultPlan
from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.trades import PER_CANDLE

from .conftest import KEY, MINUTE_MS, START_MS, walk

KLINE, TRADES, BOOK = "btcusdt@kline_1m", "btcusdt@aggTrade", "btcusdt@bookTicker"


class Client:
    """A raw connection that writes down what comes."""

    def __init__(self, url):
        self.url, self.got = url, []

    async def __aenter__(self):
        self.socket = await connect(self.url, ping_interval=None, close_timeout=0.2, open_timeout=1)
        await (await self.socket.ping())  # now the venue knows of us as well
        return self

    async def __aexit__(self, *exception):
        self.socket.transport.abort()
        await self.socket.wait_closed()

    async def say(self, method, *params, number=1):
        await self.socket.send(json.dumps({"method": method, "params": list(params), "id": number}))

    async def next(self, seconds=2.0):
        async with asyncio.timeout(seconds):
            text = await self.socket.recv()
        try:
            self.got.append(json.loads(text))
        except ValueError:
            self.got.append({"broken": text})
        return self.got[-1]

    async def until(self, condition, seconds=3.0):
        """The messages up to the first that fits."""
        begin = len(self.got)
        async with asyncio.timeout(seconds):
            while not condition(await self.next(seconds)):
                pass
        return self.got[begin:]

    async def closed(self, seconds=3.0):
        """The close code."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    self.got.append(await self.socket.recv())
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd else None


def play(scenario):
    async def whole():
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(whole())


def closes(message):
    data = message.get("data", message)
    return data.get("e") == "kline" and data["k"]["x"]


def test_candles_close_as_time_passes_and_are_those_on_file(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(f"{venue.stream_url}?streams={KLINE}") as client:
            first = await client.next()
            assert first["stream"] == KLINE and not first["data"]["k"]["x"]
            closed = []
            for _ in range(3):
                clock.tick(60)
                closed += [m["data"]["k"] for m in await client.until(closes) if m["data"]["k"]["x"]]
            assert [candle["t"] for candle in closed] == [START_MS + i * MINUTE_MS for i in (100, 101, 102)]
            rows = walk(1500, 1)[100:103].tolist()
            assert [[float(c[name]) for name in "ohlc"] for c in closed] == rows
            clock.tick(600)  # a jump leaves no candle out
            while len(closed) < 13:
                closed += [m["data"]["k"] for m in await client.until(closes) if m["data"]["k"]["x"]]
            assert [c["t"] for c in closed] == [START_MS + i * MINUTE_MS for i in range(100, 113)]

    play(scenario)


def test_subscriptions_come_and_go_on_a_raw_connection(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(f"{venue.url.replace('http', 'ws')}/ws") as client:
            await client.say("SUBSCRIBE", TRADES, BOOK, "nobody@kline_1m", number=7)
            assert (await client.until(lambda m: "result" in m))[-1] == {"result": None, "id": 7}
            clock.tick(60)
            await client.until(lambda m: m.get("u") == clock.now_ms)
            trades = [m for m in client.got if m.get("e") == "aggTrade"]
            assert [m["a"] for m in trades] == list(range(100 * PER_CANDLE + 1, 101 * PER_CANDLE + 1))
            books = [m for m in client.got if "u" in m]
            assert books and all(float(m["b"]) < float(m["a"]) for m in books)
            await client.say("LIST_SUBSCRIPTIONS", number=8)
            listed = (await client.until(lambda m: m.get("id") == 8))[-1]["result"]
            assert listed == [TRADES, BOOK, "nobody@kline_1m"]
            await client.say("UNSUBSCRIBE", TRADES, BOOK, number=9)
            await client.until(lambda m: m.get("id") == 9)
            clock.tick(60)
            with pytest.raises(TimeoutError):
                await client.next(0.1)
            await client.socket.send("{not json")
            assert (await client.next())["error"]["code"] == 3

    play(scenario)


def test_rest_knows_the_same_trades(make_venue, make_client, clock):
    venue = make_venue()
    rows = make_client(venue).public_get_aggtrades({"symbol": "BTCUSDT", "fromId": 50, "limit": 30})
    assert [int(row["a"]) for row in rows] == list(range(50, 80))
    latest = make_client(venue).public_get_aggtrades({"symbol": "BTCUSDT"})
    assert len(latest) == 500 and int(latest[-1]["T"]) <= clock.now_ms


def test_an_account_hears_of_its_orders(make_venue, make_client, clock):
    venue = make_venue()
    client = make_client(venue)
    key = client.public_post_userdatastream()["listenKey"]

    async def scenario():
        async with Client(f"{venue.url.replace('http', 'ws')}/ws/{key}") as stream:
            order = await asyncio.to_thread(client.create_order, "BTC/USDT", "market", "buy", 1)
            told = await stream.until(lambda m: m.get("X") == "FILLED")
            assert [m["x"] for m in told if m["e"] == "executionReport"] == ["NEW", "TRADE"]
            assert str(told[-1]["i"]) == order["id"]
            position = await stream.next()
            assert position["e"] == "outboundAccountPosition"
            assert {row["a"] for row in position["B"]} == {"BTC", "USDT"}
            last = client.fetch_ticker("BTC/USDT")["last"]
            await asyncio.to_thread(
                client.create_order, "BTC/USDT", "limit", "sell", 0.5, round(last * 1.002, 2)
            )
            clock.tick(3600)  # filled by the market, without a request
            await stream.until(lambda m: m.get("X") == "FILLED" and m["m"])

    play(scenario)
    assert venue.desk(KEY).matching.open_orders() == []


def test_an_accounts_stream_ends_with_its_key(make_venue, make_client, clock):
    venue = make_venue()
    client = make_client(venue)
    key = client.public_post_userdatastream()["listenKey"]

    async def scenario():
        async with Client(f"{venue.url.replace('http', 'ws')}/ws/{key}") as stream:
            clock.tick(3601)
            told = await stream.until(lambda m: m.get("e") == "listenKeyExpired")
            assert told[-1]["listenKey"] == key
            await asyncio.to_thread(client.create_order, "BTC/USDT", "market", "buy", 1)
            with pytest.raises(TimeoutError):
                await stream.until(lambda m: m.get("e") == "executionReport", seconds=0.2)

    play(scenario)
    assert not venue.desk(KEY).listeners


def test_the_venue_pings_and_leaves_a_client_that_does_not_answer(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(venue.stream_url) as alive:
            pings = []
            answer = alive.socket.protocol.recv_frame

            def watch(frame):
                pings.append(frame.opcode.name == "PING")
                answer(frame)

            alive.socket.protocol.recv_frame = watch
            for _ in range(6):
                clock.tick(20)
                await asyncio.sleep(0.06)
            assert sum(pings) >= 5 and alive.socket.state.name == "OPEN"
        async with Client(venue.stream_url) as deaf:
            send = deaf.socket.protocol.send_frame
            deaf.socket.protocol.send_frame = lambda f: None if f.opcode.name == "PONG" else send(f)
            clock.tick(21)
            await asyncio.sleep(1.1)
            clock.tick(61)
            assert await deaf.closed() == 1008

    play(scenario)


def test_a_connection_lives_24_hours(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(venue.stream_url) as client:
            clock.tick(24 * 3600 - 1)
            await asyncio.sleep(0.06)
            assert client.socket.state.name == "OPEN"
            clock.tick(1)
            assert await client.closed() == 1001

    play(scenario)


def test_more_than_five_messages_a_second_end_the_connection(make_venue):
    venue = make_venue()

    async def scenario():
        async with Client(venue.stream_url) as client:
            for number in range(6):
                await client.say("LIST_SUBSCRIPTIONS", number=number)
            assert await client.closed() == 1008
            assert len(client.got) <= 5

    play(scenario)


def test_a_connection_has_at_most_1024_streams(make_venue):
    venue = make_venue()

    async def scenario():
        async with Client(venue.stream_url) as client:
            await client.say("SUBSCRIBE", *(f"x{number}usdt@bookTicker" for number in range(1024)))
            assert (await client.next())["result"] is None
            await client.say("SUBSCRIBE", BOOK, number=2)
            assert "1024" in (await client.next())["error"]["msg"]
            await client.say("LIST_SUBSCRIPTIONS", number=3)
            assert len((await client.next())["result"]) == 1024

    play(scenario)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.STATUS, "ws connect", status=503), InvalidStatus),
        (Fault(FaultKind.BAN, "ws connect", seconds=60), InvalidStatus),
        (Fault(FaultKind.RESET, "ws connect"), (EOFError, OSError, InvalidMessage)),
        (Fault(FaultKind.STALL, "ws connect"), TimeoutError),
        (Fault(FaultKind.LATENCY, "ws connect", seconds=0.4), TimeoutError),
    ],
)
def test_a_handshake_meets_faults_too(make_venue, fault, error):
    venue = make_venue()

    async def scenario():
        number = venue.chaos.add(fault)
        with pytest.raises(error):
            await connect(venue.stream_url, open_timeout=0.2)
        venue.chaos.remove(number)
        async with Client(f"{venue.stream_url}?streams={KLINE}") as client:
            assert (await client.next())["stream"] == KLINE

    play(scenario)


def test_a_restart_cuts_streams_as_well(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(f"{venue.stream_url}?streams={KLINE}") as client:
            await client.next()
            venue.chaos.add(Fault(FaultKind.RESTART, start=10, end=20))
            clock.tick(15)
            assert await client.closed() is None
            with pytest.raises(OSError):
                await connect(venue.stream_url, open_timeout=0.2)
            clock.tick(10)
            async with asyncio.timeout(2):
                while True:
                    try:
                        async with Client(f"{venue.stream_url}?streams={KLINE}") as again:
                            return await again.next()
                    except OSError:
                        await asyncio.sleep(0.01)

    play(scenario)


def test_too_many_handshakes_are_refused_with_the_time_to_wait(make_venue):
    venue = make_venue(limits=LimitPlan(connects_per_5min=2))

    async def scenario():
        for _ in range(2):
            async with Client(venue.stream_url):
                pass
        with pytest.raises(InvalidStatus) as caught:
            async with Client(venue.stream_url):
                pass
        assert caught.value.response.status_code == 429
        assert int(caught.value.response.headers["Retry-After"]) > 0

    play(scenario)
    assert venue.violations["connects"] == 1


def closed_ids(got):
    return [m["data"]["k"]["t"] // MINUTE_MS for m in got if closes(m)]


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.DUPLICATE, FaultKind.REORDER])
def test_lost_doubled_and_late_messages_are_the_same_ones_every_time(make_venue, clock, kind):
    began = clock.now_ms

    def run():
        clock.now_ms = began
        venue = make_venue(faults=FaultPlan((Fault(kind, f"ws {KLINE}", chance=0.3),), seed=2))
        seen = []

        async def scenario():
            async with Client(f"{venue.stream_url}?streams={KLINE}") as client:
                await client.say("LIST_SUBSCRIPTIONS")
                await client.until(lambda m: "result" in m)
                clock.tick(60 * 60)
                await asyncio.sleep(0.05)
                await client.say("LIST_SUBSCRIPTIONS", number=2)  # answers are not hit
                await client.until(lambda m: m.get("id") == 2)
                seen.extend(closed_ids(client.got))

        play(scenario)
        return seen

    first = run()
    assert first == run()
    whole = [began // MINUTE_MS + i for i in range(60)]
    if kind is FaultKind.DROP:
        assert 30 < len(first) < 55 and first == sorted(set(first))
    elif kind is FaultKind.DUPLICATE:
        assert sorted(set(first)) == whole and 65 < len(first) < 90
    else:
        assert sorted(first) in (whole, whole[:-1]) and first != sorted(first)


def test_broken_text_resets_stalls_and_slow_bytes(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(f"{venue.stream_url}?streams={KLINE}") as client:
            await client.next()
            number = venue.chaos.add(Fault(FaultKind.MALFORMED, f"ws {KLINE}"))
            clock.tick(60)
            await client.until(lambda m: "broken" in m)
            venue.chaos.remove(number)
            number = venue.chaos.add(Fault(FaultKind.SLOW, f"ws {KLINE}", bytes_per_second=2000))
            clock.tick(60)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await client.until(closes)
            assert loop.time() - began > 0.1  # some 300 bytes
            venue.chaos.remove(number)
            venue.chaos.add(Fault(FaultKind.RESET, f"ws {KLINE}"))
            clock.tick(60)
            assert await client.closed() is None  # without a closing handshake
        venue.chaos.clear()
        async with Client(f"{venue.stream_url}?streams={KLINE}") as client:
            await client.next()
            venue.chaos.add(Fault(FaultKind.STALL, f"ws {KLINE}", seconds=300))
            clock.tick(60)
            await asyncio.sleep(0.1)
            pong = await client.socket.ping()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pong, 0.2)
            assert client.socket.state.name == "OPEN"
            clock.tick(300)
            with pytest.raises(ConnectionClosedError):
                await asyncio.wait_for(client.socket.recv(), 2)

    play(scenario)


def test_the_venue_says_when_it_is_about_to_go(make_venue):
    venue = make_venue()

    async def scenario():
        async with Client(venue.stream_url) as client:
            venue.chaos.add(Fault(FaultKind.SHUTDOWN, seconds=0.1))
            assert (await client.next())["e"] == "serverShutdown"
            assert await client.closed() == 1001

    play(scenario)
