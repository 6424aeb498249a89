from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.evaluation.strategy.drawdown_causes import drawdown_causes
from adaptive_pkg.evaluation.strategy.performance import episodes

DAYS = pd.date_range("2022-01-01", periods=60, freq="D", tz="UTC")


@pytest.fixture
def fall():
    x = np.zeros(60)
    x[10], x[11], x[20] = -0.10, -0.05, 0.3  # peak at the end of the 10th, lowest on the 12th
    return episodes(pd.Series(x, DAYS))


def test_a_drawdown_is_told_by_the_trades_closed_on_its_way_down(make_trades, fall):
    trades = make_trades(
        [5, -80, -30, 10, -99],
        open_dates=["2022-01-10", "2022-01-11", "2022-01-12", "2022-01-12 01:00", "2022-01-13"],
        pair=["BTC/USDT", "ETH/USDT", "BTC/USDT", "SOL/USDT", "ADA/USDT"],
        enter_tag="volatile_trend.breakout",
    )
    market = pd.Series(-0.02, DAYS)
    (cause,) = drawdown_causes(fall, trades, market)
    assert (cause.trades, cause.losing, cause.profit_abs) == (3, 2, -100)
    assert cause.pairs == (("ETH/USDT", -80.0), ("BTC/USDT", -30.0), ("SOL/USDT", 10.0))
    assert cause.regimes == (("volatile_trend", -100.0),)
    assert cause.exits == (("stop_loss", -110.0), ("roi", 10.0))
    assert cause.worst == ("ETH/USDT", "2022-01-11", -80.0)
    assert cause.market == pytest.approx(0.98**2 - 1)
    assert cause.answer == (
        "14.5% down, 2022-01-10 to 2022-01-12 (market -4%): 2 of 3 trades lost; ETH/USDT -80, BTC/USDT -30; "
        "by exit stop_loss -110."
    )


def test_what_cost_nothing_is_not_blamed(make_trades, fall):
    trades = make_trades([-20, 30], open_dates=["2022-01-11", "2022-01-12"], pair=["BTC/USDT", "ETH/USDT"])
    (cause,) = drawdown_causes(fall, trades)
    assert cause.answer.endswith("1 of 2 trades lost; BTC/USDT -20; by exit stop_loss -20.")
    (cause,) = drawdown_causes(fall, trades.assign(exit_reason="roi"))
    assert cause.answer.endswith("1 of 2 trades lost; BTC/USDT -20.")


def test_a_drawdown_of_open_trades_says_so(make_trades, fall):
    (cause,) = drawdown_causes(fall, make_trades([-5], open_dates=["2022-02-20"]))
    assert cause.trades == 0
    assert cause.worst is None
    assert "no trade was closed in it" in cause.answer
