"""Forecasts that FreqAI left beside what came: planted skill is found, silence and noise are told as such."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy import findings
from adaptive_pkg.evaluation.strategy.forecast_outcome import BINS, judge_forecast
from adaptive_pkg.evaluation.strategy.jobs import StrategyJob
from adaptive_pkg.evaluation.strategy.page_forecast import forecast as section
from adaptive_pkg.evaluation.strategy.report_data import plain
from adaptive_pkg.forecast.targets import (
    LOG_VOLATILITY,
    RETURN_SIGMA,
    future_log_volatility,
    future_return_sigma,
)
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.settings import IndicatorSettings

HORIZON = 12
PAIRS = ("BTC/USDT", "SOL/USDT")
START, END = pd.Timestamp("2023-02-06", tz="UTC"), pd.Timestamp("2023-04-28", tz="UTC")


@pytest.fixture
def leave(lab_market, tmp_path):
    """`leave(folder, skill, silent)`: predictions of both pairs, a part of what comes and noise."""

    def write(folder=tmp_path, skill=0.0, silent=False, pairs=PAIRS):
        rng = np.random.default_rng(7)
        stored = folder / "backtesting_predictions"
        stored.mkdir(parents=True)
        for pair in pairs:
            frame = compute_indicators(lab_market[pair], IndicatorSettings())
            close, sigma, volume = (frame[name].to_numpy() for name in ("close", "sigma", "volume"))
            comes = np.nan_to_num(future_return_sigma(close, sigma, HORIZON, volume))
            spread = future_log_volatility(close, HORIZON, IndicatorSettings().reference_period, volume)
            says = skill * comes + 0.3 * rng.normal(size=len(comes))
            made = pd.DataFrame(
                {
                    "date": frame["date"],
                    RETURN_SIGMA: 0.0 if silent else says,
                    LOG_VOLATILITY: np.nan_to_num(spread),
                    "do_predict": 1,
                }
            )
            coin = pair.split("/")[0].lower()
            for part, rows in enumerate(np.array_split(np.arange(len(made)), 3)):
                path = stored / f"cb_{coin}_{part}_prediction.feather"
                made.iloc[rows].reset_index(drop=True).to_feather(path)
        return folder

    return write


@pytest.fixture
def judge(lab_datadir):
    def run(folder):
        return judge_forecast(
            folder, lab_datadir, PAIRS, "1h",
            horizon=HORIZON, start=START, end=END, indicators=IndicatorSettings(),
        )  # fmt: skip

    return run


def test_a_planted_skill_is_found_in_every_figure(leave, judge):
    found = judge(leave(skill=0.5))
    assert [row["pair"] for row in found["pairs"]] == list(PAIRS)
    for row in (*found["pairs"], found["pooled"]):
        assert row["rank_ic"]["low"] > 0.3
        assert row["return_mae_ratio"]["high"] < 1.0
        assert row["price_mape_ratio"]["high"] < 1.0
        assert row["price_mape_pct"] < row["persistence_mape_pct"]
        ratio = row["price_mape_pct"] / row["persistence_mape_pct"]
        assert row["price_mape_ratio"]["value"] == pytest.approx(ratio, rel=0.02)
    assert found["pooled"]["predictions"] == sum(row["predictions"] for row in found["pairs"])
    assert "is forecast better than" in found["answer"]
    points = found["bins"]["return"]
    assert len(points) == BINS
    assert [point["forecast"] for point in points] == sorted(point["forecast"] for point in points)
    assert points[-1]["actual"].low > 0 > points[0]["actual"].high


def test_noise_is_worse_than_saying_nothing(leave, judge):
    found = judge(leave(skill=0.0))
    assert found["pooled"]["return_mae_ratio"]["low"] > 1.0
    assert found["pooled"]["rank_ic"]["low"] < 0 < found["pooled"]["rank_ic"]["high"]
    assert "forecast worse than" in found["answer"]


def test_silence_is_persistence_and_orders_nothing(leave, judge):
    found = judge(leave(silent=True))
    assert found["silent"] == 1.0
    assert found["bins"]["return"] == []
    assert found["pooled"]["rank_ic"] is None
    assert found["pooled"]["price_mape_ratio"]["value"] == 1.0
    assert "no evidence" in found["answer"]
    assert "it always says “no change”" in found["answer"]


def test_without_predictions_the_folder_is_named(judge, tmp_path):
    with pytest.raises(DataError, match="no stored predictions"):
        judge(tmp_path)


# --- in the report ------------------------------------------------------------------------------------


def page_of(**changes):
    data = {"conditions": {"forecast": True}, "beside": {}, "attribution": {}, **changes}
    drawn = []
    html = section(data, lambda figure, what: drawn.append(figure) or f"[{what}]")
    return html, drawn


def test_the_section_shows_points_on_both_sides_of_the_line_that_is_right(leave, judge):
    html, drawn = page_of(forecast=plain(judge(leave(skill=0.5))))
    assert "Forecast against outcome" in html
    assert "all, a day one row" in html
    line, points = drawn[0]["data"]
    assert line["x"] == line["y"]
    assert len(points["x"]) == len(points["error_y"]["array"]) == BINS
    assert len(drawn) == 3  # return, volatility, errors by pair


def test_a_run_without_freqai_says_so_plainly():
    html, drawn = page_of(forecast=None, conditions={"forecast": False})
    assert "Not measured: FreqAI is off in this config" in html
    assert drawn == []


@pytest.fixture
def finished(lab_config, tmp_path, project_root, read_lab):
    """An evaluation with FreqAI on, as far as its forecasts are concerned."""
    block = json.loads((project_root / "user_data/config.json").read_text())["freqai"]
    conditions = read_lab({**lab_config, "freqai": block}, shelf=tmp_path / "shelf")
    return SimpleNamespace(conditions=conditions, plan=SimpleNamespace(start=START, end=END), pairs=PAIRS)


def test_an_evaluation_reads_what_its_own_run_left(finished, leave):
    job = StrategyJob(PAIRS, START, END)
    leave(finished.conditions.predictions / job.forecast_id(finished.conditions), skill=0.5)
    notes = []
    found = findings._forecast(finished, notes)
    assert found["horizon_candles"] == HORIZON
    assert found["pooled"]["rank_ic"]["low"] > 0.3
    assert notes == []


def test_predictions_that_are_gone_are_noted_and_those_of_rules_alone_not_missed(finished, lab):
    notes = []
    assert findings._forecast(finished, notes) is None
    assert "The forecast is not judged" in notes[0]
    assert "no stored predictions" in notes[0]
    finished.conditions = lab
    assert findings._forecast(finished, notes) is None
    assert len(notes) == 1
