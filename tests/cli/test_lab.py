"""`adaptive evaluate strategy` and `adaptive compare`: what is asked for reaches the laboratory."""

import json

import pytest

from adaptive_pkg import cli
from adaptive_pkg.evaluation.strategy import lab


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Command lines run with an empty configuration; returns what the laboratory was asked."""
    seen = {}

    def evaluate(request, console, json_path, ledger_path):
        seen.update(request=request, json_path=json_path, ledger_path=ledger_path)
        return 0

    monkeypatch.setattr(lab, "evaluate_strategy", evaluate)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"freqai": {"enabled": True, "identifier": "mine"}}))

    def run(*more):
        line = ["evaluate", "strategy", "--config", str(config), "--datadir", "candles", "--out", "found"]
        assert cli.main([*line, *more]) == 0
        return seen

    return run


def test_the_defaults_are_rules_only_with_ablation_and_fixed_settings(asked):
    request = asked()["request"]
    assert (str(request.datadir), str(request.out)) == ("candles", "found")
    assert request.config["freqai"] == {"enabled": False}
    assert (request.ablation, request.hyperopt, request.pairs, request.workers) == (True, 0, None, None)
    assert (request.fee, request.slippage, request.scheduler) == (0.001, 0.0005, "")


def test_every_option_reaches_the_request(asked):
    line = (
        "--pairs BTC/USDT --start 2021-01-01 --end 2022-01-01 --hyperopt 30 --train-days 200 --test-days 90"
    )
    line += " --no-ablation --forecast --fee 0.002 --slippage 0 --seed 4 --jobs 3 --scheduler tcp://host:1"
    seen = asked(*line.split(), "--json", "all.json", "--ledger", "tries.jsonl")
    request = seen["request"]
    assert request.config["freqai"]["identifier"] == "mine"
    assert (request.pairs, request.start, request.end) == (["BTC/USDT"], "2021-01-01", "2022-01-01")
    assert (request.hyperopt, request.train_days, request.test_days, request.seed) == (30, 200, 90, 4)
    assert (request.ablation, request.fee, request.slippage) == (False, 0.002, 0.0)
    assert (request.workers, request.scheduler) == (3, "tcp://host:1")
    assert (str(seen["json_path"]), str(seen["ledger_path"])) == ("all.json", "tries.jsonl")


@pytest.mark.parametrize("option", [["--jobs", "0"], ["--hyperopt", "-1"], ["--test-days", "x"]])
def test_a_number_that_makes_no_sense_is_refused(asked, option):
    with pytest.raises(SystemExit):
        asked(*option)


def test_comparing_what_is_no_evaluation_says_so_in_one_line(capsys, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    assert cli.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    error = capsys.readouterr().err
    assert "a.json: not an evaluation of a strategy" in error
    assert error.count("\n") == 1


def test_a_report_is_asked_with_everything_named(monkeypatch, tmp_path):
    from adaptive_pkg.evaluation.strategy import result_report

    seen = []
    monkeypatch.setattr(result_report, "report_result", lambda *given: seen.append(given) or 0)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"adaptive": {"profile": "aggressive"}}))
    line = f"report r.zip --out p.html --datadir candles --json all.json --strategy Mine --config {config}"
    assert cli.main(line.split()) == 0
    path, _, *rest = seen[0]
    assert [str(given) for given in (path, *rest[:4])] == ["r.zip", "p.html", "candles", "all.json", "Mine"]
    assert rest[4]["adaptive"] == {"profile": "aggressive"}


def test_a_report_of_what_is_no_result_says_so_in_one_line(capsys, tmp_path):
    (tmp_path / "r.zip").write_text("not one")
    assert cli.main(["report", str(tmp_path / "r.zip")]) == 2
    error = capsys.readouterr().err
    assert "r.zip: broken, or no zip file" in error
    assert error.count("\n") == 1
