"""How many of several long channels are in a trend: the share of Donchian breakouts that still hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

TREND_STATE_COLUMNS = ("trend_up", "trend_down")
MEMORY = 2  # lookbacks without news until a breakout is forgotten: a reading needs no older candles


def trend_shares(close: np.ndarray, lookbacks: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Share of the channels that are up, and that are down, at each close.

    A channel of n candles is up from a close above the n closes before it until one below the middle of
    their range (Zarattini, Pagani, Barbon 2025, without their ratchet), or until 2 n candles have told
    neither; down is the mirror image. Causal: depends on the last 3 n closes.

    Returns two float arrays (n,) in 0..1; 0 while a channel has not got its candles.
    """
    prices = pd.Series(np.asarray(close, dtype=float), copy=False)
    up, down = np.zeros(len(prices)), np.zeros(len(prices))
    before = prices.shift(1)
    for lookback in lookbacks:
        channel = before.rolling(lookback)
        high, low = channel.max().to_numpy(), channel.min().to_numpy()
        middle, now = (high + low) / 2.0, prices.to_numpy()
        up += _held(now > high, now < middle, MEMORY * lookback)
        down += _held(now < low, now > middle, MEMORY * lookback)
    return up / len(lookbacks), down / len(lookbacks)


def trend_startup(lookbacks: Sequence[int]) -> int:
    """Candles after which `trend_shares` does not depend on where the history began."""
    return (1 + MEMORY) * max(lookbacks, default=0) + 1


def _held(begins: np.ndarray, ends: np.ndarray, memory: int) -> np.ndarray:
    """Bool (n,): the last news was a beginning, and no longer ago than `memory` candles."""
    at = np.arange(len(begins))
    news = np.maximum.accumulate(np.where(begins | ends, at, -1))
    return (news >= 0) & begins[np.maximum(news, 0)] & (at - news <= memory)
