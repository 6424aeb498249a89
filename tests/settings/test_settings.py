"""A bad config is refused with the key, the value, what is allowed, and the key that was probably meant."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Approach, Profile, Regime, Style
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings import (
    DEFAULT_PRESETS,
    AdaptiveSettings,
    RegimeSettings,
    describe,
    load_forecast_settings,
    load_settings,
)


def load(**block):
    return load_settings({"adaptive": block})


def test_an_empty_config_gives_the_conservative_defaults():
    assert load_settings({}) == load(profile="conservative")


@pytest.mark.parametrize(
    ("profile", "fraction", "scale", "max_stop"),
    [("conservative", 0.25, 1.25, 0.03), ("moderate", 0.40, 1.0, 0.05), ("aggressive", 0.50, 0.75, 0.07)],
)
def test_a_profile_sets_kelly_fraction_stop_scale_and_cap(profile, fraction, scale, max_stop):
    settings = load(profile=profile, approach="by_regime")
    assert settings.profile is Profile(profile)
    assert settings.kelly.fraction == fraction
    assert (settings.stops.profile_scale, settings.stops.max_fraction) == (scale, max_stop)


def test_a_value_in_the_config_wins_over_the_profile():
    assert load(profile="aggressive", kelly={"fraction": 0.1}).kelly.fraction == 0.1


@pytest.mark.parametrize(("profile", "max_stop"), [("conservative", 0.1), ("aggressive", 0.15)])
def test_a_held_trend_has_a_wide_stop_whatever_the_profile(profile, max_stop):
    settings = load(profile=profile)
    assert settings.approach is Approach.HOLD_TREND
    assert settings.stops.max_fraction == max_stop
    assert (settings.stops.breakeven_trigger, settings.stops.trail_trigger) == (0.1, 0.2)
    assert load(profile=profile, stops={"max_fraction": 0.04}).stops.max_fraction == 0.04


def test_a_held_trend_keeps_each_regimes_size_and_takes_no_profit():
    held, styled = load(), load(approach="by_regime")
    for regime in Regime:
        assert held.preset(regime).size_multiplier == styled.preset(regime).size_multiplier
    assert (held.takes_profit, held.adjusts_positions) == (False, False)
    assert (styled.takes_profit, styled.adjusts_positions) == (True, True)
    one = load(presets={"choppy": {"take_profit": True, "allow_dca": True}})
    assert (one.takes_profit, one.adjusts_positions) == (True, True)
    off = load(approach="by_regime", components={"target": False, "ladder": False})
    assert (off.takes_profit, off.adjusts_positions) == (False, False)


@pytest.mark.parametrize("approach", Approach)
def test_without_regime_presets_the_approach_stays(approach):
    styles = {load(approach=approach).preset(regime).style for regime in Regime}
    pooled = load(approach=approach, components={"regime_presets": False})
    assert {pooled.preset(regime).style for regime in Regime} <= styles


def test_a_preset_override_changes_one_field_of_one_regime():
    settings = load(approach="by_regime", presets={"choppy": {"style": "mean_reversion"}})
    assert settings.presets[Regime.CHOPPY].style is Style.MEAN_REVERSION
    assert (
        dataclasses.replace(settings.presets[Regime.CHOPPY], style=Style.STAND_ASIDE)
        == DEFAULT_PRESETS[Regime.CHOPPY]
    )
    assert settings.presets[Regime.STRONG_TREND] == DEFAULT_PRESETS[Regime.STRONG_TREND]


def test_the_presets_switch_gives_every_regime_the_same_preset():
    settings = load(approach="by_regime", components={"regime_presets": False})
    assert len({settings.preset(regime) for regime in Regime}) == 1
    assert len({load(approach="by_regime").preset(regime) for regime in Regime}) == 5


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"profil": "moderate"}, ["adaptive.profil", "'moderate'", "'profile'"]),
        ({"profile": "modrate"}, ["adaptive.profile", "'modrate'", "'moderate'", "aggressive"]),
        ({"regime": {"adx_trnd": 30}}, ["adaptive.regime.adx_trnd", "30", "'adx_trend'"]),
        ({"regime": {"adx_trend": 300}}, ["adaptive.regime.adx_trend", "300", "[5.0, 80.0]"]),
        ({"regime": {"adx_trend": "high"}}, ["adaptive.regime.adx_trend", "'high'", "not a number"]),
        ({"regime": {"adx_trend": True}}, ["adaptive.regime.adx_trend", "True", "not a number"]),
        ({"regime": {"adx_trend": float("nan")}}, ["adaptive.regime.adx_trend", "nan", "[5.0, 80.0]"]),
        ({"regime": {"min_dwell_candles": 2.5}}, ["min_dwell_candles", "2.5", "whole number"]),
        ({"regime": {"adx_flat": 30}}, ["adx_flat", "30", "adx_trend"]),
        ({"regime": 3}, ["adaptive.regime", "3", "object"]),
        ({"presets": {"chopy": {}}}, ["adaptive.presets.chopy", "choppy"]),
        (
            {"presets": {"choppy": {"size_multiplyer": 1}}},
            ["adaptive.presets.choppy.size_multiplyer", "'size_multiplier'"],
        ),
        ({"presets": {"choppy": {"size_multiplier": 9}}}, ["size_multiplier", "9", "[0.0, 2.0]"]),
        (
            {"presets": {"choppy": {"style": "men_reversion"}}},
            ["style", "'men_reversion'", "'mean_reversion'"],
        ),
        ({"confidence": {"rsi": 0.3}}, ["adaptive.confidence", "1.15", "sum to 1"]),
        ({"confidence": {"full_tier": 0.4}}, ["tiers", "0.4"]),
        ({"kelly": {"floor": 0.02, "start_fraction": 0.01}}, ["start_fraction", "0.01", "floor"]),
        ({"stops": {"min_fraction": 0.12}}, ["min_fraction", "0.12", "max_fraction"]),
        ({"indicators": {"ema_fast": 60}}, ["ema_fast", "60", "ema_slow"]),
        ({"approach": "hold"}, ["adaptive.approach", "'hold'", "'hold_trend'"]),
        ({"presets": {"choppy": {"style": "mean_reversion"}}}, ["choppy", "mean_reversion", "hold_trend"]),
        ({"approach": "by_regime", "presets": {"choppy": {"style": "hold_trend"}}}, ["choppy", "by_regime"]),
        ({"indicators": {"trend_lookbacks": []}}, ["trend_lookbacks", "hold_trend"]),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_what_is_allowed(block, named):
    with pytest.raises(SettingsError) as error:
        load(**block)
    for text in named:
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"windw": 30}, ["freqai.model_training_parameters.windw", "'window'"]),
        ({"units": []}, ["units", "empty"]),
        ({"units": [0]}, ["units", "0", "[1, 1024]"]),
        ({"units": 100}, ["units", "100", "list"]),
        ({"chunk_candles": 60}, ["chunk_candles", "60", "window"]),
    ],
)
def test_a_bad_network_setting_is_named(block, named):
    with pytest.raises(SettingsError) as error:
        load_forecast_settings({"freqai": {"model_training_parameters": block}})
    for text in named:
        assert text in str(error.value)


def test_settings_cannot_be_changed_after_they_were_checked():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}).regime.adx_trend = 1.0


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_threshold_is_accepted_exactly_within_its_bounds(value):
    inside = 20.0 <= value <= 80.0  # at least adx_flat's default, at most the bound
    try:
        accepted = RegimeSettings(adx_trend=value).adx_trend == value
    except SettingsError:
        accepted = False
    assert accepted == inside


def test_every_setting_says_what_it_means():
    rows = describe(AdaptiveSettings)
    assert len(rows) > 50
    assert [key for key, _, _, meaning in rows if not meaning] == []
