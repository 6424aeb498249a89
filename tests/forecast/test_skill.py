from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.skill import (
    directional_accuracy,
    earned_weight,
    price_mape,
    qlike,
    relative_loss,
    relative_mae,
    relative_mse,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_the_reference_itself_scores_exactly_one():
    y = rng().normal(size=200)
    skill = relative_mse(y, np.zeros(200), np.zeros(200), 5, rng())
    assert (skill.value, skill.low, skill.high, skill.rows) == (1.0, 1.0, 1.0, 200)


def test_a_real_edge_is_below_one_with_its_whole_interval():
    y = rng().normal(size=2000)
    forecast = 0.5 * y + np.random.default_rng(2).normal(scale=0.2, size=2000)
    for measure in (relative_mae, relative_mse):
        skill = measure(y, forecast, np.zeros(2000), 10, rng())
        assert skill.low < skill.value < skill.high < 1


def test_noise_is_not_called_an_edge():
    y, noise = rng().normal(size=2000), np.random.default_rng(2).normal(scale=0.1, size=2000)
    assert relative_mse(y, noise, np.zeros(2000), 10, rng()).high > 1
    accuracy = directional_accuracy(y, noise, 10, rng())
    assert accuracy.low < 0.5 < accuracy.high


def test_overlapping_labels_widen_the_interval():
    """Labels over 24 candles repeat each other: blocks must count them as fewer than independent rows do."""
    shocks = rng().normal(size=3000)
    y = np.convolve(shocks, np.ones(24), mode="valid")
    guess = np.convolve(np.random.default_rng(4).normal(size=3000), np.ones(24), mode="valid")
    narrow = directional_accuracy(y, guess, 1, rng())
    wide = directional_accuracy(y, guess, 48, rng())
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_no_answer_is_not_a_wrong_answer():
    accuracy = directional_accuracy([1, -1, 1, -1, 1, 1], [1, -1, 0, -1, 0, 1], 2, rng())
    assert (accuracy.value, accuracy.rows) == (1.0, 4)


def test_unknown_rows_are_skipped_for_both_sides():
    y = np.array([1.0, np.nan, 2.0, 3.0, 4.0])
    assert relative_mae(y, [1, 9, 2, np.nan, 5], np.zeros(5), 1, rng()).value == pytest.approx(1 / 7)


def test_mape_of_persistence_is_the_mean_move():
    assert price_mape([101.0, 99.0, np.nan], [100.0, 100.0, 1.0]) == pytest.approx(
        100 * (1 / 101 + 1 / 99) / 2
    )


def test_too_few_rows_are_refused():
    with pytest.raises(ForecastError, match="two blocks of 10"):
        relative_mae(np.ones(15), np.ones(15), np.zeros(15), 10, rng())
    with pytest.raises(ForecastError, match="lengths differ"):
        relative_mae(np.ones(15), np.ones(14), np.zeros(15), 2, rng())


def test_any_loss_can_be_compared_and_draws_without_an_answer_are_left_out():
    skill = relative_loss([1.0, 2, 3, 4] * 10, [2.0, 4, 6, 8] * 10, 4, rng())
    assert (skill.value, skill.low, skill.high) == (0.5, 0.5, 0.5)
    answers = np.zeros(400)
    answers[:30] = 1.0
    rare = relative_loss(answers, answers, 40, rng())
    assert (rare.low, rare.high) == (1.0, 1.0)


def test_qlike_is_least_at_the_truth_and_punishes_a_low_forecast_more():
    assert qlike([2.0], [2.0])[0] == 0
    low, high = qlike([1.0], [0.5])[0], qlike([1.0], [2.0])[0]
    assert low > high > 0
    assert np.isnan(qlike([1.0, np.nan, 1.0, 0.0], [0.0, 1.0, np.nan, 1.0])).all()


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.1, 10))
def test_qlike_knows_no_unit(actual, forecast, unit):
    np.testing.assert_allclose(
        qlike([actual], [forecast]), qlike([unit * actual], [unit * forecast]), atol=1e-9
    )


HORIZON = 12


def overlapping_returns(n=6000, seed=1):
    shocks = np.random.default_rng(seed).normal(size=n + HORIZON - 1)
    return np.convolve(shocks, np.ones(HORIZON) / np.sqrt(HORIZON), mode="valid")


def test_noise_earns_a_weight_at_most_one_time_in_ten():
    """One in twenty is meant; the forecast persists like the label, which is the hard case."""
    earned = [
        earned_weight(overlapping_returns(seed=s), overlapping_returns(seed=1000 + s), horizon=HORIZON).weight
        for s in range(200)
    ]
    assert np.mean(np.array(earned) > 0) <= 0.1


def test_skill_earns_its_weight_and_an_overconfident_forecast_is_cut_down():
    actual = overlapping_returns()
    noise = overlapping_returns(seed=2)
    forecast = 0.3 * actual + 0.1 * noise  # too timid: the best weight is above 1
    timid = earned_weight(actual, forecast, horizon=HORIZON)
    assert timid.weight == 1.0 and timid.slope > 1 and "earned with t" in timid.reason
    loud = earned_weight(actual, 10 * forecast, horizon=HORIZON)
    assert 0.2 < loud.weight < 0.35
    assert loud.t_value == pytest.approx(timid.t_value)


def test_a_wrong_sign_silence_and_too_short_a_past_earn_nothing():
    actual = overlapping_returns()
    assert earned_weight(actual, -actual, horizon=HORIZON).weight == 0
    silent = earned_weight(actual, np.zeros(6000), horizon=HORIZON)
    assert (silent.weight, silent.reason) == (0, "the forecast never left its reference")
    young = earned_weight(actual[:100], actual[:100], horizon=HORIZON)
    assert young.weight == 0 and "100 past forecasts are fewer than 20 horizons" in young.reason


def test_what_the_reference_knows_already_earns_nothing():
    actual = overlapping_returns() + 1.0
    assert earned_weight(actual, np.ones(6000), horizon=HORIZON).weight > 0.5
    beside = earned_weight(actual, 1.0 + 0.2 * overlapping_returns(seed=9), 1.0, horizon=HORIZON)
    assert beside.weight == 0


@given(st.integers(0, 10_000), st.floats(-2, 2), st.floats(0.01, 3))
def test_a_weight_is_a_weight(seed, skill, noise):
    draw = np.random.default_rng(seed)
    actual = draw.normal(size=300)
    forecast = skill * actual + noise * draw.normal(size=300)
    earned = earned_weight(actual, forecast, horizon=3)
    assert 0 <= earned.weight <= 1
    assert earned.weight <= max(earned.slope, 0)
