"""`adaptive sources …` from the command line: import, update, show, export."""

import argparse
import json

import pandas as pd
import pytest

from adaptive_pkg.cli import sources
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.polling.keeper import PollResult
from adaptive_pkg.polling.source import Failure
from adaptive_pkg.store.observations import ObservationStore


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    sources.add_commands(commands)
    sources.add_evaluation(commands.add_parser("evaluate").add_subparsers())

    def run(*arguments):
        options = parser.parse_args(list(map(str, arguments)))
        return options.run(options)

    return run


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "index.csv"
    pd.DataFrame({"date": ["2024-01-01", "2024-01-02"], "value": [40, 45]}).to_csv(path, index=False)
    return path


def test_a_file_is_imported_once_shown_and_exported_as_it_was_known(run, index, tmp_path, capsys):
    assert run("sources", "import", index, "--kind", "fear-greed", "--store", "s.sqlite") == 0
    assert run("sources", "import", index, "--kind", "fear-greed", "--store", "s.sqlite") == 0
    assert capsys.readouterr().out == "fear_greed: 2 new values\nfear_greed: 0 new values\n"
    assert run("sources", "show", "--store", "s.sqlite") == 0
    shown = capsys.readouterr().out
    assert "fear_greed" in shown and "2024-01-02 01:00" in shown and "stale: older than 49 h" in shown
    run("sources", "export", "fear_greed", "out.csv", "--store", "s.sqlite")
    run("sources", "import", "out.csv", "--kind", "series", "--series", "fear_greed", "--store", "t.sqlite")
    with ObservationStore("s.sqlite") as first, ObservationStore("t.sqlite") as second:
        pd.testing.assert_frame_equal(first.history("fear_greed"), second.history("fear_greed"))


def test_the_store_and_the_delay_come_from_the_config(run, index, tmp_path):
    block = {"path": str(tmp_path / "own.sqlite"), "fear_greed": {"delay_minutes": 120}}
    (tmp_path / "c.json").write_text(json.dumps({"adaptive": {"sources": block}}))
    run("sources", "import", index, "--kind", "fear-greed", "--config", "c.json")
    with ObservationStore(tmp_path / "own.sqlite") as store:
        history = store.history("fear_greed")
    assert ((history["known"] - history["about"]) == 7_200_000).all()


def test_the_default_store_is_the_one_the_bot_has(run, index, tmp_path):
    for folder, config in (("named", {"user_data_dir": str(tmp_path / "named")}), ("x/user_data", {})):
        file = tmp_path / folder / "config.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(config))
        run("sources", "import", index, "--kind", "fear-greed", "--config", file)
        assert (file.parent / "sources.sqlite").is_file()
    assert not (tmp_path / "user_data").exists()


def test_other_kinds_of_files(run, tmp_path):
    pd.DataFrame({"time": ["2024-01-01"], "CapMVRVCur": [2.0]}).to_csv(tmp_path / "cm.csv", index=False)
    pd.DataFrame({"day": ["2024-01-01"], "sopr": [1.01]}).to_csv(tmp_path / "d.csv", index=False)
    dates = pd.date_range("2024-01-01", periods=2, freq="8h", tz="UTC")
    pd.DataFrame({"date": dates, "open": [1e-4, 2e-4]}).to_feather(tmp_path / "f.feather")
    store = ("--store", "s.sqlite")
    run("sources", "import", "cm.csv", "--kind", "coin-metrics", "--coin", "BTC", *store)
    run("sources", "import", "f.feather", "--kind", "funding", "--coin", "BTC", *store)
    dated = ("--series", "sopr/BTC", "--date-column", "day", "--value-column", "sopr", "--delay-hours", "6")
    run("sources", "import", "d.csv", "--kind", "dated", *dated, *store)
    with ObservationStore("s.sqlite") as held:
        assert [state.series for state in held.states()] == ["funding/BTC", "mvrv/BTC", "sopr/BTC"]
        sopr = held.history("sopr/BTC")
    assert pd.to_datetime(sopr["known"].iloc[0], unit="ms") == pd.Timestamp("2024-01-02 06:00")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no.csv", "--kind", "fear-greed"), "no.csv: no such file"),
        (("index.csv", "--kind", "dated"), "index.csv: a series is needed .* --series"),
        (("index.csv", "--kind", "coin-metrics"), "a coin is needed"),
        (("index.csv", "--kind", "dated", "--series", "Bad Name"), "write it like"),
        (("index.csv", "--kind", "coin-metrics", "--coin", "BTC"), "none of CapMVRVCur"),
    ],
)
def test_what_cannot_be_imported_is_explained_with_its_file(run, index, arguments, words):
    with pytest.raises(DataError, match=words):
        run("sources", "import", *arguments, "--store", "s.sqlite")


def test_a_series_that_is_not_there_is_not_exported(run):
    with pytest.raises(DataError, match="no such series"):
        run("sources", "export", "mvrv/BTC", "out.csv", "--store", "s.sqlite")
    assert run("sources", "show", "--store", "s.sqlite") == 0


def test_update_asks_what_is_named_and_fails_when_one_fails(run, monkeypatch, capsys):
    asked = []

    async def poll_once(registry, store, settings):
        asked.append((registry.enabled, registry._coins))
        return [PollResult("futures", 3), PollResult("fear_greed", 0, Failure.DOWN, "no answer")]

    monkeypatch.setattr("adaptive_pkg.sources.update.poll_once", poll_once)
    update = ("sources", "update", "--store", "s.sqlite")
    assert run(*update, "--only", "futures", "fear_greed", "--coins", "ETH") == 1
    assert asked == [(("fear_greed", "futures"), ("ETH",))]
    said = capsys.readouterr().out
    assert "futures: 3 new values" in said and "fear_greed: no answer" in said


def test_the_evaluation_is_asked_for_under_evaluate(run, monkeypatch):
    asked = []

    def evaluate(datadir, json_path, console, settings, hour):
        asked.append((str(datadir), str(json_path), hour, settings.enabled))
        return 0

    monkeypatch.setattr("adaptive_pkg.evaluation.source_report.evaluate_sources", evaluate)
    assert run("evaluate", "sources", "--datadir", "d", "--hour", "1", "--json", "o.json") == 0
    assert asked == [("d", "o.json", 1, False)]


def test_update_refuses_an_unknown_source_and_a_missing_key(run, monkeypatch):
    monkeypatch.delenv("ADAPTIVE_X_BEARER_TOKEN", raising=False)
    with pytest.raises(SettingsError, match="'twitter' is unknown"):
        run("sources", "update", "--only", "twitter", "--store", "s.sqlite")
    with pytest.raises(SettingsError, match="ADAPTIVE_X_BEARER_TOKEN"):
        run("sources", "update", "--only", "x", "--store", "s.sqlite")
