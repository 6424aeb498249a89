from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.skill import directional_accuracy, price_mape, relative_mae, relative_mse


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
