"""Perpetuals: long and short, with a leverage that lets the stop come before liquidation."""

from __future__ import annotations

import pandas as pd
import pytest

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles

START = 10_000.0


@pytest.fixture(scope="module", params=["conservative", "aggressive"])
def run(request, make_config, run_backtest, futures_config):
    """Room for the venue's leverage, so that it is the stop that limits it."""
    adaptive = {"profile": request.param, "sizing": {"max_leverage": 125.0}}
    return run_backtest(make_config(futures_config, {"adaptive": adaptive}))


def test_longs_and_shorts_both_happen(run):
    sides = [trade.is_short for trade in run.trades]
    assert sides.count(True) >= 5
    assert sides.count(False) >= 5


def test_liquidation_lies_beyond_the_stop_of_every_trade(run):
    for trade in run.trades:
        plan = run.plans[trade.id]
        assert trade.leverage >= 1.0
        assert trade.liquidation_price
        away = abs(trade.open_rate - trade.liquidation_price) / trade.open_rate
        assert plan.stop_fraction < away
        stop_is_nearer = (
            plan.initial_stop < trade.liquidation_price
            if trade.is_short
            else plan.initial_stop > trade.liquidation_price
        )
        assert stop_is_nearer
    assert "liquidation" not in {trade.exit_reason for trade in run.trades}


def test_leverage_follows_the_stop_and_stays_below_its_limit(run):
    leverages = {round(trade.leverage, 2) for trade in run.trades}
    assert len(leverages) > 3
    assert max(leverages) < 125.0
    near = min(run.trades, key=lambda trade: run.plans[trade.id].stop_fraction)
    far = max(run.trades, key=lambda trade: run.plans[trade.id].stop_fraction)
    assert near.leverage > far.leverage


def test_a_shorts_plan_stands_on_its_own_side(run):
    for trade in run.trades:
        plan = run.plans[trade.id]
        assert plan.side == ("short" if trade.is_short else "long")
        assert (plan.initial_stop > trade.open_rate) == trade.is_short
        assert (plan.target_price < trade.open_rate) == trade.is_short


def test_freqtrade_holds_the_planned_stop_whatever_the_leverage(run):
    for trade in run.trades:
        planned = run.plans[trade.id].initial_stop
        if trade.is_short:
            assert trade.stop_loss <= planned * (1 + 1e-9)
        else:
            assert trade.stop_loss >= planned * (1 - 1e-9)


def test_no_trade_costs_more_than_five_percent_of_the_account(run):
    for trade in run.trades:
        equity = START + sum(t.close_profit_abs for t in run.trades if t.close_date <= trade.open_date)
        assert trade.close_profit_abs > -0.05 * equity


def test_leverage_does_not_change_what_a_stop_costs(run):
    stopped = [t for t in run.trades if t.exit_reason == "stop_loss"]
    assert {t.is_short for t in stopped} == {True, False}
    for trade in stopped:
        r = run.plans[trade.id].r_multiple(trade.close_profit_abs, trade.stake_amount * trade.leverage)
        assert r == pytest.approx(-1.0, abs=0.15)  # funding, and the open of a candle beyond the stop


def test_shorts_exit_for_every_reason_longs_do(run):
    for side in (True, False):
        reasons = {t.exit_reason for t in run.trades if t.is_short is side}
        assert {"stop_loss", "trailing_stop_loss", "roi"} <= reasons


def test_the_shipped_limit_of_leverage_holds(make_config, run_backtest, futures_config):
    run = run_backtest(make_config(futures_config))
    assert {round(trade.leverage, 6) for trade in run.trades} == {3.0}


def test_initial_stops_are_not_called_trailing(run):
    for trade in run.trades:
        if trade.exit_reason == "trailing_stop_loss":
            assert abs(trade.stop_loss / run.plans[trade.id].initial_stop - 1) > 1e-4


def test_spot_never_shorts(default_run):
    assert not default_run.strategy.can_short
    assert not any(trade.is_short for trade in default_run.trades)


@pytest.mark.real_data
def test_real_perpetuals_trade_both_ways(
    make_config, run_backtest, futures_config, add_futures_extras, real_datadir, tmp_path
):
    pairs = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    frames = {}
    (tmp_path / "futures").mkdir()
    for pair in pairs:
        stem = pair.replace("/", "_").replace(":", "_")
        source = real_datadir / "futures" / f"{stem}-1h-futures.feather"
        if not source.is_file():
            pytest.skip(f"no real perpetual candles at {source}")
        frame = pd.read_feather(source)
        frames[pair] = frame[(frame["date"] >= "2021-03-01") & (frame["date"] < "2021-08-01")]
        frames[pair] = frames[pair].reset_index(drop=True)
    write_candles(frames, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    add_futures_extras(frames, tmp_path)
    overlay = {"exchange": {"pair_whitelist": pairs}}
    run = run_backtest(make_config(futures_config, overlay, datadir=tmp_path))
    assert {trade.is_short for trade in run.trades} == {True, False}
    test_liquidation_lies_beyond_the_stop_of_every_trade(run)
    test_freqtrade_holds_the_planned_stop_whatever_the_leverage(run)
