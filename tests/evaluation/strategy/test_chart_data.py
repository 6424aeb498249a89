"""The trades that a reader is shown: each for a reason, with the candles and levels it lived by."""

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.evaluation.strategy.chart_data import (
    AFTER,
    BEFORE,
    MOST_CANDLES,
    chosen_trades,
    trade_charts,
)


def test_each_chosen_trade_is_shown_once_with_its_candles(lab, default_result, lab_market):
    charts = trade_charts(default_result.trades, lab)
    assert {"best", "worst"} <= {chart["why"] for chart in charts}
    opened = [(chart["trade"]["pair"], chart["trade"]["open_date"]) for chart in charts]
    assert len(set(opened)) == len(opened)
    for chart in charts:
        trade, dates = chart["trade"], pd.DatetimeIndex(chart["dates"])
        lived = int((trade["close_date"] - trade["open_date"]) / pd.Timedelta("1h"))
        assert len(dates) == lived + BEFORE + AFTER
        assert dates[BEFORE] == trade["open_date"]
        if trade["orders"] == 2:  # else the rate is the mean of several entries
            assert chart["open"][BEFORE] == trade["open_rate"]
        assert set(chart["regime"]) <= set(map(str, Regime))
        own = lab_market[trade["pair"]].set_index("date")["close"]
        assert np.array_equal(own[dates].to_numpy(), chart["close"])


def test_the_best_is_the_best_and_the_worst_the_worst(default_result):
    trades = default_result.trades
    chosen = chosen_trades(trades)
    assert chosen["best"]["profit_ratio"] == trades["profit_ratio"].max()
    assert chosen["worst"]["profit_ratio"] == trades["profit_ratio"].min()


def test_without_trades_there_is_nothing_to_show(default_result, lab):
    assert trade_charts(default_result.trades.iloc[:0], lab) == []


def test_a_trade_that_lasted_long_is_shown_to_its_end(default_result, lab):
    trade = default_result.trades.iloc[:1].copy()
    trade["close_date"] = trade["open_date"] + pd.Timedelta(days=60)
    (chart,) = trade_charts(trade, lab)
    dates = pd.DatetimeIndex(chart["dates"])
    assert len(dates) <= MOST_CANDLES
    assert dates[0] < trade["open_date"].iloc[0]
    assert dates[-1] > trade["close_date"].iloc[0]
    hours = lab.store.load(trade["pair"].iloc[0], "1h").set_index("date")
    joined = hours[dates[0] : dates[1] - pd.Timedelta("1h")]
    assert (chart["high"][0], chart["low"][0]) == (joined["high"].max(), joined["low"].min())
    assert (chart["open"][0], chart["close"][0]) == (joined["open"].iloc[0], joined["close"].iloc[-1])
