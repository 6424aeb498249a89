"""An entry goes on only into a market that is fresh, tight, deep and not leaning hard against it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import RiskError
from adaptive_pkg.exchange.order_book import OrderBook
from adaptive_pkg.exchange.quotes import Quote
from adaptive_pkg.risk.entry_gate import GateLimit, MarketReading, judge_market, market_reading
from adaptive_pkg.settings.live import GateSettings

SETTINGS = GateSettings(
    max_spread=0.001, depth_multiple=5, max_adverse_imbalance=0.5, max_feed_age_seconds=10, max_funding=0.0005
)
GOOD = MarketReading(feed_age_seconds=1.0, spread=0.0005, bid_depth=10_000, ask_depth=10_000)


def limit(reading, side="long", notional=1000.0):
    verdict = judge_market(reading, side, notional, SETTINGS)
    assert verdict.allowed == (verdict.limit is GateLimit.NONE)
    return verdict.limit


def test_a_fresh_tight_and_deep_market_lets_the_entry_on():
    assert limit(GOOD) is GateLimit.NONE
    assert limit(GOOD, "short") is GateLimit.NONE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"feed_age_seconds": 10.5}, GateLimit.FEED),
        ({"feed_age_seconds": math.inf}, GateLimit.FEED),
        ({"feed_age_seconds": math.nan}, GateLimit.FEED),
        ({"spread": 0.0011}, GateLimit.SPREAD),
        ({"spread": math.nan}, GateLimit.SPREAD),
        ({"ask_depth": 4999.0}, GateLimit.DEPTH),
        ({"bid_depth": 4999.0}, GateLimit.DEPTH),  # the stop has to get out
        ({"bid_depth": 0.0, "ask_depth": 0.0}, GateLimit.DEPTH),
        ({"ask_depth": 31_000.0}, GateLimit.IMBALANCE),
        ({"funding": 0.0006}, GateLimit.FUNDING),
    ],
)
def test_each_limit_refuses_a_long(change, expected):
    assert limit(replace(GOOD, **change)) is expected


def test_what_leans_against_a_long_helps_a_short():
    assert limit(replace(GOOD, ask_depth=31_000.0), "short") is GateLimit.NONE
    assert limit(replace(GOOD, bid_depth=31_000.0), "short") is GateLimit.IMBALANCE
    assert limit(replace(GOOD, funding=0.01), "short") is GateLimit.NONE
    assert limit(replace(GOOD, funding=-0.0006), "short") is GateLimit.FUNDING


def test_a_reason_names_the_number_and_its_limit():
    assert judge_market(replace(GOOD, spread=0.002), "long", 1.0, SETTINGS).reason == (
        "spread 0.200% is wider than 0.100%"
    )
    stale = judge_market(replace(GOOD, feed_age_seconds=42.0), "long", 1.0, SETTINGS)
    assert stale.reason == "bid and ask are 42 s old (limit 10 s)"
    assert judge_market(replace(GOOD, feed_age_seconds=10.0), "long", 1.0, SETTINGS).allowed


@pytest.mark.parametrize(("side", "notional"), [("up", 1.0), ("long", math.nan), ("long", -1.0)])
def test_nonsense_raises_so_that_the_caller_refuses(side, notional):
    with pytest.raises(RiskError):
        judge_market(GOOD, side, notional, SETTINGS)


amounts = st.floats(0, 1e9)


@given(
    st.builds(MarketReading, st.floats(0, 100), st.floats(0, 0.01), amounts, amounts),
    st.floats(0, 1e6),
    st.floats(1, 10),
    st.sampled_from(["long", "short"]),
)
def test_a_larger_position_is_never_let_on_where_a_smaller_one_is_refused(reading, notional, factor, side):
    small = judge_market(reading, side, notional, SETTINGS)
    large = judge_market(reading, side, notional * factor, SETTINGS)
    assert small.allowed or not large.allowed


GATE = GateSettings(depth_band=0.005)
BOOK = OrderBook(bids=((99.95, 10.0), (99.0, 50.0)), asks=((100.05, 20.0), (101.0, 50.0)))


def test_the_wider_spread_of_book_and_stream_counts():
    reading = market_reading(BOOK, Quote(99.9, 100.1, 2.0), None, GATE)
    assert reading.spread == pytest.approx(0.002)
    assert (reading.bid_depth, reading.ask_depth) == pytest.approx((999.5, 2001.0))
    assert reading.feed_age_seconds == 2.0
    assert math.isnan(reading.funding)
    tight = market_reading(BOOK, Quote(99.99, 100.01, 2.0), 0.0003, GATE)
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
    assert market_reading(BOOK, quote, None, GATE).feed_age_seconds == age
