"""Indicators: right by hand, causal to the bit, and safe against what exchanges deliver."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.market.indicators import INDICATOR_COLUMNS, compute_indicators, startup_candles
from adaptive_pkg.settings.market import IndicatorSettings

SHORT = IndicatorSettings(reference_period=50, sigma_halflife=10)


def with_outage(candles: pd.DataFrame, start: int, length: int) -> pd.DataFrame:
    """Replace candles by what freqtrade puts in for an exchange outage."""
    rows = slice(start, start + length)
    candles = candles.copy()
    candles.loc[candles.index[rows], ["open", "high", "low", "close"]] = candles["close"].iloc[start - 1]
    candles.loc[candles.index[rows], "volume"] = 0.0
    return candles


def test_adds_every_named_column_and_keeps_the_candles(random_candles):
    candles = random_candles(200)
    result = compute_indicators(candles, SHORT)
    assert list(result.columns) == [*candles.columns, *INDICATOR_COLUMNS]
    pd.testing.assert_frame_equal(result[candles.columns], candles)


def test_computing_twice_replaces_instead_of_doubling_columns(random_candles):
    once = compute_indicators(random_candles(200), SHORT)
    pd.testing.assert_frame_equal(compute_indicators(once, SHORT), once)


def test_all_values_are_finite_after_the_warm_up(random_candles):
    late = compute_indicators(random_candles(1500), IndicatorSettings()).iloc[800:]
    assert np.isfinite(late[list(INDICATOR_COLUMNS)].to_numpy()).all()


def test_momentum_compares_with_the_close_exactly_that_many_candles_back(random_candles):
    candles = random_candles(100)
    momentum = compute_indicators(candles, IndicatorSettings(momentum_period=7))["momentum_pct"]
    expected = 100 * (candles["close"].iloc[50] / candles["close"].iloc[43] - 1)
    assert momentum.iloc[50] == pytest.approx(expected, rel=1e-12)
    assert momentum.iloc[:7].isna().all()
    assert np.isfinite(momentum.iloc[7])


def test_donchian_channel_leaves_the_current_candle_out(random_candles):
    candles = random_candles(100)
    candles.loc[60, "high"] = 1_000.0  # a spike that only later candles may see
    candles.loc[60, "low"] = 1.0
    result = compute_indicators(candles, IndicatorSettings(donchian_period=10))
    assert result["donchian_high"].iloc[60] == candles["high"].iloc[50:60].max()
    assert result["donchian_low"].iloc[60] == candles["low"].iloc[50:60].min()
    assert result["donchian_high"].iloc[61] == 1_000.0


def test_volume_ratio_leaves_the_current_candle_out(random_candles):
    candles = random_candles(100)
    result = compute_indicators(candles, IndicatorSettings(volume_period=5))["volume_ratio"]
    assert result.iloc[50] == pytest.approx(candles["volume"].iloc[50] / candles["volume"].iloc[45:50].mean())


def test_bollinger_width_and_atr_percent_have_the_documented_units(random_candles):
    result = compute_indicators(random_candles(100), SHORT).iloc[-1]
    assert result["bb_width"] == pytest.approx(
        (result["bb_upper"] - result["bb_lower"]) / result["bb_middle"]
    )
    assert result["atr_pct"] == pytest.approx(100 * result["atr"] / result["close"])


def test_ratios_are_against_their_own_trailing_mean(random_candles):
    result = compute_indicators(random_candles(300), SHORT)
    for ratio, source in (("atr_ratio", "atr_pct"), ("width_ratio", "bb_width")):
        expected = result[source].iloc[-1] / result[source].iloc[-50:].mean()
        assert result[ratio].iloc[-1] == pytest.approx(expected, rel=1e-9)


def test_sigma_finds_the_volatility_that_made_the_candles(random_candles):
    sigma = compute_indicators(random_candles(5000, sigma=0.006), IndicatorSettings(sigma_halflife=400))[
        "sigma"
    ]
    assert sigma.iloc[-1] == pytest.approx(0.006, rel=0.1)


# random_candles only makes frames, so sharing it between examples is safe.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 398), seed=st.integers(0, 50))
def test_appending_candles_changes_nothing_already_computed(random_candles, cut, seed):
    candles = random_candles(400, seed=seed)
    whole = compute_indicators(candles, SHORT)
    part = compute_indicators(candles.iloc[:cut], SHORT)
    pd.testing.assert_frame_equal(part, whole.iloc[:cut], check_exact=True)


def test_one_candle_gives_one_row_of_nan(random_candles):
    result = compute_indicators(random_candles(1), IndicatorSettings())
    assert len(result) == 1
    assert result[list(INDICATOR_COLUMNS)].isna().all(axis=None)


def test_an_outage_filled_with_flat_candles_gives_no_nan_and_no_infinity(random_candles):
    candles = with_outage(random_candles(600), 300, 34)
    result = compute_indicators(candles, SHORT)
    assert np.isfinite(result.iloc[150:][list(INDICATOR_COLUMNS)].to_numpy()).all()
    assert (result["volume_ratio"].iloc[300:334] == 0).all()
    # The reference of the first candle after the outage is all zero: documented as 0, not infinity.
    assert result["volume_ratio"].iloc[334] == 0


def test_a_market_that_never_moved_is_neutral(random_candles):
    candles = random_candles(200)
    candles[["open", "high", "low", "close"]] = 5.0
    last = compute_indicators(candles, SHORT).iloc[-1]
    assert (last["rsi"], last["atr_ratio"], last["width_ratio"]) == (50.0, 1.0, 1.0)
    assert last[["adx", "atr", "sigma", "momentum_pct"]].eq(0).all()


def test_cheap_coins_get_the_same_indicators_as_dear_ones(random_candles):
    candles = random_candles(300)
    cheap = candles.copy()
    cheap[["open", "high", "low", "close"]] *= 1e-7
    scale_free = ["adx", "rsi", "atr_pct", "bb_width", "momentum_pct", "sigma", "volume_ratio"]
    dear_row, cheap_row = (
        compute_indicators(frame, SHORT)[scale_free].iloc[-1] for frame in (candles, cheap)
    )
    np.testing.assert_allclose(cheap_row, dear_row, rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "bad"), [("close", np.nan), ("high", np.inf), ("low", 0.0), ("open", -1.0), ("volume", -1.0)]
)
def test_a_bad_candle_is_refused_with_column_and_first_date(random_candles, column, bad):
    candles = random_candles(100)
    candles.loc[[40, 60], column] = bad
    with pytest.raises(DataError, match=rf"'{column}' is .* at 2022-01-02 16:00:00\+00:00 .*2 such candles"):
        compute_indicators(candles, SHORT)


def test_a_missing_or_textual_column_is_named(random_candles):
    with pytest.raises(DataError, match="no column 'volume'"):
        compute_indicators(random_candles(10).drop(columns="volume"), SHORT)
    with pytest.raises(DataError, match="'close' holds"):
        compute_indicators(random_candles(10).assign(close="dear"), SHORT)


def test_startup_follows_the_longest_memory():
    default = startup_candles(IndicatorSettings())
    assert default <= 999  # one call to Binance brings a live bot far enough
    assert startup_candles(IndicatorSettings(reference_period=1500)) > 1500
    assert startup_candles(IndicatorSettings(sigma_halflife=100)) > default
    assert startup_candles(IndicatorSettings(adx_period=100)) > default


@pytest.mark.parametrize(
    "chosen",
    [
        IndicatorSettings(),
        SHORT,
        IndicatorSettings(reference_period=50, sigma_halflife=5, adx_period=50),
        IndicatorSettings(reference_period=50, sigma_halflife=5, ema_slow=200),
        IndicatorSettings(reference_period=50, sigma_halflife=5, atr_period=60),
        IndicatorSettings(reference_period=50, sigma_halflife=5, macd_slow=120),
    ],
    ids=["defaults", "short", "slow ADX", "slow EMA", "slow ATR", "slow MACD"],
)
def test_after_the_startup_candles_no_indicator_depends_on_the_beginning(random_candles, chosen):
    candles = random_candles(4000, seed=3)
    candles.loc[:, ["open", "high", "low", "close"]] *= np.where(np.arange(4000) < 2000, 1.0, 1.3)[:, None]
    whole = compute_indicators(candles, chosen)
    need = startup_candles(chosen)
    for end in (2400, 2900, 3500, 3999):
        tail = compute_indicators(candles.iloc[end - need : end + 1], chosen).iloc[-1]
        for name in INDICATOR_COLUMNS:
            assert tail[name] == pytest.approx(whole[name].iloc[end], rel=1e-4), (name, end)


def test_macd_periods_must_be_in_order():
    with pytest.raises(SettingsError, match="macd_fast: 30 must be below macd_slow"):
        IndicatorSettings(macd_fast=30)


@pytest.mark.real_data
@pytest.mark.parametrize("pair", ["BTC/USDT", "LINK/USDT"])
def test_real_candles_give_finite_indicators_in_their_ranges(real_candles, pair):
    late = compute_indicators(real_candles(pair), IndicatorSettings()).iloc[840:]
    assert np.isfinite(late[list(INDICATOR_COLUMNS)].to_numpy()).all()
    assert late["rsi"].between(0, 100).all()
    assert late["adx"].between(0, 100).all()
    assert (late["sigma"] > 0).all()
