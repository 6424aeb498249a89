"""One address, one ban: what one client was told holds for all of this process, and for no longer."""

from __future__ import annotations

import pytest
from hypothesis import example, given
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
        (418, {"Retry-After": "5"}, f"IP banned until {round((WALL + 500) * 1000)}.", 5.0),
        (418, {"Retry-After": "nan"}, f"IP banned until {round((WALL + 500) * 1000)}.", 500.0),
        (418, {"Retry-After": "inf"}, "", 120.0),
        (429, {"Retry-After": "0"}, "", 0.0),
        (200, {"Retry-After": "30"}, "", 0.0),
        (503, {"Retry-After": "30"}, "", 0.0),
    ],
)
def test_what_a_refusal_without_a_usable_header_means(hands, status, headers, body, expected):
    holds = holds_of(hands)
    holds.refused(URL, status, headers, body)
    assert seconds(holds, hands) == pytest.approx(expected)


@pytest.mark.parametrize("wrong_by", [-86_400, -3600, 3600, 86_400])
def test_a_wrong_clock_of_ours_makes_no_ban_longer_nor_forgets_one(hands, wrong_by):
    text = f"Way too much request weight used; IP banned until {round((WALL + 100 - wrong_by) * 1000)}."
    holds = holds_of(hands)
    holds.refused(URL, 418, {"Retry-After": "100"}, text)
    assert seconds(holds, hands) == pytest.approx(100.0)
    if wrong_by > 0:  # the end has passed by our clock: without a header it is as if nothing had been said
        holds = holds_of(hands)
        holds.refused(URL, 418, {}, text)
        assert seconds(holds, hands) == pytest.approx(120.0)


@given(st.sampled_from([429, 418]), st.floats(0.001, 1e300), st.sampled_from(["header", "text"]))
@example(429, 999_999_999_999.0, "header")
@example(418, 999_999_999_999.0, "header")
@example(418, 99_999_999.0, "header")
@example(429, 1e300, "text")
@example(418, 1e300, "text")
def test_no_answer_holds_for_longer_than_the_longest_and_every_hold_can_be_said(status, stated, where):
    hands = Hands()
    holds = holds_of(hands)
    if where == "header":
        hold = holds.refused(URL, status, {"Retry-After": str(stated)})
    else:
        milliseconds = min(round((WALL + stated) * 1000), 9_999_999_999_999)
        hold = holds.refused(URL, status, {}, f"IP banned until {milliseconds}")
    longest = {429: 600.0, 418: 3 * 86400.0}[status]
    assert 0.0 < seconds(holds, hands) <= longest
    assert hold is None or f"answered {status}" in hold.text
    hands.now = longest
    assert holds.held(URL) is None and holds.held(ORDER, "POST") is None


def test_after_the_longest_hold_a_request_goes_through_and_its_refusal_holds_again(hands):
    holds = holds_of(hands)
    for _ in range(3):
        holds.refused(URL, 429, {"Retry-After": "999999999999"})
        assert seconds(holds, hands, ORDER, "POST") == pytest.approx(600.0)
        hands.now += 600.0
        assert holds.held(ORDER, "POST") is None


@pytest.mark.parametrize(("status", "longest"), [(429, 600.0), (418, 3 * 86400.0)])
def test_what_our_own_limiter_was_told_holds_freqtrades_clients_no_longer_either(hands, status, longest):
    holds = holds_of(hands)
    limiter = AdaptiveRateLimiter(clock=Clock(hands.monotonic, hands.wall))
    holds.join(URL, limiter)
    limiter.answered(limiter.try_acquire(), status, {"Retry-After": "999999999999"})
    for hands.now in (0.0, 300.0, 599.0):
        assert "rate limiter" in holds.held(ORDER, "POST").text
    assert (holds.held(ORDER, "POST").until) == pytest.approx(longest)
    hands.now = longest + 1.0
    assert holds.held(ORDER, "POST") is None


def test_where_windows_are_not_the_clocks_minutes_a_429_that_says_nothing_holds_nothing(hands):
    holds = holds_of(hands)
    assert holds.refused(URL, 429, {}, minute_windows=False) is None
    assert holds.refused(URL, 418, {}, minute_windows=False) is not None


def test_too_many_orders_stop_orders_and_not_the_eyes(hands):
    holds = holds_of(hands)
    body = '{"code":-1015,"msg":"Too many new orders; current limit is 100 orders per 10 SECOND."}'
    holds.refused(ORDER, 429, {"Retry-After": "8"}, body, method="POST")
    assert seconds(holds, hands, ORDER, "POST") == 8.0
    assert "no POST /api/v3/order is sent to api.example.com" in holds.held(ORDER, "POST").text
    assert holds.held(URL) is None
    assert holds.held(ORDER, "DELETE") is None, "an order may be cancelled"


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("per 10 SECOND", 7.0),  # windows are of the clock: 3 s of this one have passed
        ("per 1 MINUTE", 37.0),
        ("per 1 DAY", 600.0),  # its end is further off than any 429 holds
        ("per 0 SECOND", 37.0),
        ("per account", 37.0),
    ],
)
def test_too_many_orders_without_a_header_wait_for_the_window_that_the_text_names(hands, window, expected):
    hands.now = 3.0
    holds = holds_of(hands)
    body = f'{{"code": -1015,"msg":"Too many new orders; current limit is 100 orders {window}."}}'
    holds.refused(ORDER, 429, {}, body, method="POST")
    assert seconds(holds, hands, ORDER, "POST") == pytest.approx(expected)


@pytest.mark.parametrize("status", [429, 418])
def test_where_the_address_is_not_what_is_limited_a_refused_get_holds_gets_only(hands, status):
    holds = holds_of(hands)
    limiter = AdaptiveRateLimiter(clock=Clock(hands.monotonic, hands.wall))
    holds.join(URL, limiter)
    holds.refused(URL, status, {"Retry-After": "30"}, per_address=False)
    assert seconds(holds, hands, ORDER, "GET") == 30.0
    for method in ("POST", "DELETE", "PUT"):
        assert holds.held(ORDER, method) is None
    assert limiter.blocked_seconds == 0.0


def test_where_the_address_is_not_what_is_limited_a_refused_order_holds_new_orders_only(hands):
    holds = holds_of(hands)
    holds.refused(ORDER, 429, {"Retry-After": "30"}, method="POST", per_address=False)
    assert seconds(holds, hands, ORDER + "?side=sell", "POST") == 30.0
    assert holds.held(ORDER, "DELETE") is None, "an order may be cancelled"
    assert holds.held(ORDER, "GET") is None
    assert holds.held(URL, "POST") is None, "reads by POST, or other orders"


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
