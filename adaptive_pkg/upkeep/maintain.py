"""The command `adaptive maintain`: which checks a period has, and where their report goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from adaptive_pkg.upkeep.benchmark import check_benchmark
from adaptive_pkg.upkeep.feature_drift import check_features
from adaptive_pkg.upkeep.findings import Finding
from adaptive_pkg.upkeep.freshness import check_backup, check_candles, check_signs_of_life, check_sources
from adaptive_pkg.upkeep.inspection import Inspection, Period, inspect
from adaptive_pkg.upkeep.kelly_record import check_kelly
from adaptive_pkg.upkeep.live_match import check_live
from adaptive_pkg.upkeep.market_regimes import check_regimes
from adaptive_pkg.upkeep.model_skill import check_models
from adaptive_pkg.upkeep.open_plans import check_open_plans
from adaptive_pkg.upkeep.page import write_page
from adaptive_pkg.upkeep.quarter import Quarter, quarter_of
from adaptive_pkg.upkeep.refusals import check_refusals
from adaptive_pkg.upkeep.report import Check, render, run_checks, write_json
from adaptive_pkg.upkeep.score_drift import check_scores
from adaptive_pkg.upkeep.settings_review import check_settings
from adaptive_pkg.upkeep.stop_outs import check_stop_outs
from adaptive_pkg.upkeep.telegram import ADDRESS, send, summary

BACKUPS = Path("user_data/backups")


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        config: what freqtrade makes of its files and the environment.
        database, datadir: None: the config's. backups: folder of the archives.
        out: folder in which the quarterly backtests are kept.
        trials: settings tried in each span of the quarterly review; 0: no review.
        forecast: let the quarterly backtests use FreqAI where the config does.
    """

    period: Period
    config: Mapping[str, Any]
    now: pd.Timestamp
    database: Path | None = None
    datadir: Path | None = None
    backups: Path = BACKUPS
    out: Path = Path("user_data/maintenance")
    trials: int = 12
    forecast: bool = True
    workers: int | None = None


def maintain(
    request: Request,
    console: Console,
    *,
    html_path: Path | None = None,
    json_path: Path | None = None,
    telegram: bool = False,
    address: str = ADDRESS,
) -> int:
    """Make a period's checks, print and write the report, and send its summary if asked.

    Returns:
        1 where something is to be acted on, else 0.

    Raises:
        DataError, SettingsError: no database, or a config that cannot be used. ExchangeError: the report is
        printed and written, and Telegram has not taken its summary.
    """
    seen = inspect(
        request.config, request.period, request.now, database=request.database, datadir=request.datadir
    )
    report = run_checks(seen, checks_of(seen, request, console), console)
    render(report, console)
    if html_path is not None:
        write_page(report, html_path)
        console.print(f"written: {html_path}", highlight=False)
    if json_path is not None:
        write_json(report, json_path)
        console.print(f"written: {json_path}", highlight=False)
    if telegram:
        send(summary(report), request.config, address)
    return report.status


def checks_of(seen: Inspection, request: Request, console: Console) -> list[Check]:
    """The checks of a period, each with the shorter periods' before its own."""
    found: list[Check] = [
        _named("open trades", check_open_plans, seen),
        _named("Kelly against realised", check_kelly, seen),
        _named("stop-outs", check_stop_outs, seen),
        _named("market regimes", check_regimes, seen),
    ]
    found.append(_named("refusals", check_refusals, seen))
    if seen.period is not Period.WEEKLY:
        found += [
            _named("calibration of the confidence", check_scores, seen),
            _named("feature drift", check_features, seen),
            _named("model skill", check_models, seen),
        ]
    if seen.period is Period.QUARTERLY:
        found += _quarterly(seen, request, console)
    found += [
        _named("candles on disk", check_candles, seen),
        _named("outside data", check_sources, seen),
        _named("signs of life", check_signs_of_life, seen),
        ("backup", partial(check_backup, seen, request.backups)),
    ]
    return found


def _quarterly(seen: Inspection, request: Request, console: Console) -> list[Check]:
    """The checks that run backtests; they share what is prepared for the first of them."""

    @cache
    def quarter() -> Quarter:
        return quarter_of(seen, request.out, console, forecast=request.forecast, workers=request.workers)

    found: list[Check] = [
        ("backtest of the quarter", lambda: check_benchmark(quarter())),
        ("live against backtest", lambda: check_live(quarter())),
    ]
    if request.trials:
        found.append(("settings, by walk-forward", lambda: check_settings(quarter(), request.trials)))
    return found


def _named(name: str, check: Callable[[Inspection], Finding], seen: Inspection) -> Check:
    return name, partial(check, seen)
