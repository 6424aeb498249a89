"""The same trades in another order, and other trades like them: what drawdown and growth could have been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import max_drawdown

REPETITIONS = 2000
LEAST_TRADES = 10


@dataclass(frozen=True)
class TradeOrder:
    """Drawdowns and growth over shuffled and redrawn trades, 0..1. Quantiles are 5, 50 and 95 %.

    observed: drawdown in the real order, trade by trade. shuffled: of the same trades in random order. worse:
    share of the orders with a larger one: far from 0.5, trades were not independent of the ones before them.
    redrawn: drawdown of as many trades drawn with replacement; growth: what they made of 1, less 1. loss:
    share that lost; beyond_budget: share whose drawdown passed `budget`. streak: longest run of losses,
    real and shuffled.
    """

    trades: int
    observed: float
    shuffled: tuple[float, float, float]
    worse: float
    redrawn: tuple[float, float, float]
    growth: tuple[float, float, float]
    loss: float
    budget: float
    beyond_budget: float
    streak: int
    streak_shuffled: tuple[float, float, float]


def reorder(
    gains: ArrayLike, *, seed: int, budget: float = 0.25, repetitions: int = REPETITIONS
) -> TradeOrder:
    """Shuffle and redraw trades.

    Trades that were open together are taken one after the other, so a real account's drawdown differs a
    little.

    Args:
        gains: (m,) each trade's profit over the account's value, in order of closing. budget: a drawdown.

    Raises:
        DataError: fewer than 10 trades, or one that is not a number above −1.
    """
    x = np.asarray(gains, dtype=float)
    if len(x) < LEAST_TRADES:
        raise DataError(f"trade order: {len(x)} trades; at least {LEAST_TRADES} say something")
    if not np.isfinite(x).all() or (x <= -1.0).any():
        raise DataError("trade order: a trade's gain must be a number above −1 (−1 is the whole account)")
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.broadcast_to(x, (repetitions, len(x))), axis=1)
    redrawn = x[rng.integers(0, len(x), size=(repetitions, len(x)))]
    observed, falls, fresh = float(max_drawdown(x)), max_drawdown(shuffled), max_drawdown(redrawn)
    growth = np.expm1(np.log1p(redrawn).sum(axis=1))
    return TradeOrder(
        trades=len(x),
        observed=observed,
        shuffled=_quantiles(falls),
        worse=float(np.mean(falls > observed)),
        redrawn=_quantiles(fresh),
        growth=_quantiles(growth),
        loss=float(np.mean(growth < 0)),
        budget=budget,
        beyond_budget=float(np.mean(fresh > budget)),
        streak=int(_streaks(x[None, :] < 0)[0]),
        streak_shuffled=_quantiles(_streaks(shuffled < 0)),
    )


def _quantiles(values: NDArray) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def _streaks(losing: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Longest run of True in each row."""
    at = np.arange(1, losing.shape[1] + 1)
    last_win = np.maximum.accumulate(np.where(losing, 0, at), axis=1)
    return (at - last_win).max(axis=1)
