"""The venue's messages as values."""

import json

import pytest

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.events import (
    Answer,
    EventKind,
    ServerShutdown,
    candle_events,
    key_step,
    parse_message,
    trade_events,
)

CANDLE = {
    "e": "kline",
    "E": 1_700_000_061_000,
    "s": "BTCUSDT",
    "k": {"t": 1_700_000_000_000, "T": 1_700_000_059_999, "s": "BTCUSDT", "i": "1m", "x": True, "c": "7"},
}


def test_candles_come_bare_or_wrapped_with_their_stream():
    bare = parse_message(json.dumps(CANDLE))
    wrapped = parse_message(json.dumps({"stream": "btcusdt@kline_1m", "data": CANDLE}).encode())
    assert bare == wrapped
    assert (bare.kind, bare.key, bare.final) == (EventKind.CANDLE, 1_700_000_000_000, True)
    assert bare.data["c"] == "7"


def test_trades_best_prices_and_the_users_own_events():
    trade = parse_message('{"e":"aggTrade","E":5,"s":"ETHUSDT","a":26129,"p":"0.01"}')
    assert (trade.stream, trade.kind, trade.key) == ("ethusdt@aggTrade", EventKind.TRADE, 26129)
    book = parse_message('{"u":400900217,"s":"BNBUSDT","b":"25.3","B":"31","a":"25.4","A":"40"}')
    assert (book.stream, book.kind, book.key) == ("bnbusdt@bookTicker", EventKind.BOOK, 400900217)
    own = parse_message('{"e":"executionReport","E":9,"s":"ETHBTC","I":3}')
    assert (own.kind, own.at_ms) == (EventKind.OTHER, 9)


def test_answers_and_shutdown():
    assert parse_message('{"result":null,"id":3}') == Answer(3, None)
    refused = parse_message('{"error":{"code":2,"msg":"Invalid request"},"id":4}')
    assert refused.request_id == 4 and "Invalid request" in refused.error
    assert parse_message('{"e":"serverShutdown","E":1}') == ServerShutdown()


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"e":"kline","E":1}', "[1,2]", "17", '{"stream":"x"}', b"\xff\xfe", '{"id":"x","result":1}'],
)
def test_what_cannot_be_read_is_an_error_that_shows_it(text):
    with pytest.raises(ExchangeError, match="cannot be read"):
        parse_message(text)


def test_rests_rows_look_like_the_streams_messages():
    rows = [[60_000, "1", "2", "0.5", "1.5", "10", 119_999, "15", 3, "5", "7", "0"], [120_000] * 7]
    events = candle_events("btcusdt@kline_1m", rows, venue_ms=120_000)
    assert len(events) == 1  # the second has not closed yet
    event = events[0]
    assert (event.key, event.final, event.backfilled) == (60_000, True, True)
    assert event.data["h"] == "2" and event.data["i"] == "1m" and event.data["s"] == "BTCUSDT"
    trade = trade_events("btcusdt@aggTrade", [{"a": 8, "p": "1", "q": "2", "T": 77, "m": True}])[0]
    assert (trade.key, trade.at_ms, trade.data["s"]) == (8, 77, "BTCUSDT")


def test_how_far_neighbours_are_apart():
    assert key_step("btcusdt@kline_1s") == 1000
    assert key_step("btcusdt@kline_15m") == 900_000
    assert key_step("btcusdt@kline_1d@+08:00") == 86_400_000
    assert key_step("btcusdt@aggTrade") == 1
    assert key_step("btcusdt@bookTicker") is None
    with pytest.raises(ExchangeError, match="no fixed length"):
        key_step("btcusdt@kline_1M")
