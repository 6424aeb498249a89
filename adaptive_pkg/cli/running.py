"""`adaptive offline`, `demo` and `settings`: freqtrade without internet, and what there is to set."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_config, configs


def add_commands(commands: Any) -> None:
    """Add this module's subcommands."""
    offline = commands.add_parser(
        "offline",
        help="run any freqtrade command against a loopback venue, without internet",
        usage="adaptive offline [--datadir DIR] [--config FILE ...] -- FREQTRADE-COMMAND [ARGUMENT ...]",
    )
    add_config(offline)
    offline.add_argument("--datadir", type=Path, help="folder of candle files (default: freqtrade's own)")
    offline.set_defaults(run=_offline)

    demo = commands.add_parser("demo", help="backtest AdaptiveGRU on a synthetic market with known regimes")
    demo.add_argument("--workdir", type=Path, default=Path(".demo"), help="where the market and results go")
    demo.add_argument("--seed", type=int, default=11, help="seed of the synthetic market")
    demo.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    demo.set_defaults(run=_demo)

    settings = commands.add_parser("settings", help="list every setting with its default and bounds")
    settings.set_defaults(run=_settings)


def _offline(options: argparse.Namespace) -> int:
    from adaptive_pkg.offline import run_offline

    return run_offline(options.freqtrade_args, datadir=options.datadir, config_paths=configs(options))


def _demo(options: argparse.Namespace) -> int:
    from adaptive_pkg.demo import run_demo

    return run_demo(options.workdir, seed=options.seed, json_path=options.json_path)


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
