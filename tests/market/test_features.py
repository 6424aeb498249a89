"""Forecast features: twelve, stationary, causal, and silent where there is nothing to learn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.features import FORECAST_FEATURES, forecast_features
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.settings.market import IndicatorSettings

SHORT = IndicatorSettings(reference_period=50, sigma_halflife=10)


def test_twelve_columns_with_names_freqai_may_prefix(random_candles):
    features = forecast_features(random_candles(200), SHORT)
    assert tuple(features.columns) == FORECAST_FEATURES
    assert len(set(FORECAST_FEATURES)) == 12
    assert not any(set(name) & set("%&:") for name in FORECAST_FEATURES)


def test_rows_are_whole_or_wholly_nan(random_candles):
    candles = random_candles(400)
    missing = forecast_features(candles, SHORT).isna()
    assert (missing.all(axis=1) == missing.any(axis=1)).all()
    assert missing.iloc[0].all()
    assert not missing.iloc[150:].any(axis=None)


def test_the_warm_up_ends_within_the_startup_candles(random_candles):
    features = forecast_features(random_candles(1200), IndicatorSettings())
    assert features.iloc[startup_candles(IndicatorSettings()) :].notna().all(axis=None)


def test_features_are_what_the_table_says(random_candles):
    candles = random_candles(300)
    known = compute_indicators(candles, SHORT).iloc[-1]
    row, before = candles.iloc[-1], candles.iloc[-2]
    expected = {
        "volatility_level": np.log(known["atr_ratio"]),
        "high_reach": np.log(row["high"] / row["close"]) / known["sigma"],
        "low_reach": np.log(row["close"] / row["low"]) / known["sigma"],
        "log_return": np.log(row["close"] / before["close"]) / known["sigma"],
        "volume_level": np.log(1 + known["volume_ratio"]),
        "rsi_centred": known["rsi"] / 50 - 1,
        "macd_atr": known["macd"] / known["atr"],
        "sma_distance": (row["close"] - known["bb_middle"]) / known["atr"],
        "ema_distance": (row["close"] - known["ema_slow"]) / known["atr"],
        "band_position": (row["close"] - known["bb_middle"]) / (known["bb_upper"] - known["bb_middle"]),
        "band_width": np.log(known["width_ratio"]),
        "volume_trend": np.log(candles["volume"].iloc[-20:].mean() / candles["volume"].iloc[-50:].mean()),
    }
    assert forecast_features(candles, SHORT).iloc[-1].to_dict() == pytest.approx(expected, rel=1e-9)


# random_candles only makes frames, so sharing it between examples is safe.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 398), seed=st.integers(0, 50))
def test_appending_candles_changes_nothing_already_computed(random_candles, cut, seed):
    candles = random_candles(400, seed=seed)
    part = forecast_features(candles.iloc[:cut], SHORT)
    pd.testing.assert_frame_equal(part, forecast_features(candles, SHORT).iloc[:cut], check_exact=True)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scale=st.floats(1e-6, 1e6), volume_scale=st.floats(1e-3, 1e6))
def test_no_feature_knows_the_level_of_price_or_volume(random_candles, scale, volume_scale):
    candles = random_candles(300)
    other = candles.copy()
    other[["open", "high", "low", "close"]] *= scale
    other["volume"] *= volume_scale
    np.testing.assert_allclose(
        forecast_features(other, SHORT), forecast_features(candles, SHORT), rtol=1e-6, atol=1e-6
    )


def test_one_candle_gives_one_nan_row_with_the_same_columns(random_candles):
    features = forecast_features(random_candles(1), IndicatorSettings())
    assert tuple(features.columns) == FORECAST_FEATURES
    assert features.shape == (1, 12)
    assert features.isna().all(axis=None)


def test_candles_that_stand_in_for_an_outage_are_nan_and_only_they(random_candles):
    candles = random_candles(400)
    outage = slice(200, 234)
    candles.iloc[outage, 1:5] = candles["close"].iloc[199]
    candles.iloc[outage, 5] = 0.0
    missing = forecast_features(candles, SHORT).isna().all(axis=1)
    assert missing.iloc[outage].all()
    assert not missing.iloc[150:200].any()
    assert not missing.iloc[234:].any()


def test_a_flat_candle_with_volume_is_a_real_candle(random_candles):
    candles = random_candles(300)
    candles.iloc[200, 1:5] = candles["close"].iloc[199]
    assert forecast_features(candles, SHORT).iloc[200].notna().all()


def test_returns_come_in_units_of_sigma(random_candles):
    features = forecast_features(random_candles(5000), IndicatorSettings())
    assert features["log_return"].std() == pytest.approx(1.0, abs=0.1)
    assert features["rsi_centred"].between(-1, 1).loc[1000:].all()


def test_nan_in_the_candles_is_refused(random_candles):
    candles = random_candles(100)
    candles.loc[50, "close"] = np.nan
    with pytest.raises(DataError, match="'close' is nan"):
        forecast_features(candles, SHORT)


@pytest.mark.real_data
def test_real_features_are_on_one_scale_over_the_years(real_candles):
    features = forecast_features(real_candles("BTC/USDT"), IndicatorSettings())
    kept = features.dropna()
    assert len(kept) > 0.97 * len(features)
    early, late = kept.iloc[: len(kept) // 2], kept.iloc[len(kept) // 2 :]
    assert ((early.median() - late.median()).abs() < 0.35 * kept.std()).all()
    assert (kept.quantile(0.75) - kept.quantile(0.25) > 0.05).all()  # no column a scaler would blow up
