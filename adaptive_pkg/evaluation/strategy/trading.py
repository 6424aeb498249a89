"""What a strategy's closed trades came to: win rate, profit factor, expectancy, exposure, turnover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.evaluation.strategy.performance import DAYS
from adaptive_pkg.policy.calibration import Estimate

NEEDED = (
    "pair",
    "open_date",
    "close_date",
    "open_rate",
    "close_rate",
    "stake_amount",
    "profit_abs",
    "profit_ratio",
)


@dataclass(frozen=True)
class TradeFigures:
    """Closed trades, after fees. Intervals are 95 %, weeks of entries (all pairs together) resampled.

    expectancy: mean profit over the stake. profit_factor: inf without a loss. payoff: mean win over mean
    loss. largest_loss: over the account's value when the trade was opened, ≥ 0. in_market: part of the time
    with a trade open. exposure: mean stake at work over the account's value. turnover: traded value over
    the account's, a year. fees: paid, over the starting balance.
    """

    trades: int
    win_rate: Estimate
    profit_factor: Estimate
    expectancy: Estimate
    mean_profit_abs: float
    total_profit_abs: float
    payoff: float
    largest_loss: float
    mean_hours: float
    in_market: float
    exposure: float
    turnover: float
    fees: float


def checked_trades(trades: pd.DataFrame) -> pd.DataFrame:
    """Closed trades in order of closing.

    Args:
        trades: as in freqtrade's backtest result (`stats["strategy"][name]["trades"]` as a frame).

    Raises:
        DataError: a column is missing, there is no trade, or a number is not finite.
    """
    missing = [name for name in NEEDED if name not in trades]
    if missing:
        raise DataError(
            f"trades: no column {', '.join(missing)}; give the trades of a freqtrade backtest result of this "
            "release"
        )
    if not len(trades):
        raise DataError("trades: there is none; give a longer span, or a strategy that trades in it")
    found = trades.copy()
    for name in ("open_date", "close_date"):
        found[name] = pd.to_datetime(found[name], utc=True)
    numbers = found[list(NEEDED[3:])].to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        raise DataError("trades: a rate, stake or profit is not a number; make the backtest again")
    return found.sort_values("close_date", kind="stable", ignore_index=True)


def entry_weeks(trades: pd.DataFrame) -> NDArray[np.int64]:
    """Week of each entry, counted from 1970: entries of one week, all pairs together, are one block."""
    days = pd.to_datetime(trades["open_date"], utc=True).dt.tz_convert(None).to_numpy()
    return (days.astype("datetime64[D]").astype(np.int64) + 3) // 7  # day 0 was a Thursday


def account_gains(trades: pd.DataFrame, starting_balance: float) -> NDArray[np.float64]:
    """Each trade's profit over the account's closed value before it closed, in order of closing.

    Raises:
        DataError: as `checked_trades`, or the account falls to nothing.
    """
    profit = checked_trades(trades)["profit_abs"].to_numpy(float)
    before = _value_before(profit, starting_balance)
    return profit / before


def entry_value(trades: pd.DataFrame, starting_balance: float) -> NDArray[np.float64]:
    """The account's closed value when each trade was opened; trades in order of closing. Raises DataError."""
    found = checked_trades(trades)
    profit = found["profit_abs"].to_numpy(float)
    _value_before(profit, starting_balance)
    closed = found["close_date"].to_numpy()
    done = np.searchsorted(closed, found["open_date"].to_numpy(), side="right")
    return starting_balance + np.concatenate([[0.0], np.cumsum(profit)])[done]


def trade_figures(
    trades: pd.DataFrame, starting_balance: float, start: pd.Timestamp, end: pd.Timestamp
) -> TradeFigures:
    """Sum closed trades up over the span [start, end).

    Raises:
        DataError: as `checked_trades`; an empty span; a balance that is not above 0.
    """
    found = checked_trades(trades)
    span = (pd.Timestamp(end) - pd.Timestamp(start)) / pd.Timedelta(hours=1)
    if span <= 0:
        raise DataError(f"trades: the span {start} to {end} is empty")
    profit, ratio = found["profit_abs"].to_numpy(float), found["profit_ratio"].to_numpy(float)
    value, weeks = entry_value(found, starting_balance), entry_weeks(found)
    hours = ((found["close_date"] - found["open_date"]) / pd.Timedelta(hours=1)).to_numpy()
    stake, won = found["stake_amount"].to_numpy(float), profit > 0
    volume, fees = _volume(found)
    one = np.ones(len(found))
    wins, losses = profit[won], -profit[profit < 0]
    return TradeFigures(
        trades=len(found),
        win_rate=estimate_by_block(np.column_stack([one, won]), weeks, _mean),
        profit_factor=profit_factor(profit, weeks),
        expectancy=estimate_by_block(np.column_stack([one, ratio]), weeks, _mean),
        mean_profit_abs=float(profit.mean()),
        total_profit_abs=float(profit.sum()),
        payoff=float(wins.mean() / losses.mean()) if len(wins) and len(losses) else float("nan"),
        largest_loss=float(np.max(-profit / value, initial=0.0)),
        mean_hours=float(hours.mean()),
        in_market=_covered(found) / span,
        exposure=float((stake / value * hours).sum() / span),
        turnover=float((volume / value).sum() / (span / 24 / DAYS)),
        fees=float(fees.sum() / starting_balance),
    )


def profit_factor(profit: NDArray[np.float64], blocks: NDArray) -> Estimate:
    """Gains over losses with its interval; inf without a loss."""
    terms = np.column_stack([np.maximum(profit, 0.0), np.maximum(-profit, 0.0)])
    return estimate_by_block(terms, blocks, lambda s: s[..., 0] / s[..., 1])


def _mean(sums: NDArray) -> NDArray:
    return sums[..., 1] / sums[..., 0]


def _value_before(profit: NDArray, starting_balance: float) -> NDArray:
    if not starting_balance > 0:
        raise DataError(f"starting balance {starting_balance} must be above 0")
    before = starting_balance + np.concatenate([[0.0], np.cumsum(profit)])
    if (before <= 0).any():
        raise DataError("trades: the account falls to nothing; there are no returns after that")
    return before[:-1]


def _volume(trades: pd.DataFrame) -> tuple[NDArray, NDArray]:
    """Traded value and fees of each trade: of all its orders where they are told, else of stake and exit."""
    leverage = trades["leverage"].fillna(1.0).to_numpy(float) if "leverage" in trades else 1.0
    entry = trades["stake_amount"].to_numpy(float) * leverage
    left = entry * (trades["close_rate"] / trades["open_rate"]).to_numpy(float)
    if "orders" in trades and trades["orders"].map(lambda orders: isinstance(orders, list)).all():
        entry, left = _order_sums(trades["orders"])
    volume = entry + left
    if "turnover" in trades and trades["turnover"].notna().all():
        volume = trades["turnover"].to_numpy(float)
    rates = [_column(trades, name) for name in ("fee_open", "fee_close")]
    return volume, volume * np.average(rates, axis=0)


def _order_sums(orders: pd.Series) -> tuple[NDArray, NDArray]:
    sums = [
        [sum(o.get("cost") or 0.0 for o in filled if bool(o.get("ft_is_entry")) is side) for filled in orders]
        for side in (True, False)
    ]
    return np.array(sums[0], dtype=float), np.array(sums[1], dtype=float)


def _column(trades: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return trades[name].fillna(0.0).to_numpy(float) if name in trades else np.zeros(len(trades))


def _covered(trades: pd.DataFrame) -> float:
    """Hours with at least one trade open."""
    order = np.argsort(trades["open_date"].to_numpy(), kind="stable")
    opened = trades["open_date"].to_numpy()[order]
    closed = np.maximum.accumulate(trades["close_date"].to_numpy()[order])
    reach = np.concatenate([opened[:1], closed[:-1]])
    return float(
        (closed - np.maximum(opened, reach)).astype("timedelta64[s]").astype(float).clip(0).sum() / 3600
    )
