"""The evaluation as a user runs it: one command, tables, one file of figures, and a comparison of two."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg import cli
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy import evaluate as evaluate_module
from adaptive_pkg.evaluation.strategy.ablation import COMPONENTS
from adaptive_pkg.evaluation.strategy.accounts import trials
from adaptive_pkg.evaluation.strategy.evaluate import Request, evaluate
from adaptive_pkg.evaluation.strategy.findings import find
from adaptive_pkg.evaluation.strategy.lab import _elsewhere, compare, comparison, evaluate_strategy
from adaptive_pkg.evaluation.strategy.ledger import Trial, TrialLedger
from adaptive_pkg.evaluation.strategy.report_data import plain, read_report_data, returns_of
from adaptive_pkg.evaluation.strategy.result_report import report_result
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles

START, END = pd.Timestamp("2023-02-06", tz="UTC"), pd.Timestamp("2023-04-28", tz="UTC")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def request_of(lab_config, lab_datadir, project_root):
    def make(out, **options):
        values = {"start": "2023-02-06", "end": "2023-04-28", "pairs": ("BTC/USDT", "SOL/USDT")}
        values |= {"ablation": False, "workers": 1, "user_data": project_root / "user_data"}
        return Request(lab_datadir, out=out, **{"config": lab_config, **values, **options})

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
    assert any(note.startswith("Not measured: FreqAI is off") for note in data["notes"])


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


def test_both_approaches_are_run_and_judged_beside_each_other(request_of, tmp_path, lab_config):
    conditions = SimpleNamespace(config=lab_config, uses_forecast=False)
    plan = SimpleNamespace(start=START, end=END)
    asked = request_of(tmp_path, ablation=True)
    jobs = evaluate_module.plan_jobs(asked, conditions, plan, asked.pairs)
    assert jobs["approach: hold_trend"].adaptive == {"approach": "hold_trend"}
    assert jobs["full"].adaptive == {}
    alone = evaluate_module.plan_jobs(replace(asked, ablation=False), conditions, plan, asked.pairs)
    assert not [name for name in alone if name.startswith("approach")]


def test_a_held_trend_is_judged_and_what_it_does_not_use_is_told(request_of, lab_config, tmp_path):
    """Short channels, for a quarter of candles: no target and no ladder exist there."""
    judged = {"target": True, "ladder": True, "breakeven": True}
    adaptive = {
        "approach": "hold_trend",
        "indicators": {"trend_lookbacks": [40, 60, 80]},
        "components": dict.fromkeys(COMPONENTS, False) | judged,
    }
    config = {**lab_config, "adaptive": adaptive}
    asked = request_of(tmp_path, ablation=True, config=config, pairs=("SOL/USDT",))
    assert evaluate_strategy(asked, Console(quiet=True), clock=lambda: NOON) == 0
    data = read_report_data(tmp_path)
    found = {(effect["component"], effect["kind"]): effect for effect in data["ablation"]}
    for name in ("target", "ladder"):
        assert found[name, "without"]["verdict"] == found[name, "alone"]["verdict"] == "not in use"
    assert all(count > 0 for count in found["approach: by_regime", "instead"]["trades"])
    (idle,) = [line for line in data["verdict"] if line.startswith("Not in use with these settings")]
    assert "target" in idle
    assert "ladder" in idle
    notes = {trial.note for trial in TrialLedger(tmp_path / "trials.jsonl").trials()}
    assert "approach: by_regime" in notes
    assert notes.isdisjoint({"without target", "without ladder"})  # the same account is no further try


def test_an_approach_that_cannot_be_run_is_noted(request_of, read_lab, lab_config, tmp_path):
    mine = {"approach": "by_regime", "presets": {"choppy": {"style": "mean_reversion"}}}
    conditions = read_lab({**lab_config, "adaptive": mine})
    asked = request_of(tmp_path, ablation=True)
    plan = SimpleNamespace(start=START, end=END)
    notes = evaluate_module._notes(asked, conditions, plan, asked.pairs)
    assert any("The approach hold_trend is not judged" in note for note in notes)
    assert not any("approach" in n for n in evaluate_module._notes(asked, read_lab(), plan, asked.pairs))


# --- tries made elsewhere -----------------------------------------------------------------------------


def test_tries_made_elsewhere_are_counted_and_stay_in_the_ledger(run, request_of, tmp_path):
    out, _ = run
    own = read_report_data(out)["luck"]["sharpe"]
    elsewhere, ledger = tmp_path / "research.jsonl", TrialLedger(tmp_path / "ledger.jsonl")
    first = Trial("research", "rule", "0", "2019-01-01", "2023-12-31", 0.5, 1826, "2026-01-01")
    more = [replace(first, settings=f"{at}", sharpe=0.02 * at) for at in range(91)]
    assert TrialLedger(elsewhere).add([*more, replace(first, start="2010-01-01", end="2011-01-01")]) == 92

    asked, figures = request_of(out, trials=str(elsewhere)), tmp_path / "all.json"
    assert evaluate_strategy(asked, Console(quiet=True), figures, ledger.path, lambda: NOON) == 0
    judged = json.loads(figures.read_text())["luck"]["sharpe"]
    assert judged["trials"] == own["trials"] + 91  # one lies before these days
    assert judged["hurdle"] > own["hurdle"]
    assert judged["deflated"] < own["deflated"]
    assert len(ledger.trials()) == own["trials"] + 92  # and count in whatever comes next


def test_of_tries_made_elsewhere_the_number_may_be_all_that_is_known(run, request_of, console):
    assert _elsewhere("") == ([], 0)
    others, unknown = _elsewhere("91")
    assert others == []
    own = TrialLedger(run[0] / "trials.jsonl").sharpes()
    found = find(evaluate(request_of(run[0]), console), own, unknown)
    assert found.luck["sharpe"].trials == len(own) + 91
    assert any("91 tries made elsewhere" in note for note in found.notes)


def test_a_file_of_tries_that_cannot_be_read_is_told_before_anything_runs(request_of, tmp_path, console):
    bad = tmp_path / "tries.jsonl"
    bad.write_text("0.5\n")
    for name, word in ((str(bad), r"tries\.jsonl, line 1: not a trial"), ("-3", "cannot be read")):
        with pytest.raises(DataError, match=word):
            evaluate_strategy(request_of(tmp_path / "out", trials=name), console)
    assert not (tmp_path / "out").exists()


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


def test_the_command_tells_bad_input_in_one_line_and_leaves_nothing_half_written(
    lab_datadir, lab_market, project_root, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(project_root)
    gap = tmp_path / "gap"
    early = {**lab_market, "SOL/USDT": lab_market["SOL/USDT"].iloc[:1500]}
    write_candles(early, gap, "1h", also=HIGHER_TIMEFRAMES)
    write_candles(
        {"SOL/USDT": lab_market["SOL/USDT"].iloc[:0]}, tmp_path / "none", "1h", also=HIGHER_TIMEFRAMES
    )
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"freqai": {"enabled": False}, "adaptive": {"approach": "by_regime"}}))
    days = ["--start", "2023-02-06", "--end", "2023-04-28"]
    for datadir, more, word in (
        (lab_datadir, ["--start", "2023-04-01", "--end", "2023-04-28"], "is a span of 27 days"),
        (lab_datadir, ["--start", "2023-01-08", "--end", "2023-04-28"], "start on 2023-02-05 or later"),
        (gap, days, "SOL/USDT: its candles end on 2023-03-04, before the span does"),
        (tmp_path / "none", ["--pairs", "SOL/USDT"], "SOL/USDT: no candles in the file"),
        (lab_datadir, [*days, "--trials", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
    ):
        out = tmp_path / "out"
        line = ["evaluate", "strategy", "--config", "user_data/config.json", "--config", str(rules)]
        line += ["--pairs", "BTC/USDT", "SOL/USDT", "--no-ablation", "--jobs", "1"]
        line += ["--datadir", str(datadir), "--out", str(out)]
        assert cli.main([*line, *more]) == 2
        told = capsys.readouterr().err.strip()
        assert word in told
        assert "\n" not in told
        assert not list(out.rglob("strategy.*")) + list(out.rglob("*.part")) + list(out.rglob("trials.jsonl"))


def test_a_forecast_that_is_asked_for_and_switched_off_is_told(tmp_path, capsys):
    config = tmp_path / "rules.json"
    config.write_text(json.dumps({"freqai": {"enabled": False}}))
    line = ["evaluate", "strategy", "--config", str(config), "--datadir", str(tmp_path), "--out", "none"]
    assert cli.main([*line, "--forecast"]) == 2
    assert "--forecast: freqai.enabled is false in this configuration" in capsys.readouterr().err


def test_the_page_is_made_of_whole_figures_only(run, tmp_path):
    """Figures cut short by a full disk are refused, and the page that was there stays."""
    out = shutil.copytree(run[0], tmp_path / "copy")
    page = (out / "strategy.html").read_bytes()
    whole = (out / "strategy.json").read_text()
    (out / "strategy.json").write_text(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"strategy\.json: cannot be read .* make it again"):
        report_result(out, Console(quiet=True))
    with pytest.raises(DataError, match="cannot be read"):
        compare(out, run[0], Console(quiet=True), tmp_path / "comparison.json")
    assert (out / "strategy.html").read_bytes() == page
    assert not (tmp_path / "comparison.json").exists()


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
