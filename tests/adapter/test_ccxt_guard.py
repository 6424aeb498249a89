"""A guarded ccxt client: it fails at once while its venue wants quiet, and in no other way than before."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import ccxt
import ccxt.pro
import pytest
from requests.exceptions import HTTPError

from adaptive_pkg.adapter.ccxt_guard import guard_client, guard_exchange
from adaptive_pkg.exchange.holds import HostHolds

TIME = "https://api.binance.com/api/v3/time"


class Session:
    """Answers as told, in place of the network."""

    def __init__(self, *answers):
        self.answers, self.asked, self.headers = list(answers), [], {}
        self.cookies = SimpleNamespace(clear=lambda: None)

    def request(self, method, url, **_):
        self.asked.append(url)
        status, headers, text = self.answers.pop(0)

        def raise_for_status():
            if status >= 400:
                raise HTTPError(str(status))

        return SimpleNamespace(
            status_code=status,
            reason="",
            headers=headers,
            text=text,
            content=text.encode(),
            raise_for_status=raise_for_status,
        )


@pytest.fixture
def hands():
    return SimpleNamespace(now=100.0)


@pytest.fixture
def holds(hands):
    return HostHolds(120.0, lambda: hands.now, lambda: 1_700_000_000.0 + hands.now, {})


def client(holds, *answers, kind=ccxt.binance):
    made = kind({"enableRateLimit": False})
    made.session = Session(*answers)
    assert guard_client(made, holds)
    return made


GOOD = (200, {}, '{"serverTime": 5}')


def test_after_a_429_nothing_leaves_until_its_retry_after_is_over(hands, holds, caplog):
    binance = client(holds, GOOD, (429, {"Retry-After": "30"}, '{"code": -1003}'), GOOD)
    assert binance.fetch_time() == 5
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        binance.fetch_time()
    assert "nothing is sent to api.binance.com before 2023-11-14 22:15:30 UTC" in caplog.text
    for hands.now in (100.0, 115.0, 129.9):
        with pytest.raises(ccxt.DDoSProtection, match="nothing is sent"):
            binance.fetch_time()
    assert len(binance.session.asked) == 2
    hands.now = 130.0
    assert binance.fetch_time() == 5


def test_of_other_failures_it_learns_nothing(holds):
    binance = client(holds, (503, {"Retry-After": "30"}, "<html>"), GOOD)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        binance.fetch_time()
    assert binance.fetch_time() == 5


def test_a_venue_that_counts_otherwise_and_does_not_say_how_long_is_left_to_freqtrade(holds):
    kraken = client(holds, (429, {}, "{}"), kind=ccxt.kraken)
    with pytest.raises(ccxt.RateLimitExceeded):
        kraken.fetch_time()
    assert holds.held(kraken.session.asked[0]) is None


ORDERS = '{"error": [], "result": {"txid": ["O1"]}}'


def test_elsewhere_than_at_binance_refused_candles_hold_reads_and_no_order(holds):
    kraken = client(holds, (429, {"Retry-After": "30"}, "{}"), (200, {}, ORDERS), kind=ccxt.kraken)
    with pytest.raises(ccxt.RateLimitExceeded):
        kraken.fetch(kraken.urls["api"]["public"] + "/0/public/OHLC")
    with pytest.raises(ccxt.DDoSProtection, match="no GET is sent to api"):
        kraken.fetch_time()
    url = kraken.urls["api"]["private"] + "/0/private/AddOrder"
    assert kraken.fetch(url, "POST", {}, "")["result"]["txid"] == ["O1"]
    assert kraken.session.asked[-1] == url


def test_at_binance_refused_candles_hold_orders_too(holds):
    binance = client(holds, (429, {"Retry-After": "30"}, "{}"))
    with pytest.raises(ccxt.DDoSProtection):
        binance.fetch_time()
    for method in ("POST", "DELETE"):
        with pytest.raises(ccxt.DDoSProtection, match="nothing is sent"):
            binance.fetch(TIME.replace("time", "order"), method, {}, "")


@pytest.mark.parametrize(("status", "longest"), [(429, 600.0), (418, 3 * 86400.0)])
def test_an_absurd_retry_after_raises_ccxts_error_and_is_kept_no_longer_than_the_longest(
    hands, holds, status, longest
):
    binance = client(holds, (status, {"Retry-After": "999999999999"}, "{}"), GOOD)
    for _ in range(2):
        with pytest.raises(ccxt.DDoSProtection):
            binance.fetch_time()
    hands.now += longest - 1.0
    with pytest.raises(ccxt.DDoSProtection, match="nothing is sent"):
        binance.fetch_time()
    hands.now += 1.0
    assert binance.fetch_time() == 5


def test_what_one_client_was_told_the_others_keep(hands, holds):
    first, second = client(holds, (418, {}, "{}")), client(holds)
    with pytest.raises(ccxt.DDoSProtection):
        first.fetch_time()
    with pytest.raises(ccxt.DDoSProtection, match="answered 418"):
        second.fetch_time()
    assert second.session.asked == []


def test_a_stream_is_not_dialled_while_its_host_wants_quiet_and_one_that_is_up_goes_on(holds):
    async def scenario():
        pro = ccxt.pro.binance({"enableRateLimit": False})
        assert guard_client(pro, holds)
        pro.clients = {"wss://api.binance.com/up": "the connection"}
        holds.refused(TIME, 429, {"Retry-After": "30"})
        assert pro.client("wss://api.binance.com/up") == "the connection"
        with pytest.raises(ccxt.DDoSProtection, match="nothing is sent"):
            pro.client("wss://api.binance.com/down")
        pro.clients = {}
        await pro.close()

    asyncio.run(scenario())


def test_every_client_freqtrade_may_have_is_guarded_once(holds):
    exchange = SimpleNamespace(_api=ccxt.binance(), _api_async=ccxt.pro.binance(), _ws_async=None)
    assert guard_exchange(exchange, holds) == 2
    fetch = exchange._api.fetch
    assert guard_exchange(exchange, holds) == 2
    assert exchange._api.fetch is fetch


class Strange:
    id = "strange"

    def fetch(self, request):
        return request

    def on_rest_response(self, code, reason, url, method, response_headers, response_body):
        return response_body


@pytest.mark.parametrize("made", [Strange(), SimpleNamespace(), object()])
def test_a_client_of_another_make_is_left_as_it_is_with_a_warning(holds, caplog, made):
    assert not guard_client(made, holds)
    assert "whatever Retry-After says" in caplog.text
    if isinstance(made, Strange):
        assert made.fetch(3) == 3 and vars(made) == {}


def test_an_exchange_without_clients_is_no_error(holds, caplog):
    assert guard_exchange(None, holds) == 0
    assert "no ccxt client" in caplog.text


class Unsayable:
    @property
    def text(self):
        raise ValueError("year 33715 is out of range")


@pytest.mark.parametrize("where", ["held", "text"])
def test_a_defect_of_the_guard_stops_no_request(where, caplog):
    class Broken:
        def held(self, *_):
            if where == "text":
                return Unsayable()
            raise ValueError("held")

        def refused(self, *_, **__):
            raise ValueError("refused")

    with caplog.at_level(logging.ERROR):
        assert client(Broken(), GOOD).fetch_time() == 5
    assert "could not be read" in caplog.text and "it is" in caplog.text
