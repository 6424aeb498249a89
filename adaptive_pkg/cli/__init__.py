"""The `adaptive` command. Thin: each subcommand parses its arguments and calls one function elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from adaptive_pkg import __version__
from adaptive_pkg.cli import (
    benching,
    evaluating,
    journal,
    rehearsing,
    reporting,
    running,
    signals,
    sources,
    upkeep,
)
from adaptive_pkg.errors import AdaptiveError


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
    parts = (running, reporting, evaluating, benching, rehearsing, signals, sources, journal, upkeep)
    for part in parts:
        part.add_commands(commands)
    return parser
