"""Leverage: the stop is always hit before liquidation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import max_safe_leverage, safe_leverage
from adaptive_pkg.settings import SizingSettings


def liquidation_distances(leverage, maintenance_margin):
    """Moves at which an isolated linear position has only its maintenance margin left: long, short.

    Long at entry 1: 1/L + (price − 1) = m·price. Short: 1/L − (price − 1) = m·price.
    """
    long = 1 - (1 - 1 / leverage) / (1 - maintenance_margin)
    short = (1 + 1 / leverage) / (1 + maintenance_margin) - 1
    return long, short


@given(stop=st.floats(0.001, 0.4), margin=st.floats(0.0, 0.1), buffer=st.floats(0.0, 0.4))
def test_the_stop_lies_inside_the_free_part_of_the_way(stop, margin, buffer):
    leverage = max_safe_leverage(stop, margin, buffer)
    for distance in liquidation_distances(leverage, margin):
        assert stop <= distance * (1 - buffer) * (1 + 1e-9)


def test_a_known_case():
    # stop 2 %, m 1 %, a quarter free: 1/L = 0.02·1.01/0.75 + 0.01
    assert max_safe_leverage(0.02, 0.01, 0.25) == pytest.approx(27.08, abs=0.01)


@given(stop=st.floats(0.001, 0.3), farther=st.floats(1.0, 1.3))
def test_a_farther_stop_means_less_leverage(stop, farther):
    assert max_safe_leverage(stop * farther, 0.01, 0.25) <= max_safe_leverage(stop, 0.01, 0.25)


def test_settings_and_venue_cap_it():
    limits = SizingSettings(max_leverage=5.0)
    assert safe_leverage(0.02, 125.0, limits) == 5.0
    assert safe_leverage(0.02, 3.0, limits) == 3.0
    assert safe_leverage(0.30, 125.0, limits) == pytest.approx(max_safe_leverage(0.30, 0.01, 0.25))


@pytest.mark.parametrize("bad", [0.0, -0.1, math.nan, math.inf])
def test_a_stop_that_is_none_is_refused(bad):
    with pytest.raises(RiskError, match="stop_fraction"):
        max_safe_leverage(bad, 0.01, 0.25)


def test_what_cannot_be_made_safe_is_refused():
    with pytest.raises(RiskError, match="not safe"):
        max_safe_leverage(0.8, 0.01, 0.25)
    with pytest.raises(RiskError, match="buffer"):
        max_safe_leverage(0.02, 0.01, 1.0)
    with pytest.raises(RiskError, match="maintenance_margin"):
        max_safe_leverage(0.02, math.nan, 0.25)
    for venue_max in (0.5, math.nan):
        with pytest.raises(RiskError, match="venue_max"):
            safe_leverage(0.02, venue_max, SizingSettings())


def test_a_planned_stop_is_reached_before_liquidation(make_plan):
    for side, which in (("long", 0), ("short", 1)):
        for atr in (0.1, 1.0, 5.0):
            plan = make_plan(side, atr=atr)
            leverage = max_safe_leverage(plan.stop_fraction, 0.01, 0.25)
            assert plan.stop_fraction < liquidation_distances(leverage, 0.01)[which]
