"""The numbers that breaker and gate are given: the day's result, and the market's reading."""

import math
from types import SimpleNamespace

import pytest

from adaptive_pkg.adapter.entry_guard import day_result, market_reading
from adaptive_pkg.exchange.gateway import PairMarket
from adaptive_pkg.exchange.order_book import OrderBook
from adaptive_pkg.exchange.quotes import Quote
from adaptive_pkg.settings import GateSettings

GATE = GateSettings(depth_band=0.005)
BOOK = OrderBook(bids=((99.95, 10.0), (99.0, 50.0)), asks=((100.05, 20.0), (101.0, 50.0)))


def trade(pair, amount, entry, realised=0.0):
    return SimpleNamespace(
        pair=pair, amount=amount, realized_profit=realised, calc_profit=lambda rate: amount * (rate - entry)
    )


def test_the_day_counts_closed_trades_and_open_ones_at_the_price_now():
    closed = [SimpleNamespace(close_profit_abs=-20.0), SimpleNamespace(close_profit_abs=5.0)]
    opened = [trade("BTC/USDT", 2.0, 100.0), trade("ETH/USDT", 1.0, 50.0, realised=3.0)]
    day = day_result(closed, opened, 985.0, {"BTC/USDT": 90.0, "ETH/USDT": 51.0}.__getitem__)
    assert day.realised == -15.0
    assert day.open_profit == -20.0 + 1.0 + 3.0
    assert day.first == 1000.0
    assert day.loss == pytest.approx(0.031)


def test_a_trade_without_a_price_counts_at_cost_and_one_that_has_not_filled_not_at_all():
    opened = [trade("BTC/USDT", 2.0, 100.0, realised=1.0), trade("ETH/USDT", 0.0, 50.0)]
    assert day_result([], opened, 1000.0, lambda pair: math.nan).open_profit == 1.0


def test_the_wider_spread_of_book_and_stream_counts():
    reading = market_reading(PairMarket(BOOK, Quote(99.9, 100.1, 2.0), None), GATE)
    assert reading.spread == pytest.approx(0.002)
    assert (reading.bid_depth, reading.ask_depth) == pytest.approx((999.5, 2001.0))
    assert reading.feed_age_seconds == 2.0
    assert math.isnan(reading.funding)
    tight = market_reading(PairMarket(BOOK, Quote(99.99, 100.01, 2.0), 0.0003), GATE)
    assert tight.spread == pytest.approx(0.001)
    assert tight.funding == 0.0003


@pytest.mark.parametrize(
    ("quote", "age"),
    [
        (Quote(99.95, 100.05, 500.0), 0.0),  # nothing has changed, so nothing was said
        (Quote(math.nan, math.nan, math.inf), 0.0),  # or ever: the book was read just now
        (Quote(97.0, 97.1, 500.0), 500.0),  # the price has gone on, and the stream has not said it
        (Quote(99.95, 100.05, math.inf, live=False), math.inf),
    ],
)
def test_a_feed_is_stale_when_it_is_down_or_when_the_book_contradicts_it(quote, age):
    assert market_reading(PairMarket(BOOK, quote, None), GATE).feed_age_seconds == age
