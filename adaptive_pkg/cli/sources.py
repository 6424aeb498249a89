"""`adaptive sources …` and `adaptive evaluate sources`: slow outside data, kept as it was known."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import add_config, configs, load_config


def add_commands(commands: Any) -> None:
    """Add `sources` with its subcommands."""
    sources = commands.add_parser(
        "sources", help="sentiment, on-chain figures, funding: import, update, show"
    )
    actions = sources.add_subparsers(dest="action", required=True, metavar="ACTION")

    imported = actions.add_parser("import", help="history from a file")
    _add_store(imported)
    imported.add_argument("file", type=Path)
    imported.add_argument(
        "--kind",
        choices=("fear-greed", "coin-metrics", "funding", "series", "dated"),
        required=True,
        help="what the file holds; funding: freqtrade's …-funding_rate.feather",
    )
    imported.add_argument("--series", help="for series and dated, e.g. mvrv/BTC")
    imported.add_argument("--coin", help="for coin-metrics and funding, e.g. BTC")
    imported.add_argument("--date-column", default="date", help="of a dated file")
    imported.add_argument("--value-column", default="value", help="of a dated file")
    imported.add_argument(
        "--period-hours", type=float, default=24.0, help="dated: a value's period ends so long after its date"
    )
    imported.add_argument(
        "--delay-hours", type=float, default=24.0, help="dated: it was published so long after that"
    )
    imported.set_defaults(run=_import)

    update = actions.add_parser("update", help="ask every enabled source once")
    _add_store(update)
    update.add_argument("--coins", nargs="+", help="e.g. BTC ETH (default: the config's pairs)")
    update.add_argument("--only", nargs="+", metavar="SOURCE", help="these sources, whatever the config says")
    update.set_defaults(run=_update)

    show = actions.add_parser("show", help="what is there, how old it is, how the polls have gone")
    _add_store(show)
    show.set_defaults(run=_show)

    export = actions.add_parser("export", help="one series as CSV, with the times at which it was known")
    _add_store(export)
    export.add_argument("series")
    export.add_argument("file", type=Path)
    export.set_defaults(run=_export)


def add_evaluation(evaluations: Any) -> None:
    """Add `sources` to the subcommands of `adaptive evaluate`."""
    parser = evaluations.add_parser(
        "sources", help="do sentiment, on-chain figures and funding add anything?"
    )
    add_config(parser)
    parser.add_argument(
        "--datadir",
        type=Path,
        required=True,
        help="folder with binance/, binance/futures/, sentiment/ and onchain/",
    )
    parser.add_argument(
        "--hour", type=int, choices=range(24), default=12, metavar="HOUR", help="UTC hour of the readings"
    )
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    parser.set_defaults(run=_evaluate)


def _add_store(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--store", type=Path, help="file of the store (default: the config's sources.path)")


def _settings(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The sources' settings with the store where the bot has it, and the whole config."""
    from adaptive_pkg.settings.places import resolve_path, user_data_of
    from adaptive_pkg.settings.schema import parse
    from adaptive_pkg.settings.sources import SourcesSettings

    config = load_config(options)
    block = config.get("adaptive", {})
    settings = parse(SourcesSettings, block.get("sources", {}), "adaptive.sources")
    path = resolve_path(settings.path, user_data_of(config, configs(options)))
    return replace(settings, path=str(path)), config


def _import(options: argparse.Namespace) -> int:
    from adaptive_pkg.sources.files import FileKind, import_file
    from adaptive_pkg.store.observations import ObservationStore

    settings, _ = _settings(options)
    with ObservationStore(options.store or settings.path) as store:
        added = import_file(
            store,
            options.file,
            FileKind(options.kind),
            settings,
            series=options.series,
            coin=options.coin,
            date_column=options.date_column,
            value_column=options.value_column,
            period_hours=options.period_hours,
            delay_hours=options.delay_hours,
        )
    for name, count in added.items():
        print(f"{name}: {count:,} new values")
    return 0


def _update(options: argparse.Namespace) -> int:
    import os

    from adaptive_pkg.reports import report_console
    from adaptive_pkg.sources.update import update_sources
    from adaptive_pkg.store.observations import ObservationStore

    settings, config = _settings(options)
    pairs = config.get("exchange", {}).get("pair_whitelist", [])
    coins = options.coins or list(dict.fromkeys(pair.partition("/")[0] for pair in pairs)) or ["BTC"]
    with ObservationStore(options.store or settings.path) as store:
        return update_sources(store, settings, coins, options.only, os.environ, report_console())


def _show(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from adaptive_pkg.reports import report_console
    from adaptive_pkg.sources.update import show_store
    from adaptive_pkg.store.observations import ObservationStore

    settings, _ = _settings(options)
    with ObservationStore(options.store or settings.path) as store:
        return show_store(store, settings, datetime.now(UTC), report_console())


def _export(options: argparse.Namespace) -> int:
    from adaptive_pkg.errors import DataError
    from adaptive_pkg.store.history import store_csv
    from adaptive_pkg.store.observations import ObservationStore

    settings, _ = _settings(options)
    with ObservationStore(options.store or settings.path) as store:
        history = store.history(options.series)
    if history.empty:
        raise DataError(f"{options.series}: no such series; `adaptive sources show` lists them")
    store_csv(history, options.file)
    print(f"{options.file}: {len(history):,} values of {options.series}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.source_report import evaluate_sources
    from adaptive_pkg.reports import report_console

    settings, _ = _settings(options)
    return evaluate_sources(options.datadir, options.json_path, report_console(), settings, options.hour)
