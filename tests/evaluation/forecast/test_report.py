"""One small evaluation from candles to figures, tables and page."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.forecast import report, runner
from adaptive_pkg.evaluation.forecast.models import Family, FoldForecast

from .conftest import INDICATORS, TINY

START = pd.Timestamp("2022-03-12", tz="UTC")
OPTIONS = {
    "horizon": 6,
    "start": START,
    "end": START + pd.Timedelta(days=56),
    "train_days": 40,
    "refit_days": 28,
    "embargo_candles": 5,
    "workers": 1,
    "forecaster": TINY,
    "indicators": INDICATORS,
}


def stand_in(panel, fold, family, settings, seed):
    """Quick forecasts in the place of trained networks: the truth in part, noise, and the real references."""
    if family is not Family.NETWORKS:
        return HONEST(panel, fold, family, settings, seed)
    rng = np.random.default_rng([seed, fold.number])
    labels = panel.labels.to_numpy()[fold.test]
    noise = rng.normal(size=labels.shape)
    good = 0.3 * np.nan_to_num(labels) + 0.1 * noise
    values = {}
    for name, returns in (("gru", good[:, 0]), ("lstm", 0.1 * noise[:, 0]), ("ensemble", 0.0 * noise[:, 0])):
        values[name] = np.column_stack([returns, good[:, 1], np.exp(2 * good[:, 1] + 0.2)])
    weights = {"&-return_sigma": {"gru": 0.5, "lstm": 0.5}, "&-log_volatility": {"gru": 1.0, "lstm": 0.0}}
    return FoldForecast(values, weights)


HONEST = runner.forecast_fold


@pytest.fixture(scope="module")
def written(datadir, tmp_path_factory):
    """(folder, text, figures) of an evaluation in which `gru` knows the future and `lstm` is noise."""
    out, text = tmp_path_factory.mktemp("out"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "forecast_fold", stand_in)
        console = Console(file=text, width=200)
        code = report.evaluate_forecast(datadir, None, "1h", out, None, console, seeds=2, **OPTIONS)
    assert code == 0
    return out, text.getvalue(), json.loads((out / "forecast.json").read_text())


@pytest.fixture
def result(written):
    return written[2]


def test_a_forecast_that_knows_the_future_is_recognised(result):
    for pair in ("AAA/USDT", "BBB/USDT"):
        row = result["pairs"][pair]["returns"]["gru"]
        assert row["mae_over_reference"]["high"] < 1
        assert row["mae_over_reference_dm_p"] < 0.01 and row["mse_over_reference_dm_p"] < 0.01
        assert row["rank_ic"]["low"] > 0.5 and row["direction"]["low"] > 0.7
        assert row["direction_top_decile"]["value"] > row["direction"]["value"]
        assert row["price_mape_over_persistence"] < 1
        assert row["earned_weight"]["final"] > 0.9
        assert 0.4 < row["earned_weight"]["mse_over_reference"] < 0.6
        assert len(row["earned_weight"]["by_fold"]) == 1
    assert result["pooled"]["sets"]["return_squared"]["in_90_pct_set"] == ["gru"]
    assert result["pooled"]["sets"]["return_squared"]["spa_p"] < 0.05


def test_noise_and_silence_are_recognised_too(result):
    for item in result["pairs"].values():
        noise, silent = item["returns"]["lstm"], item["returns"]["ensemble"]
        assert noise["mse_over_reference"]["value"] > 1 and noise["mse_over_reference_dm_p"] > 0.5
        assert noise["rank_ic"]["low"] < 0 < noise["rank_ic"]["high"]
        assert noise["earned_weight"]["final"] < 0.1
        assert silent["mae_over_reference"]["value"] == 1
        assert silent["rank_ic"] is None and silent["direction"] is None
        assert silent["earned_weight"] is None
        assert silent["price_mape_over_persistence"] == pytest.approx(1)


def test_references_are_exactly_one_beside_themselves(result):
    for item in result["pairs"].values():
        assert item["returns"]["zero"]["mae_over_reference"]["value"] == 1
        assert item["volatility"]["persistence"]["mse_over_reference"]["value"] == 1
        assert item["volatility"]["har"]["qlike_over_har"]["value"] == 1
        assert item["volatility"]["har"]["qlike_over_har_dm_p"] is None
        assert item["volatility"]["zero"]["skill_over_zero"] == 0


def test_aims_are_judged_by_pair(result):
    reached = {(row["model"], row["aim"]): row["reached"] for row in result["aims"]}
    assert reached["gru", "return MAE below persistence, p < 0.05"]
    assert not reached["lstm", "return MAE below persistence, p < 0.05"]
    assert not reached["ensemble", "rank IC ≥ 0.02, interval above 0"]
    assert len(reached) == 3 * 6


def test_the_terminal_shows_every_pair_and_the_reading(written, result):
    _, text, _ = written
    for word in ("AAA/USDT", "BBB/USDT", "persistence", "har", "ensemble", "earned weight", "QLIKE"):
        assert word in text
    flat = re.sub(r"\s+", " ", text)
    assert all(line in flat for line in result["reading"])
    assert any(line.startswith("gru: return forecasts reliably better") for line in result["reading"])


def test_the_page_needs_no_network(written):
    page = (written[0] / "forecast.html").read_text()
    assert page.count("plotly.js v") == 1
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    assert page.count("Plotly.newPlot(") == 7
    assert "QLIKE beside HAR" in page and "AAA\\u002fUSDT" in page


def test_a_second_call_fits_nothing(written, datadir, monkeypatch):
    def fail(*args):
        raise AssertionError("fitted again")

    monkeypatch.setattr(runner, "forecast_fold", fail)
    again = report.run(datadir, None, "1h", written[0], Console(quiet=True), seeds=2, **OPTIONS)
    assert json.loads(json.dumps(again)) == written[2]


def test_without_candles_it_says_so(tmp_path):
    with pytest.raises(DataError, match="no 1h candles"):
        report.run(tmp_path, None, "1h", tmp_path / "out", Console(quiet=True))


def test_a_date_that_is_none_is_refused(datadir, tmp_path):
    with pytest.raises(SettingsError, match="start: 'spring' is not a date"):
        report.run(datadir, None, "1h", tmp_path, Console(quiet=True), start="spring")


def test_an_interrupted_evaluation_says_how_to_go_on(datadir, tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "forecast_fold", interrupt)
    text = io.StringIO()
    code = report.evaluate_forecast(
        datadir,
        None,
        "1h",
        tmp_path,
        None,
        Console(file=text, width=300),
        **{**OPTIONS, "start": "2022-03-12"},
    )
    assert code == 130 and "the same command goes on" in text.getvalue()
    assert not (tmp_path / "forecast.json").exists()
