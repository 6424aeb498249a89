"""`adaptive evaluate …` and `adaptive tune`: does it help, and how sure are we?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaptive_pkg.cli import journal, sources
from adaptive_pkg.cli.lab import add_compare, add_strategy
from adaptive_pkg.cli.options import add_config, add_data, at_least, load_config


def add_commands(commands: Any) -> None:
    """Add this module's subcommands."""
    evaluate = commands.add_parser("evaluate", help="does it help, and how sure are we?")
    evaluations = evaluate.add_subparsers(dest="evaluation", required=True, metavar="WHAT")

    add_strategy(evaluations)
    add_compare(commands)
    sources.add_evaluation(evaluations)
    journal.add_evaluation(evaluations)

    forecast = evaluations.add_parser("forecast", help="forecasts beside their baselines, walk-forward")
    add_config(forecast)
    add_data(forecast)
    forecast.add_argument("--out", type=Path, required=True, help="folder of page, figures and finished jobs")
    forecast.add_argument("--start", help="first day of the tests (default: three years before the end)")
    forecast.add_argument("--end", help="day after the tests (default: after the last candle)")
    forecast.add_argument("--horizon", type=at_least(1), default=12, help="candles ahead")
    forecast.add_argument("--train-days", type=at_least(1), default=180)
    forecast.add_argument("--refit-days", type=at_least(1), default=182, help="days that one fit forecasts")
    forecast.add_argument("--seeds", type=at_least(1), default=5)
    forecast.add_argument("--workers", type=at_least(1), help="processes (default: one a core)")
    forecast.add_argument(
        "--features",
        choices=("shipped", "extended"),
        default="shipped",
        help="extended: volatility of several spans and the clock as well",
    )
    forecast.set_defaults(run=_forecast)

    tune = commands.add_parser("tune", help="search the forecaster's settings on purged walk-forward folds")
    add_config(tune)
    add_data(tune)
    tune.add_argument(
        "--trials", type=at_least(1), default=50, help="in all; the same command again goes on from there"
    )
    tune.add_argument("--workers", type=at_least(1), help="processes (default: one a core)")
    tune.add_argument(
        "--storage", type=Path, default=Path("user_data/tune.sqlite"), help="where trials are kept"
    )
    tune.add_argument("--out", type=Path, help="write the best settings here, as a config to add")
    tune.add_argument("--timerange", help="candles that are forecast (default: the last three years)")
    tune.add_argument("--train-days", type=at_least(1), default=180)
    tune.add_argument("--fold-days", type=at_least(1), default=60)
    tune.add_argument("--seed", type=int, default=1)
    tune.set_defaults(run=_tune)

    papers = evaluations.add_parser("papers", help="the daily windows of published GRU papers")
    papers.add_argument("--datadir", type=Path, required=True, help="daily candles: BTC_USD-1d.feather …")
    papers.add_argument("--seeds", type=at_least(1), default=5)
    papers.add_argument("--workers", type=at_least(1), help="processes (default: one a core)")
    papers.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    papers.set_defaults(run=_papers)


def _forecast(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.forecast.features import FeatureSet
    from adaptive_pkg.evaluation.forecast.report import evaluate_forecast
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.settings import load_forecast_settings, load_settings

    config = load_config(options)
    return evaluate_forecast(
        options.datadir,
        options.pairs,
        options.timeframe,
        options.out,
        options.json_path,
        report_console(),
        start=options.start,
        end=options.end,
        horizon=options.horizon,
        train_days=options.train_days,
        refit_days=options.refit_days,
        seeds=options.seeds,
        workers=options.workers,
        features=FeatureSet(options.features),
        forecaster=load_forecast_settings(config),
        indicators=load_settings(config).indicators,
    )


def _papers(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.forecast.papers import evaluate_papers
    from adaptive_pkg.reports import report_console

    return evaluate_papers(
        options.datadir, options.json_path, report_console(), seeds=options.seeds, workers=options.workers
    )


def _tune(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.tuning.report import tune
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.settings import load_forecast_settings, load_settings

    config = load_config(options)
    features = config.get("freqai", {}).get("feature_parameters", {})
    return tune(
        options.datadir,
        options.pairs,
        options.timeframe,
        trials=options.trials,
        workers=options.workers,
        storage=options.storage,
        out=options.out,
        json_path=options.json_path,
        timerange=options.timerange,
        seed=options.seed,
        console=report_console(),
        horizon=features.get("label_period_candles", 12),
        train_days=options.train_days,
        fold_days=options.fold_days,
        forecaster=load_forecast_settings(config),
        indicators=load_settings(config).indicators,
    )
