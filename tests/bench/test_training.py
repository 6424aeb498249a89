"""The training benchmark measures what it says: same rows, same labels, same fits on both sides."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.bench import training as bench
from adaptive_pkg.bench import training_backtest
from adaptive_pkg.bench import training_measures as measures
from adaptive_pkg.errors import AdaptiveError, DataError
from adaptive_pkg.forecast import RecurrentForecaster
from adaptive_pkg.settings import ForecastSettings

TINY = ForecastSettings(
    window=8, units=(5, 4), dense_units=4, chunk_candles=32, batch_chunks=8, epochs=2, shrink_to_skill=False
)
PAIRS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture
def datadir(tmp_path, random_candles, monkeypatch):
    monkeypatch.setattr(measures, "CANDLES", 700)
    monkeypatch.setattr(measures, "WEEK", 24)
    monkeypatch.setattr(bench, "STOPS", ("2022-03-20", "2022-04-10"))
    for seed, pair in enumerate(PAIRS):
        random_candles(2500, seed=seed).to_feather(tmp_path / f"{pair.replace('/', '_')}-1h.feather")
    return tmp_path


def test_a_small_run_prints_and_stores_every_figure(datadir, tmp_path, capsys, monkeypatch):
    def longer(span, settings):
        return bench._fit_ours(span, replace(settings, epochs=4))

    monkeypatch.setattr(bench, "_fit_reference", longer)
    monkeypatch.setattr(bench, "_fit_keras_graph", bench._fit_ours)
    monkeypatch.setattr(bench, "ForecastSettings", lambda: TINY)
    monkeypatch.setattr(measures, "sgemm_gflops", lambda: 100.0)
    monkeypatch.setattr(measures, "RATE_SECONDS", 0.1)
    out = tmp_path / "out" / "training.json"
    options = {"windows": 2, "seeds": 2, "reference_fits": 2, "retrains": 2, "live_predictions": 5}
    assert bench.bench_training(datadir, PAIRS, out, **options) == 0
    figures = json.loads(out.read_text(), parse_constant=pytest.fail)
    ours, reference = figures["fits"]["ours"], figures["fits"]["reference"]
    assert len(ours) == 2 * 2 * 2 and len(reference) == 2
    for mine, theirs in zip(ours, reference, strict=False):  # the fits both made are of the same windows
        assert [mine[key] for key in ("pair", "stop", "seed", "mean_loss")] == [
            theirs[key] for key in ("pair", "stop", "seed", "mean_loss")
        ]
    assert figures["validation_loss_ours_mean"] == pytest.approx(np.mean([f["loss"] for f in ours[:2]]))
    assert figures["validation_loss_reference_seed_sd"] == pytest.approx(
        np.std([reference[0]["loss"], reference[1]["loss"]], ddof=1)
    )
    assert figures["cpu_seconds_ratio_reference_to_ours"] == pytest.approx(
        figures["cpu_seconds_per_retrain_reference_mean"] / figures["cpu_seconds_per_retrain_ours_mean"]
    )
    assert set(bench.GOALS) - set(figures["goals_met"]) == {"backtest_wall_seconds_GRURegressor"}
    printed = capsys.readouterr().out
    assert "cpu_seconds_ratio_reference_to_ours" in printed and "at least 20" in printed


def test_the_loss_is_the_forecasters_own_on_true_windows(datadir):
    span = measures.span_of(measures.load(datadir, "BTC/USDT"), "2022-03-20", TINY)
    fit = bench._timed_fit(bench._fit_ours, span, TINY, ("BTC/USDT", "2022-03-20"))
    validation = RecurrentForecaster.fit(span, TINY).validation
    # one counts errors from the labels' shrunk mean, the other from zero: the same errors, in the same scale
    assert fit.loss == pytest.approx(validation.loss, rel=1e-4)


def test_our_trainer_on_the_keras_graph_reaches_the_same_loss(datadir):
    quiet = replace(TINY, dropout=0.0, dense_dropout=0.0)
    span = measures.span_of(measures.load(datadir, "BTC/USDT"), "2022-03-20", quiet)
    losses = [
        bench._timed_fit(fit, span, quiet, ("BTC/USDT", "2022-03-20")).loss
        for fit in (bench._fit_ours, bench._fit_keras_graph)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_labels_that_look_beyond_the_window_are_unknown(datadir):
    frames = measures.load(datadir, "BTC/USDT")
    part = frames.until(measures.row_of(frames, "2022-03-20"))
    assert len(part.labels) == 700
    assert part.labels.iloc[-12:].isna().all().all() and part.labels.iloc[-13].notna().all()
    assert str(part.dates.iloc[-1]) == "2022-03-19 23:00:00+00:00"


def test_goals_are_met_missed_or_not_measured():
    assert bench._met("memory_growth_mb", 20.0) is True
    assert bench._met("cpu_seconds_ratio_reference_to_ours", 19.9) is False
    assert bench._met("validation_loss_ours_minus_reference_in_seed_sd", None) is None


def test_backtests_are_timed_from_scratch_and_one_that_fails_is_no_measurement(tmp_path, monkeypatch):
    monkeypatch.setattr(training_backtest, "MODELS", tmp_path)
    left_over = tmp_path / "bench-GRURegressor" / "forecaster.json"
    left_over.parent.mkdir()
    left_over.write_text("{}")
    runs, status = [], 0

    def run_offline(arguments, datadir, config_paths):
        assert not left_over.exists()
        identifier = json.loads(config_paths[1].read_text())["freqai"]["identifier"]
        runs.append((arguments[arguments.index("--freqaimodel") + 1], identifier))
        (tmp_path / identifier).mkdir()
        return status

    monkeypatch.setattr(training_backtest, "run_offline", run_offline)
    figures = training_backtest.backtest_seconds(tmp_path, PAIRS)
    assert [model for model, _ in runs] == list(training_backtest.CONTESTANTS)
    assert len({identifier for _, identifier in runs}) == 2 and not list(tmp_path.iterdir())
    assert figures["backtest_wall_seconds_GRURegressor"] >= 0
    status = 1
    with pytest.raises(AdaptiveError, match="backtest with GRURegressor ended with status 1"):
        training_backtest.backtest_seconds(tmp_path, PAIRS)


def test_too_few_candles_are_an_error(datadir):
    with pytest.raises(DataError, match="240 candles before 2022-01-11, 724 are needed"):
        measures.row_of(measures.load(datadir, "BTC/USDT"), "2022-01-11")
