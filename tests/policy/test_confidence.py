"""The score is what its documented parts make it, and moves the way each part says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.policy.confidence import ConfidenceScorer
from adaptive_pkg.settings import ConfidenceSettings

LONG, SHORT = np.array([1]), np.array([-1])
SURE = np.array([0.5])  # a regime confidence that neither adds nor takes


def score(frame, side=LONG, regime=SURE, forecast=None, **settings):
    return ConfidenceScorer(ConfidenceSettings(**settings)).score(frame, side, regime, forecast)


def test_a_confirmed_breakout_scores_as_computed_by_hand(quiet_frame):
    frame = quiet_frame(1, rsi=63.0, macd_hist=0.4, volume_ratio=1.6, momentum_pct=3.0, ema_fast=99.5,
                        support_atr=3.0, resistance_atr=9.0)  # fmt: skip
    result = score(frame)
    # .15×(70−63)/70 + .20×1 + .30×1 + .20×4/4 + .10×9/12 + .05×.5
    assert result.score[0] == pytest.approx(0.015 + 0.2 + 0.3 + 0.2 + 0.075 + 0.025)


@pytest.mark.parametrize(("ratio", "part"), [(1.6, 1.0), (1.5, 0.7), (1.01, 0.7), (1.0, 0.3), (0.0, 0.3)])
def test_volume_confirms_in_steps(quiet_frame, ratio, part):
    assert score(quiet_frame(1, volume_ratio=ratio)).parts["volume"][0] == part


def test_a_long_and_the_mirrored_short_score_the_same(quiet_frame):
    up = {"rsi": 40.0, "macd_hist": 1.0, "close": 101.0, "ema_fast": 100.5, "momentum_pct": 1.0}
    down = {"rsi": 60.0, "macd_hist": -1.0, "close": 99.0, "ema_fast": 99.5, "momentum_pct": -1.0}
    up = quiet_frame(1, ema_slow=100.0, support_atr=1.0, resistance_atr=3.0, **up)
    down = quiet_frame(1, ema_slow=100.0, support_atr=3.0, resistance_atr=1.0, **down)
    assert score(up).score[0] == pytest.approx(score(down, SHORT).score[0])


def test_an_agreeing_forecast_raises_the_score_and_a_disagreeing_one_lowers_it(quiet_frame):
    frame = quiet_frame(1)
    plain = score(frame).score[0]
    assert score(frame, forecast=np.array([0.5])).score[0] == pytest.approx(plain * 1.3)
    assert score(frame, forecast=np.array([-0.5])).score[0] == pytest.approx(plain * 0.6)
    assert score(frame, SHORT, forecast=np.array([-0.5])).forecast_factor[0] == pytest.approx(1.3)


def test_no_forecast_for_a_candle_changes_nothing(quiet_frame):
    frame = quiet_frame(1)
    assert score(frame, forecast=np.array([np.nan])).score[0] == score(frame).score[0]


def test_a_surer_regime_raises_the_score_within_its_effect(quiet_frame):
    frame = quiet_frame(1)
    low, mid, high = (score(frame, regime=np.array([value])).score[0] for value in (0.0, 0.5, 1.0))
    assert (low, high) == (pytest.approx(mid * 0.9), pytest.approx(mid * 1.1))


def test_nan_indicators_never_add_to_the_score(quiet_frame):
    frame = quiet_frame(1)
    broken = frame.assign(rsi=np.nan, volume_ratio=np.nan)
    assert score(broken).score[0] < score(frame).score[0]


@pytest.mark.parametrize(
    ("value", "size"),
    [(1.0, 1.0), (0.75, 1.0), (0.7499, 0.6), (0.6, 0.6), (0.59, 0.3), (0.5, 0.3), (0.49, 0.0)],
)
def test_tiers_of_size(value, size):
    assert ConfidenceScorer(ConfidenceSettings()).tier_multiplier(value) == size


finite = st.floats(-1e6, 1e6)


@given(
    st.floats(0, 100), finite, st.floats(0, 50), finite, st.floats(0, 1), st.one_of(finite, st.just(np.nan))
)
def test_the_score_stays_between_zero_and_one(rsi, macd, volume, momentum, regime, forecast):
    frame = pd.DataFrame({
        "rsi": [rsi], "macd_hist": [macd], "volume_ratio": [volume], "momentum_pct": [momentum],
        "trend_4h": [1.0], "trend_1d": [np.nan],
        "close": [100.0], "ema_fast": [99.0], "ema_slow": [101.0], "support_atr": [0.0],
        "resistance_atr": [0.0],
    })  # fmt: skip
    result = score(frame, regime=np.array([regime]), forecast=np.array([forecast]))
    assert 0.0 <= result.score[0] <= 1.0


def alignment(frame, side=1):
    scored = ConfidenceScorer(ConfidenceSettings()).score(frame, np.array([side]), np.array([0.5]))
    return scored.parts["trend_alignment"][0]


def test_higher_timeframes_share_the_alignment_and_one_without_a_reading_is_left_out(quiet_frame):
    up = {"close": 101.0, "ema_fast": 100.5, "ema_slow": 100.0, "momentum_pct": 1.0}
    assert alignment(quiet_frame(1, **up)) == 1.0  # alone
    assert alignment(quiet_frame(1, **up, trend_4h=-1.0)) == 0.5
    assert alignment(quiet_frame(1, **up, trend_4h=-1.0, trend_1d=-1.0)) == pytest.approx(1 / 3)
    assert alignment(quiet_frame(1, **up, trend_4h=1 / 3)) == pytest.approx((1 + 2 / 3) / 2)
    assert alignment(quiet_frame(1, **up, trend_4h=-1.0, trend_1d=-1.0), side=-1) == pytest.approx(2 / 3)


def test_a_known_mood_counts_as_much_as_its_effect_and_for_the_side_it_speaks_for(quiet_frame):
    frame = quiet_frame(1, sentiment=0.8)
    assert score(frame).parts["sentiment"][0] == 0.5  # by default it says nothing
    assert score(frame, sentiment_effect=1.0).parts["sentiment"][0] == pytest.approx(0.9)
    assert score(frame, SHORT, sentiment_effect=0.5).parts["sentiment"][0] == pytest.approx(0.3)


@pytest.mark.parametrize("known", [{}, {"sentiment": np.nan}])
def test_an_unknown_mood_is_neutral(quiet_frame, known):
    assert score(quiet_frame(1, **known), sentiment_effect=1.0).parts["sentiment"][0] == 0.5
