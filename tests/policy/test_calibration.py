"""Calibration: planted relations are found, noise is not, and nothing is fitted on the future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.calibration import (
    Z95,
    IsotonicConfidence,
    block_error,
    brier,
    decile_edges,
    mean_difference,
    mean_difference_within,
    mean_estimate,
    monotonicity,
    reliability,
    walk_forward_isotonic,
    wilson_interval,
)


def planted(seed=1, n=3000, slope=0.8, per_day=3):
    """Trades whose chance to win rises with the score by `slope`; score, R, days, when decided."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.2, 0.9, n)
    won = rng.random(n) < 0.35 + slope * (score - 0.55)
    days = np.repeat(np.arange(n // per_day), per_day)
    decided = np.datetime64("2020-01-01", "ns") + days * np.timedelta64(1, "D")
    return score, np.where(won, 1.5, -1.0), days, decided


def rng():
    return np.random.default_rng(0)


def test_wilson_holds_its_textbook_value_and_stays_within_zero_and_one():
    assert wilson_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(7, 7)[1] == 1.0
    assert all(np.isnan(wilson_interval(0, 0)))


@given(st.integers(1, 300), st.floats(0, 1))
def test_wilson_contains_the_rate_and_narrows_with_trades(n, share):
    low, high = wilson_interval(share * n, n)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    wider = wilson_interval(share * n, n)
    narrower = wilson_interval(share * 4 * n, 4 * n)
    assert narrower[1] - narrower[0] < wider[1] - wider[0]


def test_an_interval_that_counts_copies_as_one_trade_is_as_wide_as_without_the_copies():
    score, r, days, _ = planted(n=300, per_day=1)
    copies = [np.repeat(column, 9) for column in (score, r, days)]
    edges = np.array([0.0, 1.0])
    once, many = reliability(score, r, days, edges)[0], reliability(*copies, edges)[0]
    assert many.n == 9 * once.n
    assert many.mean_r_error == pytest.approx(once.mean_r_error)
    assert many.win_high - many.win_low == pytest.approx(once.win_high - once.win_low, rel=0.01)
    blind = reliability(copies[0], copies[1], np.arange(2700), edges)[0]
    assert blind.mean_r_error < 0.4 * many.mean_r_error


def test_the_block_error_of_independent_trades_is_the_usual_standard_error():
    values = rng().normal(size=4000)
    assert block_error(values, np.arange(4000)) == pytest.approx(values.std(ddof=1) / 4000**0.5, rel=1e-3)


def test_bins_hold_every_trade_once_and_show_a_planted_relation():
    score, r, days, _ = planted()
    rows = reliability(score, r, days, decile_edges(score))
    assert [row.n for row in rows] == [300] * 10
    assert rows[-1].win_low > rows[0].win_high
    assert rows[-1].mean_r > 0 > rows[0].mean_r
    assert sum(row.n * row.mean_r for row in rows) == pytest.approx(r.sum())
    for row in rows:
        assert row.low <= row.mean_score <= row.high
        assert row.win_low <= row.win_rate <= row.win_high


def test_equal_scores_share_a_bin_and_an_empty_bin_is_shown_empty():
    score, r = np.array([0.5] * 50 + [0.9] * 10), np.ones(60)
    assert decile_edges(score).tolist() == [0.5, 0.9]
    rows = reliability(score, r, np.arange(60), np.array([0.0, 0.4, 0.6, 1.0]))
    assert [row.n for row in rows] == [0, 50, 10]
    assert np.isnan(rows[0].win_rate)


def test_monotonicity_finds_a_planted_relation_and_its_reverse_but_not_noise():
    score, r, days, _ = planted()
    up = monotonicity(score, r, days, rng())
    assert up.sign == 1
    assert up.low < up.value < up.high
    assert monotonicity(-score, r, days, rng()).sign == -1
    found = [monotonicity(*planted(seed, slope=0.0)[:3], rng()).sign for seed in range(20)]
    assert sum(sign != 0 for sign in found) <= 4  # 1 expected


def test_spearman_is_that_of_scipy():
    from scipy.stats import spearmanr

    score, r, days, _ = planted(n=600)
    assert monotonicity(score, r, days, rng()).value == pytest.approx(spearmanr(score, r).statistic)


def test_the_bootstrap_of_a_mean_agrees_with_the_block_error():
    _, r, days, _ = planted()
    found = mean_estimate(r, days, rng())
    assert found.high - found.low == pytest.approx(2 * Z95 * block_error(r, days), rel=0.1)


def test_a_difference_that_the_group_explains_vanishes_within_groups():
    group = np.repeat([0, 1], 2000)
    generator = rng()
    chosen = generator.random(4000) < np.where(group, 0.8, 0.2)
    values = group + generator.normal(0, 0.5, 4000)  # nothing but the group matters
    blocks = np.arange(4000) % 400
    assert mean_difference(values, chosen, blocks, rng()).low > 0.5
    assert mean_difference_within(values, chosen, group, blocks, rng()).sign == 0
    better = mean_difference_within(values + 0.3 * chosen, chosen, group, blocks, rng())
    assert better.value == pytest.approx(0.3, abs=0.06)


def test_brier_of_certainty_and_of_the_base_rate():
    won = np.array([1.0, 0, 0, 1])
    assert brier(won, won) == 0
    assert brier(np.full(4, 0.5), won) == 0.25


def test_isotonic_never_falls_and_stays_a_probability():
    score, r, *_ = planted()
    model = IsotonicConfidence().fit(score, r > 0)
    found = model.probability(np.linspace(-1, 2, 400))
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
    with pytest.raises(DataError, match="call fit"):
        IsotonicConfidence().probability(score)


def test_walk_forward_beats_the_base_rate_where_the_score_tells_and_not_where_it_is_noise():
    score, r, days, decided = planted()
    known = decided + np.timedelta64(20, "h")
    found = walk_forward_isotonic(score, r, decided, known, days, rng())
    assert found.gain_on_base_rate.sign == 1
    assert found.brier_isotonic < found.brier_base_rate < found.brier_score
    assert found.n == np.isfinite(found.probability).sum() < len(score)
    score, r, days, decided = planted(slope=0.0)
    assert walk_forward_isotonic(score, r, decided, known, days, rng()).gain_on_base_rate.sign <= 0


def test_no_outcome_enters_a_fit_before_it_is_known():
    score, r, days, decided = planted()
    cut = np.datetime64("2021-03-01", "ns")
    known = decided + np.timedelta64(40, "D")  # trades that last: decided in February, known in April
    before = walk_forward_isotonic(score, r, decided, known, days, rng()).probability
    turned = np.where(known >= cut, -r, r)  # every outcome not known by March is turned round
    after = walk_forward_isotonic(score, turned, decided, known, days, rng()).probability
    month = decided < np.datetime64("2021-04-01", "ns")
    np.testing.assert_array_equal(before[month], after[month])
    assert not np.array_equal(before[~month], after[~month])


def test_mistakes_are_named():
    score, r, days, decided = planted(n=90)
    with pytest.raises(DataError, match=r"lengths .*'score': 90.*'r': 89"):
        reliability(score, r[:-1], days, np.array([0, 1]))
    with pytest.raises(DataError, match="score nan of trade 4"):
        monotonicity(np.where(np.arange(90) == 4, np.nan, score), r, days, rng())
    with pytest.raises(DataError, match="at least a trade"):
        brier(np.array([]), np.array([]))
    with pytest.raises(DataError, match="at least two"):
        reliability(score, r, days, np.array([0.5]))
    with pytest.raises(DataError, match="no month has 200 known outcomes"):
        walk_forward_isotonic(score, r, decided, decided, days, rng())
