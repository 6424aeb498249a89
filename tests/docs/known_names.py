"""Names that a page may use: settings, freqtrade's keys, columns, regimes; and whether a command exists."""

from __future__ import annotations

import argparse
import re
import shlex
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from freqtrade.commands.arguments import Arguments
from freqtrade.config_schema import CONF_SCHEMA

from adaptive_pkg.cli import _parser, _split
from adaptive_pkg.enums import Approach, Regime, Style
from adaptive_pkg.forecast.contract import EXTRA_RETURNS
from adaptive_pkg.policy.signals import Rule
from adaptive_pkg.reports.settings_page import FORECAST_PATH
from adaptive_pkg.settings import AdaptiveSettings, ForecastSettings, Preset, describe

FOLDERS = {"DATA": "d", "DATA_5M": "d", "DAILY": "d", "ALL": "d"}
# files and folders that appear by use
MADE_BY_USE = {
    "user_data/data/binance", "user_data/models", "user_data/backtest_results", "user_data/sources.sqlite",
    "user_data/strategies/AdaptiveGRU.json", "user_data/tune.sqlite", "user_data/hyperopt_results",
}  # fmt: skip
COLUMNS = {"do_predict", "forecast_sigma", "forecast_strength", "forecast_close", *EXTRA_RETURNS}
EXIT_REASONS = {"trend_turned", "stop_passed"}
OF_THE_CODE = {"both_ways", "rolling_sum"}
OF_FREQTRADE = {"reverse_train_test_order", "startup_candle_count"}  # not in its schema


def settings_keys() -> set[str]:
    """Every dotted key, and every group of keys."""
    rows = describe(AdaptiveSettings) + describe(ForecastSettings, FORECAST_PATH)
    rows += describe(Preset, "adaptive.presets.<regime>")
    keys = {key for key, *_ in rows}
    while groups := {key.rpartition(".")[0] for key in keys} - keys - {""}:
        keys |= groups
    return keys


def freqtrade_keys(schema: Mapping[str, Any] = CONF_SCHEMA, path: str = "") -> Iterator[str]:
    """Every dotted key of freqtrade's own config."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from freqtrade_keys(inner, f"{path}{name}.")
    for name in schema.get("definitions", {}):
        yield from freqtrade_keys(schema["definitions"][name], f"{name}.")


def last_names() -> set[str]:
    """What may stand alone, without its path."""
    keys = settings_keys() | set(freqtrade_keys())
    known = {key.rpartition(".")[2] for key in keys}
    return known.union(Regime, Style, Approach, Rule, COLUMNS, EXIT_REASONS, OF_THE_CODE, OF_FREQTRADE)


def is_setting(name: str) -> bool:
    """Whether a dotted name is a key of the config; `components.x` stands for `adaptive.components.x`."""
    return bool({name, f"adaptive.{name}"} & (settings_keys() | set(freqtrade_keys())))


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Every command a parser takes, by its words."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                own = subcommands(inner)
                found |= {f"{name} {words}": leaf for words, leaf in own.items()} or {name: inner}
    return found


def adaptive_commands() -> dict[str, argparse.ArgumentParser]:
    """Every `adaptive` command by its words, such as `evaluate strategy`."""
    return subcommands(_parser())


def check_command(line: str, root: Path) -> None:
    """Let the program's own parser read a whole command. Raises AssertionError."""
    line = string.Template(line.partition(" > ")[0].replace("…", "")).safe_substitute(FOLDERS)
    program, *arguments = shlex.split(line)
    if program == "make":
        rules = re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE)
        unknown = [word for word in arguments if "=" not in word and word not in rules]
        assert not unknown, f"no rule {unknown} in the Makefile"
    elif program == "docker":
        services = re.findall(r"^  ([a-z]+):$", (root / "docker-compose.yml").read_text(), re.MULTILINE)
        assert arguments[-1] in services, line
    elif program == "adaptive":
        own, freqtrade = _split(arguments)
        _accepts(_parser().parse_args, own, line)
        if freqtrade:
            check_command(shlex.join(["freqtrade", *freqtrade]), root)
    else:
        _accepts(lambda words: Arguments(words).get_parsed_arg(), arguments, line)


def check_mention(text: str, root: Path) -> None:
    """A command in the text may lack arguments; its words and options must exist. Raises AssertionError."""
    program, *words = shlex.split(text)
    if program != "adaptive":
        check_command(text, root)
        return
    named = [word for word in words if not word.startswith("-")]
    command = next((c for c in adaptive_commands() if " ".join(named).startswith(c)), None)
    if command is None:  # a group, such as `adaptive evaluate`, or an option of `adaptive` itself
        group = " ".join(named)
        assert any(c.startswith(group) for c in adaptive_commands()), f"no such command: {text}"
        return
    options = {option for action in adaptive_commands()[command]._actions for option in action.option_strings}
    unknown = [word for word in words if word.startswith("--") and word not in options]
    assert not unknown, f"{text}: no option {unknown}"


def _accepts(parse: Any, words: list[str], line: str) -> None:
    try:
        parse(words)
    except SystemExit as refused:
        assert refused.code == 0, f"refused: {line}"
