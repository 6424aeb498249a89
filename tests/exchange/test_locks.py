"""Locks for threads and tasks at once: no deadlock, a named culprit, honest statistics."""

import asyncio
import logging
import random
import threading
import time

import pytest

from adaptive_pkg.errors import LockOrderError, LockTimeoutError
from adaptive_pkg.exchange.lock_names import LockKind, LockName
from adaptive_pkg.exchange.locks import OrderedLocks
from adaptive_pkg.settings.exchange import StateSettings

BALANCE = LockName(LockKind.BALANCE)
BTC, ETH = (LockName(LockKind.POSITION, pair) for pair in ("BTC/USDT", "ETH/USDT"))
TRADE = LockName(LockKind.TRADE, "BTC/USDT")


@pytest.fixture
def locks():
    return OrderedLocks(StateSettings(lock_timeout_seconds=5.0))


def in_thread(action, name="worker"):
    """Run `action`, wait for it, return what it raised."""
    raised = []

    def work():
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return raised[0] if raised else None


def test_nested_locks_of_the_same_owner_do_not_hang(locks):
    """The classic defect: taking one's own lock again waits for ever."""
    with locks.hold(BALANCE), locks.hold(BALANCE), locks.hold(BALANCE):
        assert len(locks.holders()) == 1
    assert locks.holders() == []

    async def task():
        async with locks.hold(BTC), locks.hold(BTC):
            pass

    asyncio.run(task())


def test_opposite_orders_are_refused_at_once_instead_of_hanging(locks):
    with locks.hold(BALANCE), pytest.raises(LockOrderError, match=r"position BTC/USDT .* while holding bal"):
        locks.hold(BTC).__enter__()
    with locks.hold(ETH), pytest.raises(LockOrderError, match=r"position BTC/USDT"):
        locks.hold(BTC).__enter__()
    assert locks.statistics()[LockKind.POSITION].refusals == 2
    assert locks.holders() == []


def test_two_threads_that_ask_in_opposite_orders_never_wait_for_each_other(locks):
    """The classic defect: each holds what the other wants, for ever."""
    both_hold, raised = threading.Barrier(2, timeout=5), {}

    def work(name, first, second):
        with locks.hold(first):
            both_hold.wait()
            try:
                with locks.hold(second):
                    pass
            except LockOrderError as error:
                raised[name] = error

    threads = [
        threading.Thread(target=work, args=("up", BTC, ETH)),
        threading.Thread(target=work, args=("down", ETH, BTC)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3)  # less than the timeout of a lock
        assert not thread.is_alive()
    assert list(raised) == ["down"]  # refused at once, so the other got what it waited for
    assert locks.holders() == [] and locks.statistics()[LockKind.POSITION].timeouts == 0


def test_several_locks_are_taken_in_the_fixed_order_whatever_order_they_are_named_in(locks):
    assert locks.hold(BALANCE, ETH, TRADE, BTC).names == (TRADE, BTC, ETH, BALANCE)


def test_the_error_names_who_holds_the_lock_since_when_and_where(locks):
    def rival():
        locks.hold(BALANCE, timeout=0.02).__enter__()

    with locks.hold(BALANCE):
        error = in_thread(rival, name="rival")
    assert isinstance(error, LockTimeoutError)
    text = str(error)
    assert "balance: not free within 0.02 s, wanted by thread 'rival' at test_locks.py" in text
    assert "held by thread 'MainThread' for 0.0" in text
    assert "taken at test_locks.py" in text and "in test_the_error_names_who" in text
    assert locks.statistics()[LockKind.BALANCE].timeouts == 1


def test_a_task_is_named_too(locks):
    async def scenario():
        async def holder():
            async with locks.hold(BTC):
                await asyncio.sleep(1)

        task = asyncio.create_task(holder(), name="entry BTC")
        await asyncio.sleep(0)
        with pytest.raises(LockTimeoutError, match=r"held by task 'entry BTC' .* in holder"):
            async with locks.hold(BTC, timeout=0.01):
                pass
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert locks.holders() == []


def test_what_was_taken_before_a_timeout_is_given_back(locks):
    with locks.hold(BALANCE):
        error = in_thread(lambda: locks.hold(TRADE, BTC, BALANCE, timeout=0.01).__enter__())
        assert isinstance(error, LockTimeoutError)
        assert [holder.name for holder in locks.holders()] == [BALANCE]


def test_with_on_an_event_loop_is_refused(locks):
    async def scenario():
        with pytest.raises(LockOrderError, match=r"test_locks\.py:\d+ in scenario .*async with"):
            locks.hold(BALANCE).__enter__()

    asyncio.run(scenario())


def test_the_loop_runs_on_while_a_thread_holds_the_lock(locks):
    taken, done = threading.Event(), threading.Event()

    def hog():
        with locks.hold(BALANCE):
            taken.set()
            done.wait(5)

    thread = threading.Thread(target=hog)
    thread.start()
    taken.wait(5)

    async def scenario():
        waiting = asyncio.create_task(take())
        for _ in range(100):
            await asyncio.sleep(0)  # the loop turns although the lock is taken
        assert not waiting.done()
        done.set()
        await waiting

    async def take():
        async with locks.hold(BALANCE):
            pass

    asyncio.run(scenario())
    thread.join(5)
    stats = locks.statistics()[LockKind.BALANCE]
    assert (stats.acquisitions, stats.contended, stats.contention) == (2, 1, 0.5)
    assert stats.wait_longest > 0 and stats.wait_total == stats.wait_longest


def test_whoever_waits_longest_is_next(locks):
    order = []

    async def scenario():
        async def take(number):
            async with locks.hold(BALANCE):
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(take(number) for number in range(20)))

    asyncio.run(scenario())
    assert order == list(range(20))


def test_a_cancelled_waiter_leaves_the_lock_to_the_others(locks):
    async def scenario():
        async def take():
            async with locks.hold(BALANCE):
                await asyncio.sleep(0)

        async with locks.hold(BALANCE):
            tasks = [asyncio.create_task(take()) for _ in range(3)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.sleep(0)
        # the next one is handed the lock, and cancelled before it can run
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert tasks[2].done() and not tasks[2].cancelled()

    asyncio.run(scenario())
    assert locks.holders() == []


def test_holding_for_long_is_reported_with_the_place(caplog):
    now = [0.0]
    locks = OrderedLocks(StateSettings(slow_hold_seconds=0.1), lambda: now[0])
    with caplog.at_level(logging.WARNING), locks.hold(BALANCE):
        now[0] = 3.5
    assert "balance was held for 3.50 s by thread 'MainThread' at test_locks.py" in caplog.text
    stats = locks.statistics()[LockKind.BALANCE]
    assert (stats.hold_total, stats.hold_longest) == (3.5, 3.5)


def test_threads_and_tasks_taking_random_locks_never_deadlock_and_never_overlap():
    locks = OrderedLocks(StateSettings(lock_timeout_seconds=30))
    names = [LockName(kind, key) for kind in LockKind for key in "abc"]
    inside = dict.fromkeys(names, 0)
    overlaps = []

    def enter(chosen):
        for name in chosen:
            inside[name] += 1
            if inside[name] != 1:
                overlaps.append(name)

    def leave(chosen):
        for name in chosen:
            inside[name] -= 1

    def thread_work(seed):
        rng = random.Random(seed)
        for _ in range(150):
            chosen = rng.sample(names, rng.randint(1, 4))
            with locks.hold(*chosen):
                enter(chosen)
                if rng.random() < 0.05:
                    time.sleep(0.0002)
                leave(chosen)

    async def task_work(seed):
        rng = random.Random(seed)
        for _ in range(150):
            chosen = rng.sample(names, rng.randint(1, 4))
            async with locks.hold(*chosen):
                enter(chosen)
                await asyncio.sleep(0)
                leave(chosen)

    async def tasks():
        await asyncio.gather(*(task_work(100 + seed) for seed in range(8)))

    threads = [threading.Thread(target=thread_work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert overlaps == [] and locks.holders() == []
    stats = locks.statistics()
    assert sum(item.acquisitions for item in stats.values()) > 2100
    assert sum(item.contended for item in stats.values()) > 100
    assert all(item.timeouts == 0 for item in stats.values())


def test_a_thread_interrupted_while_it_waits_leaves_the_line(locks):
    class Interrupted:
        """Stands for the event a thread waits on when the keyboard interrupts it."""

        def wait(self, seconds):
            raise KeyboardInterrupt

        def set(self):
            pass

    with locks.hold(BALANCE):
        hold = locks.hold(BALANCE)
        hold._owner = rival = threading.Thread(name="rival")
        waiter = locks.take(BALANCE, rival, "here", Interrupted().set)
        with pytest.raises(KeyboardInterrupt):
            hold._wait_blocking(BALANCE, waiter, Interrupted(), 0.0, 0.0)
        assert locks.holders()[0].waiting == 0
    assert locks.holders() == []
