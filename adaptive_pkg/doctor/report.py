"""Report: a config's findings as a table and as JSON."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adaptive_pkg.doctor.access import secret_paths
from adaptive_pkg.doctor.checks import examine
from adaptive_pkg.doctor.facts import ClockReading, gather, read_clock
from adaptive_pkg.doctor.findings import HIDDEN, Finding, Severity, error, is_live, only
from adaptive_pkg.doctor.trading import STRATEGY_STOPLOSS, STRATEGY_TIMEFRAME
from adaptive_pkg.errors import SettingsError

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def doctor(
    configs: Sequence[Path],
    json_path: Path | None,
    console: Console,
    *,
    venue_time: Callable[[Mapping[str, Any]], float] | None = None,
    now: Callable[[], float] = time.time,
    as_live: bool = False,
) -> int:
    """Check the merged configs and print what to change.

    Args:
        configs: config files, later ones over earlier ones; the environment lies over both.
        json_path: write every finding here too.
        venue_time: asks the config's exchange for its time in epoch seconds; None: the clock is not checked.
        now: our clock, in epoch seconds.
        as_live: check as if `dry_run` were false, before it is.

    Returns:
        1 if there is an error, else 0.

    Raises:
        SettingsError: a file is missing or no JSON.
    """
    written, config = read_configs(configs)
    if as_live:
        config = {**config, "dry_run": False}
    clock: ClockReading | None = None
    if venue_time is not None:
        clock = read_clock(lambda: venue_time(config), now)
    refusal = freqtrade_refusal(config)
    try:
        findings = examine(config, gather(config, written, clock))
    except (AttributeError, TypeError):
        if not refusal:
            raise
        findings = ()  # a block of the wrong shape; freqtrade says which
    if not only(findings, Severity.ERROR):  # it stops at its first, which may be one of ours
        findings = (*refusal, *findings)
    console.print(_table(findings) if findings else "nothing to change")
    console.print(_summary(configs, config, findings))
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(as_json(configs, findings), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}")
    return int(bool(only(findings, Severity.ERROR)))


def read_configs(configs: Sequence[Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the files say, and what freqtrade makes of them and the environment. Raises SettingsError."""
    from freqtrade.configuration.environment_vars import environment_vars_to_dict
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import OperationalException
    from freqtrade.misc import deep_merge_dicts

    if not configs:
        raise SettingsError("no config file to check; name one with --config")
    try:
        written = load_from_files([str(path) for path in configs])
    except OperationalException as failure:
        raise SettingsError(str(failure)) from failure
    return written, deep_merge_dicts(environment_vars_to_dict(), deepcopy(written))


def freqtrade_refusal(config: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What freqtrade's own validation refuses first, with the strategy's values filled in."""
    from freqtrade.configuration.config_validation import validate_config_consistency
    from freqtrade.enums import RunMode
    from freqtrade.exceptions import OperationalException

    filled = deepcopy(dict(config))
    for *blocks, last in secret_paths(filled):  # its messages quote values
        _descend(filled, blocks)[last] = HIDDEN.ljust(32)
    for key, value in {
        "stoploss": STRATEGY_STOPLOSS,
        "timeframe": STRATEGY_TIMEFRAME,
        "minimal_roi": {"0": 10.0},
        "max_open_trades": -1,
        "internals": {},
    }.items():
        filled.setdefault(key, value)
    filled["runmode"] = RunMode.LIVE if is_live(config) else RunMode.DRY_RUN
    try:
        with _silent("freqtrade.configuration.config_validation"):
            validate_config_consistency(filled)
    except OperationalException as refusal:
        said = str(refusal)
    except (
        Exception
    ) as failure:  # it reads some values before it checks their shape, and would fail so at a start
        said = f"it fails with {type(failure).__name__}: {failure}"
    else:
        return ()
    return (error("(freqtrade)", None, f"freqtrade refuses this config: {said}", "correct it"),)


def as_json(configs: Sequence[Path], findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings and how many of each severity, ready for `json.dumps`."""
    return {
        "configs": [str(path) for path in configs],
        "counts": {severity.value: len(only(findings, severity)) for severity in Severity},
        "findings": [asdict(finding) for finding in findings],
    }


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        key, shown, problem, remedy = map(
            escape, (finding.key, finding.shown, finding.problem, finding.remedy)
        )
        mark = f"[{STYLES[finding.severity]}]{finding.severity}[/]"
        table.add_row(mark, f"[bold]{key}[/] ({shown})\n{problem}\n→ {remedy}")
    return table


def _summary(configs: Sequence[Path], config: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    mode = "real money" if is_live(config) else "dry run"
    counts = ", ".join(
        f"{count} {severity}{'' if count == 1 else 's'}"
        for severity in Severity
        if (count := len(only(findings, severity)))
    )
    return escape(f"{' + '.join(map(str, configs))}, {mode}: {counts or 'no findings'}")


def _descend(config: Any, path: Sequence[str]) -> Any:
    for name in path:
        config = config[int(name)] if isinstance(config, list) else config[name]
    return config


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """freqtrade logs the whole schema with a refusal."""
    chatty = logging.getLogger(name)
    before, chatty.disabled = chatty.disabled, True
    try:
        yield
    finally:
        chatty.disabled = before
