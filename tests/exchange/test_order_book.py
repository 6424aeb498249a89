"""An order book is read whole, or refused: a half one would lie about spread and depth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.order_book import OrderBook, parse_order_book

BODY = {
    "lastUpdateId": 1,
    "bids": [["99.0", "2"], ["98.0", "10"], ["90.0", "100"]],
    "asks": [["101.0", "1"], ["102.0", "5"], ["110.0", "100"]],
}


def test_spread_and_depth_of_a_book():
    book = parse_order_book(BODY)
    assert book.middle == 100.0
    assert book.spread == pytest.approx(0.02)
    assert book.depth(0.02) == (99 * 2 + 98 * 10, 101 * 1 + 102 * 5)
    assert book.depth(0.005) == (0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"bids": []},  # what a client makes of an answer it could not read
        {"asks": []},
        {"bids": None},
        {"bids": "many"},
        {"bids": [["x", "1"]]},
        {"bids": [["99.0"]]},
        {"bids": [["99.0", "nan"]]},
        {"bids": [["99.0", "-1"]]},
        {"bids": [["98.0", "1"], ["99.0", "1"]]},
        {"bids": [["101.0", "1"]]},
    ],
)
def test_anything_else_is_refused(change):
    with pytest.raises(ExchangeError, match="order book"):
        parse_order_book(BODY | change)


@pytest.mark.parametrize("body", [None, [], "busy", 7])
def test_an_answer_of_another_shape_is_refused(body):
    with pytest.raises(ExchangeError, match="expected an object"):
        parse_order_book(body)


@given(st.lists(st.tuples(st.floats(0.01, 0.2), st.floats(0.1, 1e6)), min_size=1, max_size=20), st.data())
def test_a_wider_band_never_holds_less(levels, data):
    steps = [gap for gap, _ in levels]
    bids = tuple((100 - sum(steps[: i + 1]), size) for i, (_, size) in enumerate(levels))
    asks = tuple((100 + sum(steps[: i + 1]), size) for i, (_, size) in enumerate(levels))
    book = OrderBook(bids, asks)
    narrow = data.draw(st.floats(0, 0.05))
    wide = narrow + data.draw(st.floats(0, 0.05))
    assert all(n <= w for n, w in zip(book.depth(narrow), book.depth(wide), strict=True))
