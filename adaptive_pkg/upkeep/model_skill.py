"""Check: were the live forecasts better than "the price stays", lately and since the last training?"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from adaptive_pkg.doctor.findings import block
from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.forecast.skill import Skill, directional_accuracy, relative_mae
from adaptive_pkg.forecast.targets import (
    LOG_VOLATILITY,
    RETURN_SIGMA,
    future_log_volatility,
    future_return_sigma,
    past_log_volatility,
)
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.freshness import PREDICTIONS, models_folder, words
from adaptive_pkg.upkeep.inspection import Inspection

NAME = "model skill"
SEED = 11
OVERDUE = 3  # times live_retrain_hours after which a training is missing


@dataclass(frozen=True)
class LivePredictions:
    """What FreqAI kept of a live bot: by pair, each candle's prediction (made before its outcome was known),
    and when the model in service was trained."""

    frames: dict[str, pd.DataFrame]
    trained: dict[str, pd.Timestamp]


def check_models(seen: Inspection) -> Finding:
    """Errors of the live forecasts beside persistence, pairs together, blocks of hours resampled."""
    folder = models_folder(seen.config, seen.user_data)
    if folder is None:
        return unmeasured(NAME, "FreqAI is off (freqai.enabled), so nothing is forecast")
    if not (folder / PREDICTIONS).is_file():
        return unmeasured(
            NAME, f"no {PREDICTIONS} in {folder}; a bot writes it live or in dry run, a backtest does not"
        )
    known = read_predictions(folder)
    horizon = int(block(seen.config, "freqai", "feature_parameters").get("label_period_candles") or 12)
    judged, late = _judged(seen, known, horizon)
    overdue = _overdue(seen, known)
    ages = {pair: seen.now - moment for pair, moment in known.trained.items()}
    figures: dict[str, Any] = {
        "horizon_candles": horizon,
        "model_age_hours": {pair: age / pd.Timedelta(hours=1) for pair, age in ages.items()},
    }
    rows, skills = [], {}
    parts = {
        f"this {seen.period.noun}": judged[judged["date"] >= seen.start],
        "before": judged[judged["date"] < seen.start],
        "since the last training": judged[judged["since_training"]],
    }
    for name, part in parts.items():
        found = _skill(part, horizon, len(known.frames))
        rows.append((name, str(len(part)), *map(_shown, found)))
        skills[name] = found
        figures[name] = {
            "predictions": len(part),
            **{
                key: None if item is None else [item.value, item.low, item.high]
                for key, item in zip(("return", "direction", "volatility"), found, strict=True)
            },
        }
    table = FindingTable(
        ("", "predictions", "return MAE ÷ persistence", "direction right", "volatility MAE ÷ persistence"),
        tuple(rows),
    )
    newest = f"; models {words(min(ages.values()))} to {words(max(ages.values()))} old" if ages else ""
    told = f"{len(judged)} predictions whose {horizon} candles are over{newest}; below 1 is better"
    if late:
        told += f"; without candles: {', '.join(late)}"
    recent = skills[f"this {seen.period.noun}"][0]
    if recent is not None and recent.low > 1.0:
        return Finding(
            NAME,
            Verdict.ACT,
            f"worse than “the price stays” this {seen.period.noun} ({recent.value:.3f}, "
            f"{recent.low:.3f} to {recent.high:.3f}): {told}",
            "switch the forecast off (adaptive.components.forecast: false) until a new training has shown "
            "skill in `adaptive evaluate forecast`",
            figures,
            table,
        )
    if overdue:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"no training for too long: {', '.join(overdue)}; {told}",
            "see the log for trainings that failed; the old model stays in service until one succeeds",
            figures,
            table,
        )
    if recent is None:
        told += f"; too few this {seen.period.noun} for a figure"
    return Finding(NAME, Verdict.OK, told, "", figures, table)


def read_predictions(folder: Path) -> LivePredictions:
    """Read an identifier's folder, a running bot's too: where its file is half written, the copy beside it.

    These are pickles, which FreqAI itself loads at every start: read only your own bot's.

    Raises:
        DataError: neither can be read.
    """
    frames: dict[str, pd.DataFrame] | None = None
    for name in (PREDICTIONS, PREDICTIONS.replace(".pkl", ".backup.pkl")):
        try:
            with (folder / name).open("rb") as file:
                frames = cloudpickle.load(file)
            break
        except (OSError, EOFError, pickle.UnpicklingError, ValueError, AttributeError, ImportError):
            continue
    if not isinstance(frames, dict):
        raise DataError(f"{folder / PREDICTIONS}: cannot be read; if it stays so, FreqAI starts a new one")
    try:
        pairs = json.loads((folder / "pair_dictionary.json").read_text())
        trained = {
            pair: pd.Timestamp(item["trained_timestamp"], unit="s", tz="UTC") for pair, item in pairs.items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        trained = {}
    return LivePredictions(frames, trained)


def _judged(seen: Inspection, known: LivePredictions, horizon: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Predictions beside what came of them, pairs together, by date; and the pairs without candles."""
    parts, late = [], []
    for pair, frame in known.frames.items():
        try:
            candles = compute_indicators(seen.candles(pair), seen.settings.indicators)
        except DataError:
            late.append(pair)
            continue
        close, sigma, volume = (candles[name].to_numpy() for name in ("close", "sigma", "volume"))
        level = seen.settings.indicators.reference_period
        actual = pd.DataFrame(
            {
                "date": candles["date"].dt.as_unit("ms"),
                "actual_return": future_return_sigma(close, sigma, horizon, volume),
                "actual_volatility": future_log_volatility(close, horizon, level, volume),
                "past_volatility": past_log_volatility(close, horizon, level),
            }
        )
        made = frame[frame["do_predict"] == 1]
        dates = pd.to_datetime(made["date_pred"], utc=True).dt.as_unit("ms")
        made = made[[RETURN_SIGMA, LOG_VOLATILITY]].astype(float).assign(date=dates)
        made = made.drop_duplicates("date", keep="last").merge(actual, on="date", how="inner")
        trained = known.trained.get(pair, pd.Timestamp.max.tz_localize("UTC"))
        parts.append(made.dropna(subset=["actual_return"]).assign(since_training=made["date"] >= trained))
    if not parts:
        raise DataError(f"no candles in {seen.datadir} of the pairs with predictions; download them")
    return pd.concat(parts).sort_values("date", kind="stable", ignore_index=True), tuple(late)


def _overdue(seen: Inspection, known: LivePredictions) -> list[str]:
    """Pairs whose model is older than several of the config's retraining spans."""
    hours = float(block(seen.config, "freqai").get("live_retrain_hours") or 24.0)
    limit = pd.Timedelta(hours=OVERDUE * hours)
    return [
        f"{pair} {words(seen.now - moment)}"
        for pair, moment in known.trained.items()
        if moment.timestamp() > 0 and seen.now - moment > limit
    ]


def _skill(part: pd.DataFrame, horizon: int, pairs: int) -> tuple[Skill | None, Skill | None, Skill | None]:
    """Of the return, its sign, the volatility; None where there are too few rows or no answers."""
    rng, rows = np.random.default_rng(SEED), 4 * horizon * max(pairs, 1)
    forecast, actual = part[RETURN_SIGMA], part["actual_return"]
    found: list[Skill | None] = []
    for measure in (
        lambda: relative_mae(actual, forecast, np.zeros(len(part)), rows, rng),
        lambda: directional_accuracy(actual, forecast, rows, rng),
        lambda: relative_mae(
            part["actual_volatility"], part[LOG_VOLATILITY], part["past_volatility"], rows, rng
        ),
    ):
        try:
            found.append(measure())
        except ForecastError:
            found.append(None)
    return found[0], found[1], found[2]


def _shown(skill: Skill | None) -> str:
    return "–" if skill is None else f"{skill.value:.3f} ({skill.low:.3f} to {skill.high:.3f})"
