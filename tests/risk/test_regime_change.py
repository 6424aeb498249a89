"""An open trade whose regime has changed: three rules, one effect on the ladder."""

import pytest

from adaptive_pkg.enums import Regime, RegimeChange
from adaptive_pkg.risk.regime_change import react
from adaptive_pkg.risk.stops import plan_stop
from adaptive_pkg.settings import DEFAULT_PRESETS, ComponentSettings, StopSettings

STRONG, TIGHT = Regime.STRONG_TREND, Regime.TIGHT_RANGE  # stops of 2.5 and 1.5 ATR


def plan(side="long", regime=STRONG):
    return plan_stop(
        side, 100.0, 1.0, 1.0, 1.0, DEFAULT_PRESETS[regime], StopSettings(), ComponentSettings(), 0.001
    )


def reaction(rule, entered, now, side="long"):
    presets = (DEFAULT_PRESETS[entered or now], DEFAULT_PRESETS[now])
    return react(rule, plan(side, entered or now), entered, now, presets)


@pytest.mark.parametrize("rule", list(RegimeChange))
@pytest.mark.parametrize("entered", [STRONG, None])
def test_the_regime_of_the_entry_and_a_forced_entry_change_nothing(rule, entered):
    assert reaction(rule, entered, STRONG) == reaction(RegimeChange.KEEP, STRONG, STRONG)
    assert reaction(rule, entered, STRONG).may_add


@pytest.mark.parametrize("rule", list(RegimeChange))
def test_no_rule_buys_rungs_in_another_regime(rule):
    assert not reaction(rule, STRONG, TIGHT).may_add


def test_only_exit_leaves():
    assert [rule for rule in RegimeChange if reaction(rule, STRONG, TIGHT).leave] == [RegimeChange.EXIT]


@pytest.mark.parametrize(("side", "sign"), [("long", 1), ("short", -1)])
def test_tighten_takes_the_new_presets_distance_where_it_is_nearer(side, sign):
    own = plan(side)
    distance = sign * (own.entry_price - own.initial_stop)
    stop = reaction(RegimeChange.TIGHTEN, STRONG, TIGHT, side).tightened_stop
    assert sign * (own.entry_price - stop) == pytest.approx(distance * 1.5 / 2.5)
    assert reaction(RegimeChange.TIGHTEN, TIGHT, STRONG, side).tightened_stop is None
