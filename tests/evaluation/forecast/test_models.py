from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.evaluation.forecast.models import LOG_VOL, VARIANCE, Family, forecast_fold
from adaptive_pkg.forecast.skill import qlike

from .conftest import TINY


@pytest.fixture(scope="module")
def world(make_plan):
    plan = make_plan()
    panel = plan.panel("AAA/USDT")
    return panel, plan.folds(panel)[1]


@pytest.mark.parametrize("family", list(Family))
def test_no_model_learns_from_a_label_that_was_not_known(world, family):
    """Labels from the purge on are replaced by nonsense: not one forecast may change."""
    panel, fold = world
    labels = panel.labels.copy()
    labels.iloc[fold.labels_end :] = 1e3
    honest = forecast_fold(panel, fold, family, TINY, seed=3)
    tempted = forecast_fold(replace(panel, labels=labels), fold, family, TINY, seed=3)
    assert honest.values.keys() == tempted.values.keys()
    for name, values in honest.values.items():
        np.testing.assert_array_equal(values, tempted.values[name], err_msg=name)


def test_past_volatility_is_worth_something_and_every_model_finds_it(world):
    panel, fold = world
    actual = panel.labels.to_numpy()[fold.test, LOG_VOL]
    results = {}
    for family in Family:
        results |= forecast_fold(panel, fold, family, replace(TINY, epochs=8), seed=1).values
    known = np.isfinite(actual)
    errors = {name: ((v[:, LOG_VOL] - actual)[known] ** 2).mean() for name, v in results.items()}
    for name in ("har", "ridge", "lightgbm", "ensemble.ridge", "ensemble"):
        assert errors[name] < 0.9 * errors["zero"], (name, errors)
    losses = {name: qlike(np.exp(2 * actual), v[:, VARIANCE])[known].mean() for name, v in results.items()}
    assert losses["har"] < losses["drift"] < losses["zero"]


def test_an_outage_gives_no_forecast_from_any_model_that_reads_it(world):
    panel, fold = world
    features = panel.features.copy()
    hole = fold.test_first + 100
    features.iloc[hole] = np.nan
    broken = replace(panel, features=features)
    for family, silent in ((Family.LIGHTGBM, 1), (Family.NETWORKS, TINY.window)):
        for name, values in forecast_fold(broken, fold, family, TINY, 1).values.items():
            assert np.isnan(values[100 : 100 + silent]).all(), name
            assert np.isfinite(values[100 + silent]).all(), name


def test_a_seed_changes_what_is_random_and_nothing_else(world):
    panel, fold = world
    one, two, again = (forecast_fold(panel, fold, Family.NETWORKS, TINY, s).values for s in (1, 2, 1))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    assert (one["gru"][:, LOG_VOL] != two["gru"][:, LOG_VOL]).any()
    np.testing.assert_array_equal(one["ensemble.ridge"], two["ensemble.ridge"])
