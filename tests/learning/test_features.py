"""What helps a long reads as what helps a short, and what is not known reads as nothing."""

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.context import CONTEXT
from adaptive_pkg.learning.features import FEATURES, feature_matrix

RNG = np.random.default_rng(1)
PLAIN = {name: RNG.uniform(0.5, 2.0, 20) for name in CONTEXT} | {"rsi": RNG.uniform(20, 80, 20)}
MIRRORED = (
    "macd_hist_atr",
    "momentum_pct",
    "ema_gap_atr",
    "trend_4h",
    "trend_1d",
    "forecast_sigma",
    "library_score",
)
CODES = RNG.integers(0, 5, 20)


def test_a_short_in_the_mirrored_market_has_the_features_of_the_long():
    turned = {name: -values if name in MIRRORED else values for name, values in PLAIN.items()}
    turned |= {
        "rsi": 100 - PLAIN["rsi"],
        "support_atr": PLAIN["resistance_atr"],
        "resistance_atr": PLAIN["support_atr"],
    }
    long = feature_matrix(PLAIN, np.ones(20), CODES)
    short = feature_matrix(turned, -np.ones(20), CODES)
    same = [i for i, name in enumerate(FEATURES) if name != "short"]
    np.testing.assert_allclose(long[:, same], short[:, same])
    assert set(short[:, FEATURES.index("short")]) == {1.0}


def test_what_is_not_known_is_neutral_and_every_number_is_one():
    unknown = PLAIN | {name: np.full(20, np.nan) for name in ("forecast_sigma", "library_score", "trend_1d")}
    x = feature_matrix(unknown, np.ones(20), CODES)
    assert x.shape == (20, len(FEATURES))
    assert np.isfinite(x).all()
    for name in ("forecast", "vote", "trend_1d"):
        assert (x[:, FEATURES.index(name)] == 0).all()
    assert np.isfinite(feature_matrix(PLAIN | {"atr_pct": np.zeros(20)}, np.ones(20), CODES)).all()


def test_each_candidate_is_in_one_regime():
    x = feature_matrix(PLAIN, np.ones(20), CODES)
    regimes = x[:, [i for i, name in enumerate(FEATURES) if name.startswith("in_")]]
    np.testing.assert_array_equal(regimes.argmax(axis=1), CODES)
    assert (regimes.sum(axis=1) == 1).all()


def test_a_missing_reading_is_named():
    with pytest.raises(DataError, match="adx"):
        feature_matrix({name: values for name, values in PLAIN.items() if name != "adx"}, np.ones(20), CODES)
