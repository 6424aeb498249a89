"""Whether one forecast is really better than another: Diebold–Mariano, model confidence set, SPA, rank IC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from arch.bootstrap import MCS, SPA, CircularBlockBootstrap
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.regression.linear_model import OLS

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.skill import Skill

REPETITIONS = 1000
BLOCK_DAYS = 7  # volatility and trends last for days: blocks longer than the label's overlap
MCS_SIZE = 0.10


@dataclass(frozen=True)
class DieboldMariano:
    """Mean loss less the reference's. Below 0: better. p_better: of "not better", one-sided."""

    mean_difference: float
    statistic: float
    p_better: float
    p_two_sided: float
    lags: int
    rows: int


def diebold_mariano(loss: ArrayLike, reference: ArrayLike, horizon: int) -> DieboldMariano:
    """Test equal accuracy of two forecasts (Diebold & Mariano 1995).

    The mean loss difference over its Newey–West error, with lags of two horizons or 1.5 n^⅓, whichever is
    more, and the small-sample factor and t distribution of Harvey, Leybourne & Newbold (1997).

    Args:
        loss, reference: (n,) losses of the same rows, in time order.

    Raises:
        ForecastError: fewer than 10 horizons of rows.
    """
    difference = np.asarray(loss, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    n = len(difference)
    if n < 10 * horizon:
        raise ForecastError(f"Diebold-Mariano: {n} rows are fewer than 10 horizons of {horizon}; pass more")
    lags = int(max(2 * horizon, np.ceil(1.5 * n ** (1 / 3))))
    if not difference.any():
        return DieboldMariano(0.0, 0.0, 0.5, 1.0, lags, n)
    fit = OLS(difference, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    factor = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = float(fit.tvalues[0] * factor)
    p_better = float(stats.t.cdf(statistic, n - 1))
    return DieboldMariano(
        float(difference.mean()), statistic, p_better, 2 * min(p_better, 1 - p_better), lags, n
    )


def model_confidence_set(losses: pd.DataFrame, seed: int) -> dict[str, float]:
    """p-value of each model's place among the best (Hansen, Lunde & Nason 2011); above 0.10: in the 90 % set.

    Args:
        losses: (days, models) mean loss of a day.
    """
    # models with the same losses (a silent one is persistence) stand for one another: no test can part them
    same = {name: next(o for o in losses if _alike(losses[o], losses[name])) for name in losses}
    distinct = losses[list(dict.fromkeys(same.values()))]
    if distinct.shape[1] < 2:
        return dict.fromkeys(losses.columns, 1.0)
    mcs = MCS(distinct, MCS_SIZE, reps=REPETITIONS, block_size=BLOCK_DAYS, bootstrap="circular", seed=seed)
    mcs.compute()
    p = mcs.pvalues["Pvalue"]
    return {str(name): float(p[leader]) for name, leader in same.items()}


def superior_predictive_ability(losses: pd.DataFrame, benchmark: str, seed: int) -> float:
    """p-value of "no model is better than the benchmark" (Hansen 2005, consistent), all tried together."""
    others = losses[[name for name in losses if not _alike(losses[name], losses[benchmark])]]
    if others.empty:
        return 1.0
    spa = SPA(
        losses[benchmark],
        others,
        block_size=BLOCK_DAYS,
        reps=REPETITIONS,
        bootstrap="circular",
        seed=seed,
    )
    spa.compute()
    return float(spa.pvalues["consistent"])


def _alike(one: pd.Series, other: pd.Series) -> bool:
    """The same but for rounding: a mean over seeds that agree may differ from one in the last bit."""
    return bool(np.allclose(one, other, rtol=1e-9, atol=0.0))


def rank_products(
    actual: NDArray[np.float64], forecasts: NDArray[np.float64], days: pd.Index
) -> pd.DataFrame:
    """Daily sums from which a rank correlation, and that of any choice of days, is a ratio.

    Ranks are taken over all rows and scaled to mean 0 and variance 1.

    Args:
        actual: (n,). forecasts: (seeds, n). days: (n,).

    Returns:
        Frame by day: product (mean over the seeds that vary), size. Empty where no forecast varies.
    """
    y = stats.zscore(stats.rankdata(actual))
    varied = [row for row in forecasts if np.ptp(row) > 0]
    if not varied:
        return pd.DataFrame({"product": [], "size": []})
    ranked = np.mean([y * stats.zscore(stats.rankdata(row)) for row in varied], axis=0)
    return pd.DataFrame({"product": ranked, "size": np.ones(len(y))}).groupby(days.to_numpy()).sum()


def rank_correlation(daily: pd.DataFrame, seed: int) -> Skill | None:
    """Spearman's correlation from `rank_products`, 95 % interval by circular block bootstrap of days."""
    if len(daily) < 2 * BLOCK_DAYS:
        return None
    columns = daily.to_numpy()
    bootstrap = CircularBlockBootstrap(BLOCK_DAYS, columns, seed=np.random.default_rng(seed))
    low, high = bootstrap.conf_int(_ratio_of_sums, REPETITIONS, method="percentile")[:, 0]
    return Skill(float(_ratio_of_sums(columns)[0]), float(low), float(high), int(columns[:, 1].sum()))


def _ratio_of_sums(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    product, size = columns.sum(axis=0)
    return np.array([product / size])
