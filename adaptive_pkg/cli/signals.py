"""`adaptive signals`: what followed each rule of the signal library on real candles."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_config, add_data, load_config


def add_commands(commands: Any) -> None:
    """Add this module's subcommand."""
    signals = commands.add_parser("signals", help="forward returns of each signal rule, and which are noise")
    add_config(signals)
    add_data(signals)
    signals.add_argument("--timerange", help="freqtrade's form, e.g. 20190101-20231231 (default: all)")
    signals.add_argument("--html", type=Path, dest="html_path", help="write a page with charts here")
    signals.set_defaults(run=_signals)


def _signals(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.reports.signals import report_signals
    from adaptive_pkg.settings import load_settings

    settings = load_settings(load_config(options))
    return report_signals(
        options.datadir,
        options.pairs,
        options.timeframe,
        settings,
        settings.library,
        options.json_path,
        report_console(),
        timerange=options.timerange,
        html_path=options.html_path,
    )
