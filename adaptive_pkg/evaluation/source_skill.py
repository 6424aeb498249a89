"""Does outside data say more about the future than past prices do? Out of sample, with intervals.

The incremental information coefficient: a walk-forward model learns what past returns and volatility say
(ordinary least squares), another what a family of outside columns says beyond that, on the past only. Their
later, unseen forecasts are then rank-correlated with what the first model has left unexplained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.stats import rankdata

from adaptive_pkg.errors import DataError

RESAMPLES = 2000
BLOCK_DAYS = 30
FIRST_TRAIN_DAYS = 730
REFIT_DAYS = 30
_CLIP = 4.0  # standard deviations; a column's outliers must not carry the fit
_CELLS = 4_000_000  # numbers resampled at once


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or −1 where the interval lies on one side of zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True, slots=True)
class IncrementalIC:
    """What a family of columns adds.

    Attributes:
        ic: rank correlation of its forecast with what past prices leave unexplained.
        ic_prices, ic_with: of the forecast from past prices alone, and with the family, with the outcome.
        gain: ic_with − ic_prices, paired.
        p: one-sided, of "it adds nothing".
        days, rows: judged out of sample. first, last: day judged.
    """

    ic: Interval
    ic_prices: Interval
    ic_with: Interval
    gain: Interval
    p: float
    days: int
    rows: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Forecasts and outcomes that no fit has seen. Each (rows,)."""

    date: NDArray[np.datetime64]
    outcome: NDArray[np.float64]
    by_prices: NDArray[np.float64]
    added: NDArray[np.float64]


def incremental_ic(
    panel: pd.DataFrame,
    target: str,
    family: Sequence[str],
    controls: Sequence[str],
    horizon_days: int,
    rng: np.random.Generator,
) -> IncrementalIC:
    """Judge a family of columns.

    Args:
        panel: one row a coin and day, columns date, `target`, `family`, `controls`; rows with a NaN are left
            out. `target` is known `horizon_days` after `date`.
        rng: source of the block bootstrap over days; coins of a day stay together.

    Raises:
        DataError: too few days to learn from and to judge.
    """
    judged = walk_forward(panel, target, family, controls, horizon_days)
    left = judged.outcome - judged.by_prices
    days, code = np.unique(judged.date, return_inverse=True)
    draws = draw_blocks(len(days), max(BLOCK_DAYS, 2 * horizon_days), rng)

    def drawn(x: NDArray, y: NDArray) -> tuple[float, NDArray]:
        return _rank_correlations(x, y, code, len(days), draws)

    ic, ics = drawn(judged.added, left)
    prices, all_prices = drawn(judged.by_prices, judged.outcome)
    both, all_both = drawn(judged.by_prices + judged.added, judged.outcome)
    return IncrementalIC(
        ic=_interval(ic, ics),
        ic_prices=_interval(prices, all_prices),
        ic_with=_interval(both, all_both),
        gain=_interval(both - prices, all_both - all_prices),
        # recentred: how often chance alone would do as well
        p=float((1 + np.sum(ics - ic >= ic)) / (1 + len(ics))),
        days=len(days),
        rows=len(judged.date),
        first=str(days[0])[:10],
        last=str(days[-1])[:10],
    )


def walk_forward(
    panel: pd.DataFrame,
    target: str,
    family: Sequence[str],
    controls: Sequence[str],
    horizon_days: int,
) -> Judged:
    """Forecast every day from the end of the first training stretch on; refitted as time goes on.

    A fit sees only rows whose outcome was known at the time. Raises DataError for too few days.
    """
    columns = ["date", target, *family, *controls]
    rows = panel[columns].dropna().sort_values("date", kind="stable", ignore_index=True)
    dates = rows["date"].to_numpy().astype("datetime64[D]")
    if not len(rows) or (dates[-1] - dates[0]).astype(int) < FIRST_TRAIN_DAYS + 6 * BLOCK_DAYS:
        raise DataError(
            f"{', '.join(family)}: {len(np.unique(dates))} days with every column; at least "
            f"{FIRST_TRAIN_DAYS} to learn from and {6 * BLOCK_DAYS} to judge are needed"
        )
    y = rows[target].to_numpy(float)
    prices, outside = rows[list(controls)].to_numpy(float), rows[list(family)].to_numpy(float)
    parts = []
    start = dates[0] + FIRST_TRAIN_DAYS
    while start <= dates[-1]:
        stop = start + REFIT_DAYS
        past = dates + horizon_days <= start
        now = (dates >= start) & (dates < stop)
        if now.any():
            by_prices, added = _fit(y[past], prices[past], outside[past], prices[now], outside[now])
            parts.append((dates[now], y[now], by_prices, added))
        start = stop
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _fit(
    y: NDArray, prices: NDArray, outside: NDArray, new_prices: NDArray, new_outside: NDArray
) -> tuple[NDArray, NDArray]:
    """Forecast from prices, and what the outside columns add, for new rows (Frisch & Waugh 1933)."""
    base, new_base = _scaled(prices, new_prices)
    extra, new_extra = _scaled(outside, new_outside)
    base, new_base = sm.add_constant(base, has_constant="add"), sm.add_constant(new_base, has_constant="add")
    of_prices = np.linalg.lstsq(base, y, rcond=None)[0]
    shared = np.linalg.lstsq(base, extra, rcond=None)[0]
    beta = np.linalg.lstsq(extra - base @ shared, y - base @ of_prices, rcond=None)[0]
    return new_base @ of_prices, (new_extra - new_base @ shared) @ beta


def _scaled(past: NDArray, new: NDArray) -> tuple[NDArray, NDArray]:
    """Both in standard deviations of the past, clipped."""
    mean, spread = past.mean(axis=0), past.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return np.clip((past - mean) / spread, -_CLIP, _CLIP), np.clip((new - mean) / spread, -_CLIP, _CLIP)


def correlation(
    x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator, block: int = BLOCK_DAYS
) -> Interval:
    """Pearson's correlation of two daily series with a block bootstrap's interval. Pairs with a NaN are out.

    Raises:
        DataError: fewer than ten blocks of pairs, or a series that does not move.
    """
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    if len(x) < 10 * block or x.std() == 0 or y.std() == 0:
        raise DataError(f"{len(x)} pairs of values; at least {10 * block}, and moving ones, are needed")
    draws = draw_blocks(len(x), block, rng)
    value, drawn = _correlations(x, y, np.arange(len(x)), len(x), draws)
    return _interval(value, drawn)


def granger_p(cause: NDArray[np.float64], effect: NDArray[np.float64], lags: int) -> float:
    """p of "the past of `cause` says nothing about `effect` beyond the effect's own past" (Granger 1969).

    A Wald test with errors robust to changing variance and overlap (Newey & West 1987). Days in order.
    """
    n = len(effect)
    own = np.column_stack([effect[lags - k : n - k] for k in range(1, lags + 1)])
    other = np.column_stack([cause[lags - k : n - k] for k in range(1, lags + 1)])
    y = effect[lags:]
    there = np.isfinite(np.column_stack([own, other, y])).all(axis=1)
    design = sm.add_constant(np.column_stack([own, other])[there])
    fitted = sm.OLS(y[there], design).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    restricted = np.zeros((lags, design.shape[1]))
    restricted[:, 1 + lags :] = np.eye(lags)
    return float(fitted.wald_test(restricted, use_f=True, scalar=True).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values as they stand when so many were tried (Holm 1979), in the order given."""
    order = np.argsort(p_values)
    count, worst = len(p_values), 0.0
    adjusted = [0.0] * count
    for rank, at in enumerate(order):
        worst = max(worst, min(1.0, (count - rank) * p_values[at]))
        adjusted[at] = worst
    return adjusted


def draw_blocks(count: int, block: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of `RESAMPLES` circular block bootstraps (Politis & Romano 1992): (resamples, count)."""
    starts = rng.integers(0, count, size=(RESAMPLES, -(-count // block)))
    rows = (starts[:, :, None] + np.arange(block)) % count
    return rows.reshape(RESAMPLES, -1)[:, :count]


def _rank_correlations(
    x: NDArray, y: NDArray, code: NDArray, days: int, draws: NDArray
) -> tuple[float, NDArray]:
    """Spearman's correlation, and that of each resample by the ranks of the whole."""
    return _correlations(rankdata(x), rankdata(y), code, days, draws)


def _correlations(x: NDArray, y: NDArray, code: NDArray, days: int, draws: NDArray) -> tuple[float, NDArray]:
    """The correlation, and each resample's; rows of one day are drawn together."""
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    moments = [np.bincount(code, column, days) for column in (np.ones_like(x), x, y, x * x, y * y, x * y)]
    whole = _from_sums(*(column.sum() for column in moments))
    step = max(1, _CELLS // draws.shape[1])
    parts = [
        _from_sums(*(column[draws[at : at + step]].sum(axis=1) for column in moments))
        for at in range(0, len(draws), step)
    ]
    return float(whole), np.concatenate(parts)


def _from_sums(n, x, y, xx, yy, xy):
    return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))


def _interval(value: float, drawn: NDArray) -> Interval:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value, float(low), float(high))
