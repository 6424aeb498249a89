"""`adaptive offline`, `simulate`, `demo`, `doctor`, `credentials`, `settings`: running freqtrade."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
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

    doctor = commands.add_parser("doctor", help="check a config and say what to change")
    add_config(doctor)
    doctor.add_argument("--live", action="store_true", help="as if dry_run were false")
    doctor.add_argument("--online", action="store_true", help="also compare the clock with the exchange's")
    doctor.add_argument("--json", type=Path, dest="json_path", help="write every finding here")
    doctor.set_defaults(run=_doctor)

    credentials = commands.add_parser("credentials", help="make the API's password and keys, into a file")
    credentials.add_argument("--env", type=Path, default=Path(".env"), help="default: .env")
    credentials.set_defaults(run=_credentials)

    simulate = commands.add_parser("simulate", help="serve a folder of candles as Binance, until Ctrl-C")
    simulate.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    simulate.add_argument("--pairs", nargs="+", default=[], help="pairs to list besides those in the folder")
    simulate.add_argument("--port", type=int, default=0, help="default: any that is free")
    simulate.add_argument("--faults", type=Path, help="a plan of faults, JSON")
    simulate.add_argument("--start", type=datetime.fromisoformat, help="the venue's time at the start (UTC)")
    simulate.add_argument("--speed", type=float, default=1.0, help="how fast it runs from there")
    simulate.add_argument("--seed", type=int, default=0, help="of fills and faults")
    simulate.add_argument("--overlay", type=Path, help="write the config to lay over one's own here")
    simulate.set_defaults(run=_simulate)

    demo = commands.add_parser("demo", help="backtest AdaptiveGRU on a synthetic market with known regimes")
    demo.add_argument("--workdir", type=Path, default=Path(".demo"), help="where the market and results go")
    demo.add_argument("--seed", type=int, default=11, help="seed of the synthetic market")
    demo.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    demo.set_defaults(run=_demo)

    settings = commands.add_parser("settings", help="list every setting with its default and bounds")
    settings.add_argument("--markdown", action="store_true", help="as the page docs/configuration.md")
    settings.set_defaults(run=_settings)


def _offline(options: argparse.Namespace) -> int:
    from adaptive_pkg.offline import run_offline

    return run_offline(options.freqtrade_args, datadir=options.datadir, config_paths=configs(options))


def _credentials(options: argparse.Namespace) -> int:
    from adaptive_pkg.doctor.credentials import credentials
    from adaptive_pkg.reports import report_console

    return credentials(options.env, report_console())


def _doctor(options: argparse.Namespace) -> int:
    from adaptive_pkg.doctor.facts import exchange_time
    from adaptive_pkg.doctor.report import doctor
    from adaptive_pkg.reports import report_console

    venue_time = exchange_time if options.online else None
    return doctor(
        configs(options), options.json_path, report_console(), venue_time=venue_time, as_live=options.live
    )


def _simulate(options: argparse.Namespace) -> int:
    from adaptive_pkg.simulator.simulate import simulate

    start = options.start and options.start.replace(tzinfo=options.start.tzinfo or UTC)
    return simulate(
        options.datadir,
        options.pairs,
        options.port,
        options.faults,
        start=start,
        speed=options.speed,
        seed=options.seed,
        overlay_path=options.overlay,
    )


def _demo(options: argparse.Namespace) -> int:
    from adaptive_pkg.demo import run_demo

    return run_demo(options.workdir, seed=options.seed, json_path=options.json_path)


def _settings(options: argparse.Namespace) -> int:
    from rich.markup import escape
    from rich.table import Table

    from adaptive_pkg.reports import report_console
    from adaptive_pkg.reports.settings_page import settings_page, settings_rows

    if options.markdown:
        print(settings_page(), end="")
        return 0
    table = Table(box=None)
    for heading in ("setting", "default", "allowed", "meaning"):
        table.add_column(heading, no_wrap=heading == "setting")
    for row in settings_rows():
        table.add_row(*map(escape, row))
    report_console().print(table)
    return 0
