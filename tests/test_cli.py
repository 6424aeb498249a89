"""The command line: what it accepts, what it says when asked for something impossible, its exit status."""

import json

import pytest

from adaptive_pkg import cli


def test_what_follows_the_dashes_goes_to_freqtrade_untouched(monkeypatch):
    seen = {}

    def fake(arguments, datadir, config_paths):
        seen.update(arguments=arguments, datadir=datadir, config_paths=config_paths)
        return 7

    monkeypatch.setattr("adaptive_pkg.offline.run_offline", fake)
    status = cli.main(["offline", "--datadir", "d", "--", "backtesting", "--timerange", "2023-", "--", "x"])
    assert status == 7
    assert seen["arguments"] == ["backtesting", "--timerange", "2023-", "--", "x"]
    assert str(seen["datadir"]) == "d"
    assert [str(path) for path in seen["config_paths"]] == ["user_data/config.json"]


def test_a_mistake_is_said_in_one_line_and_exits_with_2(capsys, tmp_path):
    assert cli.main(["regimes", "--datadir", str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("adaptive: ")
    assert "nowhere" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["calibration", "stops"])
def test_a_timerange_reaches_the_report(command, monkeypatch, tmp_path):
    module = {"calibration": "calibration.report_calibration", "stops": "stop_quality.report_stop_quality"}
    seen = {}

    def fake(datadir, pairs, timeframe, settings, json_path, console, timerange=None):
        seen.update(datadir=datadir, pairs=pairs, timerange=timerange)
        return 0

    monkeypatch.setattr(f"adaptive_pkg.reports.{module[command]}", fake)
    arguments = [command, "--datadir", str(tmp_path), "--pairs", "BTC/USDT", "--timerange", "20220101-"]
    assert cli.main(arguments) == 0
    assert seen == {"datadir": tmp_path, "pairs": ["BTC/USDT"], "timerange": "20220101-"}


def test_a_bad_setting_in_a_config_is_said_with_its_key(capsys, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"adaptive": {"profile": "bold"}}))
    assert cli.main(["regimes", "--datadir", str(tmp_path), "--config", str(config)]) == 2
    assert "adaptive.profile: 'bold'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["bench"], ["regimes"], ["kelly"], ["stops"]])
def test_an_incomplete_command_line_prints_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert "usage: adaptive" in capsys.readouterr().err


def test_the_settings_are_listed_with_default_and_bounds(capsys):
    assert cli.main(["settings"]) == 0
    printed = capsys.readouterr().out
    assert "adaptive.regime.adx_trend" in printed
    assert "freqai.model_training_parameters.window" in printed


def test_the_regime_benchmark_writes_its_figures(tmp_path):
    target = tmp_path / "bench.json"
    assert cli.main(["bench", "regimes", "--candles", "20000", "--json", str(target)]) == 0
    figures = json.loads(target.read_text())
    assert figures["candles"] == 20000
    assert figures["candles_per_second"] > 0
