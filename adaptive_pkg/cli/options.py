"""Options that several subcommands share, and the configuration they name."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEFAULT_CONFIG = Path("user_data/config.json")


def at_least(least: int) -> Callable[[str], int]:
    """A type of argument: a whole number that is not smaller."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too few; ask for at least {least}")
        return value

    return number


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config, which may be given several times."""
    parser.add_argument(
        "--config", type=Path, action="append", help=f"config file (default: {DEFAULT_CONFIG})"
    )


def add_data(parser: argparse.ArgumentParser, default_pairs: str = "all in the folder") -> None:
    """Add the candles to read, and --json."""
    parser.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    parser.add_argument("--pairs", nargs="+", help=f"pairs (default: {default_pairs})")
    parser.add_argument("--timeframe", default="1h")
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")


def configs(options: argparse.Namespace) -> list[Path]:
    """The config files asked for, or the default one."""
    return options.config or [DEFAULT_CONFIG]


def load_config(options: argparse.Namespace) -> dict[str, Any]:
    """Merge the config files the way freqtrade does; no file at the default place is an empty config."""
    from freqtrade.configuration.load_config import load_from_files

    paths = configs(options)
    if not options.config and not DEFAULT_CONFIG.is_file():
        return {}
    return load_from_files([str(path) for path in paths])
