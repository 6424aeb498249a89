"""Published examples, the values of skfolio 1.12.2, and the gate itself: noise fails, an edge passes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.luck import (
    Moments,
    annual,
    daily,
    deflated_sharpe,
    effective_trials,
    expected_best,
    judge_luck,
    least_track_record,
    mean_correlation,
    moments,
    probabilistic_sharpe,
)
from adaptive_pkg.evaluation.strategy.performance import sharpe


def test_the_deflated_sharpe_ratio_of_the_paper_of_2014():
    """Five years of 250 days, an annual Sharpe ratio of 2.5, variance of the trials' ½."""
    record = Moments(2.5 / np.sqrt(250), -3.0, 10.0, 1250)
    deviation = np.sqrt(0.5 / 250)
    assert expected_best(100, deviation) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(record, 100, deviation) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(record, 46, deviation) == pytest.approx(0.9505, abs=5e-5)
    normal = Moments(2.5 / np.sqrt(250), 0.0, 3.0, 1250)
    assert deflated_sharpe(normal, 88, deviation) == pytest.approx(0.9505, abs=5e-5)


def test_the_probabilistic_sharpe_ratio_of_the_paper_of_2012():
    """Two years of monthly returns, mean 3.6 %, deviation 7.9 %, skewness −2.448, kurtosis 10.164."""
    assert probabilistic_sharpe(Moments(0.036 / 0.079, -2.448, 10.164, 24)) == pytest.approx(0.913, abs=1e-3)
    assert probabilistic_sharpe(Moments(0.036 / 0.079, 0.0, 3.0, 24)) == pytest.approx(0.982, abs=1e-3)


@pytest.mark.parametrize(
    ("periods", "skewness", "kurtosis", "years"),
    [(252, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_least_track_record_of_the_paper_of_2012(periods, skewness, kurtosis, years):
    """Years that show an annual Sharpe ratio of 2 to be above 1 with 95 %."""
    record = Moments(2 / np.sqrt(periods), skewness, kurtosis, 100)
    found = least_track_record(record, 1 / np.sqrt(periods))
    assert found / periods == pytest.approx(years, abs=0.005)


def test_the_same_numbers_as_skfolio():
    x = np.random.default_rng(1).standard_t(4, 500) * 0.02 + 0.001
    tried = np.random.default_rng(2).normal(0, 0.05, 40)
    assert probabilistic_sharpe(moments(x)) == pytest.approx(0.5780654869899359, rel=1e-12)
    assert deflated_sharpe(moments(x), 40, tried.std(ddof=1)) == pytest.approx(0.01676119453005321, rel=1e-10)
    assert expected_best(40, 0.05) == pytest.approx(0.10947401137685878, rel=1e-12)


def test_the_expected_best_is_the_mean_best_of_simulated_tries():
    best = np.random.default_rng(3).normal(0, 1, (4000, 200)).max(axis=1).mean()
    assert expected_best(200, 1.0) == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_the_best_of_200_worthless_strategies_is_refused_though_it_looks_good(seed):
    tried = np.random.default_rng(seed).normal(0, 0.02, (200, 730))
    sharpes = sharpe(tried)
    best = judge_luck(tried[sharpes.argmax()], sharpes)
    assert best.sharpe > 1.4
    assert best.probabilistic > 0.97  # alone it would be believed
    assert best.deflated < 0.9
    assert not best.passed
    assert "luck" in best.answer or "No evidence" in best.answer


def test_the_gate_lets_one_search_in_twenty_through_at_most():
    passed = 0
    for seed in range(300):
        tried = np.random.default_rng(1000 + seed).normal(0, 0.02, (50, 400))
        sharpes = sharpe(tried)
        passed += judge_luck(tried[sharpes.argmax()], sharpes).passed
    assert passed <= 15


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_edge_passes(seed):
    tried = np.random.default_rng(seed).normal(0, 0.02, (200, 1460))
    tried[17] += daily(4.0) * 0.02
    sharpes = sharpe(tried)
    found = judge_luck(tried[17], sharpes)
    assert found.passed
    assert found.answer.startswith("More than luck")


def test_one_try_is_not_deflated():
    x = np.random.default_rng(1).normal(0.002, 0.02, 730)
    alone = judge_luck(x, [float(sharpe(x))])
    assert alone.hurdle == 0
    assert alone.deflated == alone.probabilistic


def test_tries_that_are_copies_of_one_count_as_one():
    rng = np.random.default_rng(2)
    common = rng.normal(0.002, 0.02, 730)
    tried = common + rng.normal(0, 1e-4, (100, 730))
    rho = mean_correlation(tried.T)
    assert rho > 0.99
    assert effective_trials(100, rho) < 1.1
    assert judge_luck(common, sharpe(tried), rho).hurdle < 0.3
    assert judge_luck(common, sharpe(tried)).hurdle > 1.5  # without the correlation: the strictest reading


def test_the_mean_correlation_is_that_of_the_matrix():
    x = np.random.default_rng(4).normal(size=(300, 6)) + np.random.default_rng(5).normal(size=(300, 1))
    matrix = np.corrcoef(x.T)
    assert mean_correlation(x) == pytest.approx(matrix[~np.eye(6, dtype=bool)].mean())
    assert mean_correlation(np.ones((50, 3))) == 0.0


@given(st.floats(0.01, 0.2), st.integers(60, 3000), st.integers(1, 2000))
def test_more_tries_never_help_and_more_days_never_hurt(ratio, days, trials):
    def judged(n, t):
        return deflated_sharpe(Moments(ratio, -0.5, 6.0, n), t, 0.001)

    assert judged(days, trials + 1) <= judged(days, trials) + 1e-12
    if ratio > expected_best(trials, 0.001):
        assert judged(days + 100, trials) >= judged(days, trials) - 1e-12


def test_a_record_as_long_as_the_least_is_just_believed():
    record = Moments(0.08, -1.0, 8.0, 500)
    days = least_track_record(record)
    assert probabilistic_sharpe(Moments(0.08, -1.0, 8.0, round(days))) == pytest.approx(0.95, abs=2e-3)
    assert least_track_record(Moments(-0.01, 0, 3, 100)) == np.inf
    assert annual(daily(1.7)) == pytest.approx(1.7)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(DataError, match="0 trials"):
        expected_best(0, 0.1)
    with pytest.raises(DataError, match="not a number"):
        judge_luck(np.random.default_rng(1).normal(0, 0.01, 100), [1.0, float("nan")])
    with pytest.raises(DataError, match="cannot be estimated"):
        probabilistic_sharpe(Moments(0.5, 5.0, 3.0, 100))


def test_tries_of_which_only_the_number_is_known_raise_the_hurdle():
    x = np.random.default_rng(1).normal(0.001, 0.01, 500)
    tried = [0.1, 0.9, 1.4]
    known, more = judge_luck(x, tried), judge_luck(x, tried, uncounted=91)
    assert (known.trials, more.trials) == (3, 94)
    assert more.hurdle > known.hurdle
    assert more.deflated < known.deflated
    assert judge_luck(x, [], uncounted=5).hurdle > 0.0
    assert judge_luck(x, [1.0], uncounted=0).trials == 1
    with pytest.raises(DataError, match="-1 further trials"):
        judge_luck(x, tried, uncounted=-1)
