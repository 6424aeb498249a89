"""The evaluation as a user runs it: one command, tables, one file of figures, and a comparison of two."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy import evaluate as evaluate_module
from adaptive_pkg.evaluation.strategy.accounts import trials
from adaptive_pkg.evaluation.strategy.evaluate import Request, evaluate
from adaptive_pkg.evaluation.strategy.lab import compare, comparison, evaluate_strategy
from adaptive_pkg.evaluation.strategy.ledger import TrialLedger
from adaptive_pkg.evaluation.strategy.report_data import plain, read_report_data, returns_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def request_of(lab_config, lab_datadir, project_root):
    def make(out, **options):
        values = {"start": "2023-02-06", "end": "2023-04-28", "pairs": ("BTC/USDT", "SOL/USDT")}
        values |= {"ablation": False, "workers": 1, "user_data": project_root / "user_data"}
        return Request(lab_datadir, lab_config, out, **values | options)

    return make


@pytest.fixture(scope="module")
def run(request_of, tmp_path_factory):
    """One evaluation: its folder, and what it printed."""
    out = tmp_path_factory.mktemp("evaluation")
    console = Console(record=True, width=160, quiet=False, file=(out / "printed.txt").open("w"))
    assert evaluate_strategy(request_of(out), console, out / "again.json", clock=lambda: NOON) == 0
    return out, console.export_text()


def test_it_prints_the_verdict_and_writes_every_figure(run):
    out, printed = run
    data = read_report_data(out)
    assert data == json.loads((out / "again.json").read_text())
    assert printed.index(data["verdict"][0][:40]) < printed.index("account")
    assert list(data["accounts"]) == [
        "AdaptiveGRU", "buy and hold", "equal weight", "moving averages", "Donchian ensemble",
        "SampleStrategy",
    ]  # fmt: skip
    for account in data["accounts"].values():
        assert len(account["returns"]) == len(data["days"]) == 81
        assert account["performance"]["total"] == pytest.approx(np.prod(1 + np.array(account["returns"])) - 1)
        assert account["sharpe"]["low"] <= account["sharpe"]["value"] <= account["sharpe"]["high"]
    assert {row["multiple"] for row in data["costs"]} == {1.0, 2.0, 3.0}
    assert len(data["trades"]["table"]["pair"]) == data["trades"]["figures"]["trades"]
    assert len(data["exposure"]) == 81
    assert {"regime", "rule", "pair", "hour", "exit reason", "confidence"} <= set(data["attribution"])
    assert data["made_at"] == "2026-01-01T12:00:00+00:00"
    assert any("not judged here" in note for note in data["notes"])


def test_costs_only_ever_take(run):
    data = read_report_data(run[0])
    for name in ("AdaptiveGRU", "buy and hold", "Donchian ensemble"):
        totals = [row["performance"]["total"] for row in data["costs"] if row["account"] == name]
        assert totals == sorted(totals, reverse=True)


def test_the_same_command_again_makes_nothing_and_counts_nothing_twice(run, request_of, console):
    out, _ = run
    ledger = TrialLedger(out / "trials.jsonl")
    tries = ledger.trials()
    assert {trial.kind for trial in tries} == {"backtest", "baseline"}
    again = evaluate(request_of(out), console)
    assert (again.made, again.jobs) == (0, 4)
    assert ledger.add(trials(again, NOON)) == 0
    assert ledger.trials() == tries


def test_an_interrupted_evaluation_says_how_to_go_on(request_of, tmp_path, monkeypatch, capsys):
    def interrupt(self, jobs, title=""):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_module.Runner, "run", interrupt)
    assert evaluate_strategy(request_of(tmp_path), Console(width=500)) == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert not (tmp_path / "strategy.json").exists()


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"start": "2023-04-20"}, DataError, "a span of 8 days"),
        ({"start": "2023-05-20"}, SettingsError, "not after start"),
        ({"start": "soon"}, SettingsError, "'soon' is no date"),
        ({"pairs": ("DOGE/USDT",)}, DataError, "DOGE/USDT: no candles"),
        ({"fee": -0.1}, SettingsError, "fee"),
        ({"workers": 0}, SettingsError, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_runs(
    request_of, tmp_path, console, options, error, word
):
    with pytest.raises(error, match=word):
        evaluate(request_of(tmp_path, **options), console)
    assert not (tmp_path / "jobs").exists()


# --- reading back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "cannot be read"),
        ("[]", "not an evaluation"),
        (
            '{"kind": "adaptive strategy evaluation", "format": 99, "package": "9.9"}',
            "format 99 of release 9.9",
        ),
    ],
)
def test_another_file_or_release_is_refused(tmp_path, content, word):
    (tmp_path / "strategy.json").write_text(content)
    with pytest.raises(DataError, match=word):
        read_report_data(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"strategy\.json: no such file"):
        read_report_data(tmp_path)


def test_numbers_that_json_lacks_become_null():
    assert plain(
        {"a": np.float64("nan"), "b": (float("inf"), np.int64(3)), "c": pd.Timestamp(0, tz="UTC")}
    ) == {
        "a": None,
        "b": [None, 3],
        "c": "1970-01-01T00:00:00+00:00",
    }


# --- two of them --------------------------------------------------------------------------------------


def series(values, start="2023-01-01"):
    return pd.Series(values, index=pd.date_range(start, periods=len(values), freq="D", tz="UTC"))


def test_an_evaluation_beside_itself_is_the_same(run, tmp_path):
    out, _ = run
    console = Console(record=True, width=160, file=(tmp_path / "printed").open("w"))
    assert compare(out, out / "strategy.json", console, tmp_path / "comparison.json") == 0
    assert "The two are the same, day by day." in console.export_text()
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert found["mean_return"]["value"] == 0.0
    assert found["days"] == 81
    assert returns_of(read_report_data(out)).index[0] == pd.Timestamp("2023-02-06", tz="UTC")


def test_a_clear_gain_is_called_one_and_noise_is_not():
    rng = np.random.default_rng(3)
    base = rng.normal(0.0, 0.01, 400)
    assert comparison(series(base), series(base + 0.004))["answer"].startswith("B is better")
    assert comparison(series(base + 0.004), series(base))["answer"].startswith("A is better")
    other = comparison(series(base), series(base + rng.normal(0.0, 0.003, 400)))
    assert other["answer"].startswith("No evidence")


def test_only_common_days_are_compared_and_too_few_are_refused():
    first = series(np.linspace(-0.01, 0.01, 100))
    assert comparison(first, series(np.linspace(-0.01, 0.02, 100), "2023-02-01"))["days"] == 69
    with pytest.raises(DataError, match="10 days in common"):
        comparison(first, series(np.zeros(50), "2023-04-01"))


def test_a_backtest_result_stands_beside_an_evaluation(run, result_zip, tmp_path):
    out, _ = run
    console = Console(record=True, width=160, file=(tmp_path / "printed").open("w"))
    assert compare(out, result_zip(), console, tmp_path / "comparison.json") == 0
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert (found["start"], found["days"]) == ("2023-02-06", 63)
    assert compare(result_zip(), result_zip(), console) == 0
    assert "The two are the same, day by day." in console.export_text()
