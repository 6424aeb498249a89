"""`adaptive doctor`: what it prints, writes and returns."""

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from adaptive_pkg.doctor.report import doctor
from adaptive_pkg.doctor.trading import STRATEGY_STOPLOSS, STRATEGY_TIMEFRAME
from adaptive_pkg.errors import SettingsError

LIVE_KEYS = {
    *("dry_run", "db_url", "stake_amount", "tradable_balance_ratio", "max_open_trades", "timeframe"),
    *("initial_state", "unfilledtimeout", "order_types", "pairlists", "exchange", "api_server", "telegram"),
    *("exchange.name", "exchange.key", "exchange.pair_whitelist", "exchange.ccxt_config", "telegram.token"),
    *("api_server.listen_ip_address", "api_server.password", "api_server.jwt_secret_key", "user_data_dir"),
    *("freqai", "freqai.identifier", "freqai.conv_width", "freqai.live_retrain_hours", "adaptive"),
    *("freqai.feature_parameters", "freqai.data_split_parameters", "freqai.model_training_parameters"),
    *("adaptive.profile", "adaptive.sizing", "adaptive.components", "stoploss", "use_custom_stoploss"),
    *("trading_mode", "margin_mode", "liquidation_buffer", "process_only_new_candles", "freqaimodel"),
}


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Run the doctor in an empty folder and environment; returns its status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*configs, json_path=None, **options):
        console = Console(width=200, record=True, file=io.StringIO())
        return doctor(list(configs), json_path, console, **options), console.export_text()

    return run


@pytest.mark.parametrize("over", [(), ("config.rules.json",), ("config.futures.json",)])
def test_the_shipped_configs_are_sound(project_root, ask, over):
    files = [project_root / "user_data" / name for name in ("config.json", *over)]
    status, printed = ask(*files)
    assert status == 0
    assert "error" not in printed
    assert "warning" not in printed


def test_before_real_money_the_shipped_config_needs_its_secrets_and_no_more(project_root, ask, monkeypatch):
    config = project_root / "user_data" / "config.json"
    status, printed = ask(config, as_live=True)
    assert status == 1
    assert "FREQTRADE__API_SERVER__PASSWORD" in printed
    for name, value in {
        "API_SERVER__PASSWORD": "leak-1",
        "API_SERVER__JWT_SECRET_KEY": "leak-2".ljust(32, "x"),
        "EXCHANGE__KEY": "leak-3",
        "EXCHANGE__SECRET": "leak-4",
    }.items():
        monkeypatch.setenv(f"FREQTRADE__{name}", value)
    status, printed = ask(config, as_live=True)
    assert status == 0
    assert "warning" not in printed
    assert "leak" not in printed


def test_errors_come_first_and_decide_the_status(live, file_of, ask, tmp_path):
    config = file_of(live({"stoploss": -1.0, "freqai.live_retrain_hours": 0}))
    status, printed = ask(config, json_path=tmp_path / "out" / "doctor.json")
    assert status == 1
    assert printed.index("stoploss (-1.0)") < printed.index("freqai.live_retrain_hours (0)")
    written = json.loads((tmp_path / "out" / "doctor.json").read_text())
    assert written["counts"]["error"] == 1
    first = written["findings"][0]
    assert (first["severity"], first["key"], first["value"]) == ("error", "stoploss", -1.0)
    assert "leak" not in json.dumps(written)


def test_a_secret_in_a_file_appears_neither_on_the_screen_nor_in_json(live, file_of, ask, tmp_path):
    config = file_of(live({"exchange.key": "leak-1", "exchange.secret": 12345678901}))
    status, printed = ask(config, json_path=tmp_path / "doctor.json")
    assert "exchange.key (hidden)" in printed
    for text in (printed, (tmp_path / "doctor.json").read_text()):
        assert "leak" not in text
        assert "12345678901" not in text
    assert status == 0


def test_what_freqtrade_itself_refuses_is_passed_on(live, file_of, ask):
    status, printed = ask(file_of(live({"order_types.entry": "market"})))
    assert status == 1
    assert "Market entry orders require" in printed


@pytest.mark.parametrize("changes", [{"freqai": []}, {"exchange": []}, {"max_open_trades": "five"}])
def test_a_block_of_the_wrong_shape_is_an_error_and_no_crash(live, file_of, ask, changes, capfd):
    status, printed = ask(file_of(live(changes)))
    assert status == 1
    assert printed.startswith("error")
    assert capfd.readouterr().err == ""


SHAPES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(-2, 2),
    st.text(max_size=3),
    st.just([1]),
    st.just({"a": 1}),
    st.just([]),
    st.just({}),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(LIVE_KEYS)), value=SHAPES)
def test_no_value_anywhere_crashes_it(live, file_of, ask, key, value):
    assert ask(file_of(live({key: value})))[0] in (0, 1)


def test_the_clock_is_read_only_when_asked(live, file_of, ask):
    asked = []

    def venue_time(config):
        asked.append(config["exchange"]["name"])
        return 1020.0

    assert ask(file_of(live()))[0] == 0
    assert asked == []
    status, printed = ask(file_of(live()), venue_time=venue_time, now=lambda: 1000.0)
    assert asked == ["binance"]
    assert status == 1
    assert "recvWindow" in printed


def test_a_missing_or_broken_file_is_said(ask, tmp_path):
    with pytest.raises(SettingsError, match="not found"):
        ask(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"dry_run": ')
    with pytest.raises(SettingsError):
        ask(broken)
    with pytest.raises(SettingsError, match="--config"):
        ask()


def test_the_strategys_values_are_the_strategys(project_root):
    source = (project_root / "user_data" / "strategies" / "AdaptiveGRU.py").read_text()
    assert f"    stoploss = {STRATEGY_STOPLOSS:.2f}" in source
    assert f'    timeframe = "{STRATEGY_TIMEFRAME}"' in source
