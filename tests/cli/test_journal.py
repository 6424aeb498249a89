"""`adaptive journal …` and `adaptive evaluate decisions`, from candle files to a book of models."""

import argparse
import json

import pandas as pd
import pytest

from adaptive_pkg.cli import journal
from adaptive_pkg.errors import DataError
from adaptive_pkg.learning.book import ModelBook

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
    config = {"timeframe": "1h", "adaptive": {"approach": "by_regime", "journal": settings}}
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
