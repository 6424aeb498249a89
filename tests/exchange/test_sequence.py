"""Gaps, doubles and late messages: whatever the network does, every candle once and in order."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.exchange.events import Event, EventKind
from adaptive_pkg.exchange.sequence import Gap, NeighbourSequence, NewestOnly, SeenOnce

STREAM, STEP = "btcusdt@kline_1m", 60_000


def candle(number, final=True, at=None):
    at_ms = number * STEP + (STEP if at is None else at)
    return Event(STREAM, EventKind.CANDLE, number * STEP, final, at_ms, {})


def sequence(last=0):
    order = NeighbourSequence(STREAM, STEP)
    order.resume(last * STEP)
    return order


def numbers(events):
    return [event.key // STEP for event in events]


def test_neighbours_pass_and_doubles_do_not():
    order = sequence()
    assert numbers(order.offer(candle(1))) == [1]
    assert order.offer(candle(1)) == []
    assert numbers(order.offer(candle(2))) == [2]
    assert order.duplicates == 1 and order.gap() is None


def test_what_comes_after_a_hole_waits_until_it_is_filled():
    order = sequence()
    assert order.offer(candle(3)) == []
    assert order.gap() == Gap(STREAM, 1 * STEP, 3 * STEP, STEP)
    assert order.gap().count == 3
    assert numbers(order.fill([candle(1), candle(2), candle(3)])) == [1, 2, 3]
    assert order.gap() is None and order.absent == 0


def test_a_late_message_fills_the_hole_itself():
    order = sequence()
    order.offer(candle(3))
    order.offer(candle(2))
    assert numbers(order.offer(candle(1))) == [1, 2, 3]
    assert order.gap() is None
    assert order.fill([candle(1), candle(2)]) == []  # REST's answer comes too late


def test_the_first_message_is_where_the_stream_begins():
    order = NeighbourSequence(STREAM, STEP)
    assert order.gap() is None
    assert numbers(order.offer(candle(7, final=False, at=10))) == [7]
    assert numbers(order.offer(candle(7))) == [7]


def test_a_candle_under_way_shows_that_the_one_before_it_closed():
    order = sequence(last=4)
    assert order.offer(candle(7, final=False, at=5)) == []
    assert order.gap() == Gap(STREAM, 5 * STEP, 6 * STEP, STEP)
    assert numbers(order.fill([candle(5), candle(6)])) == [5, 6]
    assert numbers(order.offer(candle(7, final=False, at=9))) == [7]


def test_of_a_candle_under_way_only_newer_states_pass():
    order = sequence()
    assert order.offer(candle(1, final=False, at=100))
    assert not order.offer(candle(1, final=False, at=100))
    assert not order.offer(candle(1, final=False, at=50))
    assert order.offer(candle(1, final=False, at=200))
    assert order.offer(candle(1))
    assert not order.offer(candle(1, final=False, at=300))
    assert order.late == 2 and order.duplicates == 1


def test_a_hole_at_the_venue_is_believed_only_when_a_newer_candle_proves_it():
    order = sequence()
    order.offer(candle(5))
    assert order.fill([]) == []
    assert numbers(order.fill([candle(1)])) == [1]
    assert order.gap().first == 2 * STEP
    assert numbers(order.fill([candle(4), candle(5)])) == [4, 5]
    assert order.absent == 2 and order.gap() is None


def test_no_more_passes_than_there_is_room_for():
    order = sequence()
    assert order.offer(candle(1), room=0) == []
    for number in (3, 4, 5):
        order.offer(candle(number), room=9)
    assert numbers(order.fill([candle(1), candle(2), candle(3)], room=2)) == [1, 2]
    assert order.gap() == Gap(STREAM, 3 * STEP, 5 * STEP, STEP)
    assert numbers(order.fill([candle(3)], room=9)) == [3, 4, 5]


@given(st.data())
def test_every_candle_passes_once_and_in_order_whatever_is_lost_doubled_or_swapped(data):
    count = data.draw(st.integers(2, 40))
    absent = data.draw(st.sets(st.integers(2, max(count - 1, 2)), max_size=5))
    absent -= {count}
    truth = [number for number in range(1, count + 1) if number not in absent]
    sent = []
    for number in truth:
        sent.append(candle(number, final=False, at=data.draw(st.integers(0, STEP - 1))))
        sent.extend([candle(number)] * data.draw(st.integers(0, 3)))
    swaps = data.draw(st.lists(st.integers(0, max(len(sent) - 2, 0)), max_size=30))
    for at in swaps:
        if at + 1 < len(sent):
            sent[at], sent[at + 1] = sent[at + 1], sent[at]
    order, passed = sequence(), []

    def repair():
        while (gap := order.gap()) is not None:
            asked = range(gap.first // STEP, gap.last // STEP + 1)
            if data.draw(st.booleans(), label="REST answers"):
                rows = [candle(number) for number in asked if number in truth]
                rows = rows[: data.draw(st.integers(1, 5))]
                room = data.draw(st.integers(1, 9))
                before = order.last
                passed.extend(order.fill([replace(row, backfilled=True) for row in rows], room))
                if order.last == before:
                    return
            else:
                return

    for event in sent:
        passed.extend(order.offer(event, room=data.draw(st.sampled_from([0, 1, 99]))))
        repair()
    order.reveal(count * STEP)
    for _ in range(count + 5):
        if (gap := order.gap()) is None:
            break
        asked = range(gap.first // STEP, gap.last // STEP + 1)
        passed.extend(order.fill([candle(number) for number in asked if number in truth]))
    closed = [event for event in passed if event.final]
    assert numbers(closed) == truth
    # and no state of a candle comes after its close
    seen = 0
    for event in passed:
        assert event.key // STEP > seen
        if event.final:
            seen = event.key // STEP


def test_best_prices_only_move_forward():
    newest = NewestOnly()
    ids = [5, 6, 6, 4, 9, 8, 10]
    events = [Event("x@bookTicker", EventKind.BOOK, key, True, 0, {}) for key in ids]
    assert [event.key for event in events if newest.offer(event)] == [5, 6, 9, 10]
    assert newest.duplicates == 3


def test_other_messages_pass_once_as_far_back_as_is_remembered():
    seen = SeenOnce(remembered=3)

    def report(number):
        return Event("user", EventKind.OTHER, 0, True, 1, {"e": "executionReport", "I": number})

    assert [seen.offer(report(number)) for number in (1, 1, 2, 3, 2, 4, 5)] == [
        *(True, False, True, True, False, True, True)
    ]
    assert len(seen._seen) == 3
