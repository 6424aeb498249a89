"""What the forecaster is fed: twelve stationary features of a candle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.market.candles import check_candles, is_filler
from adaptive_pkg.market.indicators import indicator_arrays, trailing_mean
from adaptive_pkg.settings.market import IndicatorSettings

FORECAST_FEATURES = (
    "volatility_level",
    "high_reach",
    "low_reach",
    "log_return",
    "volume_level",
    "rsi_centred",
    "macd_atr",
    "sma_distance",
    "ema_distance",
    "band_position",
    "band_width",
    "volume_trend",
)


def forecast_features(candles: pd.DataFrame, settings: IndicatorSettings) -> pd.DataFrame:
    """Return the 12 columns of `FORECAST_FEATURES`, one row per candle, on the index of `candles`.

    σ is the EWMA standard deviation of log returns per candle. None holds a price level.

    | feature | in the place of | is |
    |---|---|---|
    | volatility_level | open | log of ATR % over its mean of the last `reference_period` candles |
    | high_reach | high | log(high / close) / σ |
    | low_reach | low | log(close / low) / σ |
    | log_return | close | log(close / previous close) / σ |
    | volume_level | volume | log(1 + volume / mean volume of the candles before) |
    | rsi_centred | RSI | (RSI − 50) / 50 |
    | macd_atr | MACD | MACD / ATR |
    | sma_distance | SMA 20 | (close − Bollinger middle) / ATR |
    | ema_distance | EMA 50 | (close − slow EMA) / ATR |
    | band_position | upper band | (close − middle) / (upper − middle) |
    | band_width | lower band | log of Bollinger width over its trailing mean |
    | volume_trend | volume SMA | log of mean volume over its mean of the last `reference_period` candles |

    The open has no feature of its own: a market that never closes opens where it closed, so a gap
    feature is all but constant zero, on which a robust scaler would blow up. Its place goes to the
    level of volatility, the strongest single predictor of the volatility to come.

    A row is wholly NaN while any feature lacks history, and for a candle that stands in for an exchange
    outage (no volume, flat): a window over it is then refused instead of learned from. One candle gives
    one NaN row. Appending candles changes nothing already computed.

    Raises:
        DataError: missing column, NaN, infinity, price ≤ 0 or volume < 0; names column and first date.
    """
    raw = check_candles(candles)
    high, low, close = raw["high"], raw["low"], raw["close"]
    known = indicator_arrays(raw, settings)
    sigma, atr = known["sigma"], known["atr"]
    log_return = np.full(len(close), np.nan)
    log_return[1:] = np.diff(np.log(close))
    mean_volume = trailing_mean(raw["volume"], settings.volume_period)
    with np.errstate(divide="ignore", invalid="ignore"):
        block = np.column_stack(
            [
                np.log(known["atr_ratio"]),
                np.log(high / close) / sigma,
                np.log(close / low) / sigma,
                log_return / sigma,
                np.log1p(known["volume_ratio"]),
                (known["rsi"] - 50.0) / 50.0,
                known["macd"] / atr,
                (close - known["bb_middle"]) / atr,
                (close - known["ema_slow"]) / atr,
                (close - known["bb_middle"]) / (known["bb_upper"] - known["bb_middle"]),
                np.log(known["width_ratio"]),
                np.log(mean_volume / trailing_mean(raw["volume"], settings.reference_period)),
            ]
        )
    block[~np.isfinite(block).all(axis=1) | is_filler(raw)] = np.nan
    return pd.DataFrame(block, index=candles.index, columns=list(FORECAST_FEATURES))
