"""The drawdown that freqtrade's MaxDrawdown protection asks for after every closed trade, without its tables.

freqtrade builds three data frames to find it, which is most of what a backtest of many trades does. The two
numbers that the protection reads are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd


def quick_max_drawdown(
    trades: pd.DataFrame,
    *,
    date_col: str = "close_date",
    value_col: str = "profit_abs",
    starting_balance: float = 0,
    relative: bool = False,
) -> Any:
    """As `freqtrade.data.metrics.calculate_max_drawdown`, with drawdown_abs and the relative one alone."""
    from freqtrade.data.metrics import DrawDownResult, calculate_max_drawdown

    if len(trades) and relative and starting_balance:
        # the same sort as theirs: trades that close together keep the order that it gives them
        cumulative = trades.sort_values(date_col)[value_col].to_numpy().cumsum()
        high = np.maximum(0, np.maximum.accumulate(cumulative))
        top = starting_balance + high
        share = (top - (starting_balance + cumulative)) / top
        at = int(share.argmax())
        if np.isfinite(share).all():
            if share[at] <= 0.0:
                return DrawDownResult()
            return DrawDownResult(
                drawdown_abs=abs(cumulative[at] - high[at]), relative_account_drawdown=share[at]
            )
    return calculate_max_drawdown(
        trades, date_col=date_col, value_col=value_col, starting_balance=starting_balance, relative=relative
    )


@contextmanager
def quick_protections() -> Iterator[None]:
    """Let the protection of this process ask `quick_max_drawdown`."""
    from freqtrade.plugins.protections import max_drawdown_protection as module

    before = module.calculate_max_drawdown
    module.calculate_max_drawdown = quick_max_drawdown
    try:
        yield
    finally:
        module.calculate_max_drawdown = before
