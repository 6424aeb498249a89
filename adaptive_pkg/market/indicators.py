"""Indicators: every number that rules, stops and the regime are made of."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import talib

from adaptive_pkg.market.candles import check_candles
from adaptive_pkg.market.trend_state import trend_startup
from adaptive_pkg.settings.market import IndicatorSettings

INDICATOR_COLUMNS = (
    "adx",
    "plus_di",
    "minus_di",
    "atr",
    "atr_pct",
    "rsi",
    "macd",
    "macd_signal",
    "macd_hist",
    "ema_fast",
    "ema_slow",
    "bb_upper",
    "bb_middle",
    "bb_lower",
    "bb_width",
    "donchian_high",
    "donchian_low",
    "volume_ratio",
    "momentum_pct",
    "atr_ratio",
    "width_ratio",
    "sigma",
)

# What may be left of an unknown starting value, as a part of it. EMAs enter differences (MACD) that are
# far smaller than the price, so they get a tighter bound than a variance or a mean, which enter alone.
_PRICE_RESIDUE = 1e-7
_RATIO_RESIDUE = 1e-5


def compute_indicators(candles: pd.DataFrame, settings: IndicatorSettings) -> pd.DataFrame:
    """Return `candles` with the columns of `INDICATOR_COLUMNS` added (replaced where they exist).

    Wilder's ADX, DI, ATR and RSI, EMA, MACD and Bollinger bands are TA-Lib's. Beside them:

    - `atr_pct`: ATR in percent of the close. `bb_width`: (upper − lower) / middle, a fraction.
    - `donchian_high`, `donchian_low`: extremes of the `donchian_period` candles before this one.
    - `volume_ratio`: volume / mean volume of the `volume_period` candles before this one. A candle
      without volume has 0; so has a candle whose reference has no volume at all (after an outage).
    - `momentum_pct`: close against the close exactly `momentum_period` candles back, in percent.
    - `atr_ratio`, `width_ratio`: ATR % and Bollinger width over their own mean of the last
      `reference_period` candles, this one included; 1 where that mean is 0 (a market that never moved).
    - `sigma`: root of the exponentially weighted mean of squared log returns, per candle (RiskMetrics).

    Values are NaN until each indicator has enough candles, and exact for appended candles: nothing
    already computed changes. Where price has never moved, RSI is 50 (TA-Lib says 0, i.e. oversold).

    Raises:
        DataError: missing column, NaN, infinity, price ≤ 0 or volume < 0; names column and first date.
    """
    raw = check_candles(candles)
    added = indicator_arrays(raw, settings)
    block = pd.DataFrame(added, index=candles.index, copy=False)
    kept = candles.drop(columns=[name for name in INDICATOR_COLUMNS if name in candles.columns])
    return pd.concat([kept, block], axis=1)


def startup_candles(settings: IndicatorSettings) -> int:
    """Candles after which no indicator depends on where the history began (to 0.01 %).

    A recursive average forgets its start as (1 − α)^n: n is solved for what may remain. Trailing means
    of `reference_period` need their whole span, behind an ATR whose own error is averaged down.
    """
    longest_wilder = max(settings.adx_period, settings.rsi_period, settings.atr_period)
    reference_residue = _RATIO_RESIDUE * settings.reference_period / settings.atr_period
    needs = (
        # ADX smooths a smoothed value: forgetting takes about twice the lookback more.
        2 * settings.adx_period + _forgetting(1 - 1 / longest_wilder, _PRICE_RESIDUE, stages=2),
        settings.ema_slow + _forgetting(1 - 2 / (settings.ema_slow + 1), _PRICE_RESIDUE),
        settings.macd_slow
        + _forgetting(1 - 2 / (max(settings.macd_slow, settings.macd_signal) + 1), _PRICE_RESIDUE, stages=2),
        _forgetting(0.5 ** (1 / settings.sigma_halflife), _RATIO_RESIDUE),
        settings.reference_period
        + settings.atr_period
        + _forgetting(1 - 1 / settings.atr_period, min(reference_residue, 0.1)),
        settings.reference_period + settings.bollinger_period,
        settings.donchian_period + 1,
        settings.volume_period + 1,
        settings.momentum_period + 1,
        trend_startup(settings.trend_lookbacks),
    )
    return max(needs)


def indicator_arrays(raw: dict[str, np.ndarray], settings: IndicatorSettings) -> dict[str, np.ndarray]:
    """Return the columns of `compute_indicators` from checked OHLCV arrays."""
    high, low, close, volume = raw["high"], raw["low"], raw["close"], raw["volume"]
    atr = talib.ATR(high, low, close, settings.atr_period)
    atr_pct = 100.0 * atr / close
    rsi = talib.RSI(close, settings.rsi_period)
    rsi[(rsi == 0) & (atr == 0)] = 50.0
    upper, middle, lower = talib.BBANDS(
        close, settings.bollinger_period, settings.bollinger_deviations, settings.bollinger_deviations
    )
    width = (upper - lower) / middle
    macd, macd_signal, macd_hist = talib.MACD(
        close, settings.macd_fast, settings.macd_slow, settings.macd_signal
    )
    return {
        "adx": talib.ADX(high, low, close, settings.adx_period),
        "plus_di": talib.PLUS_DI(high, low, close, settings.adx_period),
        "minus_di": talib.MINUS_DI(high, low, close, settings.adx_period),
        "atr": atr,
        "atr_pct": atr_pct,
        "rsi": rsi,
        "macd": macd,
        "macd_signal": macd_signal,
        "macd_hist": macd_hist,
        "ema_fast": talib.EMA(close, settings.ema_fast),
        "ema_slow": talib.EMA(close, settings.ema_slow),
        "bb_upper": upper,
        "bb_middle": middle,
        "bb_lower": lower,
        "bb_width": width,
        "donchian_high": _previous(talib.MAX(high, settings.donchian_period)),
        "donchian_low": _previous(talib.MIN(low, settings.donchian_period)),
        "volume_ratio": _volume_ratio(volume, settings.volume_period),
        "momentum_pct": talib.ROC(close, settings.momentum_period),
        "atr_ratio": _ratio_to_trailing_mean(atr_pct, settings.reference_period),
        "width_ratio": _ratio_to_trailing_mean(width, settings.reference_period),
        "sigma": _sigma(close, settings.sigma_halflife),
    }


def _previous(values: np.ndarray) -> np.ndarray:
    """Each candle gets the value of the candle before it."""
    shifted = np.empty_like(values)
    shifted[:1] = np.nan
    shifted[1:] = values[:-1]
    return shifted


def trailing_mean(values: np.ndarray, period: int) -> np.ndarray:
    """Mean of the last `period` values, this one included; NaN until there are as many."""
    return pd.Series(values, copy=False).rolling(period).mean().to_numpy()


def _volume_ratio(volume: np.ndarray, period: int) -> np.ndarray:
    reference = _previous(trailing_mean(volume, period))
    ratio = np.divide(volume, reference, out=np.zeros_like(volume), where=reference > 0)
    ratio[np.isnan(reference)] = np.nan
    return ratio


def _ratio_to_trailing_mean(values: np.ndarray, period: int) -> np.ndarray:
    reference = trailing_mean(values, period)
    ratio = np.divide(values, reference, out=np.ones_like(values), where=reference > 0)
    ratio[np.isnan(reference)] = np.nan
    return ratio


def _sigma(close: np.ndarray, halflife: int) -> np.ndarray:
    returns = np.empty_like(close)
    returns[:1] = np.nan
    returns[1:] = np.diff(np.log(close))
    variance = pd.Series(returns * returns, copy=False).ewm(halflife=halflife, min_periods=halflife).mean()
    return np.sqrt(variance.to_numpy())


def _forgetting(keep: float, residue: float, stages: int = 1) -> int:
    """Candles until `keep`**n falls to `residue`; with two stages, until (1 + n (1 − keep)) keep**n does."""
    candles = math.ceil(math.log(residue) / math.log(keep))
    if stages == 2:
        while (1 + candles * (1 - keep)) * keep**candles > residue:
            candles += 1
    return candles
