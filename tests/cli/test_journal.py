"""`adaptive journal …` and `adaptive evaluate decisions`, from candle files to a book of models."""

import argparse
import json

import pandas as pd
import pytest

from adaptive_pkg.cli import journal
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.journal.journal import DecisionJournal
from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.learning.book import ModelBook
from adaptive_pkg.settings import load_settings

LEARNING = {"first_days": 60, "retrain_days": 60, "least_candidates": 60}


@pytest.fixture
def place(tmp_path, random_candles):
    """A folder with two pairs' candles, and a config that keeps everything in it."""
    data = tmp_path / "data"
    data.mkdir()
    for seed, pair in ((3, "BTC_USDT"), (4, "ETH_USDT")):
        random_candles(n=6000, seed=seed).to_feather(data / f"{pair}-1h.feather")
    settings = {
        "path": str(tmp_path / "journal.sqlite"),
        "learning": {**LEARNING, "book": str(tmp_path / "book.npz")},
    }
    config = {
        "timeframe": "1h",
        "user_data_dir": str(tmp_path / "bot"),
        "adaptive": {"approach": "by_regime", "journal": settings},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


@pytest.fixture
def run(place):
    """`run("journal", "show")`: one command with the config."""

    def command(*arguments):
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers(dest="command")
        journal.add_commands(commands)
        journal.add_evaluation(commands.add_parser("evaluate").add_subparsers(dest="what"))
        options = parser.parse_args([*map(str, arguments), "--config", str(place / "config.json")])
        return options.run(options)

    return command


@pytest.fixture
def change(place):
    """`change(stops={...})`: other settings in the config; its settings as the bot reads them."""

    def write(**adaptive):
        config = json.loads((place / "config.json").read_text())
        config["adaptive"].update(adaptive)
        (place / "config.json").write_text(json.dumps(config))
        return load_settings(config)

    return write


@pytest.fixture
def hyperopted(place):
    """`hyperopted(params)`: freqtrade's result file beside the strategy."""

    def write(params, folder="bot/strategies", **told):
        beside = place / folder
        beside.mkdir(parents=True, exist_ok=True)
        (beside / "AdaptiveGRU.py").write_text("")
        path = beside / "AdaptiveGRU.json"
        path.write_text(json.dumps({"strategy_name": "AdaptiveGRU", "params": params} | told))
        return path

    return write


def held_rules(path):
    with DecisionJournal(path) as held:
        return {summary.run.rules for summary in held.runs()}


def test_candidates_are_filled_shown_exported_and_learned_from(place, run, capsys):
    assert run("journal", "fill", "--datadir", place / "data") == 0
    first = capsys.readouterr().out
    assert "new candidates of 2 pairs" in first
    run("journal", "fill", "--datadir", place / "data")
    assert " 0 new candidates" in capsys.readouterr().out

    assert run("journal", "show", "--last", "60") == 0
    shown = capsys.readouterr().out
    assert "confidence below the regime's threshold" in shown
    assert "BTC/USDT" in shown

    assert run("journal", "export", place / "rows.csv") == 0
    rows = pd.read_csv(place / "rows.csv")
    assert {"taken", "refused"} == set(rows["decision"])
    assert pd.to_datetime(rows["closed"]).is_monotonic_increasing

    assert run("journal", "learn", "--datadir", place / "data") == 0
    assert "written:" in capsys.readouterr().out
    book = ModelBook.load(place / "book.npz")
    assert len(book.chapters) >= 2

    written = (place / "book.npz").stat().st_mtime_ns
    run("journal", "learn", "--datadir", place / "data")
    assert "the next training is due on" in capsys.readouterr().out
    assert (place / "book.npz").stat().st_mtime_ns == written
    run("journal", "learn", "--datadir", place / "data", "--force")
    assert (place / "book.npz").stat().st_mtime_ns > written


def test_what_was_learned_is_judged_out_of_sample(place, run, capsys):
    figures = place / "figures.json"
    assert run("evaluate", "decisions", "--datadir", place / "data", "--json", figures) == 0
    assert "Beyond the past mean, and each regime's own" in capsys.readouterr().out
    said = json.loads(figures.read_text())
    assert [model["target"] for model in said["models"]] == ["win", "r", "holding", "excursion"]
    assert 0 < said["n"] < said["candidates"]
    assert said["judged_from"] > said["first"]
    for one in said["earned"]:  # a random market: nothing is earned
        assert set(one["weight"].values()) == {0.0}


def test_a_journal_without_candidates_of_these_rules_says_what_to_do(place, run):
    run("journal", "fill", "--datadir", place / "data", "--pairs", "BTC/USDT")
    config = json.loads((place / "config.json").read_text())
    config["adaptive"]["stops"] = {"trail_atr": 3.0}
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="no 1h candidates of these settings' rules"):
        run("journal", "learn", "--datadir", place / "data")


def test_a_journal_that_is_not_there_is_said(place, run):
    with pytest.raises(DataError, match="there is no journal"):
        run("journal", "show")


RESULT = {
    "regime": {"adx_trend": 27.5, "min_dwell_candles": 4},
    "policy": {"volume_scale": 1.2},
    "risk": {"profile_scale": 1.7, "fraction": 0.3},
    "roi": {"0": 0.1},
    "stoploss": {"stoploss": -0.2},
}


def test_a_hyperopt_result_beside_the_strategy_is_laid_over_the_settings(
    place, run, change, hyperopted, capsys
):
    path = hyperopted(RESULT)
    run("journal", "fill", "--datadir", place / "data")
    said = " ".join(capsys.readouterr().out.split())
    assert f"{path}: hyperopt's values are laid over" in said and "stops.profile_scale 1.7" in said
    traded = change().replaced(
        {
            "regime.adx_trend": 27.5, "regime.min_dwell_candles": 4, "confidence.volume_scale": 1.2,
            "stops.profile_scale": 1.7, "kelly.fraction": 0.3,
        }
    )  # fmt: skip
    assert held_rules(place / "journal.sqlite") == {rules_fingerprint(traded)}
    run("journal", "learn", "--datadir", place / "data")
    assert ModelBook.load(place / "book.npz").rules == rules_fingerprint(traded)


def test_the_result_of_the_configs_strategy_path_is_the_one_that_counts(place, run, change, hyperopted):
    hyperopted(RESULT)
    hyperopted({"risk": {"profile_scale": 2.5}}, folder="own")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"strategy_path": str(place / "own")}))
    run("journal", "fill", "--datadir", place / "data", "--pairs", "BTC/USDT")
    traded = change().replaced({"stops.profile_scale": 2.5})
    assert held_rules(place / "journal.sqlite") == {rules_fingerprint(traded)}


def test_without_a_result_nothing_is_said_and_the_config_counts(place, run, change, capsys):
    run("journal", "fill", "--datadir", place / "data", "--pairs", "BTC/USDT")
    assert "hyperopt" not in capsys.readouterr().out
    assert held_rules(place / "journal.sqlite") == {rules_fingerprint(change())}


def test_a_nearer_stoploss_bounds_the_stops_as_in_the_strategy(place, run, change, hyperopted):
    hyperopted({"stoploss": {"stoploss": -0.02}})
    run("journal", "fill", "--datadir", place / "data", "--pairs", "BTC/USDT")
    traded = change().replaced({"stops.max_fraction": 0.02})
    assert held_rules(place / "journal.sqlite") == {rules_fingerprint(traded)}


def test_the_strategys_own_stoploss_is_the_one_assumed(project_root):
    text = (project_root / "user_data" / "strategies" / "AdaptiveGRU.py").read_text()
    assert f"    stoploss = {journal.STOPLOSS:.2f}  #" in text


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"strategy_name": "Other"}, "the hyperopt result of 'Other'"),
        ({"params": None}, "no hyperopt result"),
        ({"params": {"risk": {"profile_scale": 900}}}, "profile_scale"),
    ],
)
def test_a_result_that_cannot_be_used_is_explained(place, run, hyperopted, told, words):
    hyperopted(**({"params": {}} | told))
    with pytest.raises(SettingsError, match=words):
        run("journal", "fill", "--datadir", place / "data")


def test_default_files_are_the_bots_own_wherever_the_command_is_given(
    place, run, change, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    change(journal={"learning": LEARNING})
    run("journal", "fill", "--datadir", place / "data")
    run("journal", "learn", "--datadir", place / "data")
    run("journal", "show")
    assert {path.name for path in (place / "bot").iterdir()} >= {
        "adaptive_journal.sqlite",
        "adaptive_learned.npz",
    }
    assert list((tmp_path / "elsewhere").iterdir()) == []
