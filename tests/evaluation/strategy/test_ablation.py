"""Ablation: every component off in turn and alone, judged on the same days."""

from dataclasses import fields, replace

import numpy as np
import pytest

from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.ablation import (
    COMPONENTS,
    FULL,
    NOTHING,
    ONLY_WHILE_TRADING,
    Kind,
    alternatives,
    distinct,
    effects,
    variants,
)
from adaptive_pkg.evaluation.strategy.bootstrap import draw_days
from adaptive_pkg.settings import ComponentSettings, load_settings


@pytest.fixture
def days():
    return np.random.default_rng(4).normal(0.0005, 0.01, 200)


def by_kind(found):
    return {(effect.component, effect.kind): effect for effect in found}


def test_every_switch_of_the_settings_has_both_runs():
    on = ComponentSettings(**dict.fromkeys(COMPONENTS, True))
    found = {variant.name: variant.adaptive for variant in variants(on, uses_forecast=True)}
    assert {item.name for item in fields(ComponentSettings)} - set(COMPONENTS) == ONLY_WHILE_TRADING
    assert len(found) == 2 + 2 * len(COMPONENTS)
    assert found[FULL] == {}
    for name in COMPONENTS:
        without = load_settings({"adaptive": found[f"without {name}"]}).components
        alone = load_settings({"adaptive": found[f"alone {name}"]}).components
        assert not getattr(without, name)
        assert [other for other in COMPONENTS if getattr(alone, other)] == [name]
    assert not any(found[NOTHING]["components"].values())


def test_what_is_off_or_has_no_model_is_not_judged():
    on = ComponentSettings(**dict.fromkeys(COMPONENTS, True))
    names = {variant.name for variant in variants(replace(on, kelly=False), uses_forecast=False)}
    assert not names & {"without kelly", "alone kelly", "without forecast", "alone forecast"}
    with pytest.raises(SettingsError, match="nothing to judge"):
        variants(ComponentSettings(**dict.fromkeys(COMPONENTS, False)))


def test_a_component_that_earns_helps_in_both_readings(make_result, days):
    gain = 0.004
    found = by_kind(
        effects(
            {
                FULL: make_result(days + gain, trades=30),
                "without kelly": make_result(days, trades=20),
                "alone kelly": make_result(days + gain, trades=10),
                NOTHING: make_result(days),
            }
        )
    )
    for kind in (Kind.OFF, Kind.ALONE):
        effect = found["kelly", kind]
        assert effect.verdict == "helps"
        assert effect.mean_return.value == pytest.approx(365 * gain)
        assert effect.p < 0.05
        assert "helps" in effect.answer
    assert found["kelly", Kind.OFF].trades == (30, 20)
    assert found["kelly", Kind.ALONE].trades == (10, 0)


def test_a_component_that_costs_harms(make_result, days):
    (effect,) = effects({FULL: make_result(days - 0.004), "without ladder": make_result(days)})
    assert effect.verdict == "harms"
    assert effect.mean_return.sign == -1


def test_staking_half_is_no_skill(make_result, days):
    """Half the stake halves return and tail alike: at equal tail loss nothing is left of the difference."""
    (effect,) = effects({FULL: make_result(0.5 * days), "without kelly": make_result(days)})
    assert effect.mean_return.value == pytest.approx(-0.5 * 365 * days.mean())
    assert effect.growth.difference.value == pytest.approx(0.0, abs=1e-6)
    assert effect.verdict == "no evidence"


def test_noise_is_no_evidence(make_result, days):
    other = days + np.random.default_rng(9).normal(0.0, 0.002, 200)
    (effect,) = effects({FULL: make_result(days), "without trailing": make_result(other)})
    assert effect.verdict == "no evidence"
    assert "no evidence" in effect.answer


def test_what_changes_nothing_says_so(make_result, days):
    (effect,) = effects({FULL: make_result(days), "without breakeven": make_result(days)})
    assert (effect.verdict, effect.p, effect.same) == ("not in use", 1.0, True)
    assert "not in use with these settings" in effect.answer


def test_many_comparisons_raise_the_bar(make_result, days):
    rng = np.random.default_rng(2)
    runs = {FULL: make_result(days)} | {
        f"without {name}": make_result(days + rng.normal(0.0, 0.004, 200)) for name in COMPONENTS
    }
    draws = draw_days(days, repetitions=200)
    alone = effects({FULL: runs[FULL], "without kelly": runs["without kelly"]}, draws)[0]
    among = by_kind(effects(runs, draws))["kelly", Kind.OFF]
    assert among.p >= alone.p


def test_runs_of_different_spans_are_refused(make_result, days):
    with pytest.raises(DataError, match="different spans"):
        effects({FULL: make_result(days), "without kelly": make_result(days[:-5])})


def test_what_is_off_by_the_settings_is_told_from_what_trades_otherwise(make_result, days):
    """The same days with other trades in them: something was decided, though nothing came of it."""
    runs = {FULL: make_result(days, trades=9), "without target": make_result(days, trades=9)}
    (idle,) = effects(runs)
    assert idle.verdict == "not in use"
    (moved,) = effects({**runs, "without target": make_result(days, trades=8)})
    assert moved.verdict == "no evidence"


# --- the other approach -------------------------------------------------------------------------------


def test_every_other_approach_is_an_alternative():
    for ours in Approach:
        found = {variant.name: variant.adaptive for variant in alternatives({"approach": str(ours)})}
        assert list(found) == [f"approach: {other}" for other in Approach if other is not ours]
        for name, adaptive in found.items():
            assert f"approach: {load_settings({'adaptive': adaptive}).approach}" == name


def test_an_approach_that_the_configuration_cannot_be_run_with_is_no_alternative():
    mine = {"approach": "by_regime", "presets": {"choppy": {"style": "mean_reversion"}}}
    assert alternatives(mine) == []


def test_the_other_approach_is_judged_in_place_of_ours(make_result, days):
    worse = {FULL: make_result(days + 0.004, trades=9), "approach: by_regime": make_result(days, trades=40)}
    (effect,) = effects(worse)
    assert (effect.kind, effect.verdict, effect.trades) == (Kind.INSTEAD, "harms", (40, 9))
    assert effect.answer.startswith("approach: by regime, in place of ours: harms, -")
    (effect,) = effects({FULL: worse["approach: by_regime"], "approach: hold_trend": worse[FULL]})
    assert effect.verdict == "helps"


def test_a_run_that_is_another_day_by_day_is_no_further_try(make_result, days):
    runs = {FULL: make_result(days), "without target": make_result(days), NOTHING: make_result(days + 0.001)}
    assert list(distinct(runs)) == [FULL, NOTHING]
