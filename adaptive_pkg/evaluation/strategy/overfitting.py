"""Probability of backtest overfitting: how often the best of one half of the days fails in the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.performance import DAYS

PARTS = 16  # 12,870 ways to halve them
ACCEPTED = 0.2
LEAST_DAYS_A_PART = 5
_CELLS = 2_000_000


@dataclass(frozen=True)
class Overfitting:
    """What choosing the best of several accounts has been worth. Sharpe ratios are annual.

    probability: of backtest overfitting: share of halvings in which the account chosen in one half ranked
    in the lower half in the other; a choice among worthless accounts has about 0.5. loss: share in which it
    lost money there. chosen, unseen: mean Sharpe ratio of the chosen in the half it was chosen in, and in
    the other. logits: (splits,), of its relative rank in the other half.
    """

    accounts: int
    splits: int
    probability: float
    loss: float
    chosen: float
    unseen: float
    logits: NDArray[np.float64]

    @property
    def passed(self) -> bool:
        return self.probability <= ACCEPTED

    @property
    def answer(self) -> str:
        """One plain sentence."""
        what = (
            f"the best of {self.accounts} in one half of the days ranked in the lower half in the other in "
            f"{self.probability:.0%} of {self.splits:,} halvings; its Sharpe ratio fell from "
            f"{self.chosen:.2f} to {self.unseen:.2f}"
        )
        return (
            ("The choice holds: " if self.passed else "The choice is overfitted or arbitrary: ") + what + "."
        )


def overfitting(returns: ArrayLike, parts: int = PARTS) -> Overfitting:
    """Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado & Zhu 2017).

    The days are cut into `parts` runs; every choice of half of them is once the half to choose in, by Sharpe
    ratio, the rest the half to judge in. Equal ratios share their mean rank.

    Args:
        returns: (n days, accounts): one row per day. parts: even.

    Raises:
        DataError: fewer than two accounts, too few days, more accounts than days (transposed, most likely),
        an odd number of parts, or a number that is not finite.
    """
    x = np.asarray(returns, dtype=float)
    if x.ndim != 2 or x.shape[1] < 2 or not np.isfinite(x).all():
        raise DataError(f"overfitting: {x.shape} is no table of numbers, days by at least two accounts")
    if parts < 2 or parts % 2:
        raise DataError(f"overfitting: {parts} parts cannot be halved; use an even number, such as {PARTS}")
    if len(x) < parts * LEAST_DAYS_A_PART or len(x) < x.shape[1]:
        raise DataError(
            f"overfitting: {len(x)} days of {x.shape[1]} accounts; {parts} parts need {LEAST_DAYS_A_PART} "
            "days each, and days are rows: give more days, or turn the table"
        )
    bounds = np.linspace(0, len(x), parts + 1).round().astype(int)
    sums = np.add.reduceat(x, bounds[:-1], axis=0)
    squares = np.add.reduceat(x * x, bounds[:-1], axis=0)
    counts = np.diff(bounds).astype(float)
    halves = np.zeros((0, parts))
    picks = np.array(list(combinations(range(parts), parts // 2)))
    halves = np.zeros((len(picks), parts))
    np.put_along_axis(halves, picks, 1.0, axis=1)
    step = max(1, _CELLS // x.shape[1])
    pieces = [_judge(halves[at : at + step], sums, squares, counts) for at in range(0, len(halves), step)]
    chosen, unseen, rank = (np.concatenate(column) for column in zip(*pieces, strict=True))
    logits = np.log(rank / (1 - rank))
    return Overfitting(
        accounts=x.shape[1],
        splits=len(halves),
        probability=float(np.mean(logits < 0) + 0.5 * np.mean(logits == 0)),
        loss=float(np.mean(unseen < 0)),
        chosen=float(chosen.mean()),
        unseen=float(unseen.mean()),
        logits=logits,
    )


def _judge(halves: NDArray, sums: NDArray, squares: NDArray, counts: NDArray) -> tuple[NDArray, ...]:
    inside = _sharpes(halves, sums, squares, counts)
    outside = _sharpes(1.0 - halves, sums, squares, counts)
    best = inside.argmax(axis=1)
    at = np.arange(len(halves))
    mine = outside[at, best][:, None]
    below = (outside < mine).sum(axis=1) + 0.5 * ((outside == mine).sum(axis=1) - 1)
    return inside[at, best], mine[:, 0], (below + 1) / (outside.shape[1] + 1)


def _sharpes(halves: NDArray, sums: NDArray, squares: NDArray, counts: NDArray) -> NDArray:
    n = (halves @ counts)[:, None]
    mean = halves @ sums / n
    variance = np.maximum(halves @ squares / n - mean**2, 0.0) * n / (n - 1)
    still = variance <= 1e-28
    return np.where(still, 0.0, mean / np.sqrt(np.where(still, 1.0, variance))) * np.sqrt(DAYS)
