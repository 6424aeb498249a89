"""The newest bid and ask of each symbol."""

import math

from adaptive_pkg.exchange.events import parse_message
from adaptive_pkg.exchange.quotes import Quotes


def ticker(bid, ask):
    return parse_message(f'{{"u":1,"s":"BTCUSDT","b":"{bid}","B":"1","a":"{ask}","A":"1"}}')


def test_the_newest_counts_and_ages():
    quotes = Quotes()
    quotes.put(ticker(99, 101), now=10.0)
    quotes.put(ticker(100, 101), now=12.0)
    quote = quotes.get("BTCUSDT", 15.0, live=True)
    assert (quote.bid, quote.ask, quote.age_seconds) == (100.0, 101.0, 3.0)
    assert quote.middle == 100.5
    assert math.isclose(quote.spread, 1 / 100.5)


def test_a_stream_that_is_down_makes_every_quote_old():
    quotes = Quotes()
    quotes.put(ticker(99, 101), now=10.0)
    assert quotes.get("BTCUSDT", 10.0, live=False).age_seconds == math.inf


def test_a_symbol_nobody_spoke_of_has_no_quote():
    quote = Quotes().get("ETHUSDT", 1.0, live=True)
    assert math.isnan(quote.middle)
    assert quote.age_seconds == math.inf


def test_an_unusable_message_does_not_freshen_the_quote_before_it(caplog):
    quotes = Quotes()
    quotes.put(ticker(99, 101), now=10.0)
    quotes.put(ticker(102, 101), now=20.0)  # crossed
    quotes.put(ticker("much", 101), now=20.0)
    assert quotes.get("BTCUSDT", 20.0, live=True).age_seconds == 10.0
    assert "unreadable" in caplog.text
