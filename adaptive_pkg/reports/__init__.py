"""Reports: what the candles, a backtest and a forecast say, as tables and JSON."""

from rich.console import Console


def report_console() -> Console:
    """A console wide enough for the reports' tables where the output is no terminal (a file, CI)."""
    console = Console()
    return console if console.is_terminal else Console(width=120)
