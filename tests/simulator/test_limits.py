"""The venue's counters: fixed windows, 429 with the time to wait, bans that grow."""

import pytest

from adaptive_pkg.exchange.rules import RuleKind, banned_until_ms, parse_rate_limits
from adaptive_pkg.simulator.limits import LimitedError, LimitPlan, Limits
from adaptive_pkg.simulator.weights import weight_of

MINUTE = 60_000
T0 = 1_700_000_040_000 // MINUTE * MINUTE  # a minute begins


def status(call, *arguments):
    """(HTTP status, Retry-After) of a request."""
    try:
        call(*arguments)
    except LimitedError as error:
        return error.status, error.retry_after_seconds
    return 200, None


def test_weight_is_counted_by_the_minute_of_the_clock():
    limits = Limits(LimitPlan(weight_per_minute=100))
    assert status(limits.take, T0 + 59_000, 100) == (200, None)
    assert limits.headers(T0 + 59_500)["X-MBX-USED-WEIGHT-1M"] == "100"
    assert limits.headers(T0 + MINUTE)["X-MBX-USED-WEIGHT-1M"] == "0"
    assert status(limits.take, T0 + MINUTE, 100) == (200, None)
    assert not limits.violations


def test_too_much_is_refused_until_the_minute_is_over():
    limits = Limits(LimitPlan(weight_per_minute=100))
    assert status(limits.take, T0 + 12_300, 101) == (429, 48)
    assert status(limits.take, T0 + 50_000, 1) == (429, 11)  # up to 48 s after the first, rounded up
    assert status(limits.take, T0 + 12_300 + 48_000, 1) == (200, None)
    assert limits.violations == {"weight": 1, "early": 1}


def test_going_on_after_a_429_brings_bans_that_grow_to_three_days():
    limits, now, lengths = Limits(LimitPlan(weight_per_minute=10, strikes=3)), T0, []
    for _ in range(9):
        assert status(limits.take, now, 11)[0] == 429
        assert [status(limits.take, now + i, 1)[0] for i in range(3)] == [429, 429, 418]
        with pytest.raises(LimitedError) as caught:
            limits.take(now + 2, 1)
        lengths.append(caught.value.retry_after_seconds)
        until = banned_until_ms(str(caught.value))
        assert until == now + 2 + lengths[-1] * 1000
        now = until
    assert lengths[:3] == [120, 360, 1080] and lengths[-2:] == [3 * 86_400] * 2
    assert limits.bans == 9 and limits.violations["banned"] == 9


def test_orders_have_windows_of_their_own():
    limits = Limits(LimitPlan(orders_per_10s=2, orders_per_day=5))
    assert [status(limits.take_order, T0 + i)[0] for i in range(3)] == [200, 200, 429]
    assert limits.headers(T0, "")["X-MBX-ORDER-COUNT-10S"] == "3"
    answers = [status(limits.take_order, T0 + 10_000 * i)[0] for i in range(1, 5)]
    assert answers == [200, 200, 200, 429]  # the day is full
    assert limits.violations["orders"] == 2


def test_orders_belong_to_an_account_and_all_else_to_the_address():
    limits = Limits(LimitPlan(orders_per_10s=1, weight_per_minute=3))
    assert [status(limits.take_order, T0, account)[0] for account in "aab"] == [200, 429, 200]
    assert limits.headers(T0, "b")["X-MBX-ORDER-COUNT-1D"] == "1"
    assert [status(limits.take, T0, 1)[0] for _ in range(4)] == [200, 200, 200, 429]


def test_requests_are_counted_beside_their_weight():
    limits = Limits(LimitPlan(raw_per_5min=3))
    began = T0 // (5 * MINUTE) * 5 * MINUTE
    assert [status(limits.take, began + i, 1)[0] for i in range(3)] == [200] * 3
    assert status(limits.take, began + 100_000, 0) == (429, 200)
    assert status(limits.take, began + 5 * MINUTE, 1) == (200, None)
    assert limits.violations == {"raw": 1}


def test_handshakes_are_counted_and_have_weight():
    limits = Limits(LimitPlan(connects_per_5min=2))
    assert [status(limits.connect, T0 + i)[0] for i in range(3)] == [200, 200, 429]
    light = Limits(LimitPlan(weight_per_minute=5))
    assert [status(light.connect, T0 + i)[0] for i in range(3)] == [200, 200, 429]
    assert light.violations == {"weight": 1}


def test_our_own_reader_understands_the_rules():
    rules = parse_rate_limits({"rateLimits": LimitPlan(weight_per_minute=1200).rows()})
    found = {(rule.kind, rule.interval_seconds): rule.limit for rule in rules}
    assert found == {
        (RuleKind.WEIGHT, 60): 1200,
        (RuleKind.ORDERS, 10): 100,
        (RuleKind.ORDERS, 86_400): 200_000,
        (RuleKind.REQUESTS, 300): 300_000,
    }


@pytest.mark.parametrize(
    ("request_line", "query", "weight"),
    [
        ("GET depth", {"limit": "100"}, 5),
        ("GET depth", {"limit": "5000"}, 250),
        ("GET ticker/24hr", {}, 80),
        ("GET ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("GET ticker/24hr", {"symbols": '["A","B"]'}, 2),
        ("GET openOrders", {}, 80),
        ("GET openOrders", {"symbol": "BTCUSDT"}, 6),
        ("GET myTrades", {}, 20),
        ("GET myTrades", {"orderId": "1"}, 5),
        ("GET exchangeInfo", {}, 20),
        ("POST order", {}, 1),
        ("GET order", {}, 4),
    ],
)
def test_weights_are_the_documented_ones(request_line, query, weight):
    method, name = request_line.split()
    assert weight_of(method, f"/api/v3/{name}", query) == weight


def test_a_request_that_was_under_way_when_its_sender_was_refused_is_counted_apart_and_no_strike():
    limits = Limits(LimitPlan(weight_per_minute=10, strikes=1, under_way_ms=200))
    assert status(limits.take, T0, 11)[0] == 429
    assert status(limits.take, T0 + 199, 1)[0] == 429
    assert status(limits.take, T0 + 5_000, 1, T0 - 50)[0] == 429  # it came before, and was kept waiting
    assert limits.violations == {"weight": 1, "under way": 2} and limits.bans == 0
    assert status(limits.take, T0 + 200, 1)[0] == 418
    assert limits.violations["early"] == 1
