"""All streams of a connection: what passes, which gaps are filled, and when."""

import math

import pytest

from adaptive_pkg.exchange.events import Event, EventKind
from adaptive_pkg.exchange.feed import CLOCK_MARGIN_MS, Feed
from adaptive_pkg.settings.exchange import StreamSettings

BTC, ETH, TRADES = "btcusdt@kline_1m", "ethusdt@kline_1m", "btcusdt@aggTrade"
STEP = 60_000


def candle(number, stream=BTC):
    return Event(stream, EventKind.CANDLE, number * STEP, True, number * STEP + STEP, {})


def trade(number):
    return Event(TRADES, EventKind.TRADE, number, True, number, {})


@pytest.fixture
def feed():
    feed = Feed(StreamSettings(reorder_seconds=0.5, backfill_retry_seconds=1.0, backfill_top_seconds=4.0))
    feed.watch(BTC, resume=0)
    return feed


def test_a_gap_is_given_time_to_close_itself(feed):
    assert feed.offer(candle(2), 10.0, room=9) == []
    assert feed.due(10.4, 9, 4) == [] and feed.next_due() == 10.5
    assert [event.key // STEP for event in feed.offer(candle(1), 10.4, room=9)] == [1, 2]
    assert feed.next_due() == math.inf and feed.open_gaps == []
    assert (feed.gaps_found, feed.gaps_filled) == (1, 1)


def test_a_gap_is_asked_for_once_at_a_time_and_more_slowly_after_failures(feed):
    feed.offer(candle(3), 0.0, room=9)
    pauses, now = [], 0.5
    for _ in range(4):
        (gap,) = feed.due(now, 9, 4)
        assert (gap.first, gap.last) == (STEP, 3 * STEP)
        assert feed.due(now, 9, 4) == []
        feed.failed(gap, now)
        pauses.append(feed.next_due() - now)
        now = feed.next_due()
    assert pauses == [1.0, 2.0, 4.0, 4.0]
    feed.reconnected(now, 0)  # REST may be back as well
    assert feed.next_due() == now


def test_an_answer_with_nothing_new_is_a_failure(feed):
    feed.offer(candle(3), 0.0, room=9)
    (gap,) = feed.due(1.0, 9, 4)
    assert feed.fill(gap, [], 1.0, room=9) == []
    assert feed.next_due() == 2.0


def test_no_more_is_asked_for_than_there_is_room_for(feed):
    feed.offer(candle(100), 0.0, room=9)
    assert feed.due(1.0, 0, 4) == [] and feed.due(1.0, 9, 0) == []
    (gap,) = feed.due(1.0, 9, 4)
    assert (gap.count, gap.limit) == (100, 9)
    rows = [candle(number) for number in range(1, 10)]
    assert len(feed.fill(gap, rows, 2.0, room=9)) == 9
    assert feed.next_due() == 2.0  # the rest at once


def test_a_new_connection_asks_for_every_candle_that_must_have_closed(feed):
    feed.watch(ETH, resume=5 * STEP)
    feed.watch(TRADES, resume=77)
    feed.reconnected(0.0, 5 * STEP + CLOCK_MARGIN_MS + 1)
    (gap,) = feed.due(0.0, 99, 4)
    assert (gap.stream, gap.first, gap.last) == (BTC, STEP, 4 * STEP)


def test_a_candle_that_closed_a_moment_ago_is_not_asked_for_by_the_clock_alone(feed):
    feed.reconnected(0.0, 2 * STEP + CLOCK_MARGIN_MS - 1)
    assert feed.open_gaps == []


def test_missing_trades_are_found_by_their_ids():
    feed = Feed(StreamSettings(reorder_seconds=0.0))
    assert feed.offer(trade(10), 0.0, room=9)
    assert feed.offer(trade(14), 0.0, room=9) == []
    (gap,) = feed.due(0.0, 9, 4)
    assert (gap.first, gap.last, gap.step) == (11, 14, 1)
    passed = feed.fill(gap, [trade(number) for number in range(11, 15)], 0.1, room=9)
    assert [event.key for event in passed] == [11, 12, 13, 14]


def test_a_forgotten_stream_is_asked_for_no_more(feed):
    feed.offer(candle(3), 0.0, room=9)
    (gap,) = feed.due(1.0, 9, 4)
    feed.forget(BTC)
    assert feed.fill(gap, [candle(1)], 1.0, room=9) == []
    feed.failed(gap, 1.0)
    assert feed.next_due() == math.inf
    assert feed.offer(candle(1), 2.0, room=9) == [] and feed.open_gaps == []  # was still under way
    feed.watch(BTC)
    assert len(feed.offer(candle(7), 3.0, room=9)) == 1


def test_a_stream_that_falls_silent_while_others_speak_is_caught_up(feed):
    feed.watch(ETH, resume=0)
    for number in range(1, 4):
        feed.offer(candle(number, ETH), number * 60.0, room=9)
    silence_ms = round(StreamSettings().silence_seconds * 1000)
    feed.look(200.0, 4 * STEP + silence_ms - 1)
    (gap,) = feed.due(200.0, 9, 4)  # at once: it has been missing for long enough
    assert (gap.stream, gap.first, gap.last) == (BTC, STEP, 2 * STEP)
    feed.failed(gap, 200.0)
    feed.look(201.0, 4 * STEP + silence_ms)
    assert feed.next_due() == 201.0  # after the pause, not at once again
    assert [gap.last for gap in feed.open_gaps] == [3 * STEP]
    trades = Feed(StreamSettings())
    trades.watch(TRADES, resume=5)
    trades.look(0.0, 10**15)
    assert not trades.has_gaps  # no clock tells that there was a trade
