"""A strategy of a few lines and a config of a few keys around the real FreqAI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from freqtrade.strategy import IStrategy

from adaptive_pkg.forecast import LOG_VOLATILITY, RETURN_SIGMA, future_log_volatility, future_return_sigma

PAIR = "BTC/USDT"
WINDOW, HORIZON = 8, 4


class MiniStrategy(IStrategy):
    """Four features, the two labels, no trading."""

    timeframe = "1h"
    stoploss = -0.1
    minimal_roi = {"0": 1}  # noqa: RUF012

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        return dataframe

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        change = np.log(dataframe["close"]).diff()
        sigma = change.rolling(20).std()
        dataframe["sigma"] = sigma
        dataframe["%-change"] = change / sigma
        dataframe["%-momentum"] = np.log(dataframe["close"]).diff(10) / sigma
        dataframe["%-range"] = np.log(dataframe["high"] / dataframe["low"]) / sigma
        dataframe["%-level"] = np.log(sigma / change.rolling(60).std())
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        close, volume = dataframe["close"], dataframe["volume"]
        sigma = np.log(close).diff().rolling(20).std()
        dataframe[RETURN_SIGMA] = future_return_sigma(close, sigma, HORIZON, volume=volume)
        dataframe[LOG_VOLATILITY] = future_log_volatility(close, HORIZON, 60, volume=volume)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    populate_entry_trend = populate_exit_trend = populate_indicators


@pytest.fixture
def make_config(tmp_path: Path, project_root: Path) -> Callable[..., dict[str, Any]]:
    """A FreqAI config on tiny networks; keyword arguments go into the freqai block."""
    (tmp_path / "config.json").write_text("{}")

    def make(**freqai: Any) -> dict[str, Any]:
        features = {
            "include_timeframes": ["1h"],
            "include_corr_pairlist": [],
            "include_shifted_candles": 0,
            "indicator_periods_candles": [10],
            "label_period_candles": HORIZON,
            "buffer_train_data_candles": 0,
            **freqai.pop("feature_parameters", {}),
        }
        training = {
            "window": WINDOW,
            "units": [6, 5],
            "dense_units": 4,
            "chunk_candles": 32,
            "batch_chunks": 8,
            "epochs": 2,
            "shrink_to_skill": False,  # on a random walk it would, rightly, leave nothing to compare
            **freqai.pop("model_training_parameters", {}),
        }
        return {
            "runmode": RunMode.BACKTEST,
            "timeframe": "1h",
            "timerange": "20220215-20220221",
            "stake_currency": "USDT",
            "strategy": "MiniStrategy",
            "freqaimodel": "GRURegressor",
            "freqaimodel_path": str(project_root / "user_data" / "freqaimodels"),
            "user_data_dir": tmp_path / "user_data",
            "config_files": [str(tmp_path / "config.json")],
            "exchange": {"name": "binance", "pair_whitelist": [PAIR]},
            "freqai": {
                "enabled": True,
                "identifier": "test",
                "train_period_days": 30,
                "backtest_period_days": 3,
                "conv_width": WINDOW,
                "save_backtest_models": True,
                "activate_tensorboard": False,
                "purge_old_models": 2,
                "feature_parameters": features,
                "data_split_parameters": {"shuffle": False},
                "model_training_parameters": training,
                **freqai,
            },
        }

    return make


@pytest.fixture
def make_model() -> Callable[[dict[str, Any]], Any]:
    """The adapter as freqtrade itself finds and loads it."""
    return FreqaiModelResolver.load_freqaimodel


@pytest.fixture
def make_strategy() -> Callable[..., MiniStrategy]:
    def make(config: dict[str, Any], runmode: RunMode = RunMode.BACKTEST) -> MiniStrategy:
        strategy = MiniStrategy(config)
        strategy.dp = SimpleNamespace(runmode=runmode, current_whitelist=lambda: [PAIR])
        return strategy

    return make


@pytest.fixture
def candles(random_candles) -> pd.DataFrame:
    """51 days of hourly candles, 2022-01-01 to 2022-02-20; the backtest begins after 45 days."""
    return random_candles(51 * 24, seed=5)
