"""Trends of higher timeframes: known when their candle closes, and not a candle earlier."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.higher_trend import TREND_COLUMNS, add_higher_trends, trend_reading
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.settings import IndicatorSettings

SETTINGS = IndicatorSettings()


def test_a_rising_market_reads_up_a_falling_one_down_and_a_young_one_not_at_all(random_candles):
    candles = random_candles(200)
    for slope, expected in ((1.001, 1.0), (0.999, -1.0)):
        candles["close"] = 100 * slope ** np.arange(200.0)
        trend = trend_reading(candles, SETTINGS)["trend"]
        assert trend.iloc[: SETTINGS.ema_slow - 1].isna().all()
        assert (trend.iloc[SETTINGS.ema_slow :] == expected).all()


def test_a_long_candle_counts_from_the_close_of_its_last_short_one(random_candles):
    candles = random_candles(1_000)
    frame = add_higher_trends(candles, SETTINGS, ["4h"])
    reading = trend_reading(resample(candles, "4h"), SETTINGS).set_index("date")["trend"]
    for row in (400, 401, 402, 403, 999):
        closed = candles["date"].iloc[row] + pd.Timedelta("1h") - pd.Timedelta("4h")
        assert frame["trend_4h"].iloc[row] == reading[closed.floor("4h")]


@pytest.mark.parametrize("known", [260, 401, 998])
def test_later_candles_change_nothing(random_candles, known):
    candles = random_candles(1_500)
    part = add_higher_trends(candles.head(known), SETTINGS)
    pd.testing.assert_frame_equal(part, add_higher_trends(candles, SETTINGS).head(known), check_exact=True)


def test_a_gap_leaves_the_last_known_trend(random_candles):
    candles = random_candles(1_000)
    holed = candles.drop(index=range(600, 634)).reset_index(drop=True)  # 34 hours, as in February 2018
    frame = add_higher_trends(holed, SETTINGS, ["4h"])
    assert frame["trend_4h"].iloc[300:].notna().all()


def test_a_timeframe_that_is_shorter_than_the_candles_is_named(random_candles):
    with pytest.raises(DataError, match="15m is shorter"):
        add_higher_trends(random_candles(100), SETTINGS, ["15m"])
    with pytest.raises(DataError, match="at least two"):
        add_higher_trends(random_candles(1), SETTINGS)


@pytest.mark.real_data
def test_joined_candles_give_what_the_exchanges_own_longer_candles_give(real_candles):
    hourly = real_candles("SOL/USDT")
    frame = add_higher_trends(hourly, SETTINGS)
    for timeframe, column in zip(("4h", "1d"), TREND_COLUMNS, strict=True):
        reading = trend_reading(real_candles("SOL/USDT", timeframe), SETTINGS)
        known = reading["date"] + pd.Timedelta(timeframe) - pd.Timedelta("1h")
        merged = pd.merge_asof(
            hourly[["date"]].astype("datetime64[ms, UTC]"),
            pd.DataFrame({"date": known.astype("datetime64[ms, UTC]"), "trend": reading["trend"]}),
            on="date",
        )
        # the exchange's first candle may be an incomplete one; the averages forget it
        both = frame[column].iloc[5_000:], merged["trend"].iloc[5_000:]
        pd.testing.assert_series_equal(*both, check_names=False)
