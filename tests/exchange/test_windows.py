"""The accounts of one limit, at their edges."""

import math

import pytest

from adaptive_pkg.exchange.windows import SLICES, AnyWindow, CalendarWindows, TokenBucket


def test_any_window_frees_what_left_a_window_and_the_slack_ago_and_not_a_moment_sooner():
    window = AnyWindow(60.0, slack_seconds=0.5)
    window.charge(100.0, 7)
    window.charge(101.0, 3)
    assert window.room_at(3, cap=10) == 160.5
    assert window.room_at(10, cap=10) == 161.5
    assert window.room_at(11, cap=10) == math.inf
    window.expire(160.49)
    assert window.used == 10
    window.expire(160.5)
    assert window.used == 3 and window.room_at(7, cap=10) == -math.inf


def test_requests_of_one_slice_are_freed_with_the_last_of_them():
    window = AnyWindow(60.0, slack_seconds=0.0)
    for number in range(10):
        window.charge(100.0 + number * 0.04, 1)
    assert len(window._pieces) == 1
    window.expire(160.2)
    assert window.used == 10
    window.expire(160.36)
    assert window.used == 0


def test_what_never_left_is_taken_back_where_it_was_counted():
    window = AnyWindow(60.0, slack_seconds=0.0)
    for at in (100.0, 110.0, 120.0):
        window.charge(at, 5)
    window.uncharge(110.0, 5)
    window.uncharge(50.0, 5)  # long forgotten
    assert window.used == 10
    window.expire(170.0)
    assert window.used == 5


def test_however_many_requests_only_so_many_slices_are_kept():
    window = AnyWindow(60.0, slack_seconds=0.0)
    for number in range(20_000):
        window.expire(number * 0.01)
        window.charge(number * 0.01, 1)
    assert len(window._pieces) <= SLICES + 2
    assert window.used == pytest.approx(6000, abs=60)


def test_an_answer_overtaken_by_a_later_one_says_nothing_new():
    calendar = CalendarWindows(60)
    calendar.report(5, 80)
    calendar.report(5, 70)
    assert calendar.foreign[5] == 80


def test_when_others_are_there_what_is_under_way_is_not_taken_off():
    calendar = CalendarWindows(60)
    calendar.charge(5, 5, 30)
    calendar.report(5, 30)
    assert calendar.foreign[5] == 0  # all of it may be ours
    calendar.answered(5, 10)
    calendar.report(5, 50)
    assert calendar.foreign[5] == 40


def test_the_last_full_window_decides():
    calendar = CalendarWindows(60)
    calendar.charge(5, 6, 8)
    assert calendar.full_until(5, 6, 2, own_cap=10, cap=10) is None
    assert calendar.full_until(5, 6, 3, own_cap=10, cap=10) == 6
    calendar.uncharge(6, 6, 8)
    assert calendar.full_until(5, 6, 3, own_cap=10, cap=10) == 5
    calendar.foreign[6] = 9
    assert calendar.full_until(5, 6, 2, own_cap=10, cap=10) == 6


def test_a_bucket_drained_for_later_fills_from_then_on():
    bucket = TokenBucket(10.0, 0.0, at=50.0)
    bucket.refill(40.0, rate=1.0, capacity=10.0)
    assert bucket.tokens == 0.0
    bucket.refill(53.0, rate=1.0, capacity=10.0)
    assert bucket.tokens == 3.0
    bucket.refill(99.0, rate=1.0, capacity=5.0)
    assert bucket.tokens == 5.0
