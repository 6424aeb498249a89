from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import max_drawdown
from adaptive_pkg.evaluation.strategy.trade_order import reorder


def test_losses_that_came_in_a_row_are_worse_than_most_orders_of_them():
    gains = np.concatenate([np.full(50, 0.02), np.full(40, -0.02), np.full(50, 0.02)])
    found = reorder(gains, seed=1, repetitions=500)
    assert found.observed == pytest.approx(1 - 0.98**40)
    assert found.worse < 0.01
    assert found.streak == 40
    assert found.streak_shuffled[2] < 12
    assert found.shuffled[0] < found.shuffled[1] < found.shuffled[2] < found.observed


def test_independent_trades_have_an_ordinary_order():
    worse = [
        reorder(np.random.default_rng(seed).normal(0.001, 0.02, 200), seed=seed, repetitions=200).worse
        for seed in range(40)
    ]
    assert np.mean(worse) == pytest.approx(0.5, abs=0.15)
    assert np.std(worse) > 0.2  # uniform has 0.29


def test_other_trades_like_them_tell_growth_and_the_chance_of_a_drawdown():
    gains = np.random.default_rng(3).normal(0.004, 0.02, 300)
    found = reorder(gains, seed=1, budget=0.10)
    assert found.growth[0] < np.prod(1 + gains) - 1 < found.growth[2]
    assert found.loss < 0.05
    assert reorder(-gains, seed=1).loss > 0.95
    assert 0.0 < found.beyond_budget < 1.0
    assert reorder(gains, seed=1, budget=0.99).beyond_budget == 0.0
    assert found.redrawn[0] < max_drawdown(gains) < found.redrawn[2]


def test_the_same_seed_gives_the_same_figures():
    gains = np.random.default_rng(3).normal(0.004, 0.02, 50)
    assert reorder(gains, seed=4) == reorder(gains, seed=4)
    assert reorder(gains, seed=4) != reorder(gains, seed=5)


def test_too_few_or_impossible_trades_are_refused():
    with pytest.raises(DataError, match="3 trades"):
        reorder([0.1, 0.1, 0.1], seed=1)
    with pytest.raises(DataError, match="above −1"):
        reorder([0.1] * 20 + [-1.0], seed=1)
