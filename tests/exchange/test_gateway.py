"""The gateway against a real venue on this machine: order book, bid and ask, funding, and what goes wrong."""

import math
import threading
import time

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import ExchangeError, LockTimeoutError
from adaptive_pkg.exchange.endpoints import binance_endpoints
from adaptive_pkg.exchange.gateway import ExchangeGateway
from adaptive_pkg.exchange.link import LinkState
from adaptive_pkg.settings.exchange import ExchangeSettings, StateSettings, StreamSettings
from adaptive_pkg.settings.live import GatewaySettings
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.faults import Fault, FaultKind, FaultPlan
from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.venue import LoopbackVenue

START = pd.Timestamp("2024-01-01", tz="UTC")
PAIRS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"}
SPEED = 60  # the venue's seconds in one of ours: prices move while a test looks on
QUICK = ExchangeSettings(
    state=StateSettings(lock_timeout_seconds=0.2),
    stream=StreamSettings(
        backoff_start_seconds=0.05,
        backoff_top_seconds=0.2,
        probe_seconds=0.05,
        eager_seconds=0.05,
        quiet_seconds=0.5,
        quiet_pong_seconds=0.5,
        messages_per_second=50.0,
    ),
    gateway=GatewaySettings(answer_seconds=1.0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.002, 2000)))
    frame = pd.DataFrame({"open": np.concatenate([[100.0], close[:-1]]), "close": close})
    frame = frame.assign(
        date=pd.date_range(START, periods=2000, freq="1min", unit="ms"),
        high=frame.max(axis=1),
        low=frame.min(axis=1),
        volume=1000.0,
    )[["date", "open", "high", "low", "close", "volume"]]
    write_candles(dict.fromkeys(PAIRS, frame), folder, "1m")
    write_candles({"BTC/USDT:USDT": frame}, folder, "1m")
    return folder


@pytest.fixture
def make_venue(folder):
    venues = []

    def make(*faults, limits=None):
        began = time.monotonic()
        start_ms = int(START.timestamp() * 1000) + 100 * 60_000
        venue = LoopbackVenue(
            CandleStore(folder),
            clock=lambda: start_ms + round((time.monotonic() - began) * 1000 * SPEED),
            limits=limits or LimitPlan(),
            faults=FaultPlan(faults, seed=1),
        )
        venue.start()
        venues.append(venue)
        return venue

    yield make
    for venue in venues:
        venue.stop()


@pytest.fixture
def make_gateway():
    gateways = []

    def make(venue, settings=QUICK, perpetual=False, **options):
        prefix = "fapi/v1" if perpetual else "api/v3"
        streams = venue.stream_url.removesuffix("/stream") + "/ws"
        endpoints = binance_endpoints(f"{venue.url}/{prefix}", streams, perpetual=perpetual)
        gateways.append(ExchangeGateway(endpoints, settings, **options))
        return gateways[-1]

    yield make
    for gateway in gateways:
        gateway.stop()
    assert not gateway_threads()


def gateway_threads():
    return [thread for thread in threading.enumerate() if thread.name == "exchange-gateway"]


def wait_until(holds, seconds=10.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it has not come to be"
        time.sleep(0.01)


def is_fresh(gateway, pair="BTC/USDT"):
    return gateway.quote(pair).age_seconds < 5


def test_book_and_quote_of_a_pair_agree(make_venue, make_gateway):
    gateway = make_gateway(make_venue())
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway))
    market = gateway.read_market("BTC/USDT")
    assert market.funding is None
    assert market.book.spread == pytest.approx(2e-4, rel=0.5)
    assert market.book.middle == pytest.approx(market.quote.middle, rel=0.02)
    bids, asks = market.book.depth(0.005)
    assert bids > 0
    assert asks > 0
    status = gateway.status()
    assert status.stream is LinkState.LIVE
    assert status.limiter.granted >= 3  # book, time, exchangeInfo
    assert any(stats.acquisitions for stats in status.locks.values())


def test_a_perpetual_also_tells_its_funding(make_venue, make_gateway):
    gateway = make_gateway(make_venue(), perpetual=True)
    gateway.watch({"BTC/USDT:USDT": "BTCUSDT"})
    wait_until(lambda: is_fresh(gateway, "BTC/USDT:USDT") and gateway.status().clock is not None)
    market = gateway.read_market("BTC/USDT:USDT")
    assert isinstance(market.funding, float)
    assert math.isfinite(market.funding)


def test_the_venues_limits_and_clock_are_read(make_venue, make_gateway, caplog):
    venue = make_venue(limits=LimitPlan(weight_per_minute=1234))
    gateway = make_gateway(venue)
    gateway.watch(PAIRS)
    wait_until(lambda: any(rule.limit == 1234 for rule in gateway.limiter.rules))
    clock = gateway.status().clock
    assert clock.is_off(1.0)  # the venue lives in 2024
    wait_until(lambda: "synchronise it, or orders fail" in caplog.text)


def test_the_whitelist_is_followed(make_venue, make_gateway):
    gateway = make_gateway(make_venue())
    gateway.watch({"BTC/USDT": "BTCUSDT"})
    wait_until(lambda: is_fresh(gateway))
    with pytest.raises(ExchangeError, match="ETH/USDT: not among the pairs watched: BTC/USDT"):
        gateway.quote("ETH/USDT")
    gateway.watch({"ETH/USDT": "ETHUSDT"})
    wait_until(lambda: is_fresh(gateway, "ETH/USDT"))
    with pytest.raises(ExchangeError, match="BTC/USDT: not among"):
        gateway.read_market("BTC/USDT")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(FaultKind.MALFORMED, "GET /api/v3/depth"), "no JSON"),
        (Fault(FaultKind.STATUS, "GET /api/v3/depth", status=503), "HTTP 503"),
        (Fault(FaultKind.RESET, "GET /api/v3/depth"), "Server|Client|Connection"),
        (Fault(FaultKind.STALL, "GET /api/v3/depth", seconds=600), "no answer within 1 s"),
        (Fault(FaultKind.TOO_MANY, "GET /api/v3/depth", seconds=600), "HTTP 429"),
        (Fault(FaultKind.BAN, "GET /api/v3/depth", seconds=600), "HTTP 418"),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
def test_a_failing_book_is_an_error_in_time_and_never_an_empty_book(make_venue, make_gateway, fault, message):
    gateway = make_gateway(make_venue(fault))
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway))
    with pytest.raises(ExchangeError, match=message):
        gateway.read_market("BTC/USDT")
    assert is_fresh(gateway)


def test_after_a_ban_nothing_is_sent(make_venue, make_gateway):
    venue = make_venue(Fault(FaultKind.BAN, "GET /api/v3/depth", seconds=3600))
    gateway = make_gateway(venue)
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway) and gateway.status().clock is not None)
    for _ in range(3):
        with pytest.raises(ExchangeError):
            gateway.read_market("BTC/USDT")
    assert venue.requests["/api/v3/depth"] == 1
    assert gateway.status().limiter.bans == 1


def test_a_ban_holds_for_the_stream_as_well(make_venue, make_gateway):
    """A socket that comes back during a ban would be one more violation, and lengthen the ban."""
    venue = make_venue(Fault(FaultKind.BAN, "GET /api/v3/depth", seconds=3600))
    gateway = make_gateway(venue)
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway) and gateway.status().clock is not None)
    with pytest.raises(ExchangeError):
        gateway.read_market("BTC/USDT")
    number = venue.chaos.add(Fault(FaultKind.RESET, "ws *"))
    wait_until(lambda: not is_fresh(gateway))
    venue.chaos.remove(number)
    time.sleep(0.5)  # several pauses of the socket
    assert venue.violations == {} and venue.service.limits.bans == 1


def test_a_venue_that_was_away_is_found_again(make_venue, make_gateway):
    gateway = make_gateway(make_venue(Fault(FaultKind.RESTART, start=60, end=120)))  # from 1 s to 2 s of ours
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway))
    wait_until(lambda: not is_fresh(gateway))
    assert gateway.quote("BTC/USDT").age_seconds == math.inf
    wait_until(lambda: is_fresh(gateway))
    assert gateway.read_market("BTC/USDT").book.bids


def test_stop_ends_the_thread_and_watch_begins_anew(make_venue, make_gateway):
    gateway = make_gateway(make_venue())
    gateway.stop()  # before any start
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway))
    gateway.stop()
    assert not gateway_threads()
    assert gateway.quote("BTC/USDT").age_seconds == math.inf
    with pytest.raises(ExchangeError, match="not running"):
        gateway.read_market("BTC/USDT")
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway))


def test_stop_straight_after_the_start_leaves_nothing_behind(make_venue, make_gateway):
    venue = make_venue()
    for _ in range(20):
        gateway = make_gateway(venue)
        gateway.watch(PAIRS)
        gateway.stop()
        assert not gateway_threads()


def test_without_a_sign_of_life_the_loop_ends_by_itself(make_venue, make_gateway):
    now = [0.0]
    gateway = make_gateway(make_venue(), clock=lambda: now[0])
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway))
    now[0] = QUICK.gateway.lease_seconds  # the last moment
    time.sleep(0.05)
    assert gateway.running
    now[0] += 0.1
    wait_until(lambda: not gateway.running)
    wait_until(lambda: not gateway_threads())
    gateway.watch(PAIRS)  # the bot was only busy
    wait_until(lambda: is_fresh(gateway))


def test_a_pair_is_read_by_one_at_a_time(make_venue, make_gateway):
    gateway = make_gateway(make_venue())
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway) and gateway.status().clock is not None)
    failures = []

    def read(pair):
        try:
            gateway.read_market(pair)
        except LockTimeoutError as error:
            failures.append(str(error))

    with gateway.state.turn("BTC/USDT"):
        readers = [threading.Thread(target=read, args=(pair,), name=f"reads {pair}") for pair in PAIRS]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    (failure,) = failures  # ETH was free
    assert "BTC/USDT" in failure
    assert "MainThread" in failure  # the culprit has a name


def test_many_threads_at_once_stay_within_the_limit(make_venue, make_gateway):
    venue = make_venue()
    gateway = make_gateway(venue)
    gateway.watch(PAIRS)
    wait_until(lambda: is_fresh(gateway) and gateway.status().clock is not None)
    readers = [
        threading.Thread(target=lambda p=pair: [gateway.read_market(p) for _ in range(10)]) for pair in PAIRS
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert venue.requests["/api/v3/depth"] == 20
    assert not venue.violations


def test_the_stream_goes_through_the_same_proxy_as_rest(make_venue, make_gateway):
    gateway = make_gateway(make_venue(), proxy="http://127.0.0.1:9")  # nobody is there
    gateway.watch(PAIRS)
    wait_until(lambda: gateway.status().stream_stats and gateway.status().stream_stats.failures > 0)
    assert gateway.status().stream_stats.connections == 0
    with pytest.raises(ExchangeError):
        gateway.read_market("BTC/USDT")
