"""The command line: what it accepts, what it says when asked for something impossible, its exit status."""

import json
from pathlib import Path

import pytest

from adaptive_pkg import cli
from adaptive_pkg.bench.candle_choice import CandleChoice


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


def measurements():
    """(group, name, parser) of every `adaptive bench …` and `adaptive evaluate …`."""
    (commands,) = cli._parser()._subparsers._group_actions
    for group in ("bench", "evaluate"):
        (parts,) = commands.choices[group]._subparsers._group_actions
        for name, parser in parts.choices.items():
            yield pytest.param(parser, id=f"{group} {name}")


@pytest.mark.parametrize("parser", measurements())
def test_every_measurement_takes_a_folder_of_candles_and_a_file_for_its_figures(parser):
    actions = {flag: action for action in parser._actions for flag in action.option_strings}
    assert actions["--datadir"].type is Path and actions["--datadir"].help
    assert actions["--json"].type is Path and actions["--json"].dest == "json_path"


@pytest.mark.parametrize("parser", measurements())
def test_a_measurement_without_its_candles_is_said_in_one_line_and_exits_with_2(parser, capsys, tmp_path):
    line = parser.prog.split()[1:]
    for action in parser._actions:
        if action.required or action.dest == "datadir":
            line += [action.option_strings[0], str(tmp_path / "nowhere" / action.dest)]
    assert cli.main(line) == 2
    error = capsys.readouterr().err
    assert error.startswith("adaptive: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (["regimes", "--candles", "20000"], "candles_per_second"),
        (["limiter", "--requests", "5000"], "microseconds_per_request"),
        (["stream", "--outages", "4"], "p99_seconds"),
    ],
)
def test_a_benchmark_writes_its_figures(arguments, figure, tmp_path):
    target = tmp_path / "folder" / "bench.json"
    assert cli.main(["bench", *arguments, "--json", str(target)]) == 0
    assert json.loads(target.read_text())[figure] > 0


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("regimes", "regimes.bench_regimes"),
        ("limiter", "limiter.bench_limiter"),
        ("stream", "stream.bench_stream"),
        ("kelly", "kelly_candles.bench_kelly_on_candles"),
    ],
)
def test_candles_reach_the_benchmark(name, module, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(f"adaptive_pkg.bench.{module}", lambda *arguments: seen.extend(arguments) or 0)
    line = ["bench", name, "--datadir", str(tmp_path), "--pairs", "A/B", "--timeframe", "5m", "--json", "f"]
    assert cli.main(line) == 0
    assert seen[1:] == [Path("f"), CandleChoice(tmp_path, ["A/B"], "5m")]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["bench", "regimes", "--pairs", "BTC/USDT"], "Add --datadir"),
        (["bench", "regimes", "--datadir", "d", "--candles", "9"], "--candles is of simulated figures"),
        (["bench", "kelly", "--datadir", "d", "--edge-mean", "0"], "--edge-mean is of simulated figures"),
        (["bench", "stream", "--outages", "1"], "outages: 1 are fewer"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line_and_exits_with_2(arguments, complaint, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1


def test_a_number_too_small_to_measure_is_refused_with_the_usage(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["evaluate", "papers", "--datadir", "d", "--seeds", "0"])
    assert exit_.value.code == 2
    assert "0 is too few; ask for at least 1" in capsys.readouterr().err
