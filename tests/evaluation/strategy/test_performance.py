"""Figures of an account against hand-made ones, and laws that any account obeys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import (
    cagr,
    cvar,
    daily_returns,
    drawdowns,
    episodes,
    log_growth,
    max_drawdown,
    measure,
    sharpe,
    sortino,
)

RETURNS = arrays(float, st.integers(30, 80), elements=st.floats(-0.2, 0.2).map(lambda x: round(x, 4)))


def series(values, start="2022-01-01"):
    return pd.Series(values, pd.date_range(start, periods=len(values), freq="D", tz="UTC"))


def moments(*texts):
    return pd.DatetimeIndex(texts, tz="UTC")


def test_a_day_ends_at_its_midnight_and_the_first_value_is_where_it_starts():
    equity = pd.Series(
        [100.0, 110.0, 121.0],
        moments("2022-01-01 00:00", "2022-01-02 00:00", "2022-01-03 00:00"),
    )
    returns = daily_returns(equity)
    assert returns.tolist() == pytest.approx([0.1, 0.1])
    assert [str(day.date()) for day in returns.index] == ["2022-01-01", "2022-01-02"]


def test_hourly_equity_gives_the_same_days_as_its_midnights():
    hours = pd.date_range("2022-01-01", periods=24 * 40 + 1, freq="1h", tz="UTC")
    equity = pd.Series(np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(hours)))), hours)
    pd.testing.assert_series_equal(daily_returns(equity), daily_returns(equity.iloc[::24]), check_freq=False)


def test_an_account_that_starts_within_a_day_counts_that_day():
    equity = pd.Series(
        [100.0, 90.0, 99.0], moments("2022-01-01 01:00", "2022-01-01 23:00", "2022-01-03 05:00")
    )
    assert daily_returns(equity).tolist() == pytest.approx([-0.1, 0.0, 0.1])


def test_figures_of_a_hand_made_account():
    x = np.array([0.10, -0.05, 0.02, -0.10, 0.20] * 10)
    found = measure(series(x))
    assert found.days == 50
    assert found.total == pytest.approx(np.prod(1 + x) - 1)
    assert found.cagr == pytest.approx(np.prod(1 + x) ** (365 / 50) - 1)
    assert found.sharpe == pytest.approx(x.mean() / x.std(ddof=1) * np.sqrt(365))
    assert found.sortino == pytest.approx(x.mean() / np.sqrt((np.minimum(x, 0) ** 2).mean()) * np.sqrt(365))
    assert found.max_drawdown == pytest.approx(1 - 0.95 * 1.02 * 0.90)
    assert found.worst_day == -0.10
    assert found.cvar5 == pytest.approx(-0.10)
    assert found.calmar == pytest.approx(found.cagr / found.max_drawdown)


def test_the_start_is_a_peak_too():
    assert max_drawdown([-0.5, 0.1]) == pytest.approx(0.5)


def test_an_account_that_never_moved_has_no_ratio_and_no_drawdown():
    found = measure(series(np.zeros(60)))
    assert (found.sharpe, found.sortino, found.max_drawdown, found.longest_drawdown_days) == (0, 0, 0, 0)
    assert measure(series(np.full(60, 0.01))).sortino == np.inf


def test_episodes_name_peak_trough_and_recovery():
    x = np.zeros(60)
    x[10], x[12], x[15] = -0.2, -0.1, 0.5  # 28 % down from the end of day 9, over at day 15
    x[40] = -0.05  # never over
    x[20], x[21] = -0.005, 0.006  # too small to name
    first, second = episodes(series(x))
    assert first.depth == pytest.approx(0.28)
    assert [str(d.date()) for d in (first.start, first.trough, first.end)] == [
        "2022-01-10", "2022-01-13", "2022-01-16",
    ]  # fmt: skip
    assert first.days == 6
    assert second.end is None
    assert second.depth == pytest.approx(0.05)
    assert measure(series(x)).longest_drawdown_days == 20


def test_a_fall_on_the_first_day_starts_the_day_before():
    (episode,) = episodes(series([-0.1] + [0.0] * 40))
    assert str(episode.start.date()) == "2021-12-31"


@given(RETURNS)
def test_many_accounts_at_once_equal_each_alone(x):
    both = np.stack([x, x[::-1]])
    for statistic in (sharpe, sortino, cagr, max_drawdown, cvar, log_growth):
        np.testing.assert_allclose(statistic(both), [statistic(x), statistic(x[::-1])], rtol=1e-9)


@given(RETURNS)
def test_laws_of_any_account(x):
    fall = drawdowns(x)
    assert (fall >= 0).all()
    assert (fall < 1).all()
    assert cvar(x) <= x.mean() + 1e-12
    assert x.min() - 1e-12 <= cvar(x)
    deepest = episodes(series(x), least=0.0)
    assert (deepest[0].depth if deepest else 0.0) == pytest.approx(max_drawdown(x))


@given(RETURNS, st.floats(0.1, 3.0))
def test_staking_more_changes_no_sharpe_ratio(x, scale):
    assert sharpe(scale * x) == pytest.approx(sharpe(x), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(10), "10 days of returns; give at least 30"),
        (np.r_[np.zeros(40), -1.0], "above −1"),
        (np.r_[np.zeros(40), np.nan], "above −1"),
    ],
)
def test_what_is_no_account_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        measure(series(values))


def test_equity_without_time_or_value_is_refused():
    with pytest.raises(DataError, match="index it by time"):
        daily_returns(pd.Series([1.0, 2.0]))
    with pytest.raises(DataError, match=r"0\.0 at 2022-01-02"):
        daily_returns(series([1.0, 0.0, 1.0]))
    with pytest.raises(DataError, match="oldest first"):
        daily_returns(series([1.0, 2.0, 1.0]).iloc[::-1])
