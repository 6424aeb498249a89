"""The limiter in first-come order, for tasks and threads at once."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import RateLimitError
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter, Clock
from adaptive_pkg.exchange.rules import RateRule, RuleKind
from adaptive_pkg.settings.exchange import LimiterSettings

EXACT = LimiterSettings(latency_seconds=0.0, clock_error_seconds=0.0, burst_share=1.0)
WALL = 1_700_000_040.0


def limiter(clock, limit=10, settings=EXACT):
    return AdaptiveRateLimiter([RateRule(RuleKind.WEIGHT, 60, limit)], settings, clock)


def virtual(loop, **kwargs):
    return limiter(Clock(loop.time, lambda: WALL), **kwargs)


def test_requests_leave_in_the_order_they_came(virtual_loop):
    async def scenario():
        gate, left = virtual(virtual_loop), []

        async def one(number, weight):
            await gate.acquire(weight)
            left.append((number, virtual_loop.time()))

        # a light one behind a heavy one waits for it
        await asyncio.gather(*(one(number, 9 if number % 3 == 1 else 1) for number in range(12)))
        assert [number for number, _ in left] == list(range(12))
        assert left[-1][1] - left[0][1] > 60
        assert gate.status().waited > 0 and gate.status().waiting == 0

    virtual_loop.run_until_complete(scenario())


@given(st.lists(st.tuples(st.integers(1, 10), st.booleans()), min_size=1, max_size=25))
def test_cancelled_requests_give_up_their_place_and_their_tokens(new_virtual_loop, requests):
    loop = new_virtual_loop()

    async def scenario():
        gate, order = virtual(loop), []

        async def one(number, weight):
            await gate.acquire(weight)
            order.append(number)

        tasks = [asyncio.create_task(one(n, weight)) for n, (weight, _) in enumerate(requests)]
        await asyncio.sleep(0)
        for task, (_, cancel) in zip(tasks, requests, strict=True):
            if cancel:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == sorted(order)
        kept = {n for n, (_, cancel) in enumerate(requests) if not cancel}
        assert kept <= set(order)
        status = gate.status()
        assert status.waiting == 0 and status.granted == len(order)
        # nothing leaked: after a quiet minute the whole limit is there
        await asyncio.sleep(61)
        assert all(gate.try_acquire(1) for _ in range(10)) and not gate.try_acquire(1)

    try:
        loop.run_until_complete(scenario())
    finally:
        loop.close()


def test_a_cancelled_head_lets_the_next_one_go(virtual_loop):
    async def scenario():
        gate = virtual(virtual_loop)
        assert gate.try_acquire(8)
        heavy = asyncio.create_task(gate.acquire(10))
        light = asyncio.create_task(gate.acquire(2))
        await asyncio.sleep(0.1)
        assert not light.done() and gate.status().waiting == 2
        heavy.cancel()
        await asyncio.sleep(0)
        await asyncio.wait_for(light, 0.01)

    virtual_loop.run_until_complete(scenario())


def test_nothing_leaves_during_a_ban_and_everything_after_it(virtual_loop):
    async def scenario():
        gate = virtual(virtual_loop)
        first = await gate.acquire()
        gate.answered(first, 418, {"Retry-After": "120"})
        started = virtual_loop.time()
        await asyncio.gather(*(gate.acquire() for _ in range(3)))
        assert virtual_loop.time() >= started + 120
        status = gate.status()
        assert (status.bans, status.refusals) == (1, 0)
        assert status.factor == pytest.approx(0.8)

    virtual_loop.run_until_complete(scenario())


def test_a_wait_longer_than_its_time_is_refused_with_the_reason(virtual_loop):
    async def scenario():
        gate = virtual(virtual_loop)
        gate.answered(await gate.acquire(), 418, {"Retry-After": "120"})
        with pytest.raises(RateLimitError, match=r"within 3 s: banned for 117\.0 s more, 0 others in line"):
            await gate.acquire(timeout=3)
        assert gate.status().waiting == 0

    virtual_loop.run_until_complete(scenario())


def test_weight_above_the_limit_is_refused_before_it_waits(manual_clock):
    gate = limiter(manual_clock.clock())
    with pytest.raises(RateLimitError, match="REQUEST_WEIGHT 11"):
        gate.acquire_blocking(11)
    assert gate.status().waiting == 0


def test_threads_wait_their_turn_and_together_keep_the_limit(manual_clock):
    gate = limiter(manual_clock.clock(), limit=20)
    sent, lock = [], threading.Lock()

    def work():
        for _ in range(10):
            gate.acquire_blocking(2)
            with lock:
                sent.append(manual_clock.now)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(sent) == 80 and gate.status().granted == 80
    sent.sort()
    # an eleventh request of weight 2 is never within the same minute
    assert min(later - earlier for earlier, later in zip(sent, sent[10:], strict=False)) >= 60


def test_a_thread_gives_up_at_its_time(manual_clock):
    gate = limiter(manual_clock.clock())
    assert gate.acquire_blocking(10)
    before = manual_clock.now
    with pytest.raises(RateLimitError, match=r"within 5\.0 s"):
        gate.acquire_blocking(1, timeout=5.0)
    assert manual_clock.now == pytest.approx(before + 5.0)
    assert gate.status().waiting == 0


def test_threads_and_tasks_share_one_line():
    gate = AdaptiveRateLimiter([RateRule(RuleKind.WEIGHT, 1, 200)], EXACT)
    count, lock = [0], threading.Lock()

    def in_thread():
        for _ in range(40):
            gate.acquire_blocking(timeout=20)
            with lock:
                count[0] += 1

    async def in_task():
        for _ in range(40):
            await gate.acquire(timeout=20)
            with lock:
                count[0] += 1

    async def tasks():
        await asyncio.gather(*(in_task() for _ in range(4)))

    threads = [threading.Thread(target=in_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join(30)
    assert count[0] == 320 and gate.status().granted == 320 and gate.status().waiting == 0


def test_the_event_loop_runs_on_while_a_thread_waits_under_a_ban():
    gate = AdaptiveRateLimiter([RateRule(RuleKind.WEIGHT, 60, 10)], EXACT)
    gate.answered(gate.try_acquire(), 418, {"Retry-After": "60"})
    failures = []

    def blocked():
        try:
            gate.acquire_blocking()
        except RateLimitError as error:
            failures.append(error)

    thread = threading.Thread(target=blocked)
    thread.start()

    async def scenario():
        waiting = asyncio.create_task(gate.acquire())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not waiting.done() and gate.status().waiting == 2
        gate.close()
        with pytest.raises(RateLimitError, match="closed"):
            await waiting

    asyncio.run(scenario())
    thread.join(5)
    assert not thread.is_alive() and len(failures) == 1
    with pytest.raises(RateLimitError, match="closed"):
        gate.try_acquire()


def test_a_waiter_whose_loop_is_gone_does_not_hold_up_the_others(manual_clock):
    gate = limiter(manual_clock.clock())
    spare = gate.try_acquire(5)
    assert gate.try_acquire(5)
    loop = asyncio.new_event_loop()
    lost = loop.create_task(gate.acquire())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    lost._log_destroy_pending = False

    async def scenario():
        waiting = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        gate.unsent(spare)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


def test_a_wall_clock_that_jumps_gives_nobody_more(manual_clock):
    wall = [WALL]
    gate = limiter(Clock(lambda: manual_clock.now, lambda: wall[0]))
    assert gate.try_acquire(10)
    for jump in (3600.0, -7200.0):
        wall[0] += jump
        assert gate.try_acquire(1) is None


def test_nobody_is_held_up_by_one_who_waits(virtual_loop):
    """The classic defect: sleeping under the lock stops even those who only report an answer."""

    async def scenario():
        gate = virtual(virtual_loop)
        grant = await gate.acquire(10)
        waiting = asyncio.create_task(gate.acquire(10))
        await asyncio.sleep(1)
        gate.answered(grant, 429, {"Retry-After": "100"})  # at once, and the one who waits obeys it
        began = virtual_loop.time()
        await waiting
        assert virtual_loop.time() - began >= 100

    virtual_loop.run_until_complete(scenario())


def test_a_429_can_be_reported_where_no_event_loop_runs(manual_clock):
    """The classic defect: the handler of a refusal needs a running loop, and fails in a thread."""
    gate = limiter(manual_clock.clock())
    grants = [gate.try_acquire() for _ in range(3)]
    failures = []

    def report(grant):
        try:
            gate.answered(grant, 429, {"Retry-After": "30"})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=report, args=(grant,)) for grant in grants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert failures == [] and gate.status().refusals == 3
    assert gate.status().blocked_seconds == pytest.approx(30.0)
    assert gate.try_acquire() is None


def test_after_a_wait_every_window_is_looked_at_again(virtual_loop):
    """The classic defect: who waited for one limit leaves although another is full by then."""

    async def scenario():
        rules = [RateRule(RuleKind.WEIGHT, 60, 10), RateRule(RuleKind.ORDERS, 10, 2)]
        gate, left = AdaptiveRateLimiter(rules, EXACT, Clock(virtual_loop.time, lambda: WALL)), []

        async def order():
            await gate.acquire(weight=4, orders=1)
            left.append(virtual_loop.time())

        await asyncio.gather(*(order() for _ in range(6)))
        for window, most in ((10, 2), (60, 2)):
            assert max(sum(0 <= end - at < window for at in left) for end in left) <= most

    virtual_loop.run_until_complete(scenario())


def test_limits_come_from_the_venue(manual_clock):
    info = {
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 7}
        ]
    }
    gate = AdaptiveRateLimiter.from_exchange_info(info, EXACT, manual_clock.clock())
    assert gate.rules == (RateRule(RuleKind.WEIGHT, 60, 7),)
    assert sum(gate.try_acquire() is not None for _ in range(20)) == 7
    info["rateLimits"][0]["limit"] = 9
    gate.read_rules(info)
    manual_clock.now += 20
    assert sum(gate.try_acquire() is not None for _ in range(20)) == 2
