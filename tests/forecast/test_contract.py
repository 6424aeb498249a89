from __future__ import annotations

import copy

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.forecast import changes
from adaptive_pkg.forecast.contract import (
    EXTRA_RETURNS,
    check_base_coins,
    check_cell,
    check_freqai,
    extra_returns,
    prediction_inputs,
)
from adaptive_pkg.settings import ForecastSettings
from adaptive_pkg.settings.forecast import Cell

SETTINGS = ForecastSettings()
GOOD = {
    "timeframe": "1h",
    "exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "freqai": {
        "identifier": "one",
        "conv_width": SETTINGS.window,
        "train_period_days": 180,
        "feature_parameters": {"label_period_candles": 12, "include_timeframes": ["1h"]},
        "data_split_parameters": {"shuffle": False},
    },
}


def changed(path: str, value) -> dict:
    config = copy.deepcopy(GOOD)
    block = config
    *blocks, key = path.split(".")
    for name in blocks:
        block = block.setdefault(name, {})
    block[key] = value
    return config


def test_a_good_config_gives_the_horizon():
    assert check_freqai(GOOD, SETTINGS) == 12


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("freqai.data_split_parameters.shuffle", True),
        ("freqai.feature_parameters.shuffle_after_split", True),
        ("freqai.feature_parameters.reverse_train_test_order", True),
        ("freqai.feature_parameters.principal_component_analysis", True),
        ("freqai.feature_parameters.use_SVM_to_remove_outliers", True),
        ("freqai.feature_parameters.use_DBSCAN_to_remove_outliers", True),
        ("freqai.feature_parameters.DI_threshold", 0.9),
        ("freqai.feature_parameters.noise_standard_deviation", 0.1),
        ("freqai.feature_parameters.buffer_train_data_candles", 10),
        ("freqai.fit_live_predictions_candles", 300),
        ("freqai.keras", True),
        ("freqai.data_split_parameters.test_size", 0.33),
        ("freqai.conv_width", SETTINGS.window - 1),
        ("freqai.feature_parameters.label_period_candles", 1),
        ("freqai.feature_parameters.label_period_candles", "12"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(key, value):
    with pytest.raises(SettingsError) as caught:
        check_freqai(changed(key, value), SETTINGS)
    assert str(caught.value).startswith(key)


def test_too_narrow_conv_width_says_what_to_set():
    with pytest.raises(SettingsError, match="set conv_width to 60"):
        check_freqai(changed("freqai.conv_width", 59), SETTINGS)


def test_pairs_with_the_same_base_coin_are_refused():
    with pytest.raises(SettingsError, match="BTC/USDT and BTC/USDC share the base coin BTC"):
        check_freqai(changed("exchange.pair_whitelist", ["BTC/USDT", "ETH/USDT", "BTC/USDC"]), SETTINGS)
    check_base_coins(["BTC/USDT", "BTC/USDT", "ETH/USDT"])  # the same pair twice is one pair


@pytest.mark.parametrize(
    ("path", "value", "stale"),
    [
        ("freqai.train_period_days", 90, True),
        ("freqai.feature_parameters.label_period_candles", 6, True),
        ("timeframe", "5m", True),
        ("adaptive.indicators.atr_period", 21, True),
        ("freqai.live_retrain_hours", 3, False),
        ("freqai.purge_old_models", 5, False),
        ("freqai.conv_width", 200, False),
        ("exchange.pair_whitelist", ["BTC/USDT"], False),
        ("stake_amount", 10, False),
    ],
)
def test_predictions_go_stale_exactly_when_something_they_depend_on_changes(path, value, stale):
    before, after = prediction_inputs(GOOD, {}), prediction_inputs(changed(path, value), {})
    assert bool(changes(before, after)) is stale


def test_extra_returns_are_plain_numbers(forecaster):
    values = extra_returns(forecaster)
    assert tuple(values) == EXTRA_RETURNS
    assert {type(value) for value in values.values()} == {float}
    assert values["val_loss"] < values["val_loss_zero"]
    assert values["val_skill_return"] == forecaster.validation.skills[0]
    assert values["interval_return"] == forecaster.validation.half_widths[0] > 0
    assert values["interval_volatility"] == forecaster.validation.half_widths[1] > 0


def test_a_cell_that_contradicts_the_model_is_refused_and_no_word_about_it_is_fine():
    check_cell(GOOD, Cell.LSTM, "LSTMRegressor")
    asks = changed("freqai.model_training_parameters.cell", "lstm")
    check_cell(asks, Cell.LSTM, "LSTMRegressor")
    with pytest.raises(SettingsError, match=r"'lstm' contradicts GRURegressor; .*freqaimodel LSTMRegressor"):
        check_cell(asks, Cell.GRU, "GRURegressor")
