"""The WebSocket API: an account's own events, as the real ccxt subscribes to them today."""

import asyncio
import hashlib
import hmac
import json

import ccxt.pro
import pytest

from adaptive_pkg.simulator.faults import Fault, FaultKind
from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.service import Accounts

from .conftest import KEY, SECRET
from .test_sessions import Client, play

PAIR = "BTC/USDT"
SUBSCRIBE = "userDataStream.subscribe.signature"


def api_url(venue):
    return venue.url.replace("http", "ws") + "/ws-api/v3"


def signed(clock, key=KEY, secret=SECRET, **params):
    """A request's parameters with their signature, made here by the documented rule."""
    params = {"apiKey": key, "timestamp": clock.now_ms, **params}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


async def ask(client, method, params=None, number="7"):
    await client.socket.send(json.dumps({"id": number, "method": method, "params": params or {}}))
    return (await client.until(lambda m: m.get("id") == number))[-1]


def test_ccxt_hears_of_its_orders_trades_and_balances(make_venue, clock):
    venue = make_venue()

    async def scenario():
        config = venue.live_overlay()["exchange"]["ccxt_config"]
        client = ccxt.pro.binance({**config, "apiKey": KEY, "secret": SECRET})
        client.milliseconds = clock
        try:
            async with asyncio.timeout(10):
                watched = [
                    asyncio.create_task(watch())
                    for watch in (client.watch_orders, client.watch_my_trades, client.watch_balance)
                ]
                while not venue.desk(KEY).listeners:
                    await asyncio.sleep(0.01)
                placed = await client.create_order(PAIR, "market", "buy", 1)
                (order,), (trade,), _ = await asyncio.gather(*watched)
                assert (order["id"], order["status"], order["filled"]) == (placed["id"], "closed", 1.0)
                assert (trade["order"], trade["amount"], trade["fee"]["cost"]) == (placed["id"], 1.0, 0.001)
                while client.balance["spot"].get("BTC", {}).get("total") != 0.999:
                    await client.watch_balance()
        finally:
            await client.close()

    asyncio.run(scenario())
    assert len(venue.desk(KEY).matching.orders) == 1


def test_ccxt_sees_best_prices_and_trades(make_venue, clock):
    venue = make_venue()

    async def scenario():
        config = venue.live_overlay()["exchange"]["ccxt_config"]
        client = ccxt.pro.binance({**config, "options": {"watchTrades": {"name": "aggTrade"}}})
        try:
            async with asyncio.timeout(10):
                quote = (await client.watch_bids_asks([PAIR]))[PAIR]
                book = await client.fetch_order_book(PAIR)
                assert (quote["bid"], quote["ask"]) == (book["bids"][0][0], book["asks"][0][0])
                waiting = asyncio.create_task(client.watch_trades(PAIR))
                while not waiting.done():
                    clock.tick(10)
                    await asyncio.sleep(0.02)
                assert (await waiting)[0]["amount"] > 0
        finally:
            await client.close()

    asyncio.run(scenario())


def test_only_what_is_signed_by_a_known_key_and_of_now_is_subscribed(make_venue, clock):
    venue = make_venue()

    async def scenario():
        async with Client(api_url(venue)) as client:
            for params, code in (
                (signed(clock, secret="x" * 64), -1022),
                (signed(clock, key="nobody"), -2015),
                (signed(clock) | {"timestamp": clock.now_ms - 6000}, -1022),  # changed after it was signed
                (signed(clock, timestamp=clock.now_ms - 6000), -1021),
                ({"apiKey": KEY, "timestamp": clock.now_ms}, -1102),
                ({}, -2014),
            ):
                answer = await ask(client, SUBSCRIBE, params)
                assert answer["status"] in (400, 401) and answer["error"]["code"] == code
            assert not venue.desk(KEY).listeners
            assert (await ask(client, SUBSCRIBE, signed(clock, recvWindow=6000)))["result"] == {
                "subscriptionId": 0
            }
            number = venue.chaos.add(Fault(FaultKind.CLOCK_SKEW, seconds=90))
            assert (await ask(client, SUBSCRIBE, signed(clock)))["error"]["code"] == -1021
            assert (await ask(client, "time"))["result"] == {"serverTime": clock.now_ms + 90_000}
            venue.chaos.remove(number)
        assert venue.service.refused == {-1022: 2, -2015: 1, -1021: 2, -1102: 1, -2014: 1}

    play(scenario)


def test_each_subscription_hears_its_own_account_until_it_ends(make_venue, make_client, clock):
    venue = make_venue(accounts=Accounts({KEY: SECRET, "other": "o" * 64}))
    trader = make_client(venue)

    async def buy():
        await asyncio.to_thread(trader.create_order, PAIR, "market", "buy", 1)

    async def scenario():
        async with Client(api_url(venue)) as ours, Client(api_url(venue)) as theirs:
            await ask(ours, SUBSCRIBE, signed(clock))
            await ask(theirs, SUBSCRIBE, signed(clock, "other", "o" * 64))
            await buy()
            told = await ours.until(lambda m: m.get("event", {}).get("X") == "FILLED")
            assert told[-1]["subscriptionId"] == 0
            assert (await ask(ours, "session.subscriptions"))["result"] == [{"subscriptionId": 0}]
            assert (await ask(ours, "userDataStream.unsubscribe"))["status"] == 200
            await buy()
            await ask(ours, "ping")
            await ask(theirs, "ping")
            assert sum(m.get("event", {}).get("X") == "FILLED" for m in ours.got) == 1
            assert not any("event" in message for message in theirs.got)
            assert len(venue.desk("other").listeners) == 1
        async with asyncio.timeout(2):
            while venue.desk("other").listeners:  # who leaves is forgotten
                await asyncio.sleep(0.01)

    play(scenario)


def test_requests_weigh_on_the_address_and_are_refused_with_the_time_to_wait(make_venue, clock):
    venue = make_venue(limits=LimitPlan(weight_per_minute=10))

    async def scenario():
        async with Client(api_url(venue)) as client:  # the handshake weighs 2
            answer = await ask(client, SUBSCRIBE, signed(clock))
            assert answer["rateLimits"][0]["count"] == 4
            for _ in range(6):  # more than five a second is no offence here
                assert (await ask(client, "ping"))["status"] == 200
            refused = await ask(client, "ping")
            assert (refused["status"], refused["error"]["code"]) == (429, -1003)
            wait_ms = refused["error"]["data"]["retryAfter"] - clock.now_ms
            assert 0 < wait_ms <= 60_000

    play(scenario)
    assert venue.violations == {"weight": 1}


@pytest.mark.parametrize(
    ("text", "code"),
    [("{broken", -1135), ("[]", -1135), ('{"id": 1, "method": "order.place", "params": {}}', -1020)],
)
def test_what_cannot_be_answered_is_an_error(make_venue, text, code):
    venue = make_venue()

    async def scenario():
        async with Client(api_url(venue)) as client:
            await client.socket.send(text)
            assert (await client.next())["error"]["code"] == code

    play(scenario)


def test_events_meet_faults_by_the_name_of_their_stream(make_venue, make_client, clock):
    venue = make_venue()
    trader = make_client(venue)

    async def scenario():
        async with Client(api_url(venue)) as client:
            await ask(client, SUBSCRIBE, signed(clock))
            venue.chaos.add(Fault(FaultKind.DUPLICATE, "ws userData"))
            await asyncio.to_thread(trader.create_order, PAIR, "market", "buy", 1)
            await client.until(lambda m: m.get("event", {}).get("X") == "FILLED")
            assert sum(m.get("event", {}).get("X") == "NEW" for m in client.got) == 2

    play(scenario)
