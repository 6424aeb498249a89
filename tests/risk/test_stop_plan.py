"""A stop plan: where it puts the stop, and that storage cannot corrupt it."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime, ThresholdSet
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import StopPlan, plan_stop, volatility_multiple
from adaptive_pkg.settings import (
    DEFAULT_PRESETS,
    ComponentSettings,
    Preset,
    StopSettings,
    load_settings,
)

ABSOLUTE = StopSettings(multiple_set=ThresholdSet.ABSOLUTE)


@pytest.mark.parametrize(
    ("ratio", "multiple"), [(0.1, 1.5), (0.5, 1.5), (1.0, 2.0), (1.5, 2.5), (2.0, 3.0), (9.0, 3.0)]
)
def test_relative_multiple_reads_atr_against_its_own_past(ratio, multiple):
    assert volatility_multiple(ThresholdSet.RELATIVE, math.nan, ratio) == pytest.approx(multiple)


@pytest.mark.parametrize(
    ("atr_pct", "multiple"),
    [(0.2, 1.2), (0.4, 1.2), (1.15, 1.5), (2.25, 2.0), (4.0, 2.5), (6.0, 3.0), (9.0, 3.0)],
)
def test_absolute_multiple_meets_the_table_in_the_middle_of_each_band(atr_pct, multiple):
    assert volatility_multiple(ThresholdSet.ABSOLUTE, atr_pct, math.nan) == pytest.approx(multiple)


@pytest.mark.parametrize("threshold_set", ThresholdSet)
@given(x=st.floats(0.01, 10.0))
def test_multiple_never_jumps_and_never_falls(threshold_set, x):
    here = volatility_multiple(threshold_set, x, x)
    there = volatility_multiple(threshold_set, x + 0.001, x + 0.001)
    assert 0.0 <= there - here <= 0.0011  # the steepest line rises by 1 per unit


def test_no_step_at_an_atr_of_one_and_a_half_percent(make_plan):
    """The table's steps moved the stop from 2.24 % to 3.02 % between ATR 1.49 % and 1.51 %."""
    below, above = (make_plan(atr=atr, settings=ABSOLUTE).stop_fraction for atr in (1.49, 1.51))
    assert above - below < 0.001


def test_initial_distance_is_preset_times_volatility_times_profile(make_plan):
    wide = StopSettings(max_fraction=0.5, profile_scale=1.25)
    plan = make_plan(preset=Preset(stop_atr=2.5, target_atr=4.0), settings=wide, atr_ratio=1.5)
    assert plan.initial_stop == pytest.approx(100.0 - 2.5 * (2.5 / 2.0) * 1.25)
    assert plan.target_price == pytest.approx(104.0)


@pytest.mark.parametrize(("atr", "fraction"), [(0.01, 0.005), (1.0, 0.02), (20.0, 0.05)])
@pytest.mark.parametrize("side", ["long", "short"])
def test_distance_stays_between_nearest_and_farthest(make_plan, side, atr, fraction):
    plan = make_plan(side, atr=atr)
    sign = 1 if side == "long" else -1
    assert plan.stop_fraction == pytest.approx(fraction)
    assert plan.initial_stop == pytest.approx(100.0 * (1 - sign * fraction))


def test_every_regime_preset_moves_the_stop(make_plan):
    """A regime named in another case once left every stop unadjusted."""
    stops = {regime: make_plan(preset=preset).initial_stop for regime, preset in DEFAULT_PRESETS.items()}
    assert stops[Regime.TIGHT_RANGE] > stops[Regime.CHOPPY] > stops[Regime.STRONG_TREND]
    assert stops[Regime.STRONG_TREND] > stops[Regime.VOLATILE_TREND]


def test_every_profile_moves_the_stop(make_plan):
    """The profiles' multiple was once never used: conservative, moderate and aggressive had the same stop."""
    stops = [
        make_plan(
            settings=load_settings({"adaptive": {"approach": "by_regime", "profile": name}}).stops
        ).initial_stop
        for name in ("conservative", "moderate", "aggressive")
    ]
    assert stops == sorted(stops)
    assert len(set(stops)) == 3


@pytest.mark.parametrize("side", ["long", "short"])
@given(fee=st.floats(0.0, 0.01), entry=st.floats(1e-6, 1e6))
def test_breakeven_nets_zero_after_both_fees(side, fee, entry):
    plan = plan_stop(side, entry, entry / 100, 1.0, 1.0, Preset(), StopSettings(), ComponentSettings(), fee)
    paid, received = (entry, plan.breakeven_stop) if side == "long" else (plan.breakeven_stop, entry)
    assert received * (1 - fee) - paid * (1 + fee) == pytest.approx(0.0, abs=1e-9 * entry)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_stop_filled_as_planned_costs_exactly_one_r(make_plan, side):
    plan, amount, fee = make_plan(side), 5.0, 0.001
    paid, received = (plan.entry_price, plan.initial_stop)
    if side == "short":
        paid, received = received, paid
    profit = amount * (received * (1 - fee) - paid * (1 + fee))
    assert plan.r_multiple(profit, amount * plan.entry_price) == pytest.approx(-1.0)


def test_switches_turn_one_thing_off_each(make_plan):
    full = make_plan()
    assert (full.breakeven, full.trailing, full.target) == (True, True, True)
    assert replace(full, breakeven=False) == make_plan(components=ComponentSettings(breakeven=False))
    assert replace(full, trailing=False) == make_plan(components=ComponentSettings(trailing=False))
    assert replace(full, target=False) == make_plan(components=ComponentSettings(target=False))
    assert replace(full, trailing=False) == make_plan(
        preset=Preset(stop_atr=2.0, target_atr=3.0, trailing=False)
    )


def test_without_dynamic_stops_the_distance_is_fixed_and_never_moves(make_plan):
    off = ComponentSettings(dynamic_stops=False)
    for atr in (0.1, 3.0):
        plan = make_plan(atr=atr, components=off)
        assert plan.stop_fraction == pytest.approx(0.02)
        assert not plan.breakeven
        assert not plan.trailing


@pytest.mark.parametrize(("side", "hit", "missed"), [("long", 103.0, 102.99), ("short", 97.0, 97.01)])
def test_target_is_reached_at_its_price_unless_switched_off(make_plan, side, hit, missed):
    plan = make_plan(side)
    assert plan.target_reached(hit)
    assert not plan.target_reached(missed)
    assert not plan.target_reached(math.nan)
    assert not make_plan(side, components=ComponentSettings(target=False)).target_reached(hit)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("name", ["entry_price", "atr", "atr_ratio"])
def test_unusable_numbers_are_refused_by_name(name, bad):
    good = {"entry_price": 100.0, "atr": 1.0, "atr_ratio": 1.0, name: bad}
    with pytest.raises(RiskError, match=name):
        plan_stop(
            "long",
            atr_pct=1.0,
            preset=Preset(),
            settings=StopSettings(),
            components=ComponentSettings(),
            fee=0.001,
            **good,
        )


def test_other_bad_inputs_are_refused(make_plan):
    with pytest.raises(RiskError, match="side"):
        make_plan("buy")
    for fee in (-0.001, math.nan, 0.5):
        with pytest.raises(RiskError, match="fee"):
            make_plan(fee=fee)
    with pytest.raises(RiskError, match="atr_pct"):
        make_plan(settings=ABSOLUTE, atr_pct=math.nan)
    with pytest.raises(RiskError, match="target_price"):
        make_plan("short", atr=40.0)  # a target of 3 ATR would lie below zero


def test_absolute_set_does_not_need_the_ratio(make_plan):
    assert make_plan(settings=ABSOLUTE, atr_ratio=math.nan).stop_fraction > 0


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_plan_survives_storage_as_json(make_plan, side):
    plan = make_plan(side, entry=27_123.456789, atr=311.7)
    stored = json.loads(json.dumps(plan.to_dict()))
    assert StopPlan.from_dict(stored) == plan
    assert {type(value) for value in plan.to_dict().values()} == {str, float, bool, int}


def test_whole_numbers_of_another_writer_are_read_as_floats(make_plan):
    stored = make_plan().to_dict() | {"entry_price": 100}
    assert type(StopPlan.from_dict(stored).entry_price) is float


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"version": 0}, "version"),
        ({"version": None}, "version"),
        ({"initial_stop": math.nan}, "initial_stop"),
        ({"trail_atr": -1.0}, "trail_atr"),
        ({"entry_price": "100"}, "entry_price"),
        ({"breakeven": 1}, "breakeven"),
        ({"side": "flat"}, "side"),
        ({"initial_stop": 101.0}, "order"),
        ({"surprise": 1.0}, "surprise"),
    ],
)
def test_a_spoilt_plan_is_an_error_and_not_a_guess(make_plan, change, names):
    with pytest.raises(RiskError, match=names):
        StopPlan.from_dict(make_plan().to_dict() | change)


def test_a_missing_field_or_no_plan_at_all_is_an_error(make_plan):
    stored = make_plan().to_dict()
    del stored["atr"]
    with pytest.raises(RiskError, match=r"missing \['atr'\]"):
        StopPlan.from_dict(stored)
    for nothing in (None, "plan", 3.0, {}):
        with pytest.raises(RiskError, match="keep the last stop"):
            StopPlan.from_dict(nothing)
