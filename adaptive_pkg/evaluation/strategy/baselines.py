"""The rules that any strategy has to beat, over the same pairs: shares of the account decided at each close.

Shares at a row use candles up to that row and no later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.allocation import Allocation
from adaptive_pkg.evaluation.strategy.panel import Panel
from adaptive_pkg.evaluation.strategy.performance import DAYS

FAST, SLOW = 30, 120  # candles of 4h: 5 and 20 days
LOOKBACKS = (60, 75, 90, 105, 120)  # candles of 4h: 10 to 20 days
VOLATILITY_TARGET = 0.25  # annual, of one pair's slice of the account
VOLATILITY_DAYS = 90
BAND = 0.2


@dataclass(frozen=True)
class DonchianRule:
    """Settings of the ensemble. band: see `Allocation`."""

    lookbacks: tuple[int, ...] = LOOKBACKS
    volatility_target: float = VOLATILITY_TARGET
    volatility_days: int = VOLATILITY_DAYS
    band: float = BAND


def buy_and_hold(panel: Panel, start: pd.Timestamp | None = None) -> Allocation:
    """Equal parts of the pairs listed before `start`, bought then and never touched. Raises DataError."""
    first = max(panel.rows(start, None).start - 1, 0)
    shares = np.zeros_like(panel.close)
    shares[first:] = _equal(panel.listed[first])
    due = np.zeros(len(panel), dtype=bool)
    due[first] = True
    return Allocation("buy and hold", shares, due)


def equal_weight(panel: Panel, start: pd.Timestamp | None = None, every_days: int = 30) -> Allocation:
    """Equal parts of all pairs listed so far, brought back to that every `every_days`. Raises DataError."""
    first = max(panel.rows(start, None).start - 1, 0)
    shares = np.apply_along_axis(_equal, 1, panel.listed)
    due = np.zeros(len(panel), dtype=bool)
    due[first :: max(1, round(every_days * panel.candles_a_day))] = True
    return Allocation("equal weight", shares, due)


def moving_average_trend(panel: Panel, fast: int = FAST, slow: int = SLOW) -> Allocation:
    """An equal slice per listed pair, in the coin while its fast average lies above its slow one."""
    close = pd.DataFrame(panel.close)
    up = (close.rolling(fast).mean() > close.rolling(slow).mean()).to_numpy()
    shares = up / np.maximum(panel.listed.sum(axis=1, keepdims=True), 1)
    return Allocation("moving averages", shares, _changed(shares))


def donchian_ensemble(panel: Panel, rule: DonchianRule | None = None) -> Allocation:
    """Long-only breakouts of several lengths, each slice scaled to a volatility (Zarattini et al. 2025).

    For each lookback a pair is held from a close above the highest close of that many candles before it
    until a close below the middle of their range. Its share is the mean of those over the lookbacks, times
    the volatility target over the pair's volatility (at most 1), times an equal slice of the account. Ours
    have no ratchet on the exit, and the band saves turnover.
    """
    rule = rule or DonchianRule()
    held = np.mean([breakout(panel.close, lookback) for lookback in rule.lookbacks], axis=0)
    shares = held * volatility_scale(panel, rule.volatility_target, rule.volatility_days)
    shares = shares / np.maximum(panel.listed.sum(axis=1, keepdims=True), 1)
    return Allocation("Donchian ensemble", shares, np.ones(len(panel), dtype=bool), rule.band)


def baselines(panel: Panel, start: pd.Timestamp | None = None) -> list[Allocation]:
    """All of them, with their defaults. Raises DataError: no candle after `start`."""
    return [
        buy_and_hold(panel, start),
        equal_weight(panel, start),
        moving_average_trend(panel),
        donchian_ensemble(panel),
    ]


def breakout(close: NDArray[np.float64], lookback: int) -> NDArray[np.float64]:
    """1 from a close above the `lookback` closes before it until one below their middle, or 0 (n, pairs)."""
    prices = pd.DataFrame(close)
    before = prices.shift(1).rolling(lookback)
    high, low = before.max(), before.min()
    state = np.where(prices > high, 1.0, np.where(prices < (high + low) / 2, 0.0, np.nan))
    return pd.DataFrame(state).ffill().fillna(0.0).to_numpy()


def volatility_scale(panel: Panel, target: float, days: int) -> NDArray[np.float64]:
    """Target over each pair's annual volatility of the last `days`, at most 1; 0 before there are so many."""
    if target <= 0 or days < 2:
        raise DataError(f"volatility target {target} must be above 0 and its days {days} at least 2")
    per_year = panel.candles_a_day * DAYS
    moves = pd.DataFrame(np.log(panel.close)).diff()
    window = round(days * panel.candles_a_day)
    volatility = moves.rolling(window).std().to_numpy() * np.sqrt(per_year)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.minimum(target / volatility, 1.0)
    return np.where(np.isfinite(volatility) & (volatility > 0), scale, 0.0)


def _equal(listed: NDArray[np.bool_]) -> NDArray[np.float64]:
    return listed / max(int(listed.sum()), 1)


def _changed(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Closes at which some pair is to be held that was not, or the reverse. The first counts."""
    held = shares > 0
    return np.concatenate([[True], (held[1:] != held[:-1]).any(axis=1)])


def cost_multiples(cost: float, multiples: Sequence[float]) -> list[float]:
    """A cost and its multiples, for `simulate`."""
    return [cost * multiple for multiple in multiples]
