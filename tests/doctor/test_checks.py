"""Each check speaks when its thing is wrong, and is silent when it is not."""

from pathlib import Path

import pytest

from adaptive_pkg.doctor.checks import CHECKS, examine, refuse_unsafe_start
from adaptive_pkg.doctor.facts import ClockReading, Facts, TradeDatabase
from adaptive_pkg.doctor.findings import HIDDEN, Severity
from adaptive_pkg.doctor.trading import timeframe
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.safety import PUBLIC_JWT_KEY

BY_REGIME = {"adaptive.approach": "by_regime"}

ERROR, WARNING, NOTE = Severity
FUTURES = {"trading_mode": "futures", "margin_mode": "isolated", "liquidation_buffer": 0.05}
NO_LIMITS = {"adaptive.components.portfolio_limits": False}
FORECAST_OFF = {"freqai.enabled": False}
DRY = {"dry_run": True, "db_url": ...}

SPEAKS = [
    # access
    ({"api_server.password": ""}, ERROR, "api_server.password", "missing"),
    ({"api_server.jwt_secret_key": PUBLIC_JWT_KEY}, ERROR, "api_server.jwt_secret_key", "everybody knows"),
    ({"api_server.jwt_secret_key": "short"}, ERROR, "api_server.jwt_secret_key", "too short"),
    ({"api_server.listen_ip_address": "localhost"}, ERROR, "api_server.listen_ip_address", "no IP address"),
    ({"api_server.listen_ip_address": "0.0.0.0"}, WARNING, "api_server.listen_ip_address", "other machines"),
    (DRY | {"api_server.password": ""}, NOTE, "api_server.password", "any program on this machine"),
    ({"telegram.token": ""}, ERROR, "telegram.token", "missing"),
    ({"telegram.chat_id": " "}, ERROR, "telegram.chat_id", "missing"),
    ({"telegram.chat_id": "-100123"}, WARNING, "telegram.authorized_users", "everybody in it"),
    ({"api_server.CORS_origins": ["*"]}, WARNING, "api_server.CORS_origins", "any page"),
    ({"exchange.key": ""}, WARNING, "exchange.key", "no account"),
    (
        {"exchange.key": ..., "exchange.ccxt_config.apiKey": "K"},  # an account it is
        ERROR,
        "exchange.ccxt_config.apiKey",
        "into its log",
    ),
    (
        DRY | {"exchange.ccxt_async_config.secret": "S"},
        WARNING,
        "exchange.ccxt_async_config.secret",
        "its log",
    ),
    ({"force_entry_enable": True}, WARNING, "force_entry_enable", "no rule has asked for"),
    # settings
    ({"adaptive.profile": "bold"}, ERROR, "adaptive.profile", "'bold' is not one of conservative"),
    ({"adaptive.kelly.frction": 0.2}, ERROR, "adaptive.kelly.frction", "unknown setting"),
    ({"adaptive.kelly.fraction": 7}, ERROR, "adaptive.kelly.fraction", "outside the allowed range"),
    # database, by its name and place; by its content: test_facts
    ({"db_url": "sqlite:///tradesv3.dryrun.sqlite"}, ERROR, "db_url", "a dry run's database"),
    ({"db_url": "sqlite:////d/my_dry-run.sqlite"}, ERROR, "db_url", "a dry run's database"),
    ({"db_url": "sqlite://"}, ERROR, "db_url", "in memory"),
    ({"db_url": "postgresql://u@h/trades"}, NOTE, "db_url", "not looked into"),
    # money
    ({"tradable_balance_ratio": 1.0}, ERROR, "tradable_balance_ratio", "whole account"),
    ({"max_open_trades": -1}, ERROR, "max_open_trades", "everything"),
    ({"max_open_trades": ...}, ERROR, "max_open_trades", "everything"),
    ({"max_open_trades": float("inf")}, ERROR, "max_open_trades", "everything"),
    (
        {"adaptive.sizing.max_position_fraction": 1.0},
        ERROR,
        "adaptive.sizing.max_position_fraction",
        "one trade may take the whole account",
    ),
    (NO_LIMITS | {"max_open_trades": 6}, WARNING, "adaptive.components.portfolio_limits", "1.8 times"),
    ({"stoploss": -1.0}, ERROR, "stoploss", "no stop at all"),
    ({"stoploss": -0.25}, ERROR, "stoploss", "wider"),
    ({"use_custom_stoploss": False}, ERROR, "use_custom_stoploss", "trade's own stop"),
    ({"order_types.stoploss_on_exchange": False}, NOTE, "order_types.stoploss_on_exchange", "while the bot"),
    ({"initial_state": "stopped"}, WARNING, "initial_state", "nobody watches"),
    ({"initial_state": ...}, WARNING, "initial_state", "nobody watches"),
    ({"unfilledtimeout": ...}, WARNING, "unfilledtimeout.entry", "for ever"),
    ({"unfilledtimeout.exit": ...}, WARNING, "unfilledtimeout.exit", "for ever"),
    # futures
    (FUTURES | {"margin_mode": "cross"}, ERROR, "margin_mode", "isolated margin"),
    (FUTURES | {"margin_mode": ""}, ERROR, "margin_mode", "isolated margin"),
    (FUTURES | {"liquidation_buffer": ...}, NOTE, "liquidation_buffer", "its default, 0.05"),
    (FUTURES | {"liquidation_buffer": 0.0}, ERROR, "liquidation_buffer", "just before"),
    (FUTURES | {"liquidation_buffer": 0.01}, WARNING, "liquidation_buffer", "just before"),
    # candles and pairs
    ({"timeframe": "6h"}, ERROR, "timeframe", "longer than the 4h"),
    ({"timeframe": "1M"}, ERROR, "timeframe", "m, h, d or w"),
    ({"exchange.pair_whitelist": []}, ERROR, "exchange.pair_whitelist", "empty"),
    ({"exchange.pair_whitelist": ["BTC/USDT", "BTC/EUR"]}, ERROR, "exchange.pair_whitelist", "overwrite"),
    (
        FORECAST_OFF | {"exchange.pair_whitelist": ["BTC/USDT", "BTC/EUR"]},
        WARNING,
        "exchange.pair_whitelist",
        "one bet placed twice",
    ),
    ({"process_only_new_candles": False}, ERROR, "process_only_new_candles", "FreqAI refuses"),
    (FORECAST_OFF | {"process_only_new_candles": False}, WARNING, "process_only_new_candles", "judged again"),
    # forecast
    ({"freqai.conv_width": 30}, ERROR, "freqai.conv_width", "below the network's window"),
    ({"freqai.data_split_parameters.shuffle": True}, ERROR, "freqai.data_split_parameters.shuffle", "order"),
    (
        {"freqai.model_training_parameters.units": [0]},
        ERROR,
        "freqai.model_training_parameters.units",
        "outside",
    ),
    (
        {"freqai.model_training_parameters.cell": "lstm"},
        ERROR,
        "freqai.model_training_parameters.cell",
        "contradicts",
    ),
    ({"freqai.live_retrain_hours": 0}, WARNING, "freqai.live_retrain_hours", "without a pause"),
    ({"freqai.live_retrain_hours": ...}, WARNING, "freqai.live_retrain_hours", "without a pause"),
    (
        {"freqai.feature_parameters.include_timeframes": ["4h"]},
        NOTE,
        "freqai.feature_parameters.include_timeframes",
        "lacks the base timeframe 1h",
    ),
]

SILENT = [
    {},
    {"api_server.enabled": False, "api_server.password": ""},
    {"api_server.listen_ip_address": "::1"},
    {"telegram.enabled": False, "telegram.token": ""},
    {"telegram.chat_id": "-100123", "telegram.authorized_users": ["7"]},
    {"telegram.enabled": False, "telegram.chat_id": "-100123"},
    {"api_server.CORS_origins": ["http://localhost:3000"]},
    {"db_url": ...},  # freqtrade's tradesv3.sqlite
    {"tradable_balance_ratio": 1.0, "available_capital": 1000},
    {"tradable_balance_ratio": 1.0, "stake_amount": 50, "max_open_trades": -1},
    {"adaptive.sizing.max_position_fraction": 1.0, "stake_amount": 50},
    {"max_open_trades": 20},  # the portfolio limits hold
    NO_LIMITS,  # 5 × 0.3 is 1.5
    {"stoploss": -0.10},
    {"stoploss": -0.05},
    {"initial_state": "paused"},
    FUTURES,
    {"margin_mode": "cross"},  # spot: nobody reads it
    {"timeframe": "4h", "freqai.feature_parameters.include_timeframes": ["4h"], **BY_REGIME},
    {"timeframe": "5m", "freqai.feature_parameters.include_timeframes": ["5m", "1h"], **BY_REGIME},
    {"exchange.pair_whitelist": [], "pairlists": [{"method": "VolumePairList"}]},
    {"exchange.pair_whitelist": [".*/USDT", ".*/EUR"]},
    FORECAST_OFF | {"freqai.conv_width": 1, "freqai.live_retrain_hours": 0},
    DRY | {"stoploss": -1.0, "tradable_balance_ratio": 1.0, "force_entry_enable": True},
    DRY | {"db_url": "sqlite://", "initial_state": ..., "order_types": ..., "exchange.key": ""},
]


@pytest.mark.parametrize(
    ("changes", "severity", "key", "words"), SPEAKS, ids=[f"{key}-{words}" for _, _, key, words in SPEAKS]
)
def test_it_speaks(live, changes, severity, key, words):
    found = [item for item in examine(live(changes)) if item.key == key]
    assert len(found) == 1, found
    assert found[0].severity is severity
    assert words in found[0].problem
    assert found[0].remedy


@pytest.mark.parametrize("changes", SILENT, ids=[str(n) for n in range(len(SILENT))])
def test_it_is_silent(live, changes):
    assert examine(live(changes)) == ()


def test_a_config_is_not_changed_by_reading_it(live):
    config = live(FUTURES)
    examine(config)
    assert config == live(FUTURES)


@pytest.mark.parametrize(
    ("database", "dry_run", "severity", "words"),
    [
        (TradeDatabase(Path("t.sqlite"), 8, 0, 2), False, ERROR, "8 orders and 2 open trades of a dry run"),
        (TradeDatabase(Path("t.sqlite"), 8, 3, 0), False, ERROR, "8 orders and 0 open trades of a dry run"),
        (TradeDatabase(Path("t.sqlite"), 0, 3, 0), False, None, ""),
        (
            TradeDatabase(Path("t.sqlite"), unreadable="file is not a database"),
            False,
            WARNING,
            "not a database",
        ),
        (TradeDatabase(Path("t.sqlite"), 0, 3, 0), True, WARNING, "3 real orders"),
        (TradeDatabase(Path("t.sqlite"), 8, 0, 2), True, None, ""),
    ],
)
def test_a_database_is_for_one_kind_of_money(live, database, dry_run, severity, words):
    config = live({"dry_run": dry_run, "db_url": "sqlite:///t.sqlite"})
    found = examine(config, Facts(database=database))
    assert [item.severity for item in found] == ([severity] if severity else [])
    assert all(item.key == "db_url" and words in item.problem for item in found)


def test_a_folder_that_a_backtest_uses_is_named(live):
    assert examine(live(), Facts(backtest_predictions=0)) == ()
    for changes, severity in (({}, WARNING), (DRY, NOTE)):
        (found,) = examine(live(changes), Facts(backtest_predictions=9))
        assert (found.severity, found.key, found.value) == (severity, "freqai.identifier", "live")


@pytest.mark.parametrize(
    ("behind", "uncertainty", "severity"),
    [
        (0.9, 0.0, None),
        (-0.9, 0.0, None),
        (1.2, 0.0, WARNING),
        (1.2, 0.3, None),  # the answer was slow: nobody knows
        (9.9, 0.0, WARNING),
        (10.1, 0.0, ERROR),  # recvWindow is 10 s
        (-1.2, 0.0, ERROR),  # the venue takes nothing stamped over a second in its future
    ],
)
def test_a_clock_out_of_sync(live, behind, uncertainty, severity):
    found = examine(live(), Facts(clock=ClockReading(behind, uncertainty)))
    assert [item.severity for item in found] == ([severity] if severity else [])


def test_a_dry_run_signs_nothing_so_a_clock_ahead_only_warns_up_to_the_window(live):
    severities = [
        examine(live(DRY), Facts(clock=ClockReading(behind)))[0].severity for behind in (-1.2, -10.1)
    ]
    assert severities == [WARNING, ERROR]


def test_the_window_is_the_one_the_config_gives_the_client(live):
    config = live({"exchange.ccxt_config": {"options": {"recvWindow": 5000}}})
    (found,) = examine(config, Facts(clock=ClockReading(6.0)))
    assert found.severity is ERROR
    assert "5 s" in found.problem


def test_a_clock_that_cannot_be_read_is_said(live):
    (found,) = examine(live(), Facts(clock=ClockReading(failed="NetworkError: no route")))
    assert found.severity is WARNING
    assert "no route" in found.problem


SECRETS = {
    "exchange.key": "leak-1",
    "exchange.secret": "leak-2",
    "exchange.ccxt_config.apiKey": "leak-3",
    "telegram.token": "leak-4",
    "api_server.password": "leak-5",
    "api_server.jwt_secret_key": "leak-6",
    "api_server.ws_token": ["leak-7"],
    "webhook.url": "https://leak-8",
    "db_url": "postgresql://bot:leak-9@h/trades",
    "external_message_consumer.producers": [{"name": "p", "ws_token": "leak-0"}],
}


@pytest.mark.parametrize(("key", "value"), SECRETS.items())
def test_a_secret_in_a_file_is_named_and_never_shown(live, key, value):
    nothing = {
        **{"exchange.key": ..., "exchange.secret": ..., "telegram.token": ..., "api_server.password": ...},
        "api_server.jwt_secret_key": ...,
    }
    written = live({**nothing, key: value})
    found = [item for item in examine(live(), Facts(written=written)) if item.value == HIDDEN]
    assert [item.severity for item in found] == [WARNING]
    assert found[0].key.startswith(key)
    assert "leak" not in str(found)
    if key == "exchange.ccxt_config.apiKey":  # from there freqtrade would log it
        assert "FREQTRADE__EXCHANGE__KEY" in found[0].remedy
    elif "producers" not in key:
        assert f"FREQTRADE__{key.upper().replace('.', '__')}" in found[0].remedy


def test_a_secret_from_the_environment_is_none_in_a_file(live):
    empty = dict.fromkeys(("exchange.key", "exchange.secret", "telegram.token", "api_server.password"), "")
    written = live(empty | {"api_server.jwt_secret_key": ...})
    assert examine(live(), Facts(written=written)) == ()


def test_no_finding_shows_a_secret_whatever_is_wrong(live):
    worst = {key: value for key, value in SECRETS.items() if "producers" not in key}
    config = live(worst | {"api_server.listen_ip_address": "0.0.0.0"})
    assert "leak" not in str(examine(config, Facts(written=config)))


def test_an_unsafe_start_is_refused_with_every_reason_at_once(live, caplog):
    wrong = {"stoploss": -1.0, "api_server.password": "", "adaptive.profile": "bold", "initial_state": ...}
    with pytest.raises(SettingsError) as refusal:
        refuse_unsafe_start(live(wrong), Facts())
    for key in ("stoploss", "api_server.password", "FREQTRADE__API_SERVER__PASSWORD", "adaptive.profile"):
        assert key in str(refusal.value)
    assert "initial_state" not in str(refusal.value)  # a warning stops nothing, and is logged
    assert "initial_state" in caplog.text


def test_a_start_looks_at_the_database_itself(live, trades):
    path = trades("t.sqlite", "dry_run_buy_BTC/USDT_1")
    with pytest.raises(SettingsError, match="1 orders and 1 open trades of a dry run"):
        refuse_unsafe_start(live({"db_url": f"sqlite:///{path}"}))


def test_a_sound_start_goes_ahead(live, tmp_path):
    config = live({"db_url": f"sqlite:///{tmp_path / 't.sqlite'}", "user_data_dir": tmp_path})
    assert refuse_unsafe_start(config) is None


def test_a_start_does_not_miss_keys_that_freqtrade_has_taken_out_of_the_config(live, tmp_path, caplog):
    from freqtrade.configuration import remove_exchange_credentials

    config = live({"db_url": f"sqlite:///{tmp_path / 't.sqlite'}", "user_data_dir": tmp_path})
    remove_exchange_credentials(config["exchange"], True)
    refuse_unsafe_start(config)
    assert "exchange.key" not in caplog.text


def test_every_check_is_registered():
    from adaptive_pkg.doctor import access, forecast, trading

    written = {
        function
        for module in (access, trading, forecast)
        for function in vars(module).values()
        if getattr(function, "__module__", "") == module.__name__
        and getattr(function, "__annotations__", {}).get("facts")
    }
    assert written == set(CHECKS)


def test_every_secret_can_be_kept_from_being_repeated(live):
    from adaptive_pkg.doctor.access import secret_values

    values = secret_values(live(SECRETS))
    assert {f"leak-{number}" for number in (0, 1, 7, 9)} <= set(values)
    assert all("[" not in value for value in values)


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        ({"timeframe": "5m"}, True),
        ({"timeframe": "1h"}, False),
        ({"timeframe": "5m", "adaptive": {"approach": "by_regime"}}, False),
        ({"timeframe": "4h", "adaptive": {"indicators": {"trend_lookbacks": [60, 120]}}}, False),
    ],
)
def test_channels_counted_in_candles_are_noticed_on_another_timeframe(config, warned):
    found = [finding for finding in timeframe(config, Facts()) if "channels" in finding.problem]
    assert bool(found) == warned
