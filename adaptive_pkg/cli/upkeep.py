"""`adaptive maintain`, `backup` and `restore`: the upkeep of a bot."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_config, at_least, configs


def add_commands(commands: Any) -> None:
    """Add this module's subcommands."""
    maintain = commands.add_parser(
        "maintain", help="what to look at every week, month or quarter, ending in what to do"
    )
    periods = maintain.add_subparsers(dest="period", required=True, metavar="PERIOD")
    texts = {
        "weekly": "regimes, Kelly, stop-outs, refusals, open trades, age of data and backup",
        "monthly": "the weekly ones, and drift of the confidence, of the features, of the model",
        "quarterly": "the monthly ones, the settings reviewed by walk-forward, and a full backtest",
    }
    for name, text in texts.items():
        _period(periods.add_parser(name, help=text), name)

    backup = commands.add_parser(
        "backup", help="database, models, stores and config without secrets, beside a running bot"
    )
    backup.add_argument("file", type=Path, metavar="FILE.tar.gz")
    add_config(backup)
    backup.add_argument("--db", type=Path, help="trade database, an SQLite file (default: the config's)")
    backup.set_defaults(run=_backup)

    restore = commands.add_parser("restore", help="check a backup and put it into a folder of its own")
    restore.add_argument("file", type=Path, metavar="FILE.tar.gz")
    restore.add_argument("--to", type=Path, required=True, dest="folder", metavar="DIR")
    restore.add_argument("--force", action="store_true", help="move a folder that is there aside first")
    restore.set_defaults(run=_restore)


def _period(parser: argparse.ArgumentParser, name: str) -> None:
    add_config(parser)
    parser.add_argument("--db", type=Path, help="trade database, an SQLite file (default: the config's)")
    parser.add_argument("--datadir", type=Path, help="folder of candle files (default: freqtrade's own)")
    parser.add_argument("--backups", type=Path, help="folder of the backups (default: user_data/backups)")
    parser.add_argument(
        "--as-of", type=_moment, metavar="TIME", help="look back from here, UTC (default: now)"
    )
    parser.add_argument("--html", type=Path, dest="html_path", help="write a page here")
    parser.add_argument("--json", type=Path, dest="json_path", help="write every figure here")
    parser.add_argument(
        "--telegram", action="store_true", help="send what to do to the config's Telegram chat"
    )
    if name == "quarterly":
        parser.add_argument(
            "--out", type=Path, help="folder of finished backtests (default: user_data/maintenance)"
        )
        parser.add_argument(
            "--trials",
            type=at_least(0),
            default=12,
            help="settings tried in each span of the review; 0: no review (default: 12)",
        )
        parser.add_argument(
            "--rules-only", action="store_true", help="backtests without FreqAI, whatever the config says"
        )
        parser.add_argument("--jobs", type=at_least(1), help="processes (default: one a core)")
    parser.set_defaults(run=_maintain)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _maintain(options: argparse.Namespace) -> int:
    import pandas as pd

    from adaptive_pkg.doctor.report import read_configs
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.upkeep.inspection import Period
    from adaptive_pkg.upkeep.maintain import Request, maintain

    _, config = read_configs(configs(options))
    given = {"backups": options.backups}
    if options.period == Period.QUARTERLY:
        given |= {"out": options.out, "trials": options.trials, "workers": options.jobs}
        given["forecast"] = not options.rules_only
    request = Request(
        Period(options.period),
        config,
        pd.Timestamp(options.as_of or datetime.now(UTC)),
        options.db,
        options.datadir,
        **{name: value for name, value in given.items() if value is not None},
    )
    return maintain(
        request,
        report_console(),
        html_path=options.html_path,
        json_path=options.json_path,
        telegram=options.telegram,
    )


def _backup(options: argparse.Namespace) -> int:
    import pandas as pd

    from adaptive_pkg.doctor.report import read_configs
    from adaptive_pkg.upkeep.backup import make_backup

    paths = configs(options)
    _, config = read_configs(paths)
    made = make_backup(options.file, paths, config, pd.Timestamp.now("UTC"), database=options.db)
    size = made.path.stat().st_size
    print(f"{made.path}: {len(made.manifest.files)} files, {size / 2**20:.1f} MiB")
    for entry in made.manifest.files:
        if entry.what != "models":
            print(f"  {entry.what}: {entry.name}")
    models = sum(entry.what == "models" for entry in made.manifest.files)
    print(f"  models: {models} files of {made.manifest.identifier}" if models else "  models: none")
    for note in made.notes:
        print(f"  {note}")
    if made.manifest.left_out:
        print(f"left out, keep them elsewhere: {', '.join(made.manifest.left_out)}")
    return 0


def _restore(options: argparse.Namespace) -> int:
    import pandas as pd

    from adaptive_pkg.upkeep.restore import restore

    done = restore(options.file, options.folder, pd.Timestamp.now("UTC"), force=options.force)
    versions = ", ".join(f"{name} {number}" for name, number in done.manifest.versions.items())
    files = f"{len(done.manifest.files)} files of {done.manifest.made}"
    print(f"{done.folder}: {files}, all hashes right ({versions})")
    if done.aside is not None:
        print(f"what was there lies in {done.aside}")
    for line in done.start:
        print(f"  {line}")
    return 0
