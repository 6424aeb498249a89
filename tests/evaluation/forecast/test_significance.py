from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.evaluation.forecast.significance import (
    diebold_mariano,
    model_confidence_set,
    rank_correlation,
    rank_products,
    superior_predictive_ability,
)

HORIZON = 12


def overlapping(seed, n=2000):
    """Losses of two equally good forecasts whose labels overlap over HORIZON rows."""
    rng = np.random.default_rng(seed)
    return np.convolve(rng.normal(size=n + HORIZON - 1), np.ones(HORIZON) / HORIZON, mode="valid")


def test_equally_good_forecasts_are_called_better_one_time_in_twenty():
    p = np.array(
        [diebold_mariano(overlapping(seed), np.zeros(2000), HORIZON).p_better for seed in range(300)]
    )
    assert 0.02 < (p < 0.05).mean() < 0.10
    # errors that ignore the overlap would see an edge about every third time
    naive = [overlapping(s).mean() / (overlapping(s).std() / np.sqrt(2000)) for s in range(300)]
    assert (np.array(naive) < -1.645).mean() > 0.25


def test_a_real_edge_is_found_and_its_mirror_is_not():
    loss = overlapping(1)
    better = diebold_mariano(loss - 0.1, np.zeros(2000), HORIZON)
    worse = diebold_mariano(0.1 - loss, np.zeros(2000), HORIZON)
    assert better.p_better < 0.01 and better.mean_difference < 0
    assert worse.p_better > 0.99
    assert worse.statistic == pytest.approx(-better.statistic)
    assert better.lags >= 2 * HORIZON


def test_a_forecast_beside_itself_is_neither():
    assert diebold_mariano(np.ones(500), np.ones(500), 3).p_better == 0.5


def test_too_few_rows_are_refused():
    with pytest.raises(ForecastError, match="50 rows are fewer than 10 horizons of 12"):
        diebold_mariano(np.arange(50), np.zeros(50), HORIZON)


@pytest.fixture
def losses():
    rng = np.random.default_rng(3)
    common = rng.gamma(2.0, size=400)
    good, twin, bad = (common + rng.normal(0, 0.1, 400) + shift for shift in (0.0, 0.0, 0.5))
    return pd.DataFrame({"good": good, "twin": twin, "bad": bad})


def test_the_confidence_set_keeps_twins_and_drops_the_worse_one(losses):
    p = model_confidence_set(losses, 1)
    assert p["bad"] < 0.1 < min(p["good"], p["twin"])
    assert model_confidence_set(losses[["bad"]], 1) == {"bad": 1.0}


def test_a_model_that_repeats_another_shares_its_place(losses):
    """A silent forecast is persistence exactly; the tests divide by the variance of the difference."""
    repeated = losses.assign(silent=losses["bad"] * (1 + 1e-15), echo=losses["good"])
    p = model_confidence_set(repeated, 1)
    assert p["silent"] == p["bad"] < 0.1 < p["echo"] == p["good"]
    assert superior_predictive_ability(repeated, "bad", 1) < 0.05
    assert superior_predictive_ability(repeated[["bad", "silent"]], "bad", 1) == 1.0


def test_superior_ability_is_found_only_where_it_is(losses):
    assert superior_predictive_ability(losses, "bad", 1) < 0.05
    assert superior_predictive_ability(losses, "good", 1) > 0.1


def test_the_best_of_many_worthless_models_is_not_superior():
    rng = np.random.default_rng(5)
    many = pd.DataFrame(1 + rng.normal(0, 0.3, (365, 40)), columns=[f"m{i}" for i in range(40)])
    many["zero"] = 1.0
    assert (many.mean() < 1).sum() > 10  # a naive look finds "better" ones
    assert superior_predictive_ability(many, "zero", 1) > 0.05


def test_rank_correlation_has_an_interval_that_knows_days():
    rng = np.random.default_rng(7)
    days = pd.Index(np.repeat(pd.date_range("2022-01-01", periods=200), 24))
    daily = np.repeat(rng.normal(size=200), 24)
    actual = daily + rng.normal(size=4800)
    got = rank_correlation(rank_products(actual, np.stack([daily, daily]), days), 1)
    assert got.low < got.value < got.high
    assert got.value == pytest.approx(pd.Series(actual).corr(pd.Series(daily), method="spearman"), abs=0.01)
    noise = np.repeat(rng.normal(size=200), 24)  # one lucky number a day, 24 times
    nothing = rank_correlation(rank_products(daily, noise[None], days), 1)
    assert nothing.low < 0 < nothing.high
    assert nothing.high - nothing.low > 5 / np.sqrt(4800)


def test_a_forecast_that_never_moves_has_no_rank_correlation():
    days = pd.Index(np.repeat(pd.date_range("2022-01-01", periods=30), 24))
    assert rank_correlation(rank_products(np.arange(720.0), np.zeros((2, 720)), days), 1) is None
