"""The `adaptive` command. Thin: each subcommand parses its arguments and calls one function elsewhere."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adaptive_pkg import __version__
from adaptive_pkg.enums import ThresholdSet
from adaptive_pkg.errors import AdaptiveError

DEFAULT_CONFIG = Path("user_data/config.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit status (2 for a mistake in what was asked)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    own, freqtrade_args = _split(arguments)
    options = _parser().parse_args(own)
    options.freqtrade_args = freqtrade_args
    try:
        return options.run(options)
    except AdaptiveError as error:
        print(f"adaptive: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Everything after the first `--` belongs to freqtrade."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="adaptive", description="Tools of the AdaptiveGRU bundle.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    offline = commands.add_parser(
        "offline",
        help="run any freqtrade command against a loopback venue, without internet",
        usage="adaptive offline [--datadir DIR] [--config FILE ...] -- FREQTRADE-COMMAND [ARGUMENT ...]",
    )
    _add_config(offline)
    offline.add_argument("--datadir", type=Path, help="folder of candle files (default: freqtrade's own)")
    offline.set_defaults(run=_offline)

    demo = commands.add_parser("demo", help="backtest AdaptiveGRU on a synthetic market with known regimes")
    demo.add_argument("--workdir", type=Path, default=Path(".demo"), help="where the market and results go")
    demo.add_argument("--seed", type=int, default=11, help="seed of the synthetic market")
    demo.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    demo.set_defaults(run=_demo)

    regimes = commands.add_parser("regimes", help="what the regime detector says about candles")
    _add_config(regimes)
    _add_data(regimes)
    regimes.add_argument("--threshold-set", type=ThresholdSet, choices=list(ThresholdSet))
    regimes.set_defaults(run=_regimes)

    summary = commands.add_parser("summary", help="a backtest by regime, and the forecast beside persistence")
    _add_config(summary)
    summary.add_argument("--datadir", type=Path, required=True, help="candles the backtest ran on")
    summary.add_argument("--result", type=Path, help="backtest result zip (default: the newest)")
    summary.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    summary.set_defaults(run=_summary)

    for name, run, what in (
        ("calibration", _calibration, "has a higher confidence score meant a better trade?"),
        ("stops", _stops, "the moving stop beside a fixed one at equal tail loss"),
    ):
        judge = commands.add_parser(name, help=what)
        _add_config(judge)
        _add_data(judge)
        judge.add_argument("--timerange", help="freqtrade's form, e.g. 20220101-20231231 (default: all)")
        judge.set_defaults(run=run)

    kelly = commands.add_parser("kelly", help="the Kelly analysis of a trade database or a backtest result")
    _add_config(kelly)
    kelly.add_argument("source", type=Path, help="a freqtrade trade database, or a backtest result zip")
    kelly.add_argument("--equity", type=float, help="account equity; default: stakes per 1,000")
    kelly.add_argument(
        "--resample", type=int, dest="resamples", metavar="N",
        help="also size the trades in N resampled orders, beside a plain per-regime estimator",
    )  # fmt: skip
    kelly.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    kelly.set_defaults(run=_kelly)

    bench = commands.add_parser("bench", help="measure, as ratios within one run")
    benches = bench.add_subparsers(dest="bench", required=True, metavar="WHAT")
    rules = benches.add_parser("rules", help="rules-only backtest beside freqtrade's SampleStrategy")
    _add_data(rules)
    rules.add_argument("--timerange", default="20220101-20231231")
    rules.add_argument("--repeats", type=int, default=2, help="runs of each; the faster one counts")
    rules.set_defaults(run=_bench_rules)
    search = benches.add_parser("hyperopt", help="hyperopt epochs a minute beside SampleStrategy's")
    _add_data(search)
    search.add_argument("--timerange", default="20220101-20231231")
    search.add_argument("--epochs", type=int, default=40, help="epochs that are timed")
    search.set_defaults(run=_bench_hyperopt)
    detector = benches.add_parser("regimes", help="candles a second through the regime detector")
    detector.add_argument("--candles", type=int, default=1_000_000)
    detector.add_argument("--json", type=Path, dest="json_path")
    detector.set_defaults(run=_bench_regimes)

    sizing = benches.add_parser("kelly", help="pooled Kelly beside the plain one, on trades of known edge")
    sizing.add_argument("--paths", type=int, default=1000, help="simulated accounts")
    sizing.add_argument("--edge-mean", type=float, default=0.02, help="mean of p − 1/(1 + b)")
    sizing.add_argument("--edge-sd", type=float, default=0.03, help="its standard deviation")
    sizing.add_argument(
        "--shared", type=float, default=0.5, help="part of its variance common to all regimes"
    )
    sizing.add_argument("--json", type=Path, dest="json_path")
    sizing.set_defaults(run=_bench_kelly)

    settings = commands.add_parser("settings", help="list every setting with its default and bounds")
    settings.set_defaults(run=_settings)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, action="append", help=f"config file (default: {DEFAULT_CONFIG})"
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    parser.add_argument("--pairs", nargs="+", help="pairs (default: all in the folder)")
    parser.add_argument("--timeframe", default="1h")
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")


def _configs(options: argparse.Namespace) -> list[Path]:
    return options.config or [DEFAULT_CONFIG]


def _load_config(options: argparse.Namespace) -> dict[str, Any]:
    """Merge the config files the way freqtrade does; no file at the default place is an empty config."""
    from freqtrade.configuration.load_config import load_from_files

    paths = _configs(options)
    if not options.config and not DEFAULT_CONFIG.is_file():
        return {}
    return load_from_files([str(path) for path in paths])


def _offline(options: argparse.Namespace) -> int:
    from adaptive_pkg.offline import run_offline

    return run_offline(options.freqtrade_args, datadir=options.datadir, config_paths=_configs(options))


def _demo(options: argparse.Namespace) -> int:
    from adaptive_pkg.demo import run_demo

    return run_demo(options.workdir, seed=options.seed, json_path=options.json_path)


def _regimes(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from adaptive_pkg.reports import report_console
    from adaptive_pkg.reports.regimes import report_regimes
    from adaptive_pkg.settings import load_settings

    settings = load_settings(_load_config(options))
    if options.threshold_set:
        settings = replace(settings, regime=replace(settings.regime, threshold_set=options.threshold_set))
    return report_regimes(
        options.datadir, options.pairs, options.timeframe, settings, options.json_path, report_console()
    )


def _summary(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.backtest import report_backtest

    return report_backtest(options.result, options.datadir, _load_config(options), options.json_path)


def _bench_rules(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.rules import bench_rules

    return bench_rules(options.datadir, options.timerange, options.pairs, options.repeats, options.json_path)


def _bench_hyperopt(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.hyperopt import bench_hyperopt

    return bench_hyperopt(
        options.datadir, options.timerange, options.pairs, options.epochs, options.json_path
    )


def _bench_regimes(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.regimes import bench_regimes

    return bench_regimes(options.candles, options.json_path)


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
        load_settings(_load_config(options)),
        options.json_path,
        report_console(),
        timerange=options.timerange,
    )


def _kelly(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.kelly import report_kelly
    from adaptive_pkg.settings import load_settings

    settings = load_settings(_load_config(options))
    return report_kelly(options.source, settings, options.equity, options.json_path, options.resamples)


def _bench_kelly(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.kelly import bench_kelly
    from adaptive_pkg.bench.kelly_simulation import Edges

    edges = Edges(mean=options.edge_mean, sd=options.edge_sd, shared=options.shared)
    return bench_kelly(options.paths, options.json_path, edges)


def _settings(options: argparse.Namespace) -> int:
    from rich.table import Table

    from adaptive_pkg.reports import report_console
    from adaptive_pkg.settings import AdaptiveSettings, ForecastSettings, describe

    table = Table(box=None)
    for heading in ("setting", "default", "allowed", "meaning"):
        table.add_column(heading, no_wrap=heading == "setting")
    rows = describe(AdaptiveSettings) + describe(ForecastSettings, "freqai.model_training_parameters")
    for key, default, allowed, meaning in rows:
        shown = "see the presets table" if isinstance(default, dict) else json.dumps(default)
        table.add_row(key, shown, allowed, meaning)
    report_console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
