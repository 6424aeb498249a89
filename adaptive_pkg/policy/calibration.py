"""Whether a higher confidence score has meant a better trade, and a probability fitted on the past alone.

Trades overlap and coins move together, so trades are not independent: every interval here is widened by, or
resampled in, `blocks` (one label per trade, e.g. its day, all pairs together) that are taken as independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adaptive_pkg.errors import DataError

Z95 = 1.959963984540054
RESAMPLES = 1000


@dataclass(frozen=True)
class ReliabilityBin:
    """Trades whose score lies in one bin. Intervals are 95 %; NaN where there are no trades."""

    low: float  # least and largest score in the bin (its edges where edges were given)
    high: float
    n: int
    mean_score: float
    win_rate: float
    win_low: float
    win_high: float
    mean_r: float
    mean_r_error: float  # half-width of the interval


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or −1 where the interval lies on one side of zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class WalkForward:
    """The isotonic probability out of sample, beside the raw score and the win rate of the past.

    Each is judged on the same trades. `gain_*`: Brier of the other less Brier of the isotonic, above 0 where
    the isotonic is better.
    """

    n: int
    months: int
    brier_isotonic: float
    brier_score: float
    brier_base_rate: float
    gain_on_score: Estimate
    gain_on_base_rate: Estimate
    probability: np.ndarray  # (all trades,), NaN where none was fitted yet


class IsotonicConfidence:
    """Win probability as a never-falling function of the score (isotonic regression, Zadrozny & Elkan 2002).

    The caller sees to it that every outcome passed to `fit` was known before the first score judged.
    """

    def __init__(self) -> None:
        self._model = None

    def fit(self, score: np.ndarray, won: np.ndarray) -> IsotonicConfidence:
        """Fit on past trades. Raises DataError: no trades, or a score that is not a number."""
        from sklearn.isotonic import IsotonicRegression

        score, won = _columns(score=score, won=won)
        self._model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(score, won)
        return self

    def probability(self, score: np.ndarray) -> np.ndarray:
        """Win probability of each score (n,). Raises DataError before `fit`."""
        if self._model is None:
            raise DataError("isotonic confidence: nothing was fitted yet; call fit with past trades")
        return self._model.predict(np.asarray(score, dtype=float))


def wilson_interval(wins: float, n: float) -> tuple[float, float]:
    """95 % interval of a win rate (Wilson 1927); `n` may be an effective number of trades."""
    if n <= 0:
        return float("nan"), float("nan")
    rate, spread = wins / n, Z95**2 / n
    centre = (rate + spread / 2) / (1 + spread)
    half = Z95 * np.sqrt(rate * (1 - rate) / n + spread / (4 * n)) / (1 + spread)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def block_error(values: np.ndarray, blocks: np.ndarray) -> float:
    """Standard error of a mean whose deviations add up within blocks (cluster-robust, Liang & Zeger 1986)."""
    _, block = np.unique(blocks, return_inverse=True)
    count = int(block.max()) + 1 if block.size else 0
    if count < 2:
        return float("nan")
    sums = np.bincount(block, weights=values - values.mean())
    return float(np.sqrt((sums**2).sum() * count / (count - 1)) / len(values))


def decile_edges(score: np.ndarray, bins: int = 10) -> np.ndarray:
    """Edges of (about) equally filled bins; equal scores share a bin, so there may be fewer."""
    return np.unique(np.quantile(_columns(score=score)[0], np.linspace(0, 1, bins + 1)))


def reliability(
    score: np.ndarray, r: np.ndarray, blocks: np.ndarray, edges: np.ndarray
) -> list[ReliabilityBin]:
    """Win rate and mean R by score, one bin per [edge, next edge), the last closed on both sides.

    The Wilson interval uses n divided by the design effect of the blocks (never below 1).

    Args:
        score, r: float (n,). blocks: labels (n,). A win is r > 0, after fees.

    Raises:
        DataError: lengths differ, no trades, a number is not finite, or fewer than two edges.
    """
    score, r = _columns(score=score, r=r, blocks=blocks)
    edges = np.asarray(edges, dtype=float)
    if len(edges) < 2:
        raise DataError(f"reliability: {len(edges)} edges; scores need at least two to lie between")
    index = np.searchsorted(edges, score, side="right") - 1
    index[score == edges[-1]] = len(edges) - 2
    return [
        _bin(float(edges[b]), float(edges[b + 1]), score[index == b], r[index == b], blocks[index == b])
        for b in range(len(edges) - 1)
    ]


def _bin(low: float, high: float, score: np.ndarray, r: np.ndarray, blocks: np.ndarray) -> ReliabilityBin:
    n = len(r)
    if n == 0:
        return ReliabilityBin(low, high, 0, *[float("nan")] * 6)
    won = (r > 0).astype(float)
    rate, variance = float(won.mean()), float(won.var())
    error = block_error(won, blocks)
    effect = max(1.0, error**2 * n / variance) if variance > 0 and np.isfinite(error) else 1.0
    interval = wilson_interval(rate * n / effect, n / effect)
    return ReliabilityBin(
        low, high, n, float(score.mean()), rate, *interval, float(r.mean()), Z95 * block_error(r, blocks)
    )


def monotonicity(score: np.ndarray, r: np.ndarray, blocks: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Spearman correlation of score and R, with the interval of a block bootstrap (ranks held fixed)."""
    from scipy.stats import rankdata

    score, r = _columns(score=score, r=r, blocks=blocks)
    x, y = rankdata(score), rankdata(r)
    x, y = x - x.mean(), y - y.mean()
    terms = np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])
    return _bootstrap(terms, blocks, rng, _correlation)


def mean_difference(
    values: np.ndarray, chosen: np.ndarray, blocks: np.ndarray, rng: np.random.Generator
) -> Estimate:
    """Mean of `values` where `chosen`, less the mean elsewhere, with a block-bootstrap interval."""
    (values,) = _columns(values=values, blocks=blocks)
    weight = np.asarray(chosen, dtype=float)
    terms = np.column_stack([weight, weight * values, 1 - weight, (1 - weight) * values])
    return _bootstrap(terms, blocks, rng, lambda s: s[..., 1] / s[..., 0] - s[..., 3] / s[..., 2])


def mean_difference_within(
    values: np.ndarray, chosen: np.ndarray, group: np.ndarray, blocks: np.ndarray, rng: np.random.Generator
) -> Estimate:
    """`mean_difference` at equal group (the coefficient of `chosen` beside one intercept per group)."""
    (values,) = _columns(values=values, blocks=blocks)
    _, index = np.unique(group, return_inverse=True)
    count = np.bincount(index)
    picked = np.asarray(chosen, dtype=float)
    picked = picked - (np.bincount(index, weights=picked) / count)[index]
    values = values - (np.bincount(index, weights=values) / count)[index]
    terms = np.column_stack([picked * values, picked * picked])
    return _bootstrap(terms, blocks, rng, lambda s: s[..., 0] / s[..., 1])


def mean_estimate(values: np.ndarray, blocks: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Mean with a block-bootstrap interval."""
    (values,) = _columns(values=values, blocks=blocks)
    terms = np.column_stack([np.ones(len(values)), values])
    return _bootstrap(terms, blocks, rng, lambda s: s[..., 1] / s[..., 0])


def brier(probability: np.ndarray, won: np.ndarray) -> float:
    """Mean squared distance of a probability from what happened (0 or 1); lower is better (Brier 1950)."""
    probability, won = _columns(probability=probability, won=won)
    return float(np.mean((probability - won) ** 2))


def walk_forward_isotonic(
    score: np.ndarray,
    r: np.ndarray,
    decided_at: np.ndarray,
    known_at: np.ndarray,
    blocks: np.ndarray,
    rng: np.random.Generator,
    *,
    min_trades: int = 200,
) -> WalkForward:
    """Judge each month's candidates by an isotonic fit on outcomes known before that month began.

    Args:
        score, r: float (n,). decided_at, known_at: datetime64 (n,), when the candidate came up and when its
        outcome was known. min_trades: past outcomes below which a month is not judged.

    Raises:
        DataError: lengths differ, a number is not finite, or no month has that many trades before it.
    """
    score, r = _columns(score=score, r=r, decided_at=decided_at, known_at=known_at, blocks=blocks)
    won = (r > 0).astype(float)
    month = np.asarray(decided_at).astype("datetime64[M]")
    probability, base = np.full(len(r), np.nan), np.full(len(r), np.nan)
    judged = 0
    for start in np.unique(month):
        past = np.asarray(known_at) < start.astype(np.asarray(known_at).dtype)
        if past.sum() < min_trades:
            continue
        now = month == start
        probability[now] = IsotonicConfidence().fit(score[past], won[past]).probability(score[now])
        base[now] = won[past].mean()
        judged += 1
    where = np.isfinite(probability)
    if not where.any():
        raise DataError(
            f"isotonic: no month has {min_trades} known outcomes before it among {len(r)} trades; "
            "give more candles"
        )
    loss = {
        "isotonic": (probability[where] - won[where]) ** 2,
        "score": (score[where] - won[where]) ** 2,
        "base": (base[where] - won[where]) ** 2,
    }
    return WalkForward(
        n=int(where.sum()),
        months=judged,
        brier_isotonic=float(loss["isotonic"].mean()),
        brier_score=float(loss["score"].mean()),
        brier_base_rate=float(loss["base"].mean()),
        gain_on_score=mean_estimate(loss["score"] - loss["isotonic"], blocks[where], rng),
        gain_on_base_rate=mean_estimate(loss["base"] - loss["isotonic"], blocks[where], rng),
        probability=probability,
    )


def _bootstrap(terms: np.ndarray, blocks: np.ndarray, rng: np.random.Generator, statistic) -> Estimate:
    """Percentile interval of a function of sums, blocks drawn with replacement."""
    _, block = np.unique(blocks, return_inverse=True)
    count = int(block.max()) + 1
    sums = np.column_stack([np.bincount(block, weights=column) for column in terms.T])
    value = float(statistic(sums.sum(axis=0)))
    if count < 2:
        return Estimate(value, float("nan"), float("nan"))
    draws = np.empty((RESAMPLES, count))
    for row in draws:
        row[:] = np.bincount(rng.integers(0, count, count), minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = statistic(draws @ sums)
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def _correlation(sums: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))


def _columns(**columns: np.ndarray) -> list[np.ndarray]:
    """The numeric ones as float arrays, all checked to be finite and of one length, not empty."""
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1 or not next(iter(lengths.values())):
        raise DataError(f"calibration: lengths {lengths}; pass columns of one length, with at least a trade")
    labels = ("blocks", "decided_at", "known_at")
    numbers = {name: values.astype(float) for name, values in arrays.items() if name not in labels}
    for name, values in numbers.items():
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            raise DataError(f"calibration: {name} {values[at]} of trade {at} is not a finite number")
    return list(numbers.values())
