"""Every REST fault, as the real ccxt sees it."""

import time

import ccxt
import pytest
import requests

from adaptive_pkg.simulator.faults import Fault, FaultKind, FaultPlan
from adaptive_pkg.simulator.limits import LimitPlan

from .conftest import KEY

PAIR = "BTC/USDT"
BOOK, ORDER = "GET /api/v3/depth", "POST /api/v3/order"


@pytest.fixture
def venue(make_venue):
    return make_venue(limits=LimitPlan())


@pytest.fixture
def client(venue, make_client):
    client = make_client(venue, timeout=400)
    client.load_markets()
    return client


def test_latency_is_waited_for_and_a_long_one_times_out(venue, client):
    fault = venue.chaos.add(Fault(FaultKind.LATENCY, BOOK, seconds=0.15))
    began = time.perf_counter()
    client.fetch_order_book(PAIR)
    assert time.perf_counter() - began >= 0.15
    client.fetch_ticker(PAIR)  # elsewhere nothing is wrong
    venue.chaos.remove(fault)
    venue.chaos.add(Fault(FaultKind.LATENCY, BOOK, seconds=5))
    with pytest.raises(ccxt.RequestTimeout):
        client.fetch_order_book(PAIR)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.RESET, BOOK), ccxt.NetworkError),
        (Fault(FaultKind.STALL, BOOK), ccxt.RequestTimeout),
        (Fault(FaultKind.STALL, BOOK, seconds=0.1), ccxt.NetworkError),
        (Fault(FaultKind.STATUS, BOOK, status=503), ccxt.ExchangeNotAvailable),
        (Fault(FaultKind.STATUS, BOOK, status=500), ccxt.ExchangeNotAvailable),
        (Fault(FaultKind.STATUS, BOOK, status=504), ccxt.NetworkError),
        (Fault(FaultKind.TOO_MANY, BOOK, seconds=7), ccxt.DDoSProtection),
        (Fault(FaultKind.BAN, BOOK, seconds=7), ccxt.DDoSProtection),
    ],
)
def test_a_failing_answer_is_the_clients_own_error_and_the_next_one_is_well(
    venue, client, clock, fault, error
):
    number = venue.chaos.add(fault)
    with pytest.raises(error):
        client.fetch_order_book(PAIR)
    if fault.kind in (FaultKind.TOO_MANY, FaultKind.BAN):
        assert client.last_response_headers["Retry-After"] == "7"
    venue.chaos.remove(number)
    assert venue.chaos.struck[fault.kind] == 1
    clock.tick(8)
    assert client.fetch_order_book(PAIR)["bids"]
    assert not venue.violations


def test_half_an_answer_is_broken_json(venue, client):
    venue.chaos.add(Fault(FaultKind.MALFORMED, "GET /api/v3/*"))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        requests.get(f"{venue.url}/api/v3/depth?symbol=BTCUSDT", timeout=2).json()
    # ccxt takes it for text, and a book without a side is what comes of it: whoever reads one has to look
    assert client.fetch_order_book(PAIR)["bids"] == []


def test_whoever_goes_on_during_an_injected_ban_is_counted(venue, client, clock):
    number = venue.chaos.add(Fault(FaultKind.BAN, BOOK, seconds=30))
    with pytest.raises(ccxt.DDoSProtection):
        client.fetch_order_book(PAIR)
    venue.chaos.remove(number)
    clock.tick(29)
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        client.fetch_ticker(PAIR)
    assert venue.violations == {"banned": 1}
    clock.tick(2)
    assert client.fetch_ticker(PAIR)["last"]


def test_slow_bytes_arrive_whole_or_not_in_time(venue, client):
    number = venue.chaos.add(Fault(FaultKind.SLOW, BOOK, bytes_per_second=40_000))
    assert len(client.fetch_order_book(PAIR)["bids"]) == 100
    venue.chaos.remove(number)
    venue.chaos.add(Fault(FaultKind.SLOW, "GET /api/v3/time", bytes_per_second=40))
    assert client.fetch_time()  # 28 bytes: under way all the time, so no read times out
    assert venue.chaos.struck[FaultKind.SLOW] == 2


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.STATUS])
def test_an_order_whose_answer_is_lost_may_exist_all_the_same(venue, client, kind, after):
    number = venue.chaos.add(Fault(kind, ORDER, status=504, after=after))
    with pytest.raises(ccxt.NetworkError):
        client.create_order(PAIR, "market", "buy", 1, None, {"clientOrderId": "mine"})
    venue.chaos.remove(number)
    assert len(client.fetch_orders(PAIR)) == len(venue.desk(KEY).matching.orders) == int(after)


def test_a_clock_that_is_off_turns_signed_requests_away_until_it_is_measured(venue, client):
    venue.chaos.add(Fault(FaultKind.CLOCK_SKEW, seconds=-90))
    with pytest.raises(ccxt.InvalidNonce, match="ahead of the server's time"):
        client.fetch_balance()
    assert client.load_time_difference() == 90_000
    assert client.fetch_balance()["free"]


def test_a_storm_of_everything_by_chance_is_the_same_storm_every_time(make_venue, make_client):
    plan = FaultPlan(
        (Fault(FaultKind.STATUS, BOOK, chance=0.3), Fault(FaultKind.RESET, BOOK, chance=0.3)), seed=4
    )

    def outcomes():
        client, found = make_client(make_venue(faults=plan)), ""
        client.load_markets()
        for _ in range(30):
            try:
                client.fetch_order_book(PAIR)
                found += "."
            except ccxt.ExchangeNotAvailable as error:
                found += "5" if "503" in str(error) else "R"
            except ccxt.NetworkError:
                found += "R"
        return found

    first = outcomes()
    assert first == outcomes()
    assert set(first) == {".", "5", "R"}


def test_a_restart_closes_the_port_and_keeps_the_orders(venue, client, clock):
    client.create_order(PAIR, "limit", "buy", 1, 50.0)
    venue.chaos.add(Fault(FaultKind.RESTART, start=10, end=40))
    clock.tick(15)
    failed = 0
    deadline = time.monotonic() + 5
    while not failed and time.monotonic() < deadline:  # the port closes at the venue's next look
        try:
            client.fetch_time()
        except ccxt.NetworkError:
            failed += 1
    with pytest.raises(ccxt.NetworkError):
        client.fetch_time()
    clock.tick(30)
    while time.monotonic() < deadline:
        try:
            assert len(client.fetch_open_orders(PAIR)) == 1
            break
        except ccxt.NetworkError:
            time.sleep(0.01)
    assert failed and venue.chaos.struck[FaultKind.RESTART] == 1
