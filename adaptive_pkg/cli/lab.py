"""`adaptive evaluate strategy`, `compare`, `report`: is it better than doing nothing, and how sure are we?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_config, at_least, load_config
from adaptive_pkg.errors import SettingsError


def add_strategy(evaluations: Any) -> None:
    """Add `strategy` to the evaluations of `adaptive evaluate`."""
    parser = evaluations.add_parser(
        "strategy", help="the strategy and each of its parts beside baselines, walk-forward, with intervals"
    )
    add_config(parser)
    parser.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the figures and finished backtests"
    )
    parser.add_argument("--pairs", nargs="+", help="pairs (default: the configuration's pair_whitelist)")
    parser.add_argument("--start", help="first day judged (default: three years before the end)")
    parser.add_argument("--end", help="day after the last one (default: after the last day of all pairs)")
    parser.add_argument(
        "--hyperopt",
        type=at_least(0),
        default=0,
        metavar="N",
        help="choose the settings by N trials on the days before each span (default: 0, fixed settings)",
    )
    parser.add_argument(
        "--train-days", type=at_least(1), default=365, help="days that settings are chosen on"
    )
    parser.add_argument("--test-days", type=at_least(1), default=182, help="days of one span")
    parser.add_argument("--no-ablation", action="store_true", help="leave out the runs of each component")
    parser.add_argument("--forecast", action="store_true", help="with the configuration's FreqAI model")
    parser.add_argument("--fee", type=float, default=0.001, help="of an order's value, one side")
    parser.add_argument("--slippage", type=float, default=0.0005, help="of an order's value, one side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=at_least(1), help="processes (default: one a core)")
    parser.add_argument(
        "--scheduler",
        default="",
        metavar="tcp://…",
        help="run on this Dask cluster; its workers need this package, and the candles at the same path",
    )
    parser.add_argument("--ledger", type=Path, help="where tries are counted (default: OUT/trials.jsonl)")
    parser.add_argument(
        "--trials",
        default="",
        metavar="FILE|N",
        help="tries made elsewhere, which the deflated Sharpe ratio must count: JSON lines as a ledger has "
        "them, taken into the ledger for good; or their number, for this run",
    )
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    parser.set_defaults(run=_strategy)


def add_compare(commands: Any) -> None:
    """Add `adaptive compare`, and `adaptive report` beside it."""
    add_report(commands)
    parser = commands.add_parser("compare", help="two evaluations or backtest results, on the days both have")
    parser.add_argument(
        "first",
        type=Path,
        metavar="A",
        help="folder or strategy.json of an evaluation, or a backtest result zip",
    )
    parser.add_argument("second", type=Path, metavar="B")
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    parser.set_defaults(run=_compare)


def add_report(commands: Any) -> None:
    """Add `adaptive report`."""
    parser = commands.add_parser(
        "report", help="a page with charts and tables of any freqtrade backtest result"
    )
    add_config(parser)
    parser.add_argument(
        "result",
        type=Path,
        metavar="RESULT.zip",
        help="as `freqtrade backtesting` wrote it; or an evaluation, to make its page again",
    )
    parser.add_argument("--out", type=Path, help="the page (default: beside the result, .html)")
    parser.add_argument(
        "--datadir", type=Path, help="candles it ran on: for baselines, charts of trades and excursions"
    )
    parser.add_argument("--strategy", help="which one, where the result holds several")
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    parser.set_defaults(run=_report)


def _strategy(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.strategy.evaluate import Request
    from adaptive_pkg.evaluation.strategy.lab import evaluate_strategy
    from adaptive_pkg.reports import report_console

    config = load_config(options)
    if not options.forecast:
        config["freqai"] = {"enabled": False}
    elif not config.get("freqai", {}).get("enabled"):
        raise SettingsError(
            "--forecast: freqai.enabled is false in this configuration; leave out the file that switches it "
            "off, or the option"
        )
    request = Request(
        options.datadir,
        config,
        options.out,
        options.pairs,
        options.start,
        options.end,
        hyperopt=options.hyperopt,
        ablation=not options.no_ablation,
        workers=options.jobs,
        scheduler=options.scheduler,
        fee=options.fee,
        slippage=options.slippage,
        train_days=options.train_days,
        test_days=options.test_days,
        seed=options.seed,
        trials=options.trials,
    )
    return evaluate_strategy(request, report_console(), options.json_path, options.ledger)


def _compare(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.strategy.lab import compare
    from adaptive_pkg.reports import report_console

    return compare(options.first, options.second, report_console(), options.json_path)


def _report(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.strategy.result_report import report_result
    from adaptive_pkg.reports import report_console

    return report_result(
        options.result,
        report_console(),
        options.out,
        options.datadir,
        options.json_path,
        options.strategy,
        load_config(options),
    )
