"""Every figure of an evaluation, from the forecasts: per pair and pooled, each beside its baseline."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.evaluation.forecast.earned import earned_weights
from adaptive_pkg.evaluation.forecast.models import LOG_VOL, RETURN, VARIANCE
from adaptive_pkg.evaluation.forecast.runner import PairForecasts
from adaptive_pkg.evaluation.forecast.significance import (
    diebold_mariano,
    model_confidence_set,
    rank_correlation,
    rank_products,
    superior_predictive_ability,
)
from adaptive_pkg.forecast.skill import price_mape, qlike, relative_loss
from adaptive_pkg.forecast.targets import forecast_price

SEED = 20  # of every bootstrap
POOLED = "all"
# the model that each target's others are measured against, first: persistence
RETURN_REFERENCE, VOLATILITY_REFERENCE, VOLATILITY_RIVAL = "zero", "persistence", "har"

FEWEST_ANSWERS = 30  # below which a share of right answers is not worth stating

Rows = NDArray[np.float64]


class PairScorer:
    """One pair's losses and figures on the rows where every model has a forecast."""

    def __init__(self, forecasts: PairForecasts) -> None:
        panel = forecasts.panel
        self.forecasts, self.panel = forecasts, panel
        self.block = max(4 * panel.horizon, _candles_a_week(panel.dates))
        self.labels = panel.labels.to_numpy()
        known = forecasts.test & np.isfinite(self.labels).all(axis=1)
        for values in forecasts.values.values():
            known &= np.isfinite(values[..., LOG_VOL]).all(axis=0)
        if known.sum() < 2 * self.block:
            raise ForecastError(
                f"{panel.pair}: {known.sum()} scored candles are fewer than two blocks of {self.block}; "
                "evaluate a longer span"
            )
        self.rows = np.flatnonzero(known)
        # without a time zone: pandas groups by plain timestamps a hundred times faster
        self.days = pd.DatetimeIndex(panel.dates.iloc[self.rows]).tz_localize(None).floor("1D")

    def of(self, model: str, column: int) -> Rows:
        """(seeds, rows) of one model."""
        return self.forecasts.values[model][:, self.rows, column]

    @property
    def return_models(self) -> list[str]:
        # persistence of the price is the zero forecast; HAR says nothing about returns
        return [n for n in self.forecasts.values if n not in ("persistence", "har", "har_clock")]

    @property
    def volatility_models(self) -> list[str]:
        return list(self.forecasts.values)

    def losses(self, measure: str) -> pd.DataFrame:
        """(rows, models), the mean over seeds: what one run of the model costs. Index: day."""
        if measure in ("return_absolute", "return_squared"):
            models, actual = self.return_models, self.labels[self.rows, RETURN]
            pick = RETURN
        elif measure == "qlike":
            variance = np.exp(2.0 * self.labels[self.rows, LOG_VOL])
            return pd.DataFrame(
                {m: qlike(variance, self.of(m, VARIANCE)).mean(axis=0) for m in self.volatility_models},
                index=self.days,
            )
        else:
            models, actual = self.volatility_models, self.labels[self.rows, LOG_VOL]
            pick = LOG_VOL
        power = 1 if measure.endswith("absolute") else 2
        return pd.DataFrame(
            {m: (np.abs(self.of(m, pick) - actual) ** power).mean(axis=0) for m in models}, index=self.days
        )

    def returns(self) -> dict[str, dict[str, Any]]:
        """Figures of the return forecast, by model."""
        absolute, squared = self.losses("return_absolute"), self.losses("return_squared")
        actual, future = self.labels[self.rows, RETURN], self.panel.future_close[self.rows]
        close, sigma = self.panel.close[self.rows], self.panel.sigma[self.rows]
        persistence_mape = price_mape(future, close)
        figures = {}
        for model in self.return_models:
            values = self.of(model, RETURN)
            prices = [forecast_price(close, row, sigma, self.panel.horizon) for row in values]
            mape = float(np.mean([price_mape(future, price) for price in prices]))
            products = rank_products(actual, values, self.days)
            figures[model] = {
                **_beside("mae", absolute, model, RETURN_REFERENCE, self.block, self.panel.horizon),
                **_beside("mse", squared, model, RETURN_REFERENCE, self.block, self.panel.horizon),
                "mae_ratio_by_seed": _by_seed(np.abs(values - actual), absolute[RETURN_REFERENCE]),
                "price_mape_pct": mape,
                "price_mape_over_persistence": mape / persistence_mape,
                "direction": self._direction(actual, values, top=1.0),
                "direction_top_decile": self._direction(actual, values, top=0.1),
                "rank_ic": _skill(rank_correlation(products, SEED)),
                "earned_weight": earned_weights(self.forecasts, model, RETURN, None),
            }
        return figures

    def volatility(self) -> dict[str, dict[str, Any]]:
        """Figures of the volatility forecast, by model."""
        absolute, squared = self.losses("volatility_absolute"), self.losses("volatility_squared")
        loss = self.losses("qlike")
        horizon, block = self.panel.horizon, self.block
        actual = self.labels[self.rows, LOG_VOL]
        has_rival = VOLATILITY_RIVAL in loss
        figures = {}
        for model in self.volatility_models:
            values = self.of(model, LOG_VOL)
            row = {
                **_beside("mae", absolute, model, VOLATILITY_REFERENCE, block, horizon),
                **_beside("mse", squared, model, VOLATILITY_REFERENCE, block, horizon),
                "mse_ratio_by_seed": _by_seed((values - actual) ** 2, squared[VOLATILITY_REFERENCE]),
                "skill_over_zero": 1.0 - float(squared[model].mean() / squared["zero"].mean()),
                "qlike": float(loss[model].mean()),
                "rank_ic": _skill(rank_correlation(rank_products(actual, values, self.days), SEED)),
            }
            if has_rival:
                row |= _beside("qlike", loss, model, VOLATILITY_RIVAL, block, horizon, "har")
                row |= _beside("mse", squared, model, VOLATILITY_RIVAL, block, horizon, "har")
            figures[model] = row
        return figures

    def _direction(self, actual: Rows, values: Rows, top: float) -> dict[str, Any] | None:
        """Part of the signs forecast rightly among the `top` part of answers by size, seeds together."""
        hits, answers = np.zeros(len(actual)), np.zeros(len(actual))
        for row in values:
            answered = (row != 0) & (actual != 0)
            if answered.any() and top < 1:
                answered &= np.abs(row) >= np.quantile(np.abs(row[answered]), 1.0 - top)
            answers += answered
            hits += answered & (np.sign(row) == np.sign(actual))
        if answers.sum() < FEWEST_ANSWERS:
            return None
        return _skill(relative_loss(hits, answers, self.block, np.random.default_rng(SEED)))


def score(forecasts: list[PairForecasts]) -> dict[str, Any]:
    """Every figure: `pairs` by name and, with several, their pool under "all". Raises ForecastError."""
    scorers = {item.panel.pair: PairScorer(item) for item in forecasts}
    result: dict[str, Any] = {"pairs": {}}
    for pair, scorer in scorers.items():
        result["pairs"][pair] = {
            "candles": len(scorer.rows),
            "folds": len(scorer.forecasts.folds),
            "first": f"{scorer.panel.dates.iloc[scorer.rows[0]]:%Y-%m-%d}",
            "last": f"{scorer.panel.dates.iloc[scorer.rows[-1]]:%Y-%m-%d}",
            "returns": scorer.returns(),
            "volatility": scorer.volatility(),
            "sets": _sets({measure: _daily([scorer], measure) for measure in _MEASURES}),
            "ensemble_weights": _mean_weights(scorer.forecasts.weights),
        }
    result["pooled"] = _pooled(list(scorers.values()))
    return result


_MEASURES = ("return_absolute", "return_squared", "volatility_squared", "qlike")


def _pooled(scorers: list[PairScorer]) -> dict[str, Any]:
    """Pairs move together, so each day is one row: the mean loss over the pairs that have it."""
    daily = {measure: _daily(scorers, measure) for measure in _MEASURES}
    # labels reach into the next day at most as far as their horizon
    days = int(np.ceil(max(s.panel.horizon / _candles_a_day(s.panel.dates) for s in scorers))) + 1
    result: dict[str, Any] = {"days": len(daily["qlike"]), "sets": _sets(daily)}
    for measure, reference in (
        ("return_absolute", RETURN_REFERENCE),
        ("return_squared", RETURN_REFERENCE),
        ("volatility_squared", VOLATILITY_REFERENCE),
        ("qlike", VOLATILITY_RIVAL),
        ("volatility_squared", VOLATILITY_RIVAL),
    ):
        losses = daily[measure]
        if reference in losses:
            result[f"{measure}_over_{reference}"] = {
                model: _beside("loss", losses, model, reference, 7, days) for model in losses
            }
    ic = {}
    for model in scorers[0].return_models:
        parts = [rank_products(s.labels[s.rows, RETURN], s.of(model, RETURN), s.days) for s in scorers]
        ic[model] = _skill(rank_correlation(pd.concat(parts).groupby(level=0).sum(), SEED))
    result["return_rank_ic"] = ic
    return result


def _daily(scorers: list[PairScorer], measure: str) -> pd.DataFrame:
    """(days, models) mean loss over the day's rows, then over the pairs."""
    parts = [losses.groupby(level=0).mean() for losses in (s.losses(measure) for s in scorers)]
    return pd.concat(parts).groupby(level=0).mean()


def _sets(daily: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Model confidence sets, and whether anything beats the benchmark however many were tried."""
    result = {}
    for measure, losses in daily.items():
        benchmark = RETURN_REFERENCE if measure.startswith("return") else VOLATILITY_RIVAL
        p = model_confidence_set(losses, SEED)
        result[measure] = {
            "model_confidence_p": p,
            "in_90_pct_set": sorted((m for m in p if p[m] > 0.1), key=lambda m: -p[m]),
            "spa_benchmark": benchmark,
            "spa_p": superior_predictive_ability(losses, benchmark, SEED) if benchmark in losses else None,
        }
    return result


def _beside(
    name: str, losses: pd.DataFrame, model: str, reference: str, block: int, horizon: int, label: str = ""
) -> dict[str, Any]:
    """Ratio of losses with its interval, and the Diebold–Mariano p of "not better"."""
    prefix = f"{name}_over_{label or 'reference'}"
    own, other = losses[model].to_numpy(), losses[reference].to_numpy()
    ratio = relative_loss(own, other, block, np.random.default_rng(SEED))
    test = diebold_mariano(own, other, horizon)
    return {prefix: _skill(ratio), f"{prefix}_dm_p": test.p_better if model != reference else None}


def _by_seed(losses: Rows, reference: pd.Series) -> list[float]:
    return [float(row.mean() / reference.mean()) for row in losses]


def _skill(skill: Any) -> dict[str, Any] | None:
    return None if skill is None else asdict(skill)


def _mean_weights(weights: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    if not weights:
        return {}
    return {
        label: {name: float(np.mean([row[label][name] for row in weights])) for name in weights[0][label]}
        for label in weights[0]
    }


def _candles_a_day(dates: pd.Series) -> float:
    return pd.Timedelta("1D") / dates.diff().median()


def _candles_a_week(dates: pd.Series) -> int:
    return round(7 * _candles_a_day(dates))
