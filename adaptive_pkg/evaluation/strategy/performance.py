"""What an account did, from its equity: growth, Sharpe, Sortino, tail and drawdowns, day by day.

Statistics take returns along the last axis, so the same function judges one account and thousands of
resampled ones. A year has 365 days: the market never closes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import DataError

DAYS = 365
TAIL = 0.05  # part of the days in the tail
LEAST_DAYS = 30  # fewer make no figure worth printing
LEAST_EPISODE = 0.01  # falls from a peak that are not worth a line


@dataclass(frozen=True)
class Performance:
    """One account over its days. Fractions unless said; Sharpe, Sortino, volatility and CAGR are annual.

    longest_drawdown_days: longest stretch below an earlier peak, over or not. calmar: CAGR over drawdown.
    skewness, kurtosis: of daily returns, the latter 3 for a normal. cvar5: mean of the worst 5 % of days.
    """

    days: int
    total: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    max_drawdown: float
    longest_drawdown_days: int
    calmar: float
    cvar5: float
    worst_day: float
    skewness: float
    kurtosis: float


@dataclass(frozen=True)
class Episode:
    """One fall from a peak to its lowest point and back. `end` is None while it is not over."""

    start: pd.Timestamp  # day of the peak
    trough: pd.Timestamp
    end: pd.Timestamp | None
    depth: float
    days: int  # from the peak to the end, or to the last day


def daily_equity(equity: pd.Series) -> pd.Series:
    """Value at the end of each UTC day, days without one carried forward; midnight ends the day before it.

    Args:
        equity: value of the account by the moment it had it, UTC, in order.

    Raises:
        DataError: not indexed by time, out of order, or a value that is not a number above 0.
    """
    if not isinstance(equity.index, pd.DatetimeIndex) or not equity.index.is_monotonic_increasing:
        raise DataError("equity: index it by time, oldest first")
    values = equity.to_numpy(float)
    bad = ~(np.isfinite(values) & (values > 0.0))
    if bad.any():
        at = int(bad.argmax())
        raise DataError(
            f"equity: {equity.iloc[at]} at {equity.index[at]}; returns need numbers above 0 (an account "
            "that is gone has none)"
        )
    moments = equity.index - pd.Timedelta(seconds=1)
    return pd.Series(values, moments, name=equity.name).resample("1D").last().ffill()


def daily_returns(equity: pd.Series) -> pd.Series:
    """Return of each UTC day from the first value of the series on. Raises DataError as `daily_equity`."""
    days = daily_equity(equity)
    before = days.shift(1)
    before.iloc[0] = float(equity.iloc[0])
    returns = days / before - 1.0
    # a first value at midnight is where the first day starts from, not a day
    return returns.iloc[1:] if equity.index[0] == equity.index[0].normalize() else returns


def equity_of(returns: ArrayLike) -> NDArray[np.float64]:
    """Value of one unit after each day, (…, n)."""
    return np.cumprod(1.0 + np.asarray(returns, dtype=float), axis=-1)


def sharpe(returns: ArrayLike) -> NDArray[np.float64]:
    """Annual Sharpe ratio of daily returns (…, n), risk-free rate 0; 0 where nothing ever moved."""
    x = np.asarray(returns, dtype=float)
    mean, deviation = x.mean(axis=-1), x.std(axis=-1, ddof=1)
    # below rounding a constant series has no deviation
    still = deviation <= 1e-14
    return np.where(still, 0.0, mean / np.where(still, 1.0, deviation)) * np.sqrt(DAYS)


def sortino(returns: ArrayLike) -> NDArray[np.float64]:
    """Annual Sortino ratio (…, n): mean over the root mean square of losses; inf without a loss."""
    x = np.asarray(returns, dtype=float)
    mean, downside = x.mean(axis=-1), np.sqrt((np.minimum(x, 0.0) ** 2).mean(axis=-1))
    none = np.where(mean > 0, np.inf, 0.0)
    return np.where(downside > 0, mean / np.where(downside > 0, downside, 1.0) * np.sqrt(DAYS), none)


def log_growth(returns: ArrayLike) -> NDArray[np.float64]:
    """Mean log growth a year (…, n)."""
    return np.log1p(np.asarray(returns, dtype=float)).mean(axis=-1) * DAYS


def cagr(returns: ArrayLike) -> NDArray[np.float64]:
    """Compound growth a year (…, n), as a fraction."""
    return np.expm1(log_growth(returns))


def drawdowns(returns: ArrayLike) -> NDArray[np.float64]:
    """Fall from the highest value so far (the start included), 0..1, after each day (…, n)."""
    value = equity_of(returns)
    peak = np.maximum(np.maximum.accumulate(value, axis=-1), 1.0)
    return 1.0 - value / peak


def max_drawdown(returns: ArrayLike) -> NDArray[np.float64]:
    """Largest fall from a peak over that peak (…, n), 0..1, on daily values."""
    return drawdowns(returns).max(axis=-1)


def cvar(returns: ArrayLike, tail: float = TAIL) -> NDArray[np.float64]:
    """Mean of the worst `tail` of days (at least one), (…, n)."""
    x = np.asarray(returns, dtype=float)
    count = max(1, round(tail * x.shape[-1]))
    return np.partition(x, count - 1, axis=-1)[..., :count].mean(axis=-1)


def measure(returns: pd.Series) -> Performance:
    """Sum an account up.

    Raises:
        DataError: fewer than 30 days, or a return that is not a number above −1.
    """
    x = checked(returns)
    centred = x - x.mean()
    spread = float(np.sqrt((centred**2).mean()))
    below = drawdowns(x) > 0.0
    growth, fall = float(cagr(x)), float(max_drawdown(x))
    return Performance(
        days=len(x),
        total=float(equity_of(x)[-1] - 1.0),
        cagr=growth,
        volatility=float(x.std(ddof=1) * np.sqrt(DAYS)),
        sharpe=float(sharpe(x)),
        sortino=float(sortino(x)),
        max_drawdown=fall,
        longest_drawdown_days=_longest(below),
        calmar=growth / fall if fall > 0 else float("inf"),
        cvar5=float(cvar(x)),
        worst_day=float(x.min()),
        skewness=float((centred**3).mean() / spread**3) if spread > 1e-14 else 0.0,
        kurtosis=float((centred**4).mean() / spread**4) if spread > 1e-14 else 3.0,
    )


def checked(returns: ArrayLike, least: int = LEAST_DAYS) -> NDArray[np.float64]:
    """Daily returns as numbers. Raises DataError as `measure`."""
    x = np.asarray(returns, dtype=float)
    if len(x) < least:
        raise DataError(f"{len(x)} days of returns; give at least {least}")
    if not np.isfinite(x).all() or (x <= -1.0).any():
        raise DataError("daily returns: each must be a number above −1 (an account that is gone has none)")
    return x


def episodes(returns: pd.Series, least: float = LEAST_EPISODE) -> list[Episode]:
    """Falls from a peak of at least `least`, deepest first.

    Args:
        returns: daily, by UTC day.
    """
    x = np.asarray(returns, dtype=float)
    fall, days = drawdowns(x), pd.DatetimeIndex(returns.index)
    below = fall > 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], below, [False]]).astype(np.int8)))
    found = []
    for first, after in edges.reshape(-1, 2):  # [first, after): days below the peak
        depth = float(fall[first:after].max())
        if depth < least:
            continue
        start = days[first - 1] if first else days[0] - pd.Timedelta(days=1)
        over = after < len(x)
        last = days[after] if over else days[-1]
        found.append(
            Episode(
                start=start,
                trough=days[first + int(fall[first:after].argmax())],
                end=last if over else None,
                depth=depth,
                days=(last - start).days,
            )
        )
    return sorted(found, key=lambda episode: -episode.depth)


def _longest(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
