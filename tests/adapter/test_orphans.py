"""What the exchange has and the database does not: found, said, and nothing new is sent until it is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.adapter.orphans import (
    LONGEST_LOOK_BACK,
    LOOK_AGAIN,
    LOOK_BACK,
    UNDER_WAY,
    OrphanKind,
    OrphanWatch,
    PairBooks,
    SeenOrder,
    find_orphans,
    known_orders,
    read_books,
    watch_bot,
)

PAIR, OTHER = "BTC/USDT", "ETH/USDT"
NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


def seen(order_id="1", side="buy", amount=2.0, filled=2.0, is_open=False, price=100.0):
    return SeenOrder(order_id, side, is_open, amount, filled, price)


def books(*orders, known=(), owned=0.0, held=0.0, trade_id=None):
    return PairBooks(orders, frozenset(known), owned, held, trade_id)


# --- what is an orphan ----------------------------------------------------------------------------------


def test_orders_the_database_knows_are_none():
    assert find_orphans(PAIR, books(seen(is_open=True), seen("2"), known=("1", "2"), owned=2.0)) == ()


def test_an_open_order_nobody_knows_is_one_with_what_is_left_of_it():
    (orphan,) = find_orphans(PAIR, books(seen(filled=0.5, is_open=True)))
    assert (orphan.kind, orphan.amount) == (OrphanKind.ORDER, 1.5)
    assert "cancel it at the exchange" in orphan.text and PAIR in orphan.text


def test_an_unknown_fill_whose_coins_are_still_there_is_a_position_without_a_stop():
    (orphan,) = find_orphans(PAIR, books(seen(), owned=2.0 * 0.999))
    assert orphan.kind is OrphanKind.POSITION
    assert orphan.amount == pytest.approx(1.998)
    assert "without a stop" in orphan.text and "/reload_trade" not in orphan.text


def test_of_an_open_trades_pair_the_way_to_take_it_in_is_named():
    (orphan,) = find_orphans(PAIR, books(seen(), owned=5.0, held=3.0, trade_id=7))
    assert "/reload_trade 7" in orphan.text


def test_what_was_sold_again_by_hand_is_none():
    assert find_orphans(PAIR, books(seen(), owned=0.001)) == ()


def test_a_cancelled_order_that_never_filled_is_none():
    assert find_orphans(PAIR, books(seen(filled=0.0))) == ()


def test_coins_that_no_order_explains_are_the_owners_own():
    assert find_orphans(PAIR, books(owned=50.0)) == ()


def test_an_unknown_exit_is_left_to_freqtrade_which_finds_it_when_the_coins_are_missing():
    assert find_orphans(PAIR, books(seen(side="sell"), owned=0.0, held=2.0)) == ()


def test_an_unknown_exit_that_still_rests_holds_the_coins_the_stop_would_sell():
    (orphan,) = find_orphans(PAIR, books(seen(side="sell", filled=0.0, is_open=True), owned=2, held=2))
    assert orphan.amount == -2.0 and "open sell order" in orphan.text


def test_an_unknown_short_is_a_position():
    (orphan,) = find_orphans(PAIR, books(seen(side="sell"), owned=-2.0))
    assert orphan.amount == -2.0


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.1, 10), st.booleans()), max_size=8),
    st.floats(0, 20),
    st.floats(0, 20),
)
def test_no_more_is_missed_than_the_account_has_too_much(rows, owned, held):
    orders = [seen(str(i), "buy" if buy else "sell", a, a, False) for i, (buy, a, _) in enumerate(rows)]
    known = [str(i) for i, row in enumerate(rows) if row[2]]
    found = find_orphans(PAIR, books(*orders, known=known, owned=owned, held=held))
    assert sum(orphan.amount for orphan in found) <= max(owned - held, 0.0)
    assert not set(known) & {name for orphan in found for name in orphan.order_ids}


# --- when it is looked for ------------------------------------------------------------------------------


class Exchange:
    """Books by pair; counts what it is asked."""

    def __init__(self):
        self.books, self.asked, self.known, self.down = {}, [], {}, False

    def read(self, pair, since):
        self.asked.append((pair, since))
        if self.down:
            raise ConnectionError("no answer")
        return self.books.get(pair, books())

    def watch(self):
        return OrphanWatch(self.read, lambda pair: self.known.get(pair, {}))


@pytest.fixture
def exchange():
    return Exchange()


def loops(watch, count, start=NOW):
    """What is said in so many turns of the bot's loop, five seconds apart."""
    return [watch.unheard(start + timedelta(seconds=5 * turn)) for turn in range(count)]


def test_a_quiet_start_asks_about_one_pair_a_turn_and_then_never_again(exchange):
    watch = exchange.watch()
    watch.start([PAIR, OTHER], NOW)
    assert exchange.asked == [], "stops are looked at first"
    assert watch.unheard(NOW) == ""
    assert exchange.asked == [(PAIR, NOW - LOOK_BACK)]
    assert loops(watch, 100) == [""] * 100
    assert exchange.asked == [(PAIR, NOW - LOOK_BACK), (OTHER, NOW - LOOK_BACK)]
    assert watch.refusal(PAIR, NOW) == ""
    assert len(exchange.asked) == 2


def test_an_entry_right_after_the_start_asks_about_its_own_pair(exchange):
    exchange.books[OTHER] = books(seen(), owned=2.0)
    watch = exchange.watch()
    watch.start([PAIR, OTHER], NOW)
    assert OTHER in watch.before_order(OTHER, NOW)
    assert watch.before_order(PAIR, NOW) == ""


def test_a_start_looks_back_to_the_last_known_order_but_not_for_ever(exchange):
    exchange.known = {PAIR: {"1": NOW - timedelta(days=3)}, OTHER: {"2": NOW - timedelta(days=90)}}
    watch = exchange.watch()
    watch.start([PAIR, OTHER], NOW)
    loops(watch, 2)
    assert [since for _, since in exchange.asked] == [
        NOW - timedelta(days=3) - LOOK_AGAIN,
        NOW - LONGEST_LOOK_BACK,
    ]


def test_an_orphan_refuses_its_pairs_orders_until_it_is_gone_and_no_other_pairs(exchange):
    exchange.books[OTHER] = books(seen(), owned=2.0)
    watch = exchange.watch()
    watch.start([PAIR, OTHER], NOW)
    (said,) = filter(None, loops(watch, 5))
    assert OTHER in said and len(watch.orphans) == 1
    assert OTHER in watch.refusal(OTHER, NOW + timedelta(seconds=30))
    assert watch.refusal(PAIR, NOW + timedelta(seconds=30)) == ""
    assert len(exchange.asked) == 2, "asked again within a minute"
    exchange.books[OTHER] = books(seen(), owned=0.0)  # closed by hand
    assert watch.refusal(OTHER, NOW + 2 * LOOK_AGAIN) == ""
    assert watch.orphans == ()


def test_an_exchange_that_does_not_answer_refuses_what_was_not_looked_at_and_is_left_alone(exchange):
    exchange.down = True
    watch = exchange.watch()
    watch.start([PAIR, OTHER], NOW)
    assert "cannot be asked" in watch.unheard(NOW)
    for pair in (PAIR, OTHER):
        assert "no answer" in watch.refusal(pair, NOW + timedelta(seconds=5))
    assert len(exchange.asked) == 1, "every question may take its time-out"
    exchange.down = False
    assert watch.refusal(PAIR, NOW + LOOK_AGAIN) == ""


def test_an_order_that_reached_the_database_costs_nothing(exchange):
    watch = exchange.watch()
    watch.sending(PAIR, NOW)
    exchange.known[PAIR] = {"1": NOW}
    assert watch.refusal(PAIR, NOW + timedelta(seconds=5)) == ""
    assert exchange.asked == []


def test_an_order_whose_answer_was_lost_is_not_sent_twice(exchange):
    watch = exchange.watch()
    watch.sending(PAIR, NOW)
    assert "under way" in watch.refusal(PAIR, NOW + timedelta(seconds=5))
    assert exchange.asked == [], "asked before the answer can be final"
    exchange.books[PAIR] = books(seen(filled=0.0, is_open=True))
    assert "open buy order" in watch.refusal(PAIR, NOW + UNDER_WAY)


def test_an_exit_whose_answer_was_lost_is_said_without_being_asked(exchange):
    watch = exchange.watch()
    watch.sending(PAIR, NOW)
    exchange.books[PAIR] = books(seen(side="sell", filled=0.0, is_open=True), owned=2, held=2, trade_id=7)
    assert watch.unheard(NOW + timedelta(seconds=5)) == ""
    said = watch.unheard(NOW + UNDER_WAY)
    assert "open sell order" in said and "/reload_trade 7" in said
    assert watch.unheard(NOW + timedelta(hours=1)) == "", "said once"


def test_an_exchange_that_does_not_answer_is_asked_once_a_minute(exchange):
    watch = exchange.watch()
    watch.sending(PAIR, NOW)
    exchange.down = True
    said = loops(watch, 24, NOW + UNDER_WAY)
    assert len(exchange.asked) == 2 and len(list(filter(None, said))) == 2
    exchange.down = False
    assert watch.unheard(NOW + timedelta(minutes=5)) == ""
    assert watch.orphans == () and watch.refusal(PAIR, NOW + timedelta(minutes=5)) == ""


def test_asking_and_sending_are_one_step(exchange):
    watch = exchange.watch()
    assert watch.before_order(PAIR, NOW) == ""
    assert "under way" in watch.before_order(PAIR, NOW + timedelta(seconds=5))
    assert watch.before_order(OTHER, NOW + timedelta(seconds=5)) == ""


def test_an_order_that_was_turned_down_may_be_sent_again(exchange):
    watch = exchange.watch()
    watch.sending(PAIR, NOW)
    assert watch.refusal(PAIR, NOW + UNDER_WAY) == ""
    assert len(exchange.asked) == 1


# --- what is read ---------------------------------------------------------------------------------------


def test_books_are_read_from_ccxts_orders_and_freqtrades_trades():
    placed = NOW - timedelta(hours=1)
    trade = SimpleNamespace(
        id=7, is_open=True, is_short=False, amount=2.0,
        orders=[SimpleNamespace(order_id="11", order_date_utc=placed)],
    )  # fmt: skip
    closed = SimpleNamespace(
        id=6, is_open=False, is_short=False, amount=4.0,
        orders=[SimpleNamespace(order_id="10", order_date_utc=placed)],
    )  # fmt: skip
    row = {"id": 12, "side": "buy", "status": "open", "amount": 3.0, "filled": None, "price": 99.0}
    read = read_books(PAIR, [row], [closed, trade], 2.0)
    assert read == books(
        seen("12", amount=3.0, filled=0.0, is_open=True, price=99.0), known=("10", "11"),
        owned=2.0, held=2.0, trade_id=7,
    )  # fmt: skip
    assert known_orders([closed, trade]) == {"10": placed, "11": placed}


@pytest.mark.parametrize(("side", "found"), [("short", 1), ("long", 0)])
def test_a_lost_short_is_found_though_freqtrade_tells_its_size_without_a_sign(side, found):
    pair = "BTC/USDT:USDT"
    order = {"id": "9", "side": "sell", "status": "closed", "amount": 2.0, "filled": 2.0, "average": 100.0}
    dp = SimpleNamespace(
        runmode=SimpleNamespace(value="live"), _exchange=SimpleNamespace(fetch_orders=lambda *_: [order])
    )
    wallets = SimpleNamespace(
        update=lambda: None,
        get_owned=lambda *_: 2.0,
        get_all_positions=lambda: {pair: SimpleNamespace(side=side)},
    )
    watch = watch_bot(dp, wallets, lambda **_: [])
    watch.start([pair], NOW)
    watch.unheard(NOW)
    assert len(watch.orphans) == found


def test_a_dry_run_has_no_orders_to_lose():
    assert watch_bot(SimpleNamespace(runmode=SimpleNamespace(value="dry_run")), None, None) is None
