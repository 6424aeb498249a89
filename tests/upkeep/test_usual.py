"""Alarms as rare as they claim to be, also where one trade in ten makes all the profit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.upkeep.usual import RARE, usual


def a_record(seed, skewed, recent=10, before=300):
    rng = np.random.default_rng(seed)
    days = np.concatenate([1000 + rng.integers(0, 7, recent), rng.integers(0, 250, before)])
    of_day = rng.normal(0, 0.5, 1007)
    noise = rng.normal(0, 0.85, recent + before) + of_day[days]
    values = np.where(noise > 1.2, 4.0, -0.5) if skewed else noise
    return values, np.arange(recent + before) < recent, days


@pytest.mark.parametrize("skewed", [False, True])
def test_luck_alone_alarms_about_as_often_as_it_says(skewed):
    lows = [usual(*a_record(seed, skewed)).is_low for seed in range(250)]
    assert np.mean(lows) < 2.2 * RARE


def test_a_week_as_no_other_is_found():
    values, recent, days = a_record(1, False)
    low = usual(np.where(recent, values - 2.0, values), recent, days)
    assert low.is_low and not low.is_high and low.value < low.low
    high = usual(np.where(recent, values + 2.0, values), recent, days)
    assert high.is_high and not high.is_low and high.value > high.high


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=30), st.integers(1, 3))
def test_mirrored_trades_give_the_mirrored_answer(values, recent):
    x = np.array(values)
    chosen, days = np.arange(len(x)) < recent, np.arange(len(x)) // 2
    one, other = usual(x, chosen, days), usual(-x, chosen, days)
    assert one.value == pytest.approx(-other.value) and one.low == pytest.approx(-other.high, abs=1e-9)
    assert one.as_low == pytest.approx(other.as_high)


def test_trades_of_both_kinds_are_needed():
    with pytest.raises(DataError, match="trades before it"):
        usual(np.ones(3), np.ones(3, dtype=bool), np.arange(3))
