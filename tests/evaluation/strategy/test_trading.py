from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.trading import (
    account_gains,
    checked_trades,
    entry_value,
    entry_weeks,
    trade_figures,
)

START, END = pd.Timestamp("2022-01-01", tz="UTC"), pd.Timestamp("2022-03-02", tz="UTC")  # 60 days


def test_figures_of_hand_made_trades(make_trades):
    trades = make_trades(
        [10, -5, 20, -5, 10, -10], open_dates=pd.date_range("2022-01-03", periods=6, freq="7D")
    )
    found = trade_figures(trades, 1000.0, START, END)
    assert found.trades == 6
    assert found.win_rate.value == 0.5
    assert found.profit_factor.value == pytest.approx(40 / 20)
    assert found.expectancy.value == pytest.approx(0.20 / 6)
    assert found.payoff == pytest.approx((40 / 3) / (20 / 3))
    assert found.total_profit_abs == pytest.approx(20)
    assert found.largest_loss == pytest.approx(10 / 1030)
    assert found.mean_hours == 5
    assert found.in_market == pytest.approx(30 / (60 * 24))
    assert found.win_rate.low < 0.5 < found.win_rate.high
    assert found.profit_factor.low < 2 < found.profit_factor.high


def test_exposure_turnover_and_fees_follow_stakes_and_time(make_trades):
    trades = make_trades([0.0, 0.0], open_dates=["2022-01-03", "2022-01-20"], hours=[24, 48])
    found = trade_figures(trades, 1000.0, START, END)
    assert found.exposure == pytest.approx(0.1 * 3 / 60)
    assert found.turnover == pytest.approx(2 * 0.2 * 365 / 60)
    assert found.fees == pytest.approx(400 * 0.001 / 1000)


def test_traded_value_is_that_of_the_orders_where_they_are_told(make_trades):
    orders = [
        [
            {"ft_is_entry": True, "cost": 100.0},
            {"ft_is_entry": True, "cost": 50.0},
            {"ft_is_entry": False, "cost": 150.0},
        ]
    ]
    trades = make_trades([0.0], orders=orders)
    assert trade_figures(trades, 1000.0, START, END).turnover == pytest.approx(0.3 * 365 / 60)
    counted = make_trades([0.0], orders=[3.0], turnover=[500.0])  # a count, and the value beside it
    assert trade_figures(counted, 1000.0, START, END).turnover == pytest.approx(0.5 * 365 / 60)


def test_trades_open_together_are_in_the_market_once(make_trades):
    trades = make_trades(
        [1, 1, 1], open_dates=["2022-01-03 00:00", "2022-01-03 06:00", "2022-01-04"], hours=[24, 2, 12]
    )
    assert trade_figures(trades, 1000.0, START, END).in_market == pytest.approx(36 / (60 * 24))


def test_gains_compound_in_order_of_closing(make_trades):
    trades = make_trades([100, -50], open_dates=["2022-01-04", "2022-01-03"], hours=[48, 10])
    assert account_gains(trades, 1000.0).tolist() == pytest.approx([-50 / 1000, 100 / 950])
    # when the first to open was opened nothing was closed; when the other was, the loss was
    assert entry_value(trades, 1000.0).tolist() == [1000.0, 950.0]


def test_a_trade_closed_as_another_opens_is_in_its_account(make_trades):
    trades = make_trades([-50, 10], open_dates=["2022-01-03 00:00", "2022-01-03 05:00"], hours=5)
    assert entry_value(trades, 1000.0).tolist() == [1000.0, 950.0]


def test_the_order_of_rows_changes_nothing(make_trades):
    rng = np.random.default_rng(1)
    trades = make_trades(rng.normal(0, 5, 50), hours=rng.integers(1, 100, 50))
    shuffled = trades.sample(frac=1, random_state=2)
    assert trade_figures(trades, 1000.0, START, END) == trade_figures(shuffled, 1000.0, START, END)


def test_weeks_begin_on_monday(make_trades):
    weeks = entry_weeks(make_trades([1] * 15))  # from Monday, 3 January 2022
    assert len(set(weeks[:7])) == 1
    assert weeks[7] == weeks[6] + 1


def test_without_a_loss_the_profit_factor_has_no_end(make_trades):
    found = trade_figures(make_trades([1.0, 2.0]), 1000.0, START, END)
    assert found.profit_factor.value == np.inf
    assert found.largest_loss == 0.0
    assert np.isnan(found.payoff)


def test_unusable_trades_are_named(make_trades):
    trades = make_trades([1.0, -1.0])
    with pytest.raises(DataError, match="no column profit_abs"):
        checked_trades(trades.drop(columns="profit_abs"))
    with pytest.raises(DataError, match="there is none"):
        checked_trades(trades.iloc[:0])
    with pytest.raises(DataError, match="not a number"):
        checked_trades(trades.assign(open_rate=np.nan))
    with pytest.raises(DataError, match="is empty"):
        trade_figures(trades, 1000.0, END, START)
    with pytest.raises(DataError, match="falls to nothing"):
        account_gains(make_trades([-600, -600]), 1000.0)
    with pytest.raises(DataError, match="starting balance 0"):
        account_gains(trades, 0.0)
