"""What a portfolio makes that holds given shares of its value: decided at a close, filled at the open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.panel import Panel
from adaptive_pkg.evaluation.strategy.performance import daily_returns

COST = 0.001  # of the traded value: fee and slippage, each side
MULTIPLES = (1.0, 2.0, 3.0)


@dataclass(frozen=True)
class Allocation:
    """Shares of the account wanted after each close, (n, pairs), ≥ 0, at most 1 together.

    due: (n,) closes after which the account is brought to them. band: of the share wanted; a holding nearer
    than that is left alone (one that is wanted no more is always sold): small changes cost more than they do.
    """

    name: str
    shares: NDArray[np.float64]
    due: NDArray[np.bool_]
    band: float = 0.0

    def __post_init__(self) -> None:
        total = self.shares.sum(axis=1)
        if not np.isfinite(self.shares).all() or (self.shares < 0).any() or (total > 1 + 1e-9).any():
            raise DataError(f"{self.name}: shares must be numbers ≥ 0 that sum to 1 at most")


@dataclass(frozen=True)
class Account:
    """An account that started with 1. equity: at its start and at each candle's close.

    exposure: part of the account in coins, by candle. turnover: traded value over the account's, times a
    year. costs: sum of costs over the account's value at the time. trades: fills.
    """

    name: str
    cost: float
    equity: pd.Series
    exposure: pd.Series
    turnover: float
    costs: float
    trades: int

    @property
    def returns(self) -> pd.Series:
        """Of each UTC day."""
        return daily_returns(self.equity)


def simulate(
    panel: Panel,
    allocation: Allocation,
    costs: Sequence[float] = (COST,),
    *,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
) -> list[Account]:
    """Trade an allocation from nothing held, once per cost; what is held at the end is valued, not sold.

    Args:
        costs: parts of the traded value, each side. start, end: first candle traded and the one after the
        last; what was decided at the close before `start` is the first order.

    Raises:
        DataError: no such candles, or a cost outside [0, 1).
    """
    cost = np.asarray(costs, dtype=float)[:, None]
    if ((cost < 0) | (cost >= 1)).any():
        raise DataError(f"costs {list(costs)}: each is a part of the traded value, in [0, 1)")
    rows = panel.rows(start, end)
    first, n = rows.start, rows.stop - rows.start
    k, pairs = len(cost), len(panel.pairs)
    opens = np.nan_to_num(panel.open[rows])
    closes = np.nan_to_num(panel.close[rows])
    cash, units = np.ones((k, 1)), np.zeros((k, pairs))
    equity, exposure = np.empty((n, k)), np.empty((n, k))
    traded, paid, fills = np.zeros(k), np.zeros(k), np.zeros(k, dtype=int)
    pending = np.zeros(pairs, dtype=bool)  # due, but the pair had no candle to trade it in
    for t in range(n):
        decided = first + t - 1
        if decided >= 0 and (allocation.due[decided] or pending.any()):
            wanted = allocation.shares[decided]
            acting = panel.there[first + t] & (allocation.due[decided] | pending)
            pending = ~panel.there[first + t] & (allocation.due[decided] | pending) & panel.listed[decided]
            price = opens[t]
            worth = units * price
            value = cash + worth.sum(axis=1, keepdims=True)
            change = wanted * value - worth
            small = (np.abs(change) <= allocation.band * wanted * value) & (wanted > 0)
            change = np.where(small | ~acting | (np.abs(change) < 1e-9 * value), 0.0, change)
            if change.any():
                sold, bought = -np.minimum(change, 0.0), np.maximum(change, 0.0)
                cash = cash + (sold * (1 - cost)).sum(axis=1, keepdims=True)
                needed = (bought * (1 + cost)).sum(axis=1, keepdims=True)
                # fully invested, the costs come out of what is bought
                bought = bought * np.minimum(1.0, cash / np.where(needed > 0, needed, 1.0))
                cash = np.maximum(cash - (bought * (1 + cost)).sum(axis=1, keepdims=True), 0.0)
                units = units + np.divide(bought - sold, price, out=np.zeros_like(units), where=price > 0)
                volume = (bought + sold).sum(axis=1)
                traded += volume / value[:, 0]
                paid += volume * cost[:, 0] / value[:, 0]
                fills += np.count_nonzero(change, axis=1)
        worth = (units * closes[t]).sum(axis=1)
        equity[t] = cash[:, 0] + worth
        exposure[t] = worth / equity[t]
    years = n / panel.candles_a_day / 365.0
    index = panel.dates[rows]
    moments = (index + panel.candle).insert(0, index[0])
    return [
        Account(
            allocation.name,
            float(cost[i, 0]),
            pd.Series(np.concatenate([[1.0], equity[:, i]]), moments),
            pd.Series(exposure[:, i], index),
            float(traded[i] / years),
            float(paid[i]),
            int(fills[i]),
        )
        for i in range(k)
    ]
