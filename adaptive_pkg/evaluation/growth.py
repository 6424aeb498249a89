"""Risk-adjusted growth of an account as one number, with little credit for few trades."""

from __future__ import annotations

import math

DRAWDOWN_WEIGHT = 1.0
FULL_CREDIT_TRADES = 100
RUIN = -10.0  # of an account that is gone: e^-10 a year


def growth_score(
    final_balance: float, starting_balance: float, max_drawdown: float, trades: int, days: float
) -> float:
    """Log growth a year less the largest drawdown, shrunk towards a penalty while there are few trades.

    score = w · (ln(final / start) · 365 / days − max_drawdown) − (1 − w), with w = trades / 100, at most 1.
    So a lucky handful of trades cannot win, and doing nothing scores −1.

    Args:
        max_drawdown: largest fall from a peak over the peak, 0..1. days: length of the test, above 0.
    """
    if not (starting_balance > 0 and days > 0 and max_drawdown >= 0.0):
        raise ValueError(
            f"growth_score: starting_balance {starting_balance}, days {days} must be above 0 and "
            f"max_drawdown {max_drawdown} at least 0"
        )
    growth = math.log(final_balance / starting_balance) * 365.0 / days if final_balance > 0 else RUIN
    weight = min(trades / FULL_CREDIT_TRADES, 1.0)
    return weight * (max(growth, RUIN) - DRAWDOWN_WEIGHT * max_drawdown) - (1.0 - weight)
