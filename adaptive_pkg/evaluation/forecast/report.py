"""The report `adaptive evaluate forecast`: run what is missing, score it, say what it means."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.forecast.features import FeatureSet
from adaptive_pkg.evaluation.forecast.folds import Schedule
from adaptive_pkg.evaluation.forecast.page import write_page
from adaptive_pkg.evaluation.forecast.reading import aims, sentences
from adaptive_pkg.evaluation.forecast.runner import Plan, collect, plan_jobs, run_jobs
from adaptive_pkg.evaluation.forecast.scores import SEED, score
from adaptive_pkg.evaluation.forecast.significance import BLOCK_DAYS, REPETITIONS
from adaptive_pkg.evaluation.forecast.store import JobStore
from adaptive_pkg.evaluation.forecast.tables import show
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.simulator.candles import CandleStore

YEARS = 3  # out of sample, where no start is given
HORIZON = 12  # candles ahead, as in the shipped configuration


def evaluate_forecast(
    datadir: Path,
    pairs: Sequence[str] | None,
    timeframe: str,
    out: Path,
    json_path: Path | None,
    console: Console,
    **options: Any,
) -> int:
    """Run, print and write the evaluation; `options` as in `run`.

    Returns 0, or 130 if interrupted. Raises DataError, SettingsError, ForecastError.
    """
    try:
        result = run(datadir, pairs, timeframe, out, console, **options)
    except KeyboardInterrupt:
        console.print(
            f"interrupted; finished jobs are kept in {out / 'jobs'}, the same command goes on from there"
        )
        return 130
    show(result, console)
    out.mkdir(parents=True, exist_ok=True)
    target = json_path or out / "forecast.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    page = write_page(result, out / "forecast.html")
    console.print(f"written: {target} and {page}", highlight=False)
    return 0


def run(
    datadir: Path,
    pairs: Sequence[str] | None,
    timeframe: str,
    out: Path,
    console: Console,
    *,
    horizon: int = HORIZON,
    start: str | pd.Timestamp | None = None,
    end: str | pd.Timestamp | None = None,
    train_days: int = 180,
    refit_days: int = 182,
    embargo_candles: int = 24,
    seeds: int = 5,
    workers: int | None = None,
    features: FeatureSet = FeatureSet.SHIPPED,
    forecaster: ForecastSettings | None = None,
    indicators: IndicatorSettings | None = None,
) -> dict[str, Any]:
    """Evaluate every model on every pair, walking forward; finished jobs are kept below `out`/jobs.

    Args:
        pairs: None means every pair of that timeframe found.
        horizon: candles ahead. start, end: out-of-sample span [start, end), UTC; by default the last three
            years on disk.
        train_days, refit_days, embargo_candles: see `Schedule`. A smaller refit_days is finer and slower.
        features: what every model but HAR is fed.
        seeds: runs of each model that has randomness. workers: processes; None: one per core.

    Returns:
        All figures, as the JSON file holds them.

    Raises:
        DataError: no candles, or too few of them. SettingsError: a date or length makes no sense.
        ForecastError: a model could not be fitted; names the job.
    """
    store = CandleStore(datadir)
    names = tuple(pairs) if pairs else tuple(p for p in store.pairs if timeframe in store.timeframes[p])
    if not names:
        raise DataError(f"{datadir}: no {timeframe} candles; download some, or name another timeframe")
    newest = max(store.load(pair, timeframe)["date"].iloc[-1] for pair in names)
    last = _moment("end", end) or (newest + pd.Timedelta("1s")).ceil("1D")
    first = _moment("start", start) or last - pd.DateOffset(years=YEARS)
    plan = Plan(
        Path(datadir),
        names,
        timeframe,
        horizon,
        Schedule(first, last, train_days, refit_days, embargo_candles),
        forecaster or ForecastSettings(),
        indicators or IndicatorSettings(),
        seeds=tuple(range(1, seeds + 1)),
        features=FeatureSet(features),
    )
    jobs = plan_jobs(plan)
    kept = JobStore(out / "jobs")
    run_jobs(plan, jobs, kept, workers or os.cpu_count() or 1, console)
    with console.status("scoring"):
        figures = score(collect(plan, jobs, kept))
    result = {
        "timeframe": timeframe,
        "horizon_candles": horizon,
        "start": f"{first:%Y-%m-%d}",
        "end": f"{last:%Y-%m-%d}",
        "train_days": train_days,
        "refit_days": refit_days,
        "purge_candles": horizon,
        "embargo_candles": embargo_candles,
        "seeds": seeds,
        "features": str(plan.features),
        "jobs": len(jobs),
        "interval": (
            "95 %, circular blocks of a week; rank IC by days in blocks of a week; models with seeds by "
            "their mean loss over seeds"
        ),
        "diebold_mariano": (
            "p of 'not better', one-sided, Newey-West errors over at least 2 horizons, HLN factor"
        ),
        "bootstrap": {"repetitions": REPETITIONS, "block_days": BLOCK_DAYS, "seed": SEED},
        "forecaster": asdict(plan.forecaster),
        **figures,
    }
    result["aims"] = aims(result)
    result["reading"] = sentences(result)
    return result


def _moment(name: str, value: str | pd.Timestamp | None) -> pd.Timestamp | None:
    """A date or moment in UTC. Raises SettingsError for what is none."""
    if value is None:
        return None
    try:
        moment = pd.Timestamp(value)
    except ValueError:
        raise SettingsError(f"{name}: {value!r} is not a date; write 2022-01-01") from None
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
