"""Running real freqtrade commands with no internet: what is filled in, what is refused, what is passed on."""

import itertools
import json
import re
import shutil
import signal
import sys
from pathlib import Path

import pandas as pd
import pytest

from adaptive_pkg import offline
from adaptive_pkg.errors import AdaptiveError, DataError, SettingsError, VenueError
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.offline import plan_run, run_offline
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.market import simulate_markets

PRICING = {"price_side": "same", "use_order_book": True, "order_book_top": 1}
CONFIG = {
    "dry_run": True,
    "max_open_trades": 2,
    "stake_currency": "USDT",
    "stake_amount": 100,
    "timeframe": "1h",
    "strategy": "SampleStrategy",
    "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "entry_pricing": PRICING,
    "exit_pricing": PRICING,
    "pairlists": [{"method": "StaticPairList"}],
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A working folder as a user has it: user_data/config.json and the candles of two pairs elsewhere."""
    (tmp_path / "user_data" / "strategies").mkdir(parents=True)
    (tmp_path / "user_data" / "config.json").write_text(json.dumps(CONFIG))
    frames = simulate_markets(["BTC/USDT", "ETH/USDT"], 1_500, seed=3)
    write_candles(frames, tmp_path / "candles", "1h", also=HIGHER_TIMEFRAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(monkeypatch) -> list[dict]:
    """Every freqtrade run with its arguments and the overlay it would have read, none really started."""
    seen: list[dict] = []

    def record(arguments):
        overlay = next(
            (json.loads(Path(a).read_text()) for a in arguments if a.endswith("overlay.json")), None
        )
        seen.append({"arguments": list(arguments), "overlay": overlay})
        return 0

    monkeypatch.setattr(offline, "_run_freqtrade", record)
    return seen


def values(arguments: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(arguments) if name == option]


def rewrite(project: Path, **changes) -> None:
    (project / "user_data" / "config.json").write_text(json.dumps(CONFIG | changes))


def test_the_default_config_is_named_with_the_overlay_after_it(project, runs):
    assert run_offline(["backtesting", "--timerange", "20230101-"], Path("candles")) == 0
    arguments = runs[0]["arguments"]
    assert arguments[:3] == ["backtesting", "--timerange", "20230101-"]
    default, overlay = values(arguments, "--config")
    assert default == "user_data/config.json" and overlay.endswith("overlay.json")
    assert values(arguments, "--datadir") == ["candles"]
    address = runs[0]["overlay"]["exchange"]["ccxt_config"]["urls"]["api"]["public"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v3", address)
    assert not Path(overlay).exists()  # nothing is left behind


def test_the_users_own_configs_come_in_order_and_the_overlay_last(project, runs):
    for name in ("base", "mine"):
        shutil.copy("user_data/config.json", f"{name}.json")
    line = ["backtesting", "-c", "mine.json", "--datadir", "candles"]
    run_offline(line, config_paths=[Path("base.json")])
    arguments = runs[0]["arguments"]
    assert arguments[:5] == ["backtesting", "--config", "base.json", "-c", "mine.json"]
    assert values(arguments, "--config")[1:] == [arguments[-1]]
    assert "user_data/config.json" not in arguments


def test_a_data_folder_in_the_line_wins_for_freqtrade(project, runs):
    Path("mine").mkdir()
    run_offline(["list-data", "--datadir", "mine"], Path("candles"))
    assert values(runs[0]["arguments"], "--datadir") == ["mine"]


def test_downloads_read_one_folder_and_fill_another(project):
    run = plan_run(["download-data", "--timerange", "20230101-"], Path("candles"))
    assert run.datadir == Path("candles") and "--datadir" not in run.arguments
    with pytest.raises(DataError, match="nothing to download from"):
        plan_run(["download-data", "--datadir", "mine"])


@pytest.mark.parametrize(
    ("line", "overlaid", "datadir"),
    [
        (["list-strategies"], True, True),
        (["list-freqaimodels"], True, True),
        (["trade", "--strategy", "AdaptiveGRU"], True, True),
        (["test-pairlist"], True, False),
        (["create-userdir", "--userdir", "user_data"], False, False),
        (["--version"], False, False),
    ],
)
def test_each_command_gets_only_what_its_parser_takes(project, runs, monkeypatch, line, overlaid, datadir):
    monkeypatch.setattr(offline, "_replay_start", lambda *_: None)  # as if the candles were of today
    run_offline(line, Path("candles"))
    assert (runs[0]["overlay"] is not None) is overlaid
    assert bool(values(runs[0]["arguments"], "--datadir")) is datadir


def test_a_bot_lives_in_the_last_week_of_candles_that_are_old(project, runs, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(
        offline, "_run", lambda command, environment: seen.append((command, environment)) or 7
    )
    line = ["trade", "--strategy", "AdaptiveGRU"]
    assert run_offline(line, Path("candles"), [Path("user_data/config.json")]) == 7
    ((command, environment),) = seen
    last = CandleStore(Path("candles")).load("BTC/USDT", "1h")["date"].iloc[-1]
    start = f"{last - pd.Timedelta(days=7):%Y-%m-%d %H:%M:%S}"
    assert Path(command[0]).name == "faketime" and start in command[2]
    assert command[command.index("offline") :] == [
        "offline", "--datadir", "candles", "--config", "user_data/config.json", "--", *line,
    ]  # fmt: skip
    assert environment["REHEARSAL_SPEED"] == "1"
    assert start in capsys.readouterr().out
    assert not runs


def test_without_faketime_a_bot_on_old_candles_is_refused(project, runs, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AdaptiveError, match="apt-get install faketime"):
        run_offline(["trade", "--strategy", "AdaptiveGRU"], Path("candles"))


def test_commands_that_need_no_candles_run_without_a_folder(project, runs):
    assert run_offline(["list-strategies"]) == 0
    assert "--datadir" not in runs[0]["arguments"]


@pytest.mark.parametrize(
    ("line", "datadir", "says"),
    [
        (
            ["backtesting", "--pairs", "SOL/USDT", "BTC/USDT"],
            "candles",
            r"SOL/USDT: no candles .*SOL_USDT-1h",
        ),
        (["hyperopt", "--timeframe", "5m"], "candles", r"BTC/USDT: no 5m candles .* has 1h"),
        (["lookahead-analysis"], "nowhere", "no candle folder at nowhere"),
        (["recursive-analysis"], None, r"no candle folder at user_data/data/binance.*default"),
        (["backtesting", "--timeframe-detail", "1m"], "candles", "no 1m candles"),
    ],
)
def test_missing_candles_stop_the_run_before_freqtrade_drops_the_pair(project, runs, line, datadir, says):
    with pytest.raises(DataError, match=says):
        run_offline(line, Path(datadir) if datadir else None)
    assert not runs


def test_candles_that_freqai_needs_are_required_too(project):
    parameters = {"include_corr_pairlist": ["XRP/USDT"], "include_timeframes": ["1h"]}
    rewrite(project, freqai={"enabled": True, "feature_parameters": parameters})
    with pytest.raises(DataError, match="XRP/USDT: no candles"):
        run_offline(["backtesting"], Path("candles"))


def test_a_config_that_cannot_be_used_is_named(project, runs):
    with pytest.raises(SettingsError, match=r"none\.json"):
        run_offline(["backtesting", "--config", "none.json"], Path("candles"))
    rewrite(project, exchange={"name": "kraken", "pair_whitelist": ["BTC/USDT"]})
    with pytest.raises(VenueError, match="kraken"):
        run_offline(["backtesting"], Path("candles"))
    rewrite(project, dataformat_ohlcv="json")
    with pytest.raises(SettingsError, match="dataformat_ohlcv: 'json'"):
        run_offline(["backtesting"], Path("candles"))
    assert not runs


def test_a_line_that_freqtrade_refuses_gives_its_status(project, runs, capsys):
    assert run_offline(["backtesting", "--nonsense"], Path("candles")) == 2
    assert "--nonsense" in capsys.readouterr().err
    assert run_offline(["backtesting", "--help"]) == 0
    assert not runs


@pytest.mark.parametrize(("ending", "status"), [("sys.exit(5)", 5), ("os.kill(os.getpid(), 9)", 137)])
def test_the_exit_status_is_passed_on(monkeypatch, ending, status):
    monkeypatch.setattr(offline, "FREQTRADE", (sys.executable, "-c", f"import os, sys; {ending}"))
    assert offline._run_freqtrade([]) == status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_freqtrade_once_and_its_own_ending_counts(monkeypatch, number):
    # The child asks for the signal, counts what arrives while it waits, and ends with 40 + that count.
    child = f"""
import os, signal, sys, time
seen = []
signal.signal({number}, lambda *_: seen.append(1))
os.kill(os.getppid(), {number})
for _ in range(600):
    time.sleep(0.05)
    if seen:
        time.sleep(0.2)
        sys.exit(40 + len(seen))
"""
    monkeypatch.setattr(offline, "FREQTRADE", (sys.executable, "-c", child))
    before = signal.getsignal(number)
    assert offline._run_freqtrade([]) == 41
    assert signal.getsignal(number) is before


def test_a_real_backtest_runs_on_a_synthetic_market(project, capfd):
    import freqtrade

    sample = Path(freqtrade.__file__).parent / "templates" / "sample_strategy.py"
    shutil.copy(sample, project / "user_data" / "strategies")
    rewrite(project, telegram={"enabled": True, "token": "", "chat_id": ""})
    line = ["backtesting", "--timerange", "20230110-20230301", "--cache", "none", "--export", "none"]
    status = run_offline(line, Path("candles"))
    printed = capfd.readouterr()
    assert status == 0, printed.err[-3000:]
    assert "STRATEGY SUMMARY" in printed.out and "Backtesting from" in printed.out
    assert "BTC/USDT" in printed.out and "ETH/USDT" in printed.out
