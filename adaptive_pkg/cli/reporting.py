"""`adaptive regimes`, `summary`, `calibration`, `stops` and `kelly`: reports on candles and trades."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_config, add_data, load_config
from adaptive_pkg.enums import ThresholdSet


def add_commands(commands: Any) -> None:
    """Add this module's subcommands."""
    regimes = commands.add_parser("regimes", help="what the regime detector says about candles")
    add_config(regimes)
    add_data(regimes)
    regimes.add_argument("--threshold-set", type=ThresholdSet, choices=list(ThresholdSet))
    regimes.set_defaults(run=_regimes)

    summary = commands.add_parser("summary", help="a backtest by regime, and the forecast beside persistence")
    add_config(summary)
    summary.add_argument("--datadir", type=Path, required=True, help="candles the backtest ran on")
    summary.add_argument("--result", type=Path, help="backtest result zip (default: the newest)")
    summary.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    summary.set_defaults(run=_summary)

    for name, run, what in (
        ("calibration", _calibration, "has a higher confidence score meant a better trade?"),
        ("stops", _stops, "the moving stop beside a fixed one at equal tail loss"),
    ):
        judge = commands.add_parser(name, help=what)
        add_config(judge)
        add_data(judge)
        judge.add_argument("--timerange", help="freqtrade's form, e.g. 20220101-20231231 (default: all)")
        judge.set_defaults(run=run)

    kelly = commands.add_parser("kelly", help="the Kelly analysis of a trade database or a backtest result")
    add_config(kelly)
    kelly.add_argument("source", type=Path, help="a freqtrade trade database, or a backtest result zip")
    kelly.add_argument("--equity", type=float, help="account equity; default: stakes per 1,000")
    kelly.add_argument(
        "--resample", type=int, dest="resamples", metavar="N",
        help="also size the trades in N resampled orders, beside a plain per-regime estimator",
    )  # fmt: skip
    kelly.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    kelly.set_defaults(run=_kelly)


def _regimes(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from adaptive_pkg.reports import report_console
    from adaptive_pkg.reports.regimes import report_regimes
    from adaptive_pkg.settings import load_settings

    settings = load_settings(load_config(options))
    if options.threshold_set:
        settings = replace(settings, regime=replace(settings.regime, threshold_set=options.threshold_set))
    return report_regimes(
        options.datadir, options.pairs, options.timeframe, settings, options.json_path, report_console()
    )


def _summary(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.backtest import report_backtest

    return report_backtest(options.result, options.datadir, load_config(options), options.json_path)


def _calibration(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.calibration import report_calibration

    return _judge(options, report_calibration)


def _stops(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.stop_quality import report_stop_quality

    return _judge(options, report_stop_quality)


def _judge(options: argparse.Namespace, report: Callable[..., int]) -> int:
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.settings import load_settings

    return report(
        options.datadir,
        options.pairs,
        options.timeframe,
        load_settings(load_config(options)),
        options.json_path,
        report_console(),
        timerange=options.timerange,
    )


def _kelly(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.kelly import report_kelly
    from adaptive_pkg.settings import load_settings

    settings = load_settings(load_config(options))
    return report_kelly(options.source, settings, options.equity, options.json_path, options.resamples)
