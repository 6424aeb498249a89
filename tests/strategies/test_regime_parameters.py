"""`freqtrade hyperopt --spaces regime`: five thresholds that move entries and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest
from freqtrade.exceptions import FreqtradeException

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings import RegimeSettings

NAMES = ("adx_trend", "adx_flat", "atr_high", "width_tight", "min_dwell_candles")


@pytest.fixture
def started(make_config, load_strategy):
    """`started(overlay)`: the strategy as freqtrade starts it."""

    def start(overlay=None):
        strategy = load_strategy(make_config(overlay or {}))
        strategy.ft_bot_start()
        return strategy

    return start


def values(strategy):
    return {name: getattr(strategy, name).value for name in NAMES}


def test_the_space_holds_the_five_thresholds_with_the_settings_own_defaults(started):
    strategy = started()
    assert {parameter.name for _, parameter in strategy.enumerate_parameters("regime")} == set(NAMES)
    assert set(strategy._ft_hyper_params) == {"regime", "policy", "risk"}
    defaults = RegimeSettings()
    for name in NAMES:
        parameter = getattr(strategy, name)
        assert parameter.value == getattr(defaults, name)
        assert parameter.low <= parameter.value <= parameter.high


def test_every_corner_of_the_space_is_a_valid_setting(started):
    strategy = started()
    corners = product(*((getattr(strategy, name).low, getattr(strategy, name).high) for name in NAMES))
    for corner in corners:
        values = dict(zip(NAMES, corner, strict=True))
        accepted = replace(RegimeSettings(), **values)  # raises for a corner that is none
        assert {name: getattr(accepted, name) for name in NAMES} == values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adx_trend", 35.0),
        ("adx_flat", 12.0),
        ("atr_high", 1.9),
        ("width_tight", 0.5),
        ("min_dwell_candles", 20),
    ],
)
def test_moving_a_threshold_moves_entries_without_recomputing_indicators(
    started, market, monkeypatch, name, value
):
    strategy = started()
    candles = strategy.dp.candles = market["BTC/USDT"].drop(columns="regime")
    indicators = strategy.advise_indicators(candles.copy(), {"pair": "BTC/USDT"})
    computed = indicators.copy()
    monkeypatch.setattr(strategy, "populate_indicators", None)  # an epoch of hyperopt never calls it

    def entries():
        frame = strategy.advise_entry(indicators.copy(), {"pair": "BTC/USDT"})
        return frame[["enter_long", "enter_tag", "regime"]]

    before = entries()
    getattr(strategy, name).value = value
    after = entries()
    assert not after["regime"].equals(before["regime"])
    assert not after["enter_tag"].equals(before["enter_tag"])
    assert indicators.equals(computed)


def test_the_configs_thresholds_reach_the_parameters(started):
    written = {
        "adx_trend": 31.0, "adx_flat": 17.0, "atr_high": 1.55, "width_tight": 0.9, "min_dwell_candles": 3,
    }  # fmt: skip
    assert values(started({"adaptive": {"regime": written}})) == written


@pytest.mark.parametrize(
    ("name", "value"), [("adx_trend", 27.25), ("atr_high", 1.234), ("width_tight", 0.755)]
)
def test_a_configs_threshold_is_used_as_written_not_rounded_to_the_search_grid(started, name, value):
    assert values(started({"adaptive": {"regime": {name: value}}}))[name] == value


@pytest.mark.parametrize(("name", "value"), [("adx_trend", 55.0), ("min_dwell_candles", 48)])
def test_a_configs_threshold_may_lie_outside_what_hyperopt_searches(started, name, value):
    assert values(started({"adaptive": {"regime": {name: value}}}))[name] == value


@pytest.fixture
def with_params_file(strategy_dir):
    """`with_params_file(**params)`: the AdaptiveGRU.json that `freqtrade hyperopt` leaves behind."""
    path = strategy_dir / "AdaptiveGRU.json"

    def write(**regime):
        params = {
            "roi": {}, "stoploss": {"stoploss": -0.1}, "max_open_trades": {"max_open_trades": 5},
            "trailing": {"trailing_stop": False, "trailing_stop_positive": None,
                         "trailing_stop_positive_offset": 0.0, "trailing_only_offset_is_reached": False},
            "regime": regime,
        }  # fmt: skip
        path.write_text(json.dumps({"strategy_name": "AdaptiveGRU", "params": params, "ft_stratparam_v": 1}))

    yield write
    path.unlink(missing_ok=True)


def test_a_hyperopt_result_wins_over_the_config_and_the_config_over_the_default(started, with_params_file):
    with_params_file(adx_trend=28.0, min_dwell_candles=4)
    strategy = started({"adaptive": {"regime": {"adx_trend": 33.0, "adx_flat": 15.0}}})
    assert values(strategy) == {
        **{name: getattr(RegimeSettings(), name) for name in NAMES},
        "adx_trend": 28.0, "min_dwell_candles": 4, "adx_flat": 15.0,
    }  # fmt: skip


def test_a_hyperopt_result_leaves_stop_and_targets_to_the_trade(started, with_params_file):
    with_params_file(adx_trend=28.0)
    strategy = started()
    assert strategy.minimal_roi == {}
    assert strategy.stoploss == -0.1
    assert strategy.use_custom_roi
    assert strategy.use_custom_stoploss
    assert not strategy.trailing_stop


def test_thresholds_that_contradict_each_other_are_named_at_the_start(started, with_params_file):
    with_params_file(adx_trend=21.0)
    with pytest.raises((SettingsError, FreqtradeException), match="adx_flat"):
        started({"adaptive": {"regime": {"adx_trend": 30.0, "adx_flat": 25.0}}})


def test_what_is_begun_at_the_start_knows_the_hyperopt_result(started, with_params_file):
    """freqtrade lays it over the strategy only after `bot_start`; the journal is named by it."""
    with_params_file(adx_trend=28.0)
    assert started().planner.settings.regime.adx_trend == 28.0


def test_two_strategies_in_one_process_do_not_share_thresholds(started):
    first, second = started({"adaptive": {"regime": {"adx_trend": 33.0}}}), started()
    assert (first.adx_trend.value, second.adx_trend.value) == (33.0, 25.0)


def test_a_moved_threshold_moves_the_trades_of_a_backtest(make_config, run_backtest, default_run):
    moved = run_backtest(make_config({"adaptive": {"regime": {"adx_trend": 38.0}}}))
    assert moved.decisions != default_run.decisions
