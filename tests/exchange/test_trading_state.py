"""The trading state: whole operations only, and no money or order lost among threads and tasks."""

import asyncio
import random
import sys
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import LockOrderError, StateError
from adaptive_pkg.exchange.account import OrderSide, OrderStatus, currencies
from adaptive_pkg.exchange.lock_names import LockKind
from adaptive_pkg.exchange.trading_state import SafeTradingState

PAIR = "BTC/USDT"


@pytest.fixture
def state():
    state = SafeTradingState()
    with state.atomic_balance() as change:
        change.deposit("USDT", 1000)
    return state


def buy(state, order_id="o1", amount="2", spend="200"):
    with state.atomic_trade(PAIR, order_id) as change:
        change.place(order_id, PAIR, OrderSide.BUY, amount, spend)


def test_an_order_reserves_what_it_may_spend_and_gives_the_rest_back(state):
    buy(state)
    usdt = state.view().balances["USDT"]
    assert (usdt.total, usdt.reserved, usdt.free) == (1000, 200, 800)
    with state.atomic_trade(PAIR, "o1") as change:
        assert change.fill("o1", "f1", "0.5", "90", fee="0.045")
    with state.atomic_trade(PAIR, "o1") as change:
        change.close("o1", OrderStatus.CANCELED)
    view = state.view()
    assert view.balances["USDT"].total == Decimal("954.955")
    assert view.balances["USDT"].reserved == 0
    assert view.balances["BTC"].total == view.positions[PAIR].amount == Decimal("0.5")
    assert view.orders["o1"].status is OrderStatus.CANCELED
    assert view.faults() == []


def test_one_fill_reported_twice_counts_once(state):
    """The classic defect: one fill taken for the first and the second target."""
    buy(state)
    with state.atomic_trade(PAIR, "o1") as change:
        assert change.fill("o1", "f1", 1, 100)
        assert not change.fill("o1", "f1", 1, 100)
    with state.atomic_trade(PAIR, "o1") as change:
        assert not change.fill("o1", "f1", 1, 100)
    assert state.view().positions[PAIR].amount == 1
    assert state.view().orders["o1"].status is OrderStatus.OPEN  # half filled is not filled


def test_an_order_nobody_answered_keeps_its_money_until_the_venue_tells(state):
    """Missing from the open orders is not filled."""
    buy(state)
    with state.atomic_order("o1") as change:
        change.doubt("o1")
    assert state.view().orders["o1"].status is OrderStatus.UNKNOWN
    assert state.view().balances["USDT"].free == 800
    with state.atomic_order("o1") as change:
        change.confirm("o1")
    assert state.view().orders["o1"].status is OrderStatus.OPEN


def test_the_same_order_cannot_be_placed_twice(state):
    buy(state)
    with pytest.raises(StateError, match="exists already"):
        buy(state)
    assert state.view().balances["USDT"].reserved == 200


def test_profit_counts_both_sides_fees(state):
    buy(state)
    with state.atomic_trade(PAIR, "o1", "o2") as change:
        change.fill("o1", "f1", 2, 100, fee="0.2")
        change.place("o2", PAIR, OrderSide.SELL, 1, 1)
        change.fill("o2", "f2", 1, 110, fee="0.11")
    position = state.view().positions[PAIR]
    assert (position.amount, position.cost) == (1, Decimal("100.1"))
    assert position.realised == Decimal("110") - Decimal("0.11") - Decimal("100.1")
    assert state.view().faults() == []


def test_a_block_that_fails_leaves_nothing_behind(state):
    with pytest.raises(ZeroDivisionError), state.atomic_trade(PAIR, "o1") as change:
        change.place("o1", PAIR, OrderSide.BUY, 1, 100)
        change.fill("o1", "f1", 1, 100)
        raise ZeroDivisionError
    view = state.view()
    assert (view.balances["USDT"].total, view.orders, view.positions) == (1000, {}, {})
    assert state.holders() == []


def test_nobody_sees_half_a_block(state):
    with state.atomic_trade(PAIR, "o1") as change:
        change.place("o1", PAIR, OrderSide.BUY, 1, 100)
        assert change.balance("USDT").reserved == 100
        assert state.view().balances["USDT"].reserved == 0
    assert state.view().balances["USDT"].reserved == 100


def test_a_failed_inner_block_undoes_only_itself(state):
    with state.atomic_trade(PAIR, "o1") as outer:
        outer.deposit("USDT", 5)
        with pytest.raises(StateError), state.atomic_balance() as inner:
            inner.deposit("USDT", 7)
            inner.reserve("USDT", 99999)
        with state.atomic_balance() as inner:
            inner.deposit("USDT", 1)
    assert state.view().balances["USDT"].total == 1006
    assert state.holders() == []


def test_a_turn_holds_the_pair_and_blocks_go_inside(state):
    async def scenario():
        async with state.turn(PAIR):
            async with state.atomic_trade(PAIR, "o1") as change:
                change.place("o1", PAIR, OrderSide.BUY, 1, 100)
            # visible to all, and no value locked, while the venue takes its time
            assert state.view().orders["o1"].status is OrderStatus.OPEN
            assert [holder.name.kind for holder in state.holders()] == [LockKind.TRADE]
            await asyncio.sleep(0)
            with pytest.raises(LockOrderError):
                async with state.turn("ADA/USDT"):
                    pass
        async with state.turn("ETH/USDT", PAIR):
            pass

    asyncio.run(scenario())


def test_changes_need_their_lock(state):
    with (
        pytest.raises(StateError, match="position BTC/USDT is not locked"),
        state.atomic_order("o1") as change,
    ):
        change.place("o1", PAIR, OrderSide.BUY, 1, 100)
        change.fill("o1", "f", 1, 1)
    with pytest.raises(StateError, match="order o2 is not locked"), state.atomic_trade(PAIR, "o1") as change:
        change.place("o2", PAIR, OrderSide.BUY, 1, 100)
    with pytest.raises(StateError, match="balance is not locked"), state.atomic_position(PAIR) as change:
        change.deposit("USDT", 1)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda change: change.reserve("USDT", 1001), "1000 free"),
        (lambda change: change.release("USDT", 1), "0 reserved"),
        (lambda change: change.deposit("USDT", -1001), "1000 free"),
        (lambda change: change.deposit("USDT", float("nan")), "not a finite number"),
        (lambda change: change.reserve("USDT", 0), "must be above 0"),
        (lambda change: change.order("o9"), "'o9' is not known"),
        (lambda change: change.place("o1", "BTCUSDT", OrderSide.BUY, 1, 1), "BASE/QUOTE"),
        (lambda change: change.place("o1", PAIR, OrderSide.BUY, -1, 1), "must be above 0"),
    ],
)
def test_what_is_not_there_is_not_spent(state, action, message):
    with pytest.raises(StateError, match=message), state.atomic_trade(PAIR, "o1") as change:
        action(change)
    assert state.view().balances["USDT"].total == 1000


def test_final_orders_stay_final_and_can_be_forgotten(state):
    buy(state, amount=1, spend=100)
    with pytest.raises(StateError, match="only a finished one"), state.atomic_order("o1") as change:
        change.forget("o1")
    with state.atomic_trade(PAIR, "o1") as change:
        change.fill("o1", "f1", 1, 100)
    assert state.view().orders["o1"].status is OrderStatus.FILLED
    for wrong in ("confirm", "doubt"):
        with pytest.raises(StateError, match="filled"), state.atomic_order("o1") as change:
            getattr(change, wrong)("o1")
    with pytest.raises(StateError, match="filled cannot become"), state.atomic_order("o1") as change:
        change.close("o1", OrderStatus.CANCELED)
    with state.atomic_order("o1") as change:
        change.forget("o1")
    assert state.view().orders == {}


def test_more_than_ordered_cannot_be_filled(state):
    buy(state, amount=1)
    with pytest.raises(StateError, match="ask the venue"), state.atomic_trade(PAIR, "o1") as change:
        change.fill("o1", "f1", "1.1", 100)


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 50), st.integers(1, 9), st.booleans()),
        max_size=30,
    )
)
def test_money_is_conserved_whatever_is_traded(trades):
    state = SafeTradingState()
    with state.atomic_balance() as change:
        change.deposit("USDT", 1000)
        change.deposit("BTC", 20)
    quote, base = Decimal(1000), Decimal(20)
    for number, (side, price, amount, cancel) in enumerate(trades):
        order_id = f"o{number}"
        spend = amount * price if side == "buy" else amount
        try:
            with state.atomic_trade(PAIR, order_id) as change:
                change.place(order_id, PAIR, OrderSide(side), amount, spend)
                if cancel:
                    change.close(order_id, OrderStatus.CANCELED)
                else:
                    change.fill(order_id, "f", amount, price, fee="0.01")
        except StateError:
            continue
        if not cancel:
            sign = 1 if side == "buy" else -1
            quote -= sign * amount * price + Decimal("0.01")
            base += sign * amount
    balances = state.view().balances
    assert (balances["USDT"].total, balances["BTC"].total) == (quote, base)
    assert balances["USDT"].reserved == balances["BTC"].reserved == 0


def test_thousands_of_operations_from_threads_and_tasks_lose_neither_money_nor_order():
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads change places as often as they can
    try:
        trade_wildly()
    finally:
        sys.setswitchinterval(switching)


def trade_wildly():
    state = SafeTradingState()
    pairs = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    with state.atomic_balance() as change:
        change.deposit("USDT", 10**6)
    placed, expected, mutex = [], {"USDT": Decimal(10**6), "BTC": 0, "ETH": 0, "SOL": 0}, threading.Lock()
    watching = threading.Event()
    faults = []

    def step(rng, change, order_id, pair):
        """One whole trade; returns what it moved, or fails and must leave no trace."""
        change.place(order_id, pair, OrderSide.BUY, 2, 300)
        if rng.random() < 0.1:
            raise ZeroDivisionError
        fills = rng.randint(0, 2)
        for number in range(fills):
            price = rng.randint(50, 150)
            change.fill(order_id, f"f{number}", 1, price)
            yield pair, price
        if fills < 2 and rng.random() < 0.7:
            change.close(order_id, OrderStatus.CANCELED)

    def book(order_id, moved):
        with mutex:
            placed.append(order_id)
            for pair, price in moved:
                expected["USDT"] -= price
                expected[currencies(pair)[0]] += 1

    def thread_work(worker):
        rng = random.Random(worker)
        for number in range(400):
            order_id, pair = f"t{worker}-{number}", rng.choice(pairs)
            try:
                with state.atomic_trade(pair, order_id, timeout=30) as change:
                    moved = list(step(rng, change, order_id, pair))
            except ZeroDivisionError:
                continue
            book(order_id, moved)

    async def task_work(worker):
        rng = random.Random(1000 + worker)
        for number in range(200):
            order_id, pair = f"a{worker}-{number}", rng.choice(pairs)
            try:
                async with state.turn(pair, timeout=30):
                    await asyncio.sleep(0)  # the venue takes its time
                    async with state.atomic_trade(pair, order_id, timeout=30) as change:
                        moved = list(step(rng, change, order_id, pair))
            except ZeroDivisionError:
                continue
            book(order_id, moved)

    def watch():
        while not watching.wait(0.002):
            faults.extend(state.view().faults())

    async def tasks():
        await asyncio.gather(*(task_work(worker) for worker in range(12)))

    threads = [threading.Thread(target=thread_work, args=(worker,)) for worker in range(6)]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join(60)
    watching.set()
    watcher.join(5)
    view = state.view()
    assert faults == [] and view.faults() == [] and state.holders() == []
    assert set(view.orders) == set(placed) and len(placed) > 4000
    assert {name: balance.total for name, balance in view.balances.items()} == expected
    open_orders = [order for order in view.orders.values() if not order.status.is_final]
    assert open_orders and view.balances["USDT"].reserved == sum(order.reserved for order in open_orders)
    assert sum(item.acquisitions for item in state.statistics().values()) > 15_000
