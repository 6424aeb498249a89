"""The budget against the simulated venue's own counters, which know nothing of it."""

import heapq

import numpy as np
import pytest

from adaptive_pkg.exchange.budget import Grant, RequestBudget
from adaptive_pkg.exchange.rules import Cost, parse_rate_limits
from adaptive_pkg.settings.exchange import LimiterSettings
from adaptive_pkg.simulator.limits import LimitedError, LimitPlan, Limits

PLAN = LimitPlan(weight_per_minute=600, orders_per_10s=10, orders_per_day=400, raw_per_5min=450)
NOON = 1_700_000_040.0
LATENCY = 0.5


def arrive(limits, at, cost, account):
    """(status, headers) of a request that reaches the venue at `at` seconds after noon."""
    now_ms = round((NOON + at) * 1000)
    try:
        limits.take(now_ms, cost.weight)
        if cost.orders:
            limits.take_order(now_ms, account)
    except LimitedError as error:
        return error.status, {"Retry-After": str(error.retry_after_seconds)}
    return 200, limits.headers(now_ms, account if cost.orders else None)


def play(seed, shares, latency, requests, refuse_every=None):
    """Bots with bursts at the minutes' edges; gives the venue's counters, and when each request arrived."""
    rng, limits = np.random.default_rng(seed), Limits(PLAN)
    rules = parse_rate_limits({"rateLimits": PLAN.rows()})
    bots = [
        RequestBudget(
            rules,
            LimiterSettings(share=share, latency_seconds=LATENCY, clock_error_seconds=0.25),
            0.0,
            NOON + rng.uniform(-0.2, 0.2),
        )
        for share in shares
    ]
    events, arrivals = [], []  # (time, order, bot, what): a request wanted, arriving or answered
    for number in range(requests):
        edge = 60.0 * (number // 40) - rng.uniform(0.0, 0.2)
        cost = Cost(int(rng.choice([1, 2, 5, 20, 50])), int(rng.random() < 0.2))
        heapq.heappush(events, (max(edge, 0.0), number, int(rng.integers(len(bots))), cost, None))
    order = requests
    while events:
        now, _, bot, cost, found = heapq.heappop(events)
        order += 1
        if found is None:
            decision = bots[bot].ask(now, cost)
            if isinstance(decision, Grant):
                at = now + rng.uniform(0, latency)
                heapq.heappush(events, (at, -order, bot, cost, decision))  # before others ask
            else:
                heapq.heappush(events, (decision.until, order, bot, cost, None))
        elif isinstance(found, Grant):
            status, headers = arrive(limits, now, cost, str(bot))
            arrivals.append(now)
            if refuse_every and len(arrivals) % refuse_every == 0:
                status, headers = 429 if len(arrivals) % 2 else 418, {"Retry-After": "37"}
                with pytest.raises(LimitedError):
                    now_ms = round((NOON + now) * 1000)
                    limits.refuse(now_ms, 37) if status == 429 else limits.ban(now_ms, 37)
            at = now + rng.uniform(0, latency)
            heapq.heappush(events, (at, -order, bot, cost, (found, status, headers)))
        else:
            bots[bot].answered(now, *found)
            if found[1] != 200:
                heapq.heappush(events, (now, order, bot, cost, None))
    return limits, arrivals


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.3, 0.2)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_venue_counts_no_violation_of_any_of_its_limits(seed, shares):
    limits, arrivals = play(seed, shares, LATENCY, 1500)
    assert limits.violations == {} and limits.bans == 0
    assert len(arrivals) == 1500
    assert max(arrivals) > 1500 / 450 * 300 - 300  # the limits were what held it up


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_429_or_418_nothing_comes_before_its_time_is_over(seed):
    limits, arrivals = play(seed, (1.0,), 0.0, 600, refuse_every=50)
    assert limits.violations == {} and limits.bans >= 5
    assert len(arrivals) > 600  # what was refused came again


def test_without_the_budget_the_same_requests_are_violations():
    limits = Limits(PLAN)
    for number in range(100):
        arrive(limits, number / 100, Cost(20, 1), "0")
    assert limits.violations["weight"] and limits.violations["orders"] and limits.violations["early"]
