"""The forecaster's out-of-sample predictions of a backtest, scored beside persistence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.errors import DataError
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE
from adaptive_pkg.forecast.skill import Skill, directional_accuracy, price_mape, relative_mae
from adaptive_pkg.forecast.targets import (
    LOG_VOLATILITY,
    RETURN_SIGMA,
    forecast_price,
    future_log_volatility,
    future_return_sigma,
    past_log_volatility,
)
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.simulator.candles import CandleStore

BOOTSTRAP_SEED = 20


@dataclass(frozen=True)
class PairScore:
    """One pair's forecast errors. Ratios below 1 mean: better than persistence."""

    pair: str
    predictions: int
    return_mae_ratio: Skill  # against "the price stays"
    price_mape_pct: float
    persistence_mape_pct: float
    direction: Skill | None  # share of signs forecast rightly; None for a model that says "no change"
    volatility_mae_ratio: Skill  # against "volatility stays what it was over the last horizon"


@dataclass(frozen=True)
class ForecastScores:
    """Scores of every pair that has predictions."""

    horizon_candles: int
    timeframe: str
    pairs: list[PairScore]

    def render(self, console: Console) -> None:
        title = f"forecast {self.horizon_candles} candles of {self.timeframe} ahead, beside persistence"
        table = Table(title=title, box=box.SIMPLE, caption=_READING)
        for heading in (
            "pair", "predictions", "return MAE ÷ persistence", "price MAPE", "persistence MAPE",
            "direction right", "volatility MAE ÷ persistence",
        ):  # fmt: skip
            table.add_column(heading, justify="left" if heading == "pair" else "right")
        for row in self.pairs:
            table.add_row(
                row.pair,
                str(row.predictions),
                _interval(row.return_mae_ratio),
                f"{row.price_mape_pct:.3f} %",
                f"{row.persistence_mape_pct:.3f} %",
                _interval(row.direction, 100, " %", 1) if row.direction else "–",
                _interval(row.volatility_mae_ratio),
            )
        console.print(table)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_READING = "[…] is the 95 % block-bootstrap interval; a ratio below 1 is better than persistence"


def score_predictions(
    model_folder: Path,
    datadir: Path,
    pairs: Sequence[str],
    timeframe: str,
    *,
    horizon: int,
    start: pd.Timestamp,
    end: pd.Timestamp,
    indicators: IndicatorSettings,
) -> ForecastScores:
    """Score what FreqAI stored for a backtest. Every prediction was made by a model trained before it.

    Args:
        model_folder: user_data/models/<identifier>. start, end: span of the backtest.

    Raises:
        DataError: no predictions there for any pair, or they were made on the candles of another folder.
    """
    _check_source(model_folder, datadir)
    scores = []
    for pair in pairs:
        predictions = _predictions(model_folder, pair, start, end)
        if predictions is None:
            continue
        candles = CandleStore(datadir).load(pair, timeframe)
        scores.append(_score(pair, predictions, candles, horizon, indicators))
    if not scores:
        raise DataError(
            f"{model_folder}: no stored predictions for {', '.join(pairs)} between {start:%Y-%m-%d} and "
            f"{end:%Y-%m-%d}; run the backtest with FreqAI first"
        )
    return ForecastScores(horizon, timeframe, scores)


def _check_source(model_folder: Path, datadir: Path) -> None:
    mark = model_folder / FINGERPRINT_FILE
    made_on = json.loads(mark.read_text())["inputs"].get("datadir") if mark.is_file() else None
    if made_on and Path(made_on).resolve() != datadir.resolve():
        raise DataError(
            f"{model_folder}: its predictions were made on the candles in {made_on}, not {datadir}; "
            f"give --datadir {made_on}, or --result for a backtest on {datadir}"
        )


def _predictions(folder: Path, pair: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame | None:
    coin = pair.split("/")[0].lower()
    files = sorted((folder / "backtesting_predictions").glob(f"cb_{coin}_*_prediction.feather"))
    if not files:
        return None
    frame = pd.concat([pd.read_feather(path) for path in files], ignore_index=True)
    frame = frame[(frame["date"] >= start) & (frame["date"] <= end) & (frame["do_predict"] == 1)]
    return frame.drop_duplicates("date", keep="last") if len(frame) else None


def _score(
    pair: str, predictions: pd.DataFrame, candles: pd.DataFrame, horizon: int, settings: IndicatorSettings
) -> PairScore:
    frame = compute_indicators(candles, settings)
    close, sigma, volume = (frame[name].to_numpy() for name in ("close", "sigma", "volume"))
    level_period = settings.reference_period
    frame = frame.assign(
        actual_return=future_return_sigma(close, sigma, horizon, volume),
        actual_volatility=future_log_volatility(close, horizon, level_period, volume),
        past_volatility=past_log_volatility(close, horizon, level_period),
        actual_price=np.append(close[horizon:], np.full(horizon, np.nan)),
    )
    both = predictions.merge(frame, on="date", how="inner")
    rng, block = np.random.default_rng(BOOTSTRAP_SEED), 4 * horizon
    actual, forecast = both["actual_return"], both[RETURN_SIGMA]
    price = forecast_price(both["close"], forecast, both["sigma"], horizon)
    known = both["actual_price"].where(actual.notna())
    return PairScore(
        pair=pair,
        predictions=int(actual.notna().sum()),
        return_mae_ratio=relative_mae(actual, forecast, np.zeros(len(both)), block, rng),
        price_mape_pct=price_mape(known, price),
        persistence_mape_pct=price_mape(known, both["close"]),
        direction=directional_accuracy(actual, forecast, block, rng) if (forecast != 0).any() else None,
        volatility_mae_ratio=relative_mae(
            both["actual_volatility"], both[LOG_VOLATILITY], both["past_volatility"], block, rng
        ),
    )


def _interval(skill: Skill, scale: float = 1.0, unit: str = "", digits: int = 3) -> str:
    value, low, high = (f"{scale * x:.{digits}f}" for x in (skill.value, skill.low, skill.high))
    return f"{value}{unit} [{low}, {high}]"
