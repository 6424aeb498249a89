"""The report `adaptive tune`: search, judge the best on candles no trial has seen, write it for FreqAI."""

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
from adaptive_pkg.evaluation.forecast.folds import Schedule
from adaptive_pkg.evaluation.forecast.runner import Plan
from adaptive_pkg.evaluation.tuning.search import (
    DEFAULT,
    PRUNE_FOLDS,
    PRUNE_TRIALS,
    RANDOM_TRIALS,
    fold_losses,
    judge,
    run_trials,
    settings_of,
)
from adaptive_pkg.evaluation.tuning.space import SearchSpace, config_block
from adaptive_pkg.evaluation.tuning.study import StudyFile, TrialRecord, only_user
from adaptive_pkg.evaluation.tuning.tables import show
from adaptive_pkg.evaluation.tuning.task import TuningTask
from adaptive_pkg.evaluation.tuning.verdict import Mean, as_json, best_of, compare, held_out, sentences
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.simulator.candles import CandleStore

YEARS = 3  # of folds, where no timerange is given
HORIZON = 12  # candles ahead, as in the shipped configuration


def tune(
    datadir: Path,
    pairs: Sequence[str] | None,
    timeframe: str,
    *,
    trials: int,
    workers: int | None,
    storage: Path,
    out: Path | None,
    json_path: Path | None,
    timerange: str | None,
    seed: int,
    console: Console,
    **options: Any,
) -> int:
    """Search, print what came out and write it.

    Args:
        trials: in total, with those the storage already holds; the first runs the default settings.
        workers: processes; None: one per core. The same trials come out of one worker every time; with
            several, a trial's draw also depends on which others had ended by then.
        storage: SQLite file of the study; the same command continues there.
        out: where the FreqAI block goes, a config file to pass beside the usual one; None: printed only.
        options: as in `run`.

    Returns:
        0, or 130 if interrupted.

    Raises:
        DataError, SettingsError, ForecastError: see `run`.
    """
    try:
        result = run(
            datadir, pairs, timeframe, trials=trials, workers=workers, storage=storage, timerange=timerange,
            seed=seed, console=console, **options,
        )  # fmt: skip
    except KeyboardInterrupt:
        console.print(
            f"interrupted; finished trials are kept in {storage}, the same command goes on from there",
            highlight=False,
        )
        return 130
    show(result, console, out)
    if out is None:
        console.print_json(data=result["config"])
    for path, content in ((out, result["config"]), (json_path, result)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            console.print(f"written: {path}", highlight=False)
    return 0


def run(
    datadir: Path,
    pairs: Sequence[str] | None,
    timeframe: str,
    *,
    trials: int,
    workers: int | None,
    storage: Path,
    timerange: str | None,
    seed: int,
    console: Console,
    horizon: int = HORIZON,
    train_days: int = 180,
    fold_days: int = 60,
    embargo_candles: int = 24,
    held_out_share: float = 1 / 3,
    held_out_seeds: int = 3,
    forecaster: ForecastSettings | None = None,
    indicators: IndicatorSettings | None = None,
    space: SearchSpace | None = None,
) -> dict[str, Any]:
    """Run the missing trials and judge the best one; returns all figures, as the JSON file holds them.

    Args:
        pairs: None means every pair of that timeframe found.
        timerange: freqtrade's form, of the candles that are forecast; training reaches `train_days` further
            back. Default: the last three years on disk.
        fold_days: between refits. held_out_share: last part of the folds, which no trial sees.
        held_out_seeds: of each fit on them. forecaster: the settings to beat, trial 0.

    Raises:
        DataError: no candles, too few for the folds, or an unusable storage.
        SettingsError: an option makes no sense.
        ForecastError: the default settings cannot be fitted.
    """
    for name, value in (("trials", trials), ("workers", workers or 1), ("held_out_seeds", held_out_seeds)):
        if value < 1:
            raise SettingsError(f"{name}: {value}; give at least 1")
    if not 0 < held_out_share < 1:
        raise SettingsError(f"held_out_share: {held_out_share} is not between 0 and 1")
    processes = workers or os.cpu_count() or 1
    names = _pairs(datadir, pairs, timeframe)
    plan = Plan(
        Path(datadir),
        names,
        timeframe,
        horizon,
        Schedule(*_span(datadir, names, timeframe, timerange), train_days, fold_days, embargo_candles),
        forecaster or ForecastSettings(),
        indicators or IndicatorSettings(),
    )
    task = TuningTask(plan, space or SearchSpace(), seed, held_out_share)
    search, later = task.folds()  # before anything is written: it finds what is wrong with the candles
    with only_user(Path(storage)):
        file = StudyFile(Path(storage), task)
        if file.is_new and file.others:
            console.print(
                f"{storage} holds {len(file.others)} other search(es), which stay as they are; this is a new "
                f"one, for it differs from the last one in: {file.others[-1]}",
                highlight=False,
            )
        if given_up := file.forget_unfinished():
            console.print(f"{given_up} interrupted trial(s) are run again", highlight=False)
        run_trials(task, file, trials, processes, console)
        records = file.records()
        best = best_of(records)
        judge(task, file, sorted({DEFAULT, best.number}), held_out_seeds, processes, console)
        judged = held_out(file.held_out(), best.number, held_out_seeds)
        looks = len({number for number, _ in file.held_out()} - {DEFAULT})
    settings = settings_of(task, best)
    folds = {name: _fold_span(task, part) for name, part in (("search", search), ("held_out", later))}
    default = next(record for record in records if record.number == DEFAULT)
    return {
        "pairs": list(names),
        "timeframe": timeframe,
        "horizon_candles": horizon,
        "train_days": train_days,
        "fold_days": fold_days,
        "purge_candles": horizon,
        "embargo_candles": embargo_candles,
        "folds": folds,
        "seed": seed,
        "study": file.name,
        "objective": (
            "mean over the search folds of out-of-sample MSE over that of the zero forecast, mean of return "
            "and log volatility, mean over pairs"
        ),
        "sampler": f"TPE after {RANDOM_TRIALS} random trials",
        "pruner": f"median of the trials before, from fold {PRUNE_FOLDS} on, after {PRUNE_TRIALS} trials",
        "trials": [_trial(record, default) for record in records],
        "best_trial": best.number,
        "held_out": {**as_json(judged), "verdict": judged.verdict},
        "settings_judged_on_held_out": looks,
        "settings": asdict(settings),
        "config": config_block(settings),
        "reading": sentences(records, judged, looks),
    }


def _trial(record: TrialRecord, default: TrialRecord) -> dict[str, Any]:
    losses = list(fold_losses(record.scores).values())
    gap = compare(record, default)
    return {
        "trial": record.number,
        "state": record.state,
        "reason": record.reason,
        "params": record.params,
        "folds": len(losses),
        "loss": as_json(Mean.of(losses)) if len(losses) > 1 else None,
        "less_default": None if gap is None else as_json(gap),
        "cpu_seconds_per_fit": record.cpu_seconds / max(len(record.scores), 1),
        "scores": [asdict(score) for score in record.scores],
    }


def _fold_span(task: TuningTask, part: dict[int, dict[str, Any]]) -> dict[str, Any]:
    moments = [
        (panel.dates.iloc[fold.test_first], panel.dates.iloc[fold.test_end - 1])
        for pairs in part.values()
        for panel, fold in ((task.plan.panel(pair), fold) for pair, fold in pairs.items())
    ]
    first, last = min(m[0] for m in moments), max(m[1] for m in moments)
    return {"folds": len(part), "first": f"{first:%Y-%m-%d}", "last": f"{last:%Y-%m-%d}"}


def _pairs(datadir: Path, pairs: Sequence[str] | None, timeframe: str) -> tuple[str, ...]:
    store = CandleStore(datadir)
    names = tuple(pairs) if pairs else tuple(p for p in store.pairs if timeframe in store.timeframes[p])
    if not names:
        raise DataError(f"{datadir}: no {timeframe} candles; download some, or name another timeframe")
    if len(set(names)) < len(names):
        raise SettingsError(f"pairs: {', '.join(names)}; name each once")
    return names


def _span(
    datadir: Path, pairs: Sequence[str], timeframe: str, timerange: str | None
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """[start, end) of the folds. All pairs must reach the end, or the last folds would lack some."""
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import ConfigurationError

    store = CandleStore(datadir)
    newest = []
    for pair in pairs:
        dates = store.load(pair, timeframe)["date"]
        if dates.empty:
            raise DataError(f"{pair}: the {timeframe} file holds no candle; download it again")
        newest.append(dates.iloc[-1])
    end = (min(newest) + pd.Timedelta("1s")).ceil("1D")
    start = None
    try:
        parsed = TimeRange.parse_timerange(timerange)
    except ConfigurationError as error:
        raise SettingsError(f"timerange {timerange!r}: {error}; write 20220101-20231231") from None
    if parsed.stoptype == "date":
        end = min(end, pd.Timestamp(parsed.stopts, unit="s", tz="UTC"))
    if parsed.starttype == "date":
        start = pd.Timestamp(parsed.startts, unit="s", tz="UTC")
    return start or end - pd.DateOffset(years=YEARS), end
