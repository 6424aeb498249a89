"""The probability of backtest overfitting: a half for noise, near nothing for an edge; a plain recount."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.overfitting import overfitting


def noise(seed, accounts=100, days=730):
    return np.random.default_rng(seed).normal(0, 0.02, (days, accounts))


def test_choosing_among_worthless_strategies_fails_about_every_second_time():
    found = [overfitting(noise(seed), parts=12) for seed in range(25)]
    assert np.mean([one.probability for one in found]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([one.passed for one in found]) < 0.1
    assert all(one.chosen > 1.5 for one in found)  # what the chosen half shows
    assert abs(np.mean([one.unseen for one in found])) < 0.3  # what is left of it


def test_a_planted_edge_is_chosen_again():
    x = noise(1)
    x[:, :10] += 0.0025
    found = overfitting(x)
    assert found.splits == 12870
    assert found.probability < 0.05
    assert found.passed
    assert found.unseen > 1.5
    assert found.answer.startswith("The choice holds")


def test_every_split_equals_a_plain_reading_of_the_method():
    x = noise(2, accounts=7, days=83)
    bounds = np.linspace(0, 83, 7).round().astype(int)
    blocks = [np.arange(a, b) for a, b in pairwise(bounds)]
    expected = []
    for picks in combinations(range(6), 3):
        here = np.concatenate([blocks[i] for i in picks])
        there = np.concatenate([blocks[i] for i in range(6) if i not in picks])
        best = (x[here].mean(axis=0) / x[here].std(axis=0, ddof=1)).argmax()
        rank = (x[there].mean(axis=0) / x[there].std(axis=0, ddof=1)).argsort().argsort()[best] + 1
        expected.append(np.log(rank / 8 / (1 - rank / 8)))
    found = overfitting(x, parts=6)
    np.testing.assert_allclose(found.logits, expected, atol=1e-9)
    assert found.probability == pytest.approx(
        np.mean(np.array(expected) < 0) + 0.5 * np.mean(np.isclose(expected, 0))
    )


def test_copies_of_one_account_are_a_choice_of_nothing():
    x = np.repeat(noise(3, accounts=1), 5, axis=1)
    assert overfitting(x, parts=8).probability == pytest.approx(0.5)


def test_a_transposed_table_is_refused_and_not_silently_read():
    with pytest.raises(DataError, match="turn the table"):
        overfitting(noise(1).T)


@pytest.mark.parametrize(
    ("x", "parts", "message"),
    [
        (noise(1, accounts=1), 16, "at least two accounts"),
        (noise(1), 7, "cannot be halved"),
        (noise(1, days=60, accounts=3), 16, "60 days"),
        (np.full((100, 3), np.nan), 4, "no table of numbers"),
    ],
)
def test_unusable_tables_are_named(x, parts, message):
    with pytest.raises(DataError, match=message):
        overfitting(x, parts)
