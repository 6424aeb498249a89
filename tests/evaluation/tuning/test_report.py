from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.tuning.report import tune
from adaptive_pkg.settings import load_forecast_settings


def screen():
    return Console(file=io.StringIO(), width=200)


def windows_matter(settings, fold, pair):
    return 1.0 - 0.01 * settings.window + 0.002 * ((settings.seed + fold) % 3)


def test_a_search_prints_its_trials_and_writes_a_block_freqai_reads(options):
    console = screen()
    assert tune(**{**options, "console": console}) == 0
    figures = json.loads(options["json_path"].read_text())
    assert [row["state"] for row in figures["trials"]] == ["complete"] * 3
    assert figures["folds"]["search"]["folds"] == 4 and figures["folds"]["held_out"]["folds"] == 2
    assert figures["folds"]["search"]["last"] < figures["folds"]["held_out"]["first"]
    config = json.loads(options["out"].read_text())
    assert config == figures["config"]
    settings = load_forecast_settings(config)
    assert list(settings.units) == figures["settings"]["units"]
    assert settings.epochs == options["forecaster"].epochs
    text = console.file.getvalue()
    for expected in ("3 complete trials", "held-out folds, 2 seeds", "default", str(options["out"])):
        assert expected in text


def test_the_same_command_asks_nothing_twice(options, made_up_scores):
    calls = made_up_scores(windows_matter)
    tune(**{**options, "trials": 8})
    first = json.loads(options["json_path"].read_text())
    assert first["best_trial"] != 0 and first["held_out"]["verdict"] is not None
    calls.clear()
    console = screen()
    tune(**{**options, "trials": 8, "console": console})
    assert calls == []
    assert json.loads(options["json_path"].read_text()) == first
    assert "8 of 8 are done already" in console.file.getvalue()


def test_more_trials_are_added_to_those_there_are(options, made_up_scores):
    calls = made_up_scores(windows_matter)
    tune(**{**options, "trials": 2})
    calls.clear()
    tune(**{**options, "trials": 4})
    searched = [call for call in calls if call[0] < 4]
    assert len(searched) == 2 * 4 * 2  # trials × folds × pairs
    assert len(json.loads(options["json_path"].read_text())["trials"]) == 4


def test_an_interrupted_command_says_where_it_goes_on(options, made_up_scores):
    def interrupted(*_):
        raise KeyboardInterrupt

    made_up_scores(interrupted)
    console = screen()
    assert tune(**{**options, "console": console}) == 130
    assert "the same command goes on from there" in console.file.getvalue()
    assert not options["out"].exists()
    made_up_scores(windows_matter)
    assert tune(**options) == 0


def test_changed_inputs_start_a_search_of_their_own_and_say_what_changed(options, made_up_scores):
    made_up_scores(windows_matter)
    tune(**options)
    calls = made_up_scores(windows_matter)
    console = screen()
    tune(**{**options, "seed": 4, "console": console})
    assert "1 other search(es), which stay as they are" in console.file.getvalue()
    assert "differs from the last one in: seed: 3 → 4" in console.file.getvalue()
    assert len([call for call in calls if call[0] < 4]) == 3 * 4 * 2


def test_without_a_file_the_block_is_printed(options, made_up_scores):
    made_up_scores(windows_matter)
    console = screen()
    tune(**{**options, "out": None, "json_path": None, "console": console})
    assert '"model_training_parameters": {' in console.file.getvalue()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"trials": 0}, SettingsError, "trials: 0; give at least 1"),
        ({"workers": -1}, SettingsError, "workers: -1"),
        ({"held_out_share": 1.0}, SettingsError, "held_out_share: 1.0 is not between"),
        ({"pairs": ["AAA/USDT", "AAA/USDT"]}, SettingsError, "name each once"),
        ({"pairs": ["CCC/USDT"]}, DataError, "CCC/USDT: no candles"),
        ({"timeframe": "4h", "pairs": None}, DataError, "no 4h candles"),
        ({"timerange": "yesterday"}, SettingsError, "timerange 'yesterday'"),
        ({"timerange": "20220220-20220310"}, DataError, "folds of 12 days between 2022-02-20 and 2022-03-10"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(options, change, error, message):
    with pytest.raises(error, match=message):
        tune(**{**options, **change})
    assert not options["storage"].exists()


def test_a_missing_folder_is_named(options, tmp_path):
    with pytest.raises(DataError, match="no candle folder at"):
        tune(**{**options, "datadir": tmp_path / "nowhere"})
