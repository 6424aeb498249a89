"""Support and resistance: swings count once they are confirmed, and until they are old."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.market.levels import NO_LEVEL_ATR, SWING_WING, nearest_levels
from adaptive_pkg.settings.market import IndicatorSettings


def flat(n: int = 60, price: float = 100.0, atr: float = 2.0) -> pd.DataFrame:
    return pd.DataFrame({"high": price + 1, "low": price - 1, "close": price, "atr": atr}, index=range(n))


def test_a_swing_high_becomes_resistance_when_it_is_confirmed():
    frame = flat()
    frame.loc[20, "high"] = 110.0
    found = nearest_levels(frame, 30)["resistance_atr"]
    confirmed = 20 + SWING_WING
    assert (found.loc[: confirmed - 1] == NO_LEVEL_ATR).all()
    assert found.loc[confirmed] == pytest.approx((110 - 100) / 2)


def test_a_swing_low_is_support_until_it_is_old():
    frame = flat()
    frame.loc[20, "low"] = 94.0
    found = nearest_levels(frame, 30)["support_atr"]
    assert found.loc[50] == pytest.approx(3.0)
    assert found.loc[51] == NO_LEVEL_ATR


def test_the_nearest_of_several_levels_counts():
    frame = flat()
    frame.loc[10, "high"] = 104.0
    frame.loc[20, "high"] = 120.0
    assert nearest_levels(frame, 50)["resistance_atr"].loc[30] == pytest.approx(2.0)


def test_a_broken_level_no_longer_counts():
    frame = flat()
    frame.loc[10, "high"] = 104.0
    frame.loc[20, "high"] = 120.0
    frame.loc[30:, "close"] = 105.0
    frame.loc[30:, "high"] = 105.5 + 0.01 * np.arange(30)  # rising: makes no swing of its own
    assert nearest_levels(frame, 50)["resistance_atr"].loc[35] == pytest.approx((120 - 105) / 2)


def test_a_flat_market_has_no_levels_and_no_nan():
    found = nearest_levels(flat(atr=0.0), 30)
    assert (found == NO_LEVEL_ATR).all(axis=None)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 100), cut=st.integers(1, 299))
def test_causal_and_free_of_nan(random_candles, seed, cut):
    frame = compute_indicators(random_candles(300, seed=seed), IndicatorSettings())
    whole = nearest_levels(frame, 100)
    assert whole.notna().all(axis=None)
    assert ((whole >= 0) & (whole <= NO_LEVEL_ATR)).all(axis=None)
    pd.testing.assert_frame_equal(nearest_levels(frame.iloc[:cut], 100), whole.iloc[:cut], check_exact=True)


def test_turning_the_market_upside_down_swaps_support_and_resistance(random_candles):
    frame = compute_indicators(random_candles(300), IndicatorSettings())[["high", "low", "close", "atr"]]
    mirrored = pd.DataFrame(
        {"high": -frame["low"], "low": -frame["high"], "close": -frame["close"], "atr": frame["atr"]}
    )
    found, swapped = nearest_levels(frame, 100), nearest_levels(mirrored, 100)
    np.testing.assert_array_equal(found["support_atr"], swapped["resistance_atr"])


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="levels need column 'atr'"):
        nearest_levels(flat().drop(columns="atr"), 30)
