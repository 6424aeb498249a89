"""How freqtrade sees the strategy: what it loads, charts, protects; and the config that ships with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pandas as pd
import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.configuration.load_config import load_config_file
from freqtrade.enums import CandleType, RunMode
from freqtrade.ft_types.plot_annotation_type import AnnotationTypeTA
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import StrategyResolver
from freqtrade.rpc.rpc import RPC

from adaptive_pkg.forecast.targets import RETURN_SIGMA
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.settings import load_forecast_settings, load_settings


@pytest.fixture
def shipped(project_root):
    return load_config_file(str(project_root / "user_data" / "config.json"))


# --- rules only --------------------------------------------------------------------------------------------

RULES_ONLY_RUN = """
import json, pathlib, sys
from freqtrade.commands.optimize_commands import setup_optimize_configuration
from freqtrade.enums import CandleType, RunMode
from freqtrade.optimize.backtesting import Backtesting

config = setup_optimize_configuration(json.loads(sys.argv[1]), RunMode.BACKTEST)
backtesting = Backtesting(config)
backtesting.start()
heavy = [name for name in ("tensorflow", "keras", "torch", "lightgbm", "xgboost") if name in sys.modules]
trades = len(backtesting.all_bt_content["AdaptiveGRU"]["results"])
print("RESULT", json.dumps({"trades": trades, "heavy": heavy}))
"""


def test_rules_only_trades_without_importing_a_learning_library(
    make_config, default_run, strategy_dir, tmp_path, datadir, project_root
):
    overlay = tmp_path / "overlay.json"
    config = make_config()
    overlay.write_text(json.dumps({name: config[name] for name in ("freqai", "exchange", "adaptive")}))
    arguments = {
        "config": [str(project_root / "user_data" / "config.json"), str(overlay)],
        "user_data_dir": str(tmp_path), "datadir": str(datadir), "strategy_path": str(strategy_dir),
        "export": "none", "backtest_cache": "none", "verbosity": 0,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", RULES_ONLY_RUN, json.dumps(arguments)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    line = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    assert line, done.stderr[-3_000:]
    assert json.loads(line[1]) == {"trades": len(default_run.trades), "heavy": []}


# --- charts ------------------------------------------------------------------------------------------------


def test_annotations_are_what_freqtrade_accepts_one_band_per_stretch_of_a_regime(trader, caplog):
    bands = trader.ft_plot_annotations("BTC/USDT", trader.frame)
    assert "exception" not in caplog.text.lower()
    stretches = int((trader.frame["regime"].diff() != 0).sum())
    assert len(bands) == stretches > 10
    for band in bands:
        AnnotationTypeTA.validate_python(band, extra="forbid")
        assert band["start"] <= band["end"]
    assert {band["label"] for band in bands} == {
        "strong_trend", "volatile_trend", "tight_range", "choppy", "transitional",
    }  # fmt: skip
    assert bands[0]["start"] == trader.frame["date"].iloc[0]
    assert bands[-1]["end"] == trader.frame["date"].iloc[-1]


def test_annotations_of_part_of_the_candles_stay_within_it(trader):
    part = trader.frame.iloc[1_000:1_300]  # as the API trims: the index does not start at 0
    bands = trader.ft_plot_annotations("BTC/USDT", part)
    assert bands[0]["start"] == part["date"].iloc[0]
    assert bands[-1]["end"] == part["date"].iloc[-1]


def test_a_frame_without_regimes_has_no_bands_and_raises_nothing(trader, caplog):
    assert trader.ft_plot_annotations("BTC/USDT", trader.frame[["date", "close"]]) == []
    assert "exception" not in caplog.text.lower()


def test_the_analysed_frame_goes_through_the_api(trader):
    """FreqUI's chart: every value must survive freqtrade's conversion to JSON."""
    frame = trader.frame.copy()
    answer = RPC._convert_dataframe_to_dict(
        "AdaptiveGRU", "BTC/USDT", "1h", frame, frame["date"].iloc[-1], None,
        trader.ft_plot_annotations("BTC/USDT", frame),
    )  # fmt: skip
    assert answer["length"] == len(frame)
    assert {"regime", "confidence", "enter_tag"} <= set(answer["columns"])


def test_the_plot_config_names_columns_that_are_there(trader):
    named = set(trader.plot_config["main_plot"])
    for subplot in trader.plot_config["subplots"].values():
        named |= set(subplot)
    with_forecast = {"forecast_close", RETURN_SIGMA}
    assert named - with_forecast <= set(trader.frame.columns)


# --- protections -------------------------------------------------------------------------------------------


def test_protections_are_accepted_and_stop_something(make_config, run_backtest, default_run):
    strict = make_config({"adaptive": {"portfolio": {"daily_loss": 0.005}}})
    run = run_backtest({**strict, "enable_protections": True})
    assert run.results["locks"]
    assert len(run.trades) < len(default_run.trades)


def test_a_pair_rests_after_an_exit(default_run):
    """Two candles times the preset's cooldown, rounded up: at least two in every regime."""
    reopened = sorted(default_run.trades, key=lambda trade: trade.open_date)
    for earlier in default_run.trades:
        for later in reopened:
            if later.pair == earlier.pair and later.open_date > earlier.close_date:
                assert (later.open_date - earlier.close_date).total_seconds() >= 2 * 3_600


def test_every_protection_loads_by_name(make_config, trader):
    manager = ProtectionManager(make_config(), trader.protections)
    assert sorted(manager.name_list) == sorted(item["method"] for item in trader.protections)


# --- what freqtrade reads of the class ---------------------------------------------------------------------


def test_the_warm_up_covers_every_indicator(trader):
    assert trader.startup_candle_count == startup_candles(trader.settings.indicators)
    warm = trader.frame.iloc[trader.startup_candle_count :]
    # NaN where nothing is asked; a higher timeframe without enough candles is neutral
    numbers = warm.select_dtypes("number").drop(columns=["confidence", "trend_4h", "trend_1d"])
    assert not numbers.isna().any().any()


def test_reports_judge_candles_exactly_as_the_strategy_does(trader, market):
    """The reports join the higher timeframes from the same candles; freqtrade reads their own files."""
    candles = market["BTC/USDT"].drop(columns="regime")
    indicators = trader.settings.indicators
    frame = market_frame(add_higher_trends(candles, indicators), indicators)
    judged = judge(frame, trader.settings, can_short=False)
    for name, values in judged.columns().items():
        expected = trader.frame[name].to_numpy()
        assert pd.Series(values).equals(pd.Series(expected, dtype=pd.Series(values).dtype)), name


def test_a_refused_candidate_is_logged_with_its_reason_when_live(
    make_config, load_strategy, market, analyse, caplog
):
    caplog.set_level("INFO")
    strategy = load_strategy(make_config())
    strategy.dp.runmode = RunMode.DRY_RUN
    strategy.messages.connect(strategy.dp)  # as a bot's start does
    whole = analyse(strategy, market["BTC/USDT"])
    refused = whole.index[whole["confidence"].notna() & (whole["enter_long"] == 0) & (whole.index > 900)]
    caplog.clear()
    analyse(strategy, market["BTC/USDT"].head(refused[0] + 1))
    assert re.search(r"BTC/USDT: no entry in \w+: (confidence|volume) below", caplog.text)


@pytest.mark.parametrize(
    ("api", "dry_run", "accepted"),
    [
        ({"enabled": True, "listen_ip_address": "127.0.0.1", "password": ""}, True, True),
        ({"enabled": True, "listen_ip_address": "127.0.0.1", "password": ""}, False, False),
        ({"enabled": True, "listen_ip_address": "0.0.0.0", "password": ""}, True, False),
        ({"enabled": False, "listen_ip_address": "0.0.0.0", "password": ""}, False, True),
    ],
)
def test_an_open_api_stops_a_live_start_by_name(make_config, load_strategy, api, dry_run, accepted):
    strategy = load_strategy(make_config())
    strategy.config.update(dry_run=dry_run, api_server=api)
    strategy.dp.runmode = RunMode.DRY_RUN if dry_run else RunMode.LIVE
    if accepted:
        strategy.ft_bot_start()
        return
    with pytest.raises(Exception, match=r"api_server\.(password|jwt_secret_key)"):
        strategy.ft_bot_start()


def test_the_public_key_that_freqtrade_fills_in_is_no_key(make_config, load_strategy):
    """Where jwt_secret_key is missing, freqtrade's schema puts in one that everybody knows."""
    config = make_config({"api_server": {"password": "a long and private password"}})
    assert len(config["api_server"]["jwt_secret_key"]) >= 32
    config["dry_run"] = False
    strategy = load_strategy(config)
    strategy.dp.runmode = RunMode.LIVE
    with pytest.raises(Exception, match="jwt_secret_key"):
        strategy.ft_bot_start()


# --- the config that ships ---------------------------------------------------------------------------------


@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST, RunMode.WEBSERVER])
def test_the_shipped_config_with_its_strategy_satisfies_freqtrades_schema(shipped, strategy_dir, runmode):
    config = {
        **shipped,
        "runmode": runmode,
        "candle_type_def": CandleType.SPOT,  # as freqtrade's set-up sets it
        "strategy_path": str(strategy_dir),
        "user_data_dir": strategy_dir,
    }
    StrategyResolver.load_strategy(config)  # fills in what the strategy declares, such as stoploss
    assert validate_config_schema(config)["stoploss"] == -0.20  # raises where the schema is not met


def test_the_shipped_config_is_safe_to_start(shipped):
    assert shipped["dry_run"] is True
    assert shipped["api_server"]["listen_ip_address"] == "127.0.0.1"
    assert shipped["api_server"]["CORS_origins"] == []
    assert shipped["telegram"]["enabled"] is False
    assert shipped["force_entry_enable"] is False


def test_the_shipped_config_holds_no_secret(shipped):
    secret = re.compile(r"pass|token|secret|key$|chat_id|uid|wallet_address|private", re.IGNORECASE)

    def strings(node, path=""):
        if isinstance(node, dict):
            for name, value in node.items():
                yield from strings(value, f"{path}.{name}")
        elif isinstance(node, list):
            for value in node:
                yield from strings(value, path)
        elif isinstance(node, str):
            yield path, node

    for path, text in strings(shipped):
        if secret.search(path.rsplit(".", 1)[-1]):
            assert text == "", f"{path} is not empty"
        assert not re.fullmatch(r"[A-Za-z0-9+/_-]{32,}", text), f"{path} looks like a key"


def test_the_shipped_config_names_what_is_there(shipped, project_root):
    user_data = project_root / "user_data"
    assert (user_data / "strategies" / f"{shipped['strategy']}.py").is_file()
    assert (user_data / "freqaimodels" / f"{shipped['freqaimodel']}.py").is_file()
    coins = [pair.split("/")[0] for pair in shipped["exchange"]["pair_whitelist"]]
    assert len(coins) == len(set(coins)) == 8  # FreqAI keeps models by base coin
    assert shipped["timeframe"] in shipped["freqai"]["feature_parameters"]["include_timeframes"]


def test_the_shipped_config_is_one_that_the_forecaster_accepts(shipped):
    assert shipped["freqai"]["conv_width"] >= load_forecast_settings(shipped).window
    assert shipped["freqai"]["data_split_parameters"]["shuffle"] is False
    load_settings(shipped)
