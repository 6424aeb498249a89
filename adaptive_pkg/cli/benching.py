"""`adaptive bench …`: measurements, as ratios within one run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_data


def add_commands(commands: Any) -> None:
    """Add this module's subcommands."""
    bench = commands.add_parser("bench", help="measure, as ratios within one run")
    benches = bench.add_subparsers(dest="bench", required=True, metavar="WHAT")
    rules = benches.add_parser("rules", help="rules-only backtest beside freqtrade's SampleStrategy")
    add_data(rules, "eight against USDT")
    rules.add_argument("--timerange", default="20220101-20231231")
    rules.add_argument("--repeats", type=int, default=2, help="runs of each; the faster one counts")
    rules.set_defaults(run=_bench_rules)
    search = benches.add_parser("hyperopt", help="hyperopt epochs a minute beside SampleStrategy's")
    add_data(search, "BTC, ETH, SOL and XRP against USDT")
    search.add_argument("--timerange", default="20220101-20231231")
    search.add_argument("--epochs", type=int, default=40, help="epochs that are timed")
    search.set_defaults(run=_bench_hyperopt)
    detector = benches.add_parser("regimes", help="candles a second through the regime detector")
    detector.add_argument("--candles", type=int, default=1_000_000)
    detector.add_argument("--json", type=Path, dest="json_path")
    detector.set_defaults(run=_bench_regimes)

    training = benches.add_parser("training", help="CPU seconds of a retrain beside the usual Keras recipe")
    training.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    training.add_argument("--pairs", nargs="+", default=["BTC/USDT", "ETH/USDT", "SOL/USDT"])
    training.add_argument("--windows", type=int, default=4, help="training windows of each pair")
    training.add_argument("--seeds", type=int, default=3)
    training.add_argument("--reference-fits", type=int, default=18, help="fits of the usual recipe")
    training.add_argument("--retrains", type=int, default=200, help="retrains that memory is watched over")
    training.add_argument("--live-predictions", type=int, default=5_000)
    training.add_argument(
        "--backtest", action="store_true", help="also backtest 2023 with the GRU and with LightGBM"
    )
    training.add_argument("--json", type=Path, dest="json_path")
    training.set_defaults(run=_bench_training)
    limiter = benches.add_parser("limiter", help="simulated requests through the rate limiter")
    limiter.add_argument("--requests", type=int, default=1_000_000)
    limiter.add_argument("--json", type=Path, dest="json_path")
    limiter.set_defaults(run=_bench_limiter)
    stream = benches.add_parser("stream", help="simulated outages through the resilient socket")
    stream.add_argument("--outages", type=int, default=400)
    stream.add_argument("--json", type=Path, dest="json_path")
    stream.set_defaults(run=_bench_stream)
    sizing = benches.add_parser("kelly", help="pooled Kelly beside the plain one, on trades of known edge")
    sizing.add_argument("--paths", type=int, default=1000, help="simulated accounts")
    sizing.add_argument("--edge-mean", type=float, default=0.02, help="mean of p − 1/(1 + b)")
    sizing.add_argument("--edge-sd", type=float, default=0.03, help="its standard deviation")
    sizing.add_argument(
        "--shared", type=float, default=0.5, help="part of its variance common to all regimes"
    )
    sizing.add_argument("--json", type=Path, dest="json_path")
    sizing.set_defaults(run=_bench_kelly)


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


def _bench_kelly(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.kelly import bench_kelly
    from adaptive_pkg.bench.kelly_simulation import Edges

    edges = Edges(mean=options.edge_mean, sd=options.edge_sd, shared=options.shared)
    return bench_kelly(options.paths, options.json_path, edges)


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

    return bench_limiter(options.requests, options.json_path)


def _bench_stream(options: argparse.Namespace) -> int:
    from adaptive_pkg.bench.stream import bench_stream

    return bench_stream(options.outages, options.json_path)
