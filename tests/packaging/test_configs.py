"""Every shipped config, laid over the main one, is valid for freqtrade and for the bundle."""

from copy import deepcopy

import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.configuration.load_config import load_from_files

from adaptive_pkg.forecast.contract import check_freqai
from adaptive_pkg.settings import load_forecast_settings, load_settings


@pytest.fixture(params=["config.json", "config.rules.json", "config.futures.json"])
def config(request, project_root):
    folder = project_root / "user_data"
    paths = dict.fromkeys([folder / "config.json", folder / request.param])
    return load_from_files([str(path) for path in paths])


def test_it_is_valid(config):
    validate_config_schema(deepcopy(config))
    load_settings(config)
    assert check_freqai(config, load_forecast_settings(config)) == 12


def test_it_is_a_dry_run_with_a_local_api_and_no_messenger(config):
    assert config["dry_run"] is True
    assert config["api_server"]["listen_ip_address"] == "127.0.0.1"
    assert config["telegram"]["enabled"] is False


def test_futures_are_isolated_and_use_perpetual_pairs(project_root):
    folder = project_root / "user_data"
    config = load_from_files([str(folder / "config.json"), str(folder / "config.futures.json")])
    assert (config["trading_mode"], config["margin_mode"]) == ("futures", "isolated")
    assert all(pair.endswith("/USDT:USDT") for pair in config["exchange"]["pair_whitelist"])
