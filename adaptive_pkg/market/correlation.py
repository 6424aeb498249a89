"""How alike two pairs have moved of late, from closed candles only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.closed_candles import ClosedCandles, PairCandles

MIN_RETURNS = 20  # below it a correlation's standard error is above 0.2
_LEAST_SPREAD = 1e-12  # of log returns; rounding alone makes about 1e-15


def return_correlation(a: PairCandles, b: PairCandles, now: datetime, candles: int) -> float:
    """Pearson correlation of one-candle log returns, over the candles that both pairs have.

    Both pairs' last `candles` returns that have closed by `now` are matched by candle start. A return across
    a gap (of either pair), or of a close that is no price, is left out.

    Returns:
        Within [−1, 1]; NaN when fewer than MIN_RETURNS returns are common, or one pair did not move.

    Raises:
        DataError: the timeframes differ, or `candles` is below MIN_RETURNS.
    """
    if a.timeframe_seconds != b.timeframe_seconds:
        raise DataError(
            f"correlation of candles of {a.timeframe_seconds} s with candles of {b.timeframe_seconds} s; "
            "pass pairs of one timeframe"
        )
    if candles < MIN_RETURNS:
        raise DataError(f"correlation over {candles} candles; pass at least {MIN_RETURNS}")
    starts, closes_a = _closed(a, now, candles + 1)
    other_starts, closes_b = _closed(b, now, candles + 1)
    if starts != other_starts:
        common = set(starts).intersection(other_starts)
        closes_a = [close for start, close in zip(starts, closes_a, strict=True) if start in common]
        closes_b = [close for start, close in zip(other_starts, closes_b, strict=True) if start in common]
        starts = sorted(common)
    if len(starts) <= MIN_RETURNS:
        return math.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(np.array((closes_a, closes_b)))
        returns = logs[:, 1:] - logs[:, :-1]
    sound = np.isfinite(returns).all(axis=0)
    if starts[-1] - starts[0] != (len(starts) - 1) * a.timeframe_seconds:
        sound &= np.diff(starts) == a.timeframe_seconds
    n = int(np.count_nonzero(sound))
    if n < MIN_RETURNS:
        return math.nan
    if n < sound.size:
        returns = returns[:, sound]
    x, y = returns
    x, y = x - x.sum() / n, y - y.sum() / n
    spread_a, spread_b = math.sqrt(x @ x / n), math.sqrt(y @ y / n)
    if min(spread_a, spread_b) <= _LEAST_SPREAD:
        return math.nan
    return min(max(float(x @ y) / (n * (spread_a * spread_b)), -1.0), 1.0)


def _closed(pair: PairCandles, now: datetime, count: int) -> tuple[list[int], list[float]]:
    """Starts and closes of the last `count` candles closed by `now`."""
    stop = pair.last_closed(now) + 1
    first = max(stop - count, 0)
    return pair.starts[first:stop], pair.column("close")[first:stop]


@dataclass(frozen=True, slots=True)
class PairCorrelations:
    """Correlations between the pairs of `known`, over the last `candles` closed candles."""

    known: ClosedCandles
    candles: int

    def between(self, pair: str, other: str, now: datetime) -> float:
        """See `return_correlation`; NaN also where `other` has no candles here (it has left the pairlist).

        Raises:
            DataError: `pair` has no candles, which no pair that is about to be entered lacks.
        """
        mine = self.known.get(pair)
        try:
            theirs = self.known.get(other)
        except DataError:
            return math.nan
        return return_correlation(mine, theirs, now, self.candles)
