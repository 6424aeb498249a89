"""Where the added calls go, and what they cost: our table beside the venue's own."""

import pytest

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.endpoints import bid_ask_stream, binance_endpoints
from adaptive_pkg.simulator.weights import weight_of

SPOT = binance_endpoints("https://api.example/api/v3", "wss://stream.example:9443/ws", perpetual=False)
FUTURES = binance_endpoints("https://fapi.example/fapi/v1/", "wss://fstream.example/ws", perpetual=True)


def test_combined_streams_are_beside_the_raw_ones():
    assert SPOT.stream == "wss://stream.example:9443/stream"
    assert FUTURES.rest == "https://fapi.example/fapi/v1"
    assert FUTURES.stream == "wss://fstream.example/public/stream"
    assert bid_ask_stream("BTCUSDT") == "btcusdt@bookTicker"


@pytest.mark.parametrize("levels", [5, 100, 101, 500, 1000])
def test_a_spot_book_costs_what_the_venue_counts(levels):
    limit, weight = SPOT.book_request(levels)
    assert limit == levels
    assert weight == weight_of("GET", "/api/v3/depth", {"limit": str(limit)})


def test_spot_information_costs_what_the_venue_counts():
    assert SPOT.info_weight == weight_of("GET", "/api/v3/exchangeInfo", {})


def test_futures_take_only_some_numbers_of_levels():
    assert FUTURES.book_request(100) == (100, 5)
    assert FUTURES.book_request(101) == (500, 10)


def test_no_book_is_deeper_than_a_thousand_levels():
    with pytest.raises(ExchangeError, match="at most 1000"):
        SPOT.book_request(1001)
