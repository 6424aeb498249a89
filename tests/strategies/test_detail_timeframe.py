"""`--timeframe-detail 5m` on the real 5-minute candles: does a backtest on 1h candles alone tell the same?

Decisions are made on closed 1h candles in both; entries and rungs agree but for what an earlier exit frees.
What differs is which of stop and target comes first within an hour, and a stop that is raised by a close.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.simulator.candles import write_candles

PAIRS = ["BTC/USDT", "ETH/USDT"]
SPAN = ("2022-10-25", "2023-03-01")  # the first 35 days are the strategy's startup

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def runs(make_config, run_backtest, real_datadir, tmp_path_factory):
    """The same two and a half months twice: on 1h candles alone, and with 5m candles within."""
    source = real_datadir.parent / "binance_5m_2022_2023"
    if not source.is_dir():
        pytest.skip(f"no 5-minute candles at {source}")
    folder = tmp_path_factory.mktemp("detail")
    detail = {pair: five_minutes(source, pair) for pair in PAIRS}
    write_candles(detail, folder, "5m")
    hours = {pair: resample(frame, "1h") for pair, frame in detail.items()}
    write_candles(hours, folder, "1h", also=HIGHER_TIMEFRAMES)
    overlay = {"exchange": {"pair_whitelist": PAIRS}}
    coarse = make_config(overlay, datadir=folder)
    return run_backtest(coarse), run_backtest({**coarse, "timeframe_detail": "5m"})


def five_minutes(source: Path, pair: str) -> pd.DataFrame:
    frame = pd.read_feather(source / f"{pair.replace('/', '_')}-5m.feather")
    return frame[(frame["date"] >= SPAN[0]) & (frame["date"] < SPAN[1])].reset_index(drop=True)


@pytest.fixture(scope="module")
def matched(runs):
    """Trades with the same pair and entry candle, (coarse, detailed)."""
    coarse, detailed = ({(t.pair, t.open_date): t for t in run.trades} for run in runs)
    return [(coarse[key], detailed[key]) for key in coarse.keys() & detailed.keys()]


def test_the_detail_was_used(matched):
    """An exit within the hour says when; the coarse run knows only the hour."""
    minutes = [detailed.close_date.minute for _, detailed in matched]
    assert sum(minute != 0 for minute in minutes) >= len(matched) / 3
    assert {coarse.close_date.minute for coarse, _ in matched} == {0}


def test_entries_are_the_same(runs, matched):
    coarse, detailed = runs
    assert len(coarse.trades) > 15
    assert len(matched) >= 0.95 * max(len(coarse.trades), len(detailed.trades))


def test_plans_and_ladder_orders_of_matching_trades_are_the_same(runs, matched):
    coarse_run, detailed_run = runs
    assert any(len(coarse.orders) > 2 for coarse, _ in matched)
    for coarse, detailed in matched:
        assert coarse_run.plans[coarse.id] == detailed_run.plans[detailed.id]
        assert [(o.ft_order_tag, o.safe_price) for o in coarse.orders[:-1]] == [
            (o.ft_order_tag, o.safe_price) for o in detailed.orders[:-1]
        ]


def test_exits_agree(runs, matched):
    """Measured here: every reason and every profit the same. The tolerance leaves one trade in twenty."""
    same = [coarse.exit_reason == detailed.exit_reason for coarse, detailed in matched]
    assert np.mean(same) >= 0.95
    difference = [abs(coarse.close_profit - detailed.close_profit) for coarse, detailed in matched]
    assert np.mean(difference) <= 0.0005
    coarse_run, detailed_run = (sum(t.close_profit_abs for t in run.trades) for run in runs)
    assert detailed_run == pytest.approx(coarse_run, abs=0.002 * 10_000)
