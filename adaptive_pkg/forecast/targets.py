"""What the network learns to forecast, and how a forecast turns back into a price and a volatility."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import ForecastError

RETURN_SIGMA = "&-return_sigma"
LOG_VOLATILITY = "&-log_volatility"
LABELS = (RETURN_SIGMA, LOG_VOLATILITY)


def future_return_sigma(
    close: ArrayLike, sigma: ArrayLike, horizon: int, volume: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Log return over the next `horizon` candles in units of what sigma expects of them.

    log(close[t+h] / close[t]) / (sigma[t] · √h), the random-walk scaling of volatility with time.

    Args:
        close: (n,) prices.
        sigma: (n,) standard deviation of one candle's log return, known at the candle.
        horizon: candles ahead, at least 1.
        volume: (n,); where given, a target whose span t … t+h touches a candle without volume is NaN
            (such candles are fillers for an exchange outage).

    Returns:
        (n,) float64; NaN on the last `horizon` rows and wherever a part is unknown.

    Raises:
        ForecastError: horizon below 1, or lengths differ.
    """
    price, scale = _columns(horizon, close=close, sigma=sigma)
    target = np.full(len(price), np.nan)
    if len(price) > horizon:
        with np.errstate(divide="ignore", invalid="ignore"):
            move = np.log(price[horizon:] / price[:-horizon])
            target[:-horizon] = move / (scale[:-horizon] * np.sqrt(horizon))
    return _known(target, horizon, volume)


def future_log_volatility(
    close: ArrayLike, horizon: int, level_period: int, volume: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Log of the next `horizon` candles' realised volatility over its long-run level at the candle.

    Realised volatility is the root mean square of one-candle log returns.

    Args:
        close: (n,) prices.
        horizon: candles ahead, at least 2 (one squared return is all noise).
        level_period: trailing candles that make the level, see `volatility_level`.
        volume: as in `future_return_sigma`.

    Returns:
        (n,) float64; NaN on the last `horizon` rows, before the level is known, and for a flat future.

    Raises:
        ForecastError: horizon below 2 or level_period below horizon, or lengths differ.
    """
    if horizon < 2:
        raise ForecastError(
            f"horizon: {horizon} is too short for a volatility target; use at least 2 candles"
        )
    (price,) = _columns(horizon, close=close)
    realised = _trailing_rms(price, horizon)
    target = np.full(len(price), np.nan)
    if len(price) > horizon:
        level = volatility_level(price, level_period)
        with np.errstate(divide="ignore", invalid="ignore"):
            target[:-horizon] = np.log(realised[horizon:] / level[:-horizon])
    return _known(target, horizon, volume)


def past_log_volatility(close: ArrayLike, horizon: int, level_period: int) -> NDArray[np.float64]:
    """Log of the last `horizon` candles' realised volatility over its level: what persistence forecasts.

    Returns (n,) float64, NaN until the level is known. Raises ForecastError for a horizon below 1.
    """
    (price,) = _columns(horizon, close=close)
    with np.errstate(divide="ignore", invalid="ignore"):
        past = np.log(_trailing_rms(price, horizon) / volatility_level(price, level_period))
    return np.where(np.isfinite(past), past, np.nan)


def volatility_level(close: ArrayLike, level_period: int) -> NDArray[np.float64]:
    """Long-run volatility of one candle's log return: root mean square over the trailing period.

    Returns (n,) float64, NaN on the first `level_period` rows. Raises ForecastError for a period below 2.
    """
    if level_period < 2:
        raise ForecastError(f"level_period: {level_period} candles cannot make a level; use at least 2")
    (price,) = _columns(1, close=close)
    return _trailing_rms(price, level_period)


def forecast_price(
    close: ArrayLike, return_sigma: ArrayLike, sigma: ArrayLike, horizon: int
) -> NDArray[np.float64]:
    """Price `horizon` candles ahead that a forecast of `future_return_sigma` stands for. Shapes (n,)."""
    price, move, scale = _columns(horizon, close=close, return_sigma=return_sigma, sigma=sigma)
    return price * np.exp(move * scale * np.sqrt(horizon))


def forecast_volatility(log_volatility: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
    """Volatility of one candle's log return that a forecast of `future_log_volatility` stands for.

    `level` is `volatility_level` of the same candles and period. Shapes (n,).
    """
    ratio, base = _columns(1, log_volatility=log_volatility, level=level)
    return base * np.exp(ratio)


def _trailing_rms(price: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Root mean square of the last `period` log returns; NaN while one of them is unknown."""
    out = np.full(len(price), np.nan)
    if len(price) <= period:
        return out
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.diff(np.log(price)) ** 2
    unknown = ~np.isfinite(squared)
    # A sliding sum of the window itself: a running total would lose small returns after a large one
    # and would make a row depend on everything before it.
    windows = np.lib.stride_tricks.sliding_window_view(np.where(unknown, np.nan, squared), period)
    out[period:] = np.sqrt(windows.mean(axis=1))
    return out


def _known(target: NDArray[np.float64], horizon: int, volume: ArrayLike | None) -> NDArray[np.float64]:
    """NaN out what is not finite and what an outage touches."""
    target[~np.isfinite(target)] = np.nan
    if volume is not None and len(target) > horizon:
        traded = np.asarray(volume, dtype=np.float64)
        if len(traded) != len(target):
            raise ForecastError(
                f"volume: {len(traded)} rows for {len(target)} candles; pass one frame's columns"
            )
        silent = np.concatenate([[0], np.cumsum(~(traded > 0))])
        touched = silent[horizon + 1 :] - silent[: -horizon - 1]
        target[:-horizon][touched > 0] = np.nan
    return target


def _columns(horizon: int, **named: ArrayLike) -> list[NDArray[np.float64]]:
    if horizon < 1:
        raise ForecastError(f"horizon: {horizon} candles; look at least 1 candle ahead")
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in named.items()}
    lengths = {name: len(value) for name, value in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ForecastError(f"lengths differ: {lengths}; pass columns of one frame")
    return list(arrays.values())
