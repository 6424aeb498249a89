"""Each rule fires on its scenario, for its styles, in its direction, and nowhere else."""

import numpy as np
import pytest

from adaptive_pkg.enums import Regime, Style
from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.signals import RULES_OF_STYLE, Rule, entry_candidates, exit_signals
from adaptive_pkg.settings import DEFAULT_PRESETS

STRONG, VOLATILE, TIGHT, CHOPPY, TRANSITIONAL = (regime.code for regime in Regime)


def codes(n, code):
    return np.full(n, code, dtype=np.int8)


def breakout_up(quiet_frame):
    """Close leaves the channel at candle 4 and stays out; EMAs and DI point up."""
    close = [100.1] * 4 + [105.5, 106.0] + [104.0] * 4
    return quiet_frame(10, close=close, ema_fast=99.5, plus_di=30.0)


def pullback_up(quiet_frame):
    """Candle 6 dips to the fast EMA and closes above it and above its open."""
    low = [99.9] * 6 + [98.9] + [99.9] * 3
    return quiet_frame(10, low=low, ema_fast=99.5, plus_di=30.0)


def reversion_up(quiet_frame):
    """Candle 3 closes below the lower band, candle 4 back inside."""
    close = [100.0] * 3 + [95.0, 96.5] + [100.0] * 5
    return quiet_frame(10, close=close, rsi=[50.0] * 3 + [25.0, 30.0] + [50.0] * 5)


def mirror(frame):
    """The same scenario upside down round 100."""
    out = frame.copy()
    for name in ("open", "close", "ema_fast", "ema_slow", "bb_middle"):
        out[name] = 200.0 - frame[name]
    for high, low in (("high", "low"), ("donchian_high", "donchian_low"), ("bb_upper", "bb_lower")):
        out[high], out[low] = 200.0 - frame[low], 200.0 - frame[high]
    out["plus_di"], out["minus_di"] = frame["minus_di"], frame["plus_di"]
    out["rsi"] = 100.0 - frame["rsi"]
    return out


SCENARIOS = [
    (breakout_up, STRONG, Rule.BREAKOUT, 4),
    (pullback_up, STRONG, Rule.PULLBACK, 6),
    (pullback_up, VOLATILE, Rule.PULLBACK, 6),
    (pullback_up, TRANSITIONAL, Rule.PULLBACK, 6),
    (reversion_up, TIGHT, Rule.REVERSION, 4),
]


@pytest.mark.parametrize(("scenario", "regime", "rule", "at"), SCENARIOS)
def test_a_rule_fires_once_on_its_scenario(quiet_frame, scenario, regime, rule, at):
    frame = scenario(quiet_frame)
    found = entry_candidates(frame, codes(10, regime), DEFAULT_PRESETS, can_short=True)
    assert np.flatnonzero(found.side).tolist() == [at]
    assert found.side[at] == 1
    assert list(Rule)[found.rule[at]] is rule


@pytest.mark.parametrize(("scenario", "regime", "rule", "at"), SCENARIOS)
def test_the_mirrored_scenario_is_a_short_and_only_where_shorts_are_allowed(
    quiet_frame, scenario, regime, rule, at
):
    frame = mirror(scenario(quiet_frame))
    short = entry_candidates(frame, codes(10, regime), DEFAULT_PRESETS, can_short=True)
    assert (short.side[at], list(Rule)[short.rule[at]]) == (-1, rule)
    spot = entry_candidates(frame, codes(10, regime), DEFAULT_PRESETS, can_short=False)
    assert not (spot.side < 0).any()


@pytest.mark.parametrize(
    ("scenario", "regime"),
    [
        (breakout_up, VOLATILE),  # no breakouts in volatile trends
        (breakout_up, TIGHT),
        (reversion_up, STRONG),
        *[(scenario, CHOPPY) for scenario in (breakout_up, pullback_up, reversion_up)],
    ],
)
def test_a_style_does_not_trade_another_styles_rule(quiet_frame, scenario, regime):
    found = entry_candidates(scenario(quiet_frame), codes(10, regime), DEFAULT_PRESETS, can_short=True)
    assert not found.side.any()


def test_a_filler_candle_of_an_outage_is_never_entered(quiet_frame):
    frame = breakout_up(quiet_frame)
    frame.loc[4, "volume"] = 0.0
    found = entry_candidates(frame, codes(10, STRONG), DEFAULT_PRESETS, can_short=True)
    assert found.side[4] == 0


def test_warm_up_rows_give_no_candidate(quiet_frame):
    frame = breakout_up(quiet_frame)
    frame.loc[:, ["ema_fast", "ema_slow"]] = np.nan
    assert not entry_candidates(frame, codes(10, STRONG), DEFAULT_PRESETS, can_short=True).side.any()


def test_every_style_has_rules_and_standing_aside_has_none():
    assert set(RULES_OF_STYLE) == set(Style)
    assert RULES_OF_STYLE[Style.STAND_ASIDE] == ()


def test_a_cross_of_the_averages_ends_the_reason_for_a_trade(quiet_frame):
    fast = np.array([101.0, 101, 99, 99, 101, 101])
    exit_long, exit_short = exit_signals(quiet_frame(6, ema_fast=fast, ema_slow=100.0))
    assert np.flatnonzero(exit_long).tolist() == [2]
    assert np.flatnonzero(exit_short).tolist() == [4]


def test_a_missing_column_and_a_wrong_length_are_named(quiet_frame):
    with pytest.raises(DataError, match="rsi"):
        entry_candidates(quiet_frame().drop(columns="rsi"), codes(10, 0), DEFAULT_PRESETS, can_short=True)
    with pytest.raises(DataError, match="9 regimes for 10 candles"):
        entry_candidates(quiet_frame(), codes(9, 0), DEFAULT_PRESETS, can_short=True)
