from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.forecast.features import FeatureSet
from adaptive_pkg.evaluation.forecast.panel import build_panel, fill_gaps

from .conftest import INDICATORS

HORIZON = 6


def panel(candles, chosen=FeatureSet.EXTENDED):
    return build_panel("AAA/USDT", candles, HORIZON, INDICATORS, chosen)


def test_a_hole_becomes_flat_candles_that_no_feature_and_no_target_touches(clustered_candles):
    whole = clustered_candles(days=20)
    gap = whole.drop(range(300, 310)).reset_index(drop=True)
    filled = fill_gaps(gap)
    assert len(filled) == len(whole)
    assert (filled.loc[300:309, ["open", "high", "low", "close"]] == whole.loc[299, "close"]).all(axis=None)
    seen = panel(gap)
    assert seen.features.iloc[300:310].isna().all(axis=None)
    # a target from t looks at t … t + HORIZON
    assert seen.labels.iloc[300 - HORIZON : 310].isna().all(axis=None)
    assert seen.labels.iloc[310:330].notna().all(axis=None)


@pytest.mark.parametrize("chosen", list(FeatureSet))
def test_later_candles_change_no_feature(clustered_candles, chosen):
    whole, part = clustered_candles(days=20), clustered_candles(days=20).head(400)
    before, after = panel(part, chosen), panel(whole, chosen)
    known = before.features.iloc[:400]
    assert known.notna().all(axis=1).sum() > 100
    pd.testing.assert_frame_equal(known, after.features.iloc[:400])
    np.testing.assert_array_equal(before.har, after.har[:400])
    np.testing.assert_array_equal(before.past_volatility, after.past_volatility[:400])


def test_the_extended_features_hold_the_shipped_ones_and_no_price(clustered_candles):
    shipped, extended = (
        panel(clustered_candles(days=20), FeatureSet.SHIPPED),
        panel(clustered_candles(days=20)),
    )
    assert set(shipped.features) < set(extended.features)
    scaled = clustered_candles(days=20)
    scaled[["open", "high", "low", "close"]] *= 1000.0
    known = extended.features.notna().all(axis=1)
    np.testing.assert_allclose(panel(scaled).features[known], extended.features[known], atol=1e-6)


def test_the_clock_is_left_out_of_long_candles(clustered_candles):
    daily = clustered_candles(days=400).iloc[::24].reset_index(drop=True)
    names = panel(daily).features.columns
    assert not any("day" in name or "weekend" in name for name in names)
    assert panel(daily).features.notna().all(axis=1).sum() > 100


def test_the_digest_sees_one_changed_candle(clustered_candles):
    first, second = clustered_candles(days=20), clustered_candles(days=20)
    second.loc[450, "close"] *= 1.001
    second.loc[450, "high"] *= 1.01
    rows = slice(200, 470)
    assert panel(first).digest(rows) == panel(clustered_candles(days=20)).digest(rows)
    assert panel(first).digest(rows) != panel(second).digest(rows)


def test_a_candle_off_the_grid_is_refused(clustered_candles):
    odd = clustered_candles(days=5)
    odd.loc[50, "date"] += pd.Timedelta("7min")
    with pytest.raises(DataError, match=r":07:00.*not a multiple"):
        fill_gaps(odd)
