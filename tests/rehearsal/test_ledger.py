"""The bot's books beside the venue's: what is lost, what is doubled, what is merely under way."""

from __future__ import annotations

import pytest

from adaptive_pkg.rehearsal.ledger import Differences, VenueOrder, compare, owned, venue_orders
from adaptive_pkg.rehearsal.records import BotTrade

PAIR = "BTC/USDT"
CANDLE_MS = 300_000


def order(number, buys=True, amount=2.0, filled=2.0, is_open=False, placed_ms=1_000, pair=PAIR):
    return VenueOrder(str(number), pair, buys, is_open, amount, filled, placed_ms)


def trade(*orders, amount=2.0, is_open=True):
    rows = tuple({"order_id": str(n), "ft_pair": PAIR, "ft_order_tag": tag} for n, tag in orders)
    return BotTrade({"id": 1, "pair": PAIR, "is_open": is_open, "amount": amount}, rows, {})


def differences(venue, trades, there, **options):
    return compare(venue, trades, {PAIR: there}, candle_ms=CANDLE_MS, **options)


def test_books_that_agree_show_no_difference():
    assert not differences([order(1)], [trade((1, "tag"))], 1.998)


def test_an_order_that_only_the_venue_knows_is_lost():
    found = differences([order(1, is_open=True, filled=0.0)], [], 0.0)
    assert [lost.order_id for lost in found.unknown] == ["1"] and found


def test_what_an_unknown_order_bought_is_too_much_in_the_account():
    found = differences([order(1)], [], 1.998)
    assert found.balances == {PAIR: 1.998}


def test_an_order_that_was_cancelled_unfilled_may_be_gone_from_the_database():
    assert not differences([order(1, filled=0.0)], [], 0.0)


def test_an_order_the_venue_never_had_is_named():
    assert differences([], [trade((9, "tag"), amount=0.0)], 0.0).unknown_at_venue == ("9",)


def test_two_entries_in_one_candle_are_one_signal_taken_twice():
    venue = [order(1), order(2, placed_ms=200_000)]
    assert [twice.order_id for twice in differences(venue, [trade((2, "tag"))], 4.0).doubled] == ["2"]


def test_a_rung_in_the_entrys_candle_is_none():
    venue = [order(1), order(2, placed_ms=200_000)]
    assert differences(venue, [trade((1, "tag"), (2, "rung 1"), amount=4.0)], 4.0) == Differences()


def test_an_entry_in_the_next_candle_is_none():
    venue = [order(1), order(2, placed_ms=CANDLE_MS)]
    assert differences(venue, [trade((1, "a"), (2, "b"), amount=4.0)], 4.0) == Differences()


def test_what_an_open_order_has_filled_is_not_yet_in_its_trade():
    venue = [order(1, filled=1.2, is_open=True)]
    assert not differences(venue, [trade((1, "tag"), amount=0.0)], 1.2)


def test_what_was_dealt_with_by_hand_is_left_out():
    assert not differences([order(1), order(2, buys=False)], [], 0.0, by_hand=["1", "2"])


def test_the_dust_of_what_was_sold_by_hand_is_no_gap():
    assert not differences([order(1), order(2, buys=False, amount=1.998)], [], 0.0018, by_hand=["1", "2"])
    assert differences([order(1)], [], 1.998, by_hand=["1"]).balances, "bought, and never sold"


def test_an_account_is_read_as_the_venue_tells_it():
    account = {
        "orders": [
            {
                "orderId": 5, "symbol": "BTCUSDT", "side": "BUY", "status": "PARTIALLY_FILLED",
                "origQty": "2.00000000", "executedQty": "0.50000000", "time": 77,
            }
        ],
        "balances": [{"asset": "BTC", "free": "0.3", "locked": "0.2"}],
    }  # fmt: skip
    (read,) = venue_orders(account, [PAIR])
    assert read == order(5, filled=0.5, is_open=True, placed_ms=77)
    assert owned(account, [PAIR, "ETH/USDT"]) == {PAIR: pytest.approx(0.5), "ETH/USDT": 0.0}
