"""Weights of the rules as closed trades have earned them. Pure: the past goes in, weights come out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.library.rules import LibraryRule
from adaptive_pkg.settings.library import LearnedWeightSettings


@dataclass(frozen=True)
class TradeVotes:
    """What the rules said when each trade was entered, and what became of it.

    closed_at: datetime64 (t,), when the result was known, in any order. side: int (t,), 1 long, −1 short.
    r: float (t,), result in units of initial risk. direction: int (t, rules), as `Readings.direction` at the
    candle that asked for the entry.
    """

    closed_at: np.ndarray
    side: np.ndarray
    r: np.ndarray
    direction: np.ndarray

    def __post_init__(self) -> None:
        t, rules = len(self.closed_at), len(LibraryRule)
        if self.side.shape != (t,) or self.r.shape != (t,) or self.direction.shape != (t, rules):
            raise DataError(
                f"trade votes: {t} closing times, side {self.side.shape}, r {self.r.shape}, direction "
                f"{self.direction.shape}; pass ({t},), ({t},) and ({t}, {rules})"
            )
        if not np.isfinite(self.r).all() or np.isnat(self.closed_at).any():
            raise DataError("trade votes: a result or closing time is not known; pass closed trades only")


def learned_multiples(trades: TradeVotes, moments: np.ndarray, settings: LearnedWeightSettings) -> np.ndarray:
    """What to multiply each rule's weight by at each moment; float (m, rules) in lowest..highest.

    A rule's credit in a trade is the trade's R less the mean R of all trades by then, signed by whether the
    rule spoke for the trade's side or against it. So a rule that always speaks earns nothing by a rising
    market. The mean credit over its trades is shrunk as if `prior_trades` trades had shown none:
    sum / (trades + prior); `full_r` of it moves the weight as far as it may, 0 leaves it.

    Only trades that closed before a moment count for it; one that closes at that very moment does not.

    Args:
        moments: datetime64 (m,).
    """
    order = np.argsort(trades.closed_at, kind="stable")
    said = (trades.direction[order] * np.sign(trades.side[order])[:, None]).astype(float)
    r = trades.r[order]
    past = np.searchsorted(trades.closed_at[order], moments, side="left")
    spoken = _up_to(np.abs(said), past)
    mean_r = _up_to(r[:, None], past) / np.maximum(past, 1)[:, None]
    credit = _up_to(said * r[:, None], past) - mean_r * _up_to(said, past)
    share = np.clip(credit / (spoken + settings.prior_trades) / settings.full_r, -1.0, 1.0)
    return 1.0 + np.where(share > 0, settings.highest - 1.0, 1.0 - settings.lowest) * share


def learned_weights(
    weights: np.ndarray, trades: TradeVotes, moments: np.ndarray, settings: LearnedWeightSettings
) -> np.ndarray:
    """Weights for `cast_votes`, float (m, rules): as set, moved by what closed before each moment.

    Off (`learning.enabled`): as set at every moment. Pass closing times of candles as moments.
    """
    if not settings.enabled:
        return np.broadcast_to(weights, (len(moments), len(LibraryRule)))
    return weights * learned_multiples(trades, moments, settings)


def _up_to(values: np.ndarray, past: np.ndarray) -> np.ndarray:
    """Sums of the first `past` rows of (t, k) values; (m, k)."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return sums[past]
