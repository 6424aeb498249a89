"""Intervals that hold what they promise, and pairing that sees what a raw comparison does not."""

from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.bootstrap import (
    block_length,
    difference,
    draw_days,
    estimate,
    estimate_by_block,
    mean_annual,
)
from adaptive_pkg.evaluation.strategy.performance import max_drawdown, sharpe


def clustered(rng, n, deviation=0.02):
    """Returns whose size comes in runs of some ten days."""
    size = np.exp(0.6 * np.convolve(rng.normal(size=n + 19), np.ones(20) / np.sqrt(20), mode="valid"))
    return rng.normal(size=n) * size * deviation / np.sqrt((size**2).mean())


def test_an_interval_of_the_sharpe_ratio_holds_the_true_one_as_often_as_it_says():
    rng = np.random.default_rng(3)
    true, inside = 1.5, 0
    for seed in range(150):
        x = clustered(rng, 500)
        x = x - x.mean() + rng.normal(0, x.std() / np.sqrt(500)) + true / np.sqrt(365) * 0.02
        found = estimate(sharpe, x, draw_days(x, seed=seed, repetitions=200))
        inside += found.low < true < found.high
    assert 0.88 <= inside / 150 <= 1.0


def test_pairing_sees_a_small_steady_gain_under_a_large_common_noise():
    rng = np.random.default_rng(5)
    market = rng.normal(0.0005, 0.03, 730)
    theirs = market
    ours = market + rng.normal(0.0006, 0.002, 730)
    draws = draw_days(np.column_stack([ours, theirs]), repetitions=500)
    paired = difference(mean_annual, ours, theirs, draws)
    assert paired.sign == 1
    assert paired.p_not_better < 0.01
    alone = estimate(mean_annual, ours, draws)
    assert alone.low < theirs.mean() * 365 < alone.high  # which the single interval cannot tell


def test_no_difference_is_not_called_one():
    rng = np.random.default_rng(7)
    called = 0
    for seed in range(60):
        x, y = rng.normal(0, 0.02, (2, 400))
        called += (
            difference(sharpe, x, y, draw_days(np.column_stack([x, y]), seed=seed, repetitions=200)).sign != 0
        )
    assert called <= 8


def test_an_account_beside_itself_differs_by_nothing():
    x = np.random.default_rng(1).normal(0, 0.02, 200)
    found = difference(sharpe, x, x, draw_days(x, repetitions=50))
    assert (found.value, found.low, found.high, found.sign, found.p_not_better) == (0, 0, 0, 0, 1)


def test_wild_and_quiet_weeks_ask_for_longer_blocks_than_independent_days():
    rng = np.random.default_rng(11)
    assert block_length(rng.normal(0, 0.02, 1500)) < 6
    assert block_length(clustered(rng, 1500)) > 12
    assert block_length(np.zeros(100)) == 1.0


def test_a_statistic_sees_whole_resamples_in_any_number_of_pieces(monkeypatch):
    x = np.random.default_rng(2).normal(0, 0.02, 300)
    draws = draw_days(x, repetitions=40)
    whole = draws.apply(max_drawdown, x)
    monkeypatch.setattr("adaptive_pkg.evaluation.strategy.bootstrap._CELLS", 1000)
    np.testing.assert_array_equal(draws.apply(max_drawdown, x), whole)
    np.testing.assert_array_equal(whole, [max_drawdown(x[rows]) for rows in draws.rows])


def test_the_same_seed_draws_the_same_days():
    x = np.random.default_rng(2).normal(0, 0.02, 100)
    assert (draw_days(x, seed=1).rows == draw_days(x, seed=1).rows).all()
    assert (draw_days(x, seed=1).rows != draw_days(x, seed=2).rows).any()


def test_trades_of_one_week_count_as_one():
    rng = np.random.default_rng(4)
    weekly = np.repeat(rng.normal(0.001, 0.02, 60), 10)  # ten equal trades a week
    one = np.ones(len(weekly))

    def mean(sums):
        return sums[..., 1] / sums[..., 0]

    terms = np.column_stack([one, weekly])
    by_week = estimate_by_block(terms, np.repeat(np.arange(60), 10), mean)
    by_trade = estimate_by_block(terms, np.arange(600), mean)
    assert by_week.value == pytest.approx(weekly.mean())
    assert (by_week.high - by_week.low) > 2.5 * (by_trade.high - by_trade.low)
    assert np.isnan(estimate_by_block(terms, np.zeros(600), mean).low)


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(DataError, match="10 days"):
        draw_days(np.zeros(10))
    with pytest.raises(DataError, match="not a number"):
        draw_days(np.r_[np.zeros(40), np.nan])
    x = np.random.default_rng(0).normal(0, 0.01, 50)
    with pytest.raises(DataError, match="50 and 49 days"):
        difference(sharpe, x, x[:-1], draw_days(x, repetitions=5))


def test_a_figure_that_some_draws_make_infinite_has_an_endless_interval():
    """A profit factor without losses: half the draws have one, and the other end is still known."""
    draws = draw_days(np.linspace(-0.01, 0.01, 40), repetitions=400)
    endless = estimate(lambda x: np.where(x.mean(axis=-1) > 0.0, np.inf, 1.0), np.linspace(-1, 1, 40), draws)
    assert (endless.low, endless.high) == (1.0, np.inf)
