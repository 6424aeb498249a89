"""Trades as freqtrade's backtest result has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def make_trades() -> Callable[..., pd.DataFrame]:
    """`make_trades(profits, open_dates=…, hours=…, **columns)`: one row per profit (of a stake of 100)."""

    def make(profits, open_dates=None, hours=5, stake=100.0, **columns) -> pd.DataFrame:
        profits = np.asarray(profits, dtype=float)
        n = len(profits)
        opened = (
            pd.date_range("2022-01-03", periods=n, freq="1D", tz="UTC")
            if open_dates is None
            else pd.DatetimeIndex(pd.to_datetime(list(open_dates), utc=True, format="ISO8601"))
        )
        ratio = profits / stake
        frame = pd.DataFrame(
            {
                "pair": "BTC/USDT",
                "open_date": opened,
                "close_date": opened + pd.to_timedelta(np.broadcast_to(hours, n), unit="h"),
                "open_rate": 100.0,
                "close_rate": 100.0 * (1 + ratio),
                "stake_amount": stake,
                "profit_abs": profits,
                "profit_ratio": ratio,
                "enter_tag": "strong_trend.breakout",
                "exit_reason": np.where(profits > 0, "roi", "stop_loss"),
                "fee_open": 0.001,
                "fee_close": 0.001,
                "is_short": False,
                "leverage": 1.0,
            }
        )
        return frame.assign(**columns)

    return make
