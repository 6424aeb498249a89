"""`adaptive journal …` and `adaptive evaluate decisions`: what was decided, and what was learned from it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_pkg.cli.options import add_config, add_data, at_least, configs, load_config
from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from adaptive_pkg.settings import AdaptiveSettings

STRATEGY = "AdaptiveGRU"
STOPLOSS = -0.20  # the strategy's, where neither config nor hyperopt result names one


def add_commands(commands: Any) -> None:
    """Add `journal` with its subcommands."""
    journal = commands.add_parser("journal", help="every candidate entry, taken or refused, and why")
    actions = journal.add_subparsers(dest="action", required=True, metavar="ACTION")

    show = actions.add_parser("show", help="runs, reasons of refusal, the newest candidates")
    _add_file(show)
    show.add_argument("--run", dest="run_name", help="one run (default: all)")
    show.add_argument("--last", type=at_least(1), default=20, help="newest candidates shown")
    show.set_defaults(run=_show)

    export = actions.add_parser("export", help="rows as CSV")
    _add_file(export)
    export.add_argument("file", type=Path)
    export.add_argument("--run", dest="run_name", help="one run (default: all)")
    export.set_defaults(run=_export)

    fill = actions.add_parser("fill", help="the candidates of candle files, as if a bot had met them")
    _add_file(fill)
    _add_candles(fill)
    fill.set_defaults(run=_fill)

    learn = actions.add_parser("learn", help="models of what became of the candidates, into the book")
    _add_file(learn)
    _add_candles(learn)
    learn.add_argument("--book", type=Path, help="file of the models (default: the config's)")
    learn.add_argument("--force", action="store_true", help="also where no training is due")
    learn.set_defaults(run=_learn)


def add_evaluation(evaluations: Any) -> None:
    """Add `decisions` to the subcommands of `adaptive evaluate`."""
    parser = evaluations.add_parser("decisions", help="can past candidates tell good ones from bad?")
    add_config(parser)
    add_data(parser)
    parser.add_argument("--timerange", help="freqtrade's form, e.g. 20190101-20231231 (default: all)")
    parser.add_argument(
        "--approach", type=Approach, choices=list(Approach), help="instead of the config's adaptive.approach"
    )
    parser.set_defaults(run=_evaluate)


def _add_file(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--journal", type=Path, help="file of the journal (default: the config's)")


def _add_candles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--datadir", type=Path, required=True, help="folder of candle files")
    parser.add_argument("--pairs", nargs="+", help="pairs (default: all in the folder)")
    parser.add_argument("--timeframe", help="default: the config's, else 1h")
    parser.add_argument("--timerange", help="freqtrade's form, of the candidates (default: all)")


def _settings(options: argparse.Namespace) -> tuple[AdaptiveSettings, dict[str, Any], Path | None]:
    """The settings, the whole config, and freqtrade's folder where it is known."""
    from adaptive_pkg.settings import load_settings
    from adaptive_pkg.settings.places import user_data_of

    config = load_config(options)
    return load_settings(config), config, user_data_of(config, configs(options))


def _traded(
    options: argparse.Namespace, console: Console
) -> tuple[AdaptiveSettings, dict[str, Any], Path | None]:
    """`_settings`, as a bot trades by them: a hyperopt result beside the strategy wins, as in freqtrade.

    Raises:
        SettingsError: that file is of another strategy, cannot be read, or has a value out of range.
    """
    from adaptive_pkg.adapter.parameters import parameters, within_stoploss

    settings, config, folder = _settings(options)
    path = _result_path(config, folder)
    found = {} if path is None else _hyperopt_result(path)
    values = {
        f"{section}.{name}": found[space][name]
        for space, section, name in parameters()
        if name in found.get(space, {})
    }
    stoploss = config.get("stoploss", found.get("stoploss", {}).get("stoploss", STOPLOSS))
    if found:
        said = ", ".join(f"{key} {value}" for key, value in values.items()) or "none of the settings"
        console.print(f"{path}: hyperopt's values are laid over the config's: {said}", highlight=False)
    return within_stoploss(settings, stoploss).replaced(values), config, folder


def _result_path(config: Mapping[str, Any], folder: Path | None) -> Path | None:
    """Freqtrade's hyperopt result beside the strategy it would load; None: there is none."""
    from adaptive_pkg.settings.places import resolve_path

    places = [resolve_path("user_data/strategies", folder)]
    if own := config.get("strategy_path"):
        places.insert(0, Path(own))
    beside = next((place for place in places if (place / f"{STRATEGY}.py").is_file()), None)
    path = None if beside is None else beside / f"{STRATEGY}.json"
    return path if path is not None and path.is_file() else None


def _hyperopt_result(path: Path) -> dict[str, dict[str, Any]]:
    """Values by space and name."""
    try:
        told = json.loads(path.read_text())
        named, spaces = told["strategy_name"], dict(told["params"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path}: no hyperopt result ({error!r}); move it away") from error
    if named != STRATEGY:
        raise SettingsError(f"{path}: the hyperopt result of {named!r}, not of {STRATEGY}; move it away")
    return spaces


def _journal(options: argparse.Namespace, settings: AdaptiveSettings, folder: Path | None) -> Path:
    from adaptive_pkg.settings.places import resolve_path

    return options.journal or resolve_path(settings.journal.path, folder)


def _timeframe(options: argparse.Namespace, config: dict[str, Any]) -> str:
    return options.timeframe or config.get("timeframe") or "1h"


def _show(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.reports.journal import show_journal

    settings, _, folder = _settings(options)
    path = _journal(options, settings, folder)
    return show_journal(path, options.run_name, options.last, report_console())


def _export(options: argparse.Namespace) -> int:
    from adaptive_pkg.reports.journal import export_journal

    settings, _, folder = _settings(options)
    count = export_journal(_journal(options, settings, folder), options.run_name, options.file)
    print(f"{options.file}: {count:,} candidates")
    return 0


def _fill(options: argparse.Namespace) -> int:
    from adaptive_pkg.learning.lesson import fill_journal
    from adaptive_pkg.reports import report_console

    console = report_console()
    settings, config, folder = _traded(options, console)
    return fill_journal(
        _journal(options, settings, folder),
        options.datadir,
        options.pairs,
        _timeframe(options, config),
        settings,
        console,
        timerange=options.timerange,
        can_short=config.get("trading_mode", "spot") == "futures",
    )


def _learn(options: argparse.Namespace) -> int:
    from adaptive_pkg.learning.lesson import learn_journal
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.settings.places import resolve_path

    console = report_console()
    settings, config, folder = _traded(options, console)
    return learn_journal(
        _journal(options, settings, folder),
        options.book or resolve_path(settings.journal.learning.book, folder),
        options.datadir,
        options.pairs,
        _timeframe(options, config),
        settings,
        console,
        timerange=options.timerange,
        force=options.force,
    )


def _evaluate(options: argparse.Namespace) -> int:
    from adaptive_pkg.evaluation.decision_report import evaluate_decisions
    from adaptive_pkg.reports import report_console
    from adaptive_pkg.settings import load_settings

    config = load_config(options)
    if options.approach:
        config = config | {"adaptive": {**config.get("adaptive", {}), "approach": str(options.approach)}}
    return evaluate_decisions(
        options.datadir,
        options.pairs,
        options.timeframe,
        load_settings(config),
        options.json_path,
        report_console(),
        timerange=options.timerange,
    )
