"""The search of settings on one span: the declared parameters, the present settings first, the best last."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.adapter.parameters import parameters
from adaptive_pkg.evaluation.strategy.search import (
    SearchSpan,
    SearchTrial,
    best,
    declared,
    laid_over,
    search,
)
from adaptive_pkg.settings import load_settings

PAIRS = ("BTC/USDT", "SOL/USDT")


def test_it_searches_what_the_strategy_declares_within_its_bounds(lab):
    space = declared(lab)
    ours = {f"{section}.{name}" for _, section, name in parameters()}
    assert set(space) == ours - {"confidence.forecast_agree", "confidence.forecast_disagree"}
    assert (space["regime.adx_trend"].low, space["regime.adx_trend"].high) == (20.0, 40.0)
    assert space["regime.min_dwell_candles"].high == 24
    assert set(declared(replace(lab, config={**lab.config, "freqai": {"enabled": True}}))) == ours


def test_the_first_trial_is_the_settings_in_force_and_each_is_a_real_backtest(runner, job):
    span = SearchSpan(3, job().start, job().start + pd.Timedelta(days=25))
    found = search(runner, [span], PAIRS, trials=3, adaptive={"stops": {"trail_atr": 2.345}})[3]
    assert [trial.number for trial in found] == [0, 1, 2]
    assert found[0].params["stops.trail_atr"] == 2.345
    settings = load_settings(runner.conditions.config)
    assert found[0].params["regime.adx_trend"] == settings.regime.adx_trend
    assert all(len(trial.returns) == 25 for trial in found)
    assert len({trial.returns.sum() for trial in found}) > 1


def trial(number, value):
    return SearchTrial(0, number, {}, value, 10, pd.Series(dtype=float))


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([0.5, 0.7, 0.6], 1),
        ([0.5, 0.5, 0.4], 0),
        ([0.5, np.nan, -np.inf], 0),
        ([-np.inf, -2.0, -1.0], 2),
        ([0.1, 0.9, 0.9], 1),
    ],
)
def test_the_present_settings_stay_unless_others_are_better(values, chosen):
    assert best([trial(number, value) for number, value in enumerate(values)]).number == chosen


def test_drawn_values_lie_over_the_settings_and_leave_them_as_they_were():
    base = {"stops": {"trail_atr": 1.0, "max_fraction": 0.02}, "profile": "moderate"}
    merged = laid_over(base, {"stops.trail_atr": 3.0, "kelly.fraction": 0.5})
    assert merged == {
        "stops": {"trail_atr": 3.0, "max_fraction": 0.02},
        "profile": "moderate",
        "kelly": {"fraction": 0.5},
    }
    assert base["stops"]["trail_atr"] == 1.0
