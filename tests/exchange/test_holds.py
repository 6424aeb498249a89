"""One address, one ban: what one client was told holds for all of this process, and for no longer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.exchange.budget import WaitReason
from adaptive_pkg.exchange.holds import HostHolds
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter, Clock

URL, OTHER = "https://api.example.com/api/v3/klines?symbol=A", "https://fapi.example.com/fapi/v1/time"
ORDER = "https://api.example.com/api/v3/order"
WALL = 1_700_000_000.0  # 20 s into a minute of the clock


class Hands:
    """Clocks that are moved by hand; one that counts from 0, and the epoch's."""

    now = 0.0

    def monotonic(self):
        return self.now

    def wall(self):
        return WALL + self.now


@pytest.fixture
def hands():
    return Hands()


def holds_of(hands, known=None):
    return HostHolds(120.0, hands.monotonic, hands.wall, {} if known is None else known)


def seconds(holds, hands, url=URL, method="GET"):
    hold = holds.held(url, method)
    return 0.0 if hold is None else hold.until - hands.now


@pytest.mark.parametrize("status", [429, 418])
def test_nothing_is_sent_until_the_retry_after_is_over(hands, status):
    holds = holds_of(hands)
    assert holds.refused(URL, status, {"retry-after": "30"})
    hands.now = 29.999
    assert f"answered {status}" in holds.held(ORDER, "POST").text
    assert holds.held(OTHER) is None, "another host has said nothing"
    hands.now = 30.0
    assert holds.held(URL) is None


@given(st.lists(st.integers(0, 600), min_size=1, max_size=6))
def test_of_several_refusals_the_longest_holds(pauses):
    hands = Hands()
    holds = holds_of(hands)
    for pause in pauses:
        holds.refused(URL, 429, {"Retry-After": str(pause)})
    assert seconds(holds, hands) == max(pauses)


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (418, {}, "", 120.0),
        (429, {}, "", 40.0),  # to the end of the clock's minute
        (429, {"Retry-After": "soon"}, "", 40.0),
        (418, {}, f"IP banned until {round((WALL + 500) * 1000)}.", 500.0),
        (418, {"Retry-After": "5"}, f"IP banned until {round((WALL + 500) * 1000)}.", 500.0),
        (429, {"Retry-After": "0"}, "", 0.0),
        (200, {"Retry-After": "30"}, "", 0.0),
        (503, {"Retry-After": "30"}, "", 0.0),
    ],
)
def test_what_a_refusal_without_a_usable_header_means(hands, status, headers, body, expected):
    holds = holds_of(hands)
    holds.refused(URL, status, headers, body)
    assert seconds(holds, hands) == pytest.approx(expected)


def test_where_windows_are_not_the_clocks_minutes_a_429_that_says_nothing_holds_nothing(hands):
    holds = holds_of(hands)
    assert holds.refused(URL, 429, {}, minute_windows=False) is None
    assert holds.refused(URL, 418, {}, minute_windows=False) is not None


def test_too_many_orders_stop_orders_and_not_the_eyes(hands):
    holds = holds_of(hands)
    body = '{"code":-1015,"msg":"Too many new orders; current limit is 100 orders per 10 SECOND."}'
    holds.refused(ORDER, 429, {"Retry-After": "8"}, body, method="POST")
    assert seconds(holds, hands, ORDER, "POST") == 8.0
    assert holds.held(URL) is None
    assert holds.held(ORDER, "DELETE") is None, "an order may be cancelled"


def test_a_bot_that_is_made_anew_knows_what_the_last_one_was_told(hands):
    place = {}
    holds_of(hands, place).refused(URL, 418, {"Retry-After": "90"})
    assert seconds(holds_of(hands, place), hands) == 90.0
    first, second = HostHolds(), HostHolds()  # as the bot makes them: one place for the process
    host = "https://only-in-this-test.example.com/x"
    first.refused(host, 418, {"Retry-After": "60"})
    assert second.held(host)


def test_our_own_limiter_and_freqtrades_clients_are_held_together(hands):
    holds = holds_of(hands)
    limiter = AdaptiveRateLimiter(clock=Clock(hands.monotonic, hands.wall))
    holds.refused(URL, 429, {"Retry-After": "10"})
    holds.join(URL, limiter)
    assert limiter.blocked_seconds == 10.0, "of what was said before"
    holds.refused(URL, 418, {"Retry-After": "60"})
    assert limiter.try_acquire() is None and limiter.blocked_seconds == 60.0

    hands.now = 61.0
    assert holds.held(URL) is None
    grant = limiter.try_acquire()
    limiter.answered(grant, 429, {"Retry-After": "7"})
    assert seconds(holds, hands) == pytest.approx(7.0)
    assert "rate limiter" in holds.held(URL).text
    assert holds.held(OTHER) is None


def test_a_held_limiter_names_the_reason(hands):
    limiter = AdaptiveRateLimiter(clock=Clock(hands.monotonic, hands.wall))
    limiter.hold(5.0, banned=True)
    limiter.hold(2.0)
    assert limiter.blocked_seconds == 5.0
    assert limiter._budget.blocked_reason is WaitReason.BANNED
