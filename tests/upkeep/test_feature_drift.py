"""Population stability: its laws, and alarms only where a month is as none before."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.features import FORECAST_FEATURES
from adaptive_pkg.upkeep import feature_drift
from adaptive_pkg.upkeep.feature_drift import _unusual, check_features, population_stability
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.inspection import Period

from .conftest import NOW

numbers = st.lists(st.floats(-50, 50), min_size=12, max_size=60)
FREQAI = {"enabled": True, "identifier": "x", "train_period_days": 180}


def test_a_shift_worked_out_by_hand():
    """Two bins of a half each; three quarters of the new rows in the upper one."""
    old = [0.0] * 10 + [1.0] * 10
    new = [0.0] * 5 + [1.0] * 15
    by_hand = (0.25 - 0.5) * math.log(0.25 / 0.5) + (0.75 - 0.5) * math.log(0.75 / 0.5)
    assert population_stability(old, new, bins=2) == pytest.approx(by_hand)


@given(numbers, numbers)
def test_it_is_never_negative_and_nothing_against_itself(old, new):
    assert population_stability(old, new, bins=4) >= -1e-12
    assert population_stability(old, old, bins=4) == pytest.approx(0.0, abs=1e-12)


@given(numbers, numbers)
def test_units_do_not_matter(old, new):
    scaled = population_stability(4.0 * np.array(old), 4.0 * np.array(new), bins=4)
    assert scaled == pytest.approx(population_stability(old, new, bins=4))


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="at least 10 of both"):
        population_stability(np.arange(100), [1.0, np.nan] * 9)


@pytest.fixture
def features(monkeypatch):
    """`features(last)`: two years of features of one pair that wander a little from month to month; `last`
    is added to the newest month of the first one."""

    def make(last):
        n = 24 * 730
        dates = pd.date_range(end=NOW - pd.Timedelta(hours=1), periods=n, freq="1h")
        rng = np.random.default_rng(4)
        wander = np.repeat(rng.normal(0, 0.25, (n // 720 + 1, len(FORECAST_FEATURES))), 720, axis=0)[:n]
        values = rng.normal(0, 1, (n, len(FORECAST_FEATURES))) + wander[::-1]
        values[-720:, 0] += last
        frame = pd.DataFrame(values, columns=list(FORECAST_FEATURES))
        monkeypatch.setattr(feature_drift, "forecast_features", lambda candles, settings: frame)
        monkeypatch.setattr(
            feature_drift.Inspection,
            "all_candles",
            lambda self: ({"BTC/USDT": pd.DataFrame({"date": dates})}, ()),
        )

    return make


@pytest.mark.parametrize(("last", "verdict"), [(0.0, Verdict.OK), (2.0, Verdict.ACT)])
def test_a_feature_that_has_left_its_past_is_to_be_acted_on(seen, features, last, verdict):
    features(last)
    found = check_features(seen(period=Period.MONTHLY, freqai=FREQAI))
    assert found.verdict is verdict
    assert (f"{FORECAST_FEATURES[0]} shifted" in found.told) is (verdict is Verdict.ACT)
    assert found.figures["reference_days"] == 180 and found.figures["bins"] == 10


def test_above_the_rule_of_thumb_but_as_always_is_fine(seen, features):
    features(0.0)
    found = check_features(seen(period=Period.MONTHLY, freqai=FREQAI))
    assert any(item["psi"] > 0.1 for item in found.figures["features"].values())
    assert found.verdict is Verdict.OK and "the thumb rule calls" in found.told


def test_luck_alone_alarms_one_month_in_twenty():
    rng = np.random.default_rng(3)
    months = rng.lognormal(-3, 0.8, (400, 41, len(FORECAST_FEATURES)))
    assert np.mean([_unusual(month[0], month[1:]).any() for month in months]) < 0.08


def test_without_freqai_it_decides_nothing(seen, features):
    features(2.0)
    found = check_features(seen(period=Period.MONTHLY))
    assert found.verdict is Verdict.OK and found.told.startswith("FreqAI is off")


def test_without_candles_it_says_what_to_download(seen):
    found = check_features(seen(period=Period.MONTHLY))
    assert not found.measured and "download-data" in found.remedy
