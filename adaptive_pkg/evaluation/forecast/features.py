"""Features the forecasts are judged on: the shipped ones, or these and what is known about volatility."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

from adaptive_pkg.forecast.baselines import har_terms
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.indicators import trailing_mean
from adaptive_pkg.settings import IndicatorSettings

RANGE_SPANS = (3, 6, 12, 24, 72, 168)  # candles


class FeatureSet(StrEnum):
    SHIPPED = "shipped"  # the twelve the strategy gives FreqAI
    EXTENDED = "extended"  # and past volatility over longer spans, from ranges too, and the clock


def panel_features(
    candles: pd.DataFrame, horizon: int, settings: IndicatorSettings, chosen: FeatureSet
) -> pd.DataFrame:
    """The chosen features, names as FreqAI sees them; a row is wholly NaN where one is unknown."""
    features = forecast_features(candles, settings)
    if chosen is FeatureSet.EXTENDED:
        features = pd.concat([features, volatility_features(candles, horizon, settings)], axis=1)
        features[features.isna().any(axis=1)] = np.nan
    return features.add_prefix("%-")


def volatility_features(candles: pd.DataFrame, horizon: int, settings: IndicatorSettings) -> pd.DataFrame:
    """What the volatility to come is known to depend on; no price level, one row per candle.

    | feature | is |
    |---|---|
    | past_volatility_k | log volatility of the last k candles over its level, the HAR terms |
    | long_volatility | log of that level: volatility far from its usual size returns to it |
    | range_volatility_k | as the first, from highs and lows (Garman & Klass 1980, J. Business 53) |
    | day_sin … half_day_cos | time of day: activity follows the sun round the exchanges |
    | friday, weekend, sunday, weekend_sin, weekend_cos | the days that are unlike the others, UTC |

    k of the first: the horizon, a day and a week; of the second: `RANGE_SPANS`. Ranges hold about five times
    the information of closes. The clock is left out where a candle is longer than six hours.
    """
    dates, close = candles["date"], candles["close"].to_numpy()
    step = dates.diff().median()
    day = max(round(pd.Timedelta("1D") / step), 1)
    level = settings.reference_period
    spans = sorted({span for span in (horizon, day, 7 * day) if span > 1})
    known = har_terms(close, level, spans)
    columns = {f"past_volatility_{span}": known[:, i] for i, span in enumerate(spans)}
    columns["long_volatility"] = known[:, -1]
    high, low, last, first = (np.log(candles[name].to_numpy()) for name in ("high", "low", "close", "open"))
    variance = 0.5 * (high - low) ** 2 - (2.0 * np.log(2.0) - 1.0) * (last - first) ** 2
    for span in RANGE_SPANS:
        with np.errstate(divide="ignore", invalid="ignore"):
            logged = 0.5 * np.log(np.maximum(trailing_mean(np.maximum(variance, 0.0), span), 1e-12))
        columns[f"range_volatility_{span}"] = logged - known[:, -1]
    clock = calendar(dates)
    return pd.concat([pd.DataFrame(columns, index=candles.index), clock.set_axis(candles.index)], axis=1)


def calendar(dates: pd.Series) -> pd.DataFrame:
    """Time of day and day of week as columns; none where candles are longer than six hours."""
    if dates.diff().median() > pd.Timedelta("6h"):
        return pd.DataFrame(index=dates.index)
    angle = 2.0 * np.pi * (dates.dt.hour + dates.dt.minute / 60.0) / 24.0
    weekday = dates.dt.day_of_week
    weekend = (weekday >= 5).astype(float)
    return pd.DataFrame(
        {
            "day_sin": np.sin(angle),
            "day_cos": np.cos(angle),
            "half_day_sin": np.sin(2.0 * angle),
            "half_day_cos": np.cos(2.0 * angle),
            "friday": (weekday == 4).astype(float),
            "weekend": weekend,
            "sunday": (weekday == 6).astype(float),
            "weekend_sin": weekend * np.sin(angle),
            "weekend_cos": weekend * np.cos(angle),
        }
    )
