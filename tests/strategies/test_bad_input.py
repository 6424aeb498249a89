"""What a user sees who writes a wrong config or has broken candles, through freqtrade's own loading path."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from freqtrade.exceptions import FreqtradeException

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import candle_path, write_candles


@pytest.mark.parametrize(
    ("adaptive", "says"),
    [
        ({"profile": "moderat"}, ["adaptive.profile", "moderat", "'moderate'"]),
        ({"profil": "moderate"}, ["adaptive.profil", "'profile'"]),
        ({"kelly": {"fractoin": 0.5}}, ["adaptive.kelly.fractoin", "'fraction'"]),
        ({"kelly": {"fraction": 5}}, ["adaptive.kelly.fraction", "5", "[0.01, 1.0]"]),
        ({"components": {"trailing": "no"}}, ["adaptive.components.trailing", "'no'", "true or false"]),
        ({"regime": {"adx_trend": 10.0}}, ["adaptive.regime", "adx_flat", "adx_trend"]),
        ({"presets": {"strong": {}}}, ["adaptive.presets.strong", "strong_trend"]),
        ({"presets": {"choppy": {"style": "grid"}}}, ["adaptive.presets.choppy.style", "grid"]),
        ({"stops": {"min_fraction": 0.12}}, ["adaptive.stops", "min_fraction", "max_fraction"]),
        ("aggressive", ["adaptive", "aggressive"]),
        ({"sizing": None}, ["adaptive.sizing", "None"]),
    ],
)
def test_a_mistake_in_the_config_is_named(make_config, load_strategy, adaptive, says):
    config = make_config()
    config["adaptive"] = adaptive
    with pytest.raises((SettingsError, FreqtradeException)) as raised:
        load_strategy(config)
    for word in says:
        assert word in str(raised.value)


def test_without_an_adaptive_block_the_defaults_apply(make_config, load_strategy):
    config = make_config()
    del config["adaptive"]
    held = make_config({"adaptive": {"approach": "hold_trend"}})
    assert load_strategy(config).settings == load_strategy(held).settings


def run_on(frames, make_config, run_backtest, folder):
    write_candles(frames, folder, "1h", also=HIGHER_TIMEFRAMES)
    return run_backtest(make_config({"exchange": {"pair_whitelist": list(frames)}}, datadir=folder))


def test_an_outage_of_34_hours_is_survived_and_nothing_is_entered_in_it(
    market, make_config, run_backtest, tmp_path
):
    frame = market["BTC/USDT"].drop(columns="regime")
    gap = frame["date"].iloc[[1_500, 1_534]]
    frame = frame.drop(index=range(1_500, 1_534)).reset_index(drop=True)
    run = run_on({"BTC/USDT": frame}, make_config, run_backtest, tmp_path)
    assert len(run.trades) > 10
    for trade in run.trades:
        signal = pd.Timestamp(trade.open_date) - pd.Timedelta(hours=1)
        assert not gap.iloc[0] <= signal < gap.iloc[1]


def test_candles_without_volume_are_survived_and_nothing_is_entered_on_them(
    market, make_config, run_backtest, tmp_path
):
    frame = market["BTC/USDT"].drop(columns="regime")
    silent = np.zeros(len(frame), dtype=bool)
    silent[1_200:1_260] = True
    silent[1_400::9] = True
    for column in ("open", "high", "low"):
        frame.loc[silent, column] = frame.loc[silent, "close"]
    frame.loc[silent, "volume"] = 0.0
    run = run_on({"BTC/USDT": frame}, make_config, run_backtest, tmp_path)
    assert len(run.trades) > 5
    dead = set(frame["date"][silent])
    assert not any(pd.Timestamp(trade.open_date) - pd.Timedelta(hours=1) in dead for trade in run.trades)


def test_one_absurd_print_costs_one_trade_at_most_its_stop_or_that_candles_open(
    market, make_config, run_backtest, tmp_path
):
    frame = market["SOL/USDT"].drop(columns="regime")
    frame.loc[1_800, "low"] = frame.loc[1_800, "close"] / 1_000
    run = run_on({"SOL/USDT": frame}, make_config, run_backtest, tmp_path)
    assert len(run.trades) > 10
    assert min(trade.close_profit for trade in run.trades) > -0.06


@pytest.mark.parametrize(("column", "value"), [("high", np.inf), ("low", 0.0), ("volume", -1.0)])
def test_a_candle_that_cannot_be_is_named_with_its_column_and_date(
    market, make_config, run_backtest, tmp_path, column, value
):
    frame = market["BTC/USDT"].drop(columns="regime")
    frame.loc[1_700, column] = value
    with pytest.raises((DataError, FreqtradeException)) as raised:
        run_on({"BTC/USDT": frame}, make_config, run_backtest, tmp_path)
    assert column in str(raised.value)
    assert str(frame["date"].iloc[1_700]) in str(raised.value)


def test_too_few_candles_for_the_warm_up_trade_nothing(market, make_config, load_strategy, analyse):
    """A pair listed this month: no regime, no entry, no error."""
    strategy = load_strategy(make_config())
    for candles in (1, 2, 30, 300):
        frame = analyse(strategy, market["BTC/USDT"].head(candles))
        assert len(frame) == candles
        assert (
            strategy.desk.candles.get("BTC/USDT").last_closed(frame["date"].iloc[-1].to_pydatetime())
            == candles - 2
        )


def test_a_missing_pair_file_is_named(make_config, run_backtest, market, tmp_path):
    write_candles({"BTC/USDT": market["BTC/USDT"]}, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    config = make_config({"exchange": {"pair_whitelist": ["SOL/USDT"]}}, datadir=tmp_path)
    assert not candle_path(tmp_path, "SOL/USDT", "1h").exists()
    with pytest.raises(FreqtradeException, match="No data found"):
        run_backtest(config)


@pytest.mark.real_data
def test_the_real_outage_of_february_2018_is_survived(make_config, run_backtest, real_datadir):
    config = make_config({"exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT"]}}, datadir=real_datadir)
    config["timerange"] = "20171215-20180401"
    run = run_backtest(config)
    assert len(run.trades) > 10
    outage = pd.Timestamp("2018-02-08 01:00", tz="UTC"), pd.Timestamp("2018-02-09 09:00", tz="UTC")
    assert not any(outage[0] < pd.Timestamp(trade.open_date) < outage[1] for trade in run.trades)
