"""A forecast weighs as much as its model's own errors allow."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.adapter.forecast_columns import forecast_columns
from adaptive_pkg.forecast.targets import RETURN_SIGMA

NORMAL_80 = 1.2815515655446004  # half-width of a standard normal's central 80 %


def columns(**given):
    base = {RETURN_SIGMA: [0.4, -0.4, 0.4], "do_predict": [1, 1, 0], "close": 100.0, "sigma": 0.01}
    return forecast_columns(pd.DataFrame({**base, **given}), horizon=4, coverage=0.8)


def test_a_candle_that_freqai_does_not_vouch_for_has_no_forecast():
    made = columns()
    assert all(np.isnan(values[2]) and np.isfinite(values[:2]).all() for values in made.values())


def test_a_model_without_interval_or_with_an_unknown_one_is_taken_at_its_word():
    for given in ({}, {"interval_return": 0.0}):
        made = columns(**given)
        np.testing.assert_array_equal(made["forecast_strength"], made["forecast_sigma"])


@pytest.mark.parametrize(("half_width", "strength"), [(NORMAL_80, 0.4), (2 * NORMAL_80, 0.2)])
def test_wider_errors_make_a_weaker_forecast(half_width, strength):
    assert columns(interval_return=half_width)["forecast_strength"][:2] == pytest.approx(
        [strength, -strength]
    )


def test_the_price_is_what_the_forecast_stands_for():
    assert columns()["forecast_close"][0] == pytest.approx(100.0 * np.exp(0.4 * 0.01 * 2.0))
