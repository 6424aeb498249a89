"""A ladder's state follows from the trade's filled orders, so a restart changes nothing."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.ladder_state import NOTHING, FilledOrder, LadderState

ENTRY = FilledOrder(True, "trend long", 100.0, 2.0, 200.0)
RUNG_1 = FilledOrder(True, "rung 1", 99.0, 1.0, 99.0)
RUNG_2 = FilledOrder(True, "rung 2", 98.0, 1.0, 98.0)


def read(*orders):
    return LadderState.from_orders(orders)


def test_orders_are_read_by_their_tags():
    state = read(ENTRY, RUNG_1, RUNG_2)
    assert (state.entry.amount, state.entry.stake, state.entry.price) == (2.0, 200.0, 100.0)
    assert state.rung(1).price == 99.0
    assert state.rung(2).price == 98.0
    assert state.rung(3) is NOTHING
    assert state.stake == 397.0
    assert math.isnan(NOTHING.price)


def test_a_rung_sold_is_gone_and_may_be_bought_again():
    sold = FilledOrder(False, "sell rung 1", 100.0, 1.0, 100.0)
    state = read(ENTRY, RUNG_1, sold)
    assert state.rung(1).amount == 0.0
    assert state.stake == 200.0
    assert state.price_move == pytest.approx(1.0)  # 1 bought at 99, sold at 100
    assert state.closed_value == pytest.approx(199.0)
    again = read(ENTRY, RUNG_1, sold, RUNG_1._replace(price=98.9, stake=98.9))
    assert again.rung(1).price == pytest.approx(98.9)


def test_a_scale_out_takes_from_the_first_entry_only():
    state = read(ENTRY, RUNG_1, FilledOrder(False, "scale out 1", 102.0, 0.8, 81.6))
    assert state.scaled_out == {1}
    assert state.entry.amount == pytest.approx(1.2)
    assert state.entry_amount == 2.0  # of which the next step takes its share
    assert state.rung(1).amount == 1.0
    assert state.stake == pytest.approx(120.0 + 99.0)


def test_a_foreign_exit_takes_from_all_alike_and_a_foreign_entry_joins_the_first():
    state = read(ENTRY, RUNG_1, FilledOrder(False, "force_exit", 97.0, 1.5, 145.5))
    assert state.entry.amount == pytest.approx(1.0)
    assert state.rung(1).amount == pytest.approx(0.5)
    assert state.price_move == pytest.approx(1.5 * 97.0 - (100.0 + 49.5))
    forced = read(ENTRY, FilledOrder(True, "force_entry", 99.0, 1.0, 99.0))
    assert forced.entry.amount == forced.entry_amount == 3.0
    assert forced.entry.price == pytest.approx(299 / 3)


def test_more_closed_than_its_tag_holds_comes_from_the_rest():
    state = read(ENTRY, RUNG_1, FilledOrder(False, "sell rung 1", 100.0, 1.5, 150.0))
    assert state.rung(1).amount == 0.0
    assert state.entry.amount == pytest.approx(1.5)


def test_orders_that_filled_in_part_or_not_at_all_count_as_far_as_they_filled():
    state = read(
        ENTRY._replace(amount=0.5, stake=50.0),
        ENTRY._replace(amount=1.5, stake=150.0),
        RUNG_1._replace(amount=0.0, stake=0.0),
        RUNG_2._replace(amount=0.4, stake=39.2),
        FilledOrder(False, "sell rung 2", 99.0, 0.1, 9.9),
    )
    assert state.entry.amount == 2.0
    assert state.rung(1) is NOTHING
    assert state.rung(2).amount == pytest.approx(0.3)
    assert state.rung(2).stake == pytest.approx(29.4)


@pytest.mark.parametrize("tag", [None, "", "rung", "rung 0", "rung -1", "rung x", "rung ²", "Rung 1", "1"])
def test_a_tag_that_names_no_rung_belongs_to_the_first_entry(tag):
    state = read(ENTRY, RUNG_1._replace(tag=tag))
    assert not state.rungs
    assert state.entry.amount == 3.0


@pytest.mark.parametrize("field", ["price", "amount", "stake"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_broken_orders_are_errors(field, bad):
    with pytest.raises(RiskError, match=field):
        read(ENTRY._replace(**{field: bad}))


def test_no_orders_hold_nothing_and_a_state_can_be_pickled():
    state = read()
    assert (state.stake, state.entry_amount) == (0.0, 0.0)
    full = read(ENTRY, RUNG_1)
    assert pickle.loads(pickle.dumps(full)) == full


tags = st.sampled_from(["signal", "rung 1", "rung 2", "sell rung 1", "sell rung 2", "scale out 1", "force"])
orders = st.builds(
    FilledOrder, st.booleans(), tags, st.floats(50.0, 150.0), st.floats(0.0, 3.0), st.floats(0.0, 300.0)
)


@given(st.lists(orders, max_size=12))
def test_whatever_is_ordered_nothing_is_lost_or_made_up(sequence):
    """Amount and cash are conserved: held at cost − cash spent = the gain of what was closed."""
    state = LadderState.from_orders(sequence)
    held = sum(holding.amount for holding in state.holdings)
    assert all(holding.amount >= 0.0 and holding.stake >= -1e-9 for holding in state.holdings)
    amount = cash = 0.0
    for order in sequence:
        taken = order.amount if order.is_entry else -min(order.amount, amount)
        amount += taken
        cash += taken * order.price
    assert held == pytest.approx(amount, abs=1e-9)
    value = sum(holding.value for holding in state.holdings)
    assert value - cash == pytest.approx(state.price_move, abs=1e-6)
