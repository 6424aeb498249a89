"""The forecasts of a backtest beside what came: errors over persistence's, rank correlation, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.evaluation.forecast.significance import rank_correlation, rank_products
from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.forecast.skill import Skill, price_mape, relative_loss
from adaptive_pkg.forecast.targets import (
    LOG_VOLATILITY,
    RETURN_SIGMA,
    forecast_price,
    future_log_volatility,
    future_return_sigma,
)
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.reports.forecast import score_predictions
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.simulator.candles import CandleStore

SEED = 20
BLOCK_DAYS = 7  # days that belong together: moves and their size come in runs
BINS = 10
LEAST_IN_BIN = 100  # forecasts


def judge_forecast(
    model_folder: Path,
    datadir: Path,
    pairs: Sequence[str],
    timeframe: str,
    *,
    horizon: int,
    start: pd.Timestamp,
    end: pd.Timestamp,
    indicators: IndicatorSettings,
) -> dict[str, Any]:
    """Score what FreqAI stored for a backtest. Arguments as those of `score_predictions`.

    Returns:
        horizon_candles, timeframe; pairs: the fields of `PairScore`, price_mape_ratio (over persistence's,
        in time blocks) and rank_ic; pooled: all pairs, a day one row, since pairs move together; bins: by
        kind (return in σ, log volatility), tenths of the forecasts with what followed them; silent: share
        of return forecasts that are exactly "no change"; answer: one plain sentence.

    Raises:
        DataError: no predictions there, or made on other candles. ForecastError: too few of them.
    """
    scores = score_predictions(
        model_folder, datadir, pairs, timeframe,
        horizon=horizon, start=start, end=end, indicators=indicators,
    ).as_json()  # fmt: skip
    store = CandleStore(datadir)
    known = {}
    for row in scores["pairs"]:
        candles = store.load(row["pair"], timeframe)
        stored = _stored(model_folder, row["pair"], start, end)
        frame = known[row["pair"]] = _outcomes(stored, candles, horizon, indicators)
        block, rng = 4 * horizon, np.random.default_rng(SEED)
        row["price_mape_ratio"] = asdict(
            relative_loss(frame["price_error"], frame["stays_error"], block, rng)
        )
        row["rank_ic"] = _skill(rank_correlation(_products(frame), SEED))
    everything = pd.concat(known.values(), ignore_index=True)
    pooled = _pooled(list(known.values()), everything)
    forecast = everything["forecast_return"]
    bins = {
        kind: _bins(everything[f"forecast_{kind}"], everything[f"actual_{kind}"], everything["date"])
        for kind in ("return", "volatility")
    }
    silent = float((forecast == 0).mean())
    return {**scores, "pooled": pooled, "bins": bins, "silent": silent, "answer": _answer(pooled)}


def _stored(folder: Path, pair: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    coin = pair.split("/")[0].lower()
    files = sorted((folder / "backtesting_predictions").glob(f"cb_{coin}_*_prediction.feather"))
    frame = pd.concat([pd.read_feather(path) for path in files], ignore_index=True)
    frame = frame[(frame["date"] >= start) & (frame["date"] <= end) & (frame["do_predict"] == 1)]
    return frame.drop_duplicates("date", keep="last")


def _outcomes(
    predictions: pd.DataFrame, candles: pd.DataFrame, horizon: int, settings: IndicatorSettings
) -> pd.DataFrame:
    """Rows whose outcome is known: date, forecast and actual return (σ) and log volatility, price errors."""
    frame = compute_indicators(candles, settings)
    close, sigma, volume = (frame[name].to_numpy() for name in ("close", "sigma", "volume"))
    frame = frame.assign(
        actual_return=future_return_sigma(close, sigma, horizon, volume),
        actual_volatility=future_log_volatility(close, horizon, settings.reference_period, volume),
        actual_price=np.append(close[horizon:], np.full(horizon, np.nan)),
    )
    both = predictions[["date", RETURN_SIGMA, LOG_VOLATILITY]].merge(frame, on="date", how="inner")
    both = both.rename(columns={RETURN_SIGMA: "forecast_return", LOG_VOLATILITY: "forecast_volatility"})
    both = both[both["actual_return"].notna() & both["forecast_return"].notna()]
    price = forecast_price(both["close"], both["forecast_return"], both["sigma"], horizon)
    return both.assign(
        price_error=np.abs(price / both["actual_price"] - 1.0),
        stays_error=np.abs(both["close"] / both["actual_price"] - 1.0),
        forecast_price=price,
    )


def _pooled(frames: list[pd.DataFrame], everything: pd.DataFrame) -> dict[str, Any]:
    errors = everything.assign(
        day=_days(everything),
        miss=(everything["forecast_return"] - everything["actual_return"]).abs(),
        stays=everything["actual_return"].abs(),
    )
    daily = errors.groupby("day")[["miss", "stays", "price_error", "stays_error"]].mean()

    def ratio(ours: str, theirs: str) -> dict[str, Any]:
        rng = np.random.default_rng(SEED)
        return asdict(relative_loss(daily[ours], daily[theirs], BLOCK_DAYS, rng))

    products = pd.concat([_products(frame) for frame in frames]).groupby(level=0).sum()
    return {
        "predictions": len(everything),
        "price_mape_pct": price_mape(everything["actual_price"], everything["forecast_price"]),
        "persistence_mape_pct": price_mape(everything["actual_price"], everything["close"]),
        "return_mae_ratio": ratio("miss", "stays"),
        "price_mape_ratio": ratio("price_error", "stays_error"),
        "rank_ic": _skill(rank_correlation(products, SEED)),
    }


def _products(frame: pd.DataFrame) -> pd.DataFrame:
    actual, forecast = (frame[name].to_numpy() for name in ("actual_return", "forecast_return"))
    return rank_products(actual, forecast[None, :], pd.Index(_days(frame)))


def _days(frame: pd.DataFrame) -> pd.Series:
    return frame["date"].dt.tz_localize(None).dt.floor("1D")


def _bins(forecast: pd.Series, actual: pd.Series, dates: pd.Series) -> list[dict[str, Any]]:
    """Means of up to ten equal parts of the forecasts, by size, and of what followed: forecast, actual, rows.

    A forecast of exactly "no change" claims nothing and stays out. Intervals: weeks drawn with replacement.
    """
    x, y = forecast.to_numpy(), actual.to_numpy()
    says = np.flatnonzero((x != 0) & np.isfinite(x) & np.isfinite(y))
    count = min(BINS, len(says) // LEAST_IN_BIN)
    if count < 2:
        return []
    weeks = dates.dt.tz_localize(None).dt.to_period("W").astype(str).to_numpy()
    found = []
    for rows in np.array_split(says[np.argsort(x[says], kind="stable")], count):
        followed = estimate_by_block(
            np.column_stack([y[rows], np.ones(len(rows))]), weeks[rows], lambda s: s[..., 0] / s[..., 1]
        )
        found.append({"forecast": float(x[rows].mean()), "actual": followed, "rows": len(rows)})
    return found


def _answer(pooled: Mapping[str, Any]) -> str:
    error, rank = pooled["return_mae_ratio"], pooled["rank_ic"]
    if error["high"] < 1.0:
        says = "the return is forecast better than by “the price stays where it is”"
    elif error["low"] > 1.0:
        says = "the return is forecast worse than by “the price stays where it is”"
    else:
        says = "no evidence that the return is forecast better than by “the price stays where it is”"
    ordered = (
        f"rank correlation {rank['value']:+.3f} ({rank['low']:+.3f} to {rank['high']:+.3f})"
        if rank
        else "no rank correlation, for it always says “no change”"
    )
    return (
        f"Forecast, all pairs: {says}: its error is {error['value']:.3f} ({error['low']:.3f} to "
        f"{error['high']:.3f}) of that one's; {ordered}; price MAPE {pooled['price_mape_pct']:.3f} % beside "
        f"{pooled['persistence_mape_pct']:.3f} %."
    )


def _skill(skill: Skill | None) -> dict[str, Any] | None:
    return None if skill is None else asdict(skill)
