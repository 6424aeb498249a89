"""`adaptive bench …`: measurements, as ratios within one run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.cli.options import add_data, at_least
from adaptive_pkg.errors import AdaptiveError


def add_commands(commands: Any) -> None:
    """Add this module's subcommands."""
    bench = commands.add_parser("bench", help="measure, as ratios within one run")
    benches = bench.add_subparsers(dest="bench", required=True, metavar="WHAT")
    rules = benches.add_parser("rules", help="rules-only backtest beside freqtrade's SampleStrategy")
    add_data(rules, "eight against USDT")
    rules.add_argument("--timerange", default="20220101-20231231")
    rules.add_argument("--repeats", type=at_least(1), default=2, help="runs of each; the faster one counts")
    rules.set_defaults(run=_bench_rules)
    search = benches.add_parser("hyperopt", help="hyperopt epochs a minute beside SampleStrategy's")
    add_data(search, "BTC, ETH, SOL and XRP against USDT")
    search.add_argument("--timerange", default="20220101-20231231")
    search.add_argument("--epochs", type=int, default=40, help="epochs that are timed")
    search.set_defaults(run=_bench_hyperopt)
    detector = benches.add_parser("regimes", help="candles a second through the regime detector")
    detector.add_argument("--candles", type=int, help="seeded ones (default: 1,000,000)")
    _add_candles(detector, "label these candles instead of seeded ones")
    detector.set_defaults(run=_bench_regimes)

    training = benches.add_parser("training", help="CPU seconds of a retrain beside the usual Keras recipe")
    training.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    training.add_argument("--pairs", nargs="+", default=["BTC/USDT", "ETH/USDT", "SOL/USDT"])
    training.add_argument("--windows", type=at_least(1), default=4, help="training windows of each pair")
    training.add_argument("--seeds", type=at_least(1), default=3)
    training.add_argument("--reference-fits", type=at_least(1), default=18, help="fits of the usual recipe")
    training.add_argument(
        "--retrains", type=at_least(1), default=200, help="retrains that memory is watched over"
    )
    training.add_argument("--live-predictions", type=at_least(1), default=5_000)
    training.add_argument(
        "--backtest", action="store_true", help="also backtest 2023 with the GRU and with LightGBM"
    )
    _add_json(training)
    training.set_defaults(run=_bench_training)
    limiter = benches.add_parser("limiter", help="simulated requests through the rate limiter")
    limiter.add_argument("--requests", type=int, default=1_000_000)
    _add_candles(limiter, "beside all else a bot that makes its requests as these candles close")
    limiter.set_defaults(run=_bench_limiter)
    stream = benches.add_parser("stream", help="simulated outages through the resilient socket")
    stream.add_argument("--outages", type=int, default=400)
    _add_candles(stream, "the venue plays these candles, one stream a pair, instead of invented minutes")
    stream.set_defaults(run=_bench_stream)
    sizing = benches.add_parser("kelly", help="pooled Kelly beside the plain one, on trades of known edge")
    sizing.add_argument(
        "--paths", type=at_least(10), default=1000, help="simulated accounts, or resampled orders"
    )
    sizing.add_argument("--edge-mean", type=float, help="mean of p − 1/(1 + b) (default: 0.02)")
    sizing.add_argument("--edge-sd", type=float, help="its standard deviation (default: 0.03)")
    sizing.add_argument(
        "--shared", type=float, help="part of its variance common to all regimes (default: 0.5)"
    )
    _add_candles(sizing, "size the trades the rules make on these candles, instead of simulated ones")
    sizing.set_defaults(run=_bench_kelly)


def _add_candles(parser: argparse.ArgumentParser, what: str) -> None:
    """Candles to measure on, where the measurement also does without, and --json."""
    parser.add_argument("--datadir", type=Path, help=f"folder of candle files: {what}")
    parser.add_argument("--pairs", nargs="+", help="pairs (default: all in the folder)")
    parser.add_argument("--timeframe", default="1h")
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")


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

    choice = _choice(options, "candles")
    candles = 1_000_000 if options.candles is None else options.candles
    return bench_regimes(candles, options.json_path, choice)


def _bench_kelly(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.kelly import bench_kelly
    from adaptive_pkg.bench.kelly_candles import bench_kelly_on_candles
    from adaptive_pkg.bench.kelly_simulation import Edges

    if choice := _choice(options, "edge_mean", "edge_sd", "shared"):
        return bench_kelly_on_candles(options.paths, options.json_path, choice)
    asked = {"mean": options.edge_mean, "sd": options.edge_sd, "shared": options.shared}
    edges = Edges(**{name: value for name, value in asked.items() if value is not None})
    return bench_kelly(options.paths, options.json_path, edges)


def _choice(options: argparse.Namespace, *simulated: str) -> CandleChoice | None:
    """The candles asked for; then options that describe what is simulated say nothing, and are refused."""
    if options.datadir is None:
        if options.pairs:
            raise AdaptiveError("--pairs: of which candles? Add --datadir")
        return None
    for name in simulated:
        if getattr(options, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise AdaptiveError(f"{flag} is of simulated figures; leave it out, or --datadir")
    return CandleChoice(options.datadir, options.pairs, options.timeframe)


def _bench_training(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.training import bench_training

    return bench_training(
        options.datadir,
        tuple(options.pairs),
        options.json_path,
        windows=options.windows,
        seeds=options.seeds,
        reference_fits=options.reference_fits,
        retrains=options.retrains,
        live_predictions=options.live_predictions,
        backtest=options.backtest,
    )


def _bench_limiter(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.limiter import bench_limiter

    return bench_limiter(options.requests, options.json_path, _choice(options))


def _bench_stream(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.stream import bench_stream

    return bench_stream(options.outages, options.json_path, _choice(options))
