"""A candidate becomes an entry, or is refused with a reason; every switch changes a decision."""

import dataclasses

import numpy as np
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.policy.decision import Refusal, decide_entries, entry_tag, regime_of_tag
from adaptive_pkg.policy.signals import Rule
from adaptive_pkg.settings import AdaptiveSettings, load_settings

STRONG = Regime.STRONG_TREND.code
CHOPPY = Regime.CHOPPY.code
SETTINGS = load_settings({"adaptive": {"approach": "by_regime"}})


@pytest.fixture
def breakout(quiet_frame):
    """A confirmed breakout at candle 4."""
    close = [100.1] * 4 + [105.5] + [104.0] * 5
    return quiet_frame(10, close=close, ema_fast=99.5, plus_di=30.0, macd_hist=0.5, momentum_pct=2.0,
                       rsi=60.0, volume_ratio=1.6)  # fmt: skip


def decide(frame, regime=STRONG, settings: AdaptiveSettings = SETTINGS, confidence=0.5, **kwargs):
    n = len(frame)
    kwargs.setdefault("can_short", False)
    return decide_entries(frame, np.full(n, regime), np.full(n, confidence), settings, **kwargs)


def switched_off(**components):
    return dataclasses.replace(
        SETTINGS, components=dataclasses.replace(SETTINGS.components, **dict.fromkeys(components, False))
    )


def test_a_confirmed_breakout_in_a_strong_trend_is_entered_with_a_telling_tag(breakout):
    decisions = decide(breakout)
    assert np.flatnonzero(decisions.side).tolist() == [4]
    assert decisions.tag[4] == "strong_trend.breakout"
    assert decisions.size_multiplier[4] == pytest.approx(1.2)  # the preset's size at full confidence
    assert decisions.refusals() == {}


def test_a_thin_market_is_refused_with_that_reason(breakout):
    breakout.loc[4, "volume_ratio"] = 0.39  # below 0.5 × 0.8
    decisions = decide(breakout)
    assert decisions.side[4] == 0
    assert decisions.refusal[4] is Refusal.THIN_VOLUME


def test_low_confidence_is_refused_with_that_reason(breakout):
    breakout.loc[4, ["volume_ratio", "macd_hist", "rsi"]] = [0.9, -1.0, 75.0]
    decisions = decide(breakout)
    assert decisions.side[4] == 0
    assert decisions.refusal[4] is Refusal.LOW_CONFIDENCE
    assert decisions.refusals() == {Refusal.LOW_CONFIDENCE: 1}
    assert decisions.size_multiplier[4] == 0.0


def test_reduced_confidence_reduces_the_size(breakout):
    breakout.loc[4, "volume_ratio"] = 1.2
    decisions = decide(breakout)
    assert 0.60 <= decisions.confidence[4] < 0.75
    assert decisions.size_multiplier[4] == pytest.approx(1.2 * 0.6)


def test_the_regime_presets_switch_changes_a_decision(breakout):
    assert decide(breakout, CHOPPY).side[4] == 0  # choppy stands aside …
    assert (
        decide(breakout, CHOPPY, switched_off(regime_presets=1)).side[4] == 1
    )  # … the pooled preset does not


def test_the_forecast_switch_changes_a_decision(breakout):
    against = np.full(10, -1.0)
    assert decide(breakout, forecast_sigma=against).side[4] == 0
    assert decide(breakout, settings=switched_off(forecast=1), forecast_sigma=against).side[4] == 1


def test_the_confidence_switch_changes_a_decision(breakout):
    breakout.loc[4, ["volume_ratio", "macd_hist", "rsi"]] = [0.9, -1.0, 75.0]
    assert decide(breakout).side[4] == 0
    assert decide(breakout, settings=switched_off(confidence=1)).side[4] == 1


def test_a_preset_override_from_the_config_changes_a_decision(breakout):
    strict = load_settings(
        {"adaptive": {"approach": "by_regime", "presets": {"strong_trend": {"confidence_threshold": 0.99}}}}
    )
    assert decide(breakout, settings=strict).refusal[4] is Refusal.LOW_CONFIDENCE


def test_an_unsure_regime_can_cost_an_entry(breakout):
    breakout.loc[4, ["volume_ratio", "rsi", "resistance_atr"]] = [0.9, 70.0, 0.2]
    assert decide(breakout, confidence=1.0).side[4] == 1
    assert decide(breakout, confidence=0.0).side[4] == 0


@pytest.mark.parametrize("regime", list(Regime))
@pytest.mark.parametrize("rule", list(Rule))
def test_a_tag_tells_its_regime(regime, rule):
    assert regime_of_tag(entry_tag(regime, rule)) is regime


@pytest.mark.parametrize("tag", [None, "", "force_entry", "strong"])
def test_a_foreign_tag_tells_none(tag):
    assert regime_of_tag(tag) is None
