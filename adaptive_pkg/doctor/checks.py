"""Checks: every rule, run on one config."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adaptive_pkg.doctor import access, forecast, trading
from adaptive_pkg.doctor.facts import Facts, gather
from adaptive_pkg.doctor.findings import Finding, Severity, only, worst_first
from adaptive_pkg.errors import SettingsError

logger = logging.getLogger(__name__)

Check = Callable[[Mapping[str, Any], Facts], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    access.secrets_in_files,
    access.secrets_in_the_log,
    access.api_server,
    access.telegram,
    access.audience,
    access.credentials,
    access.force_entry,
    access.clock,
    trading.settings,
    trading.database,
    trading.stops,
    trading.state,
    trading.stakes,
    trading.timeouts,
    trading.futures,
    trading.timeframe,
    trading.pairs,
    trading.new_candles,
    forecast.contract,
    forecast.retraining,
    forecast.identifier,
    forecast.timeframes,
)


def examine(config: Mapping[str, Any], facts: Facts | None = None) -> tuple[Finding, ...]:
    """Run every check on a merged config; the worst findings come first.

    Args:
        config: as freqtrade merges files and environment. It is not changed.
        facts: what is known beyond it; default: nothing, and checks that need a fact are left out.
    """
    known = facts or Facts()
    return worst_first(finding for check in CHECKS for finding in check(config, known))


def refuse_unsafe_start(config: Mapping[str, Any], facts: Facts | None = None) -> None:
    """Refuse to trade on a config with an error, and log its warnings.

    Args:
        config: the running bot's, with `db_url` and `user_data_dir` as freqtrade filled them in.
        facts: default: the trade database and the models' folder are looked at, the clock is not.

    Raises:
        SettingsError: names every error at once, and what to do about each.
    """
    found = examine(config, gather(config) if facts is None else facts)
    # by then freqtrade has taken the account's keys out of the config, whether there were any or not
    findings = tuple(finding for finding in found if finding.key != "exchange.key")
    for finding in only(findings, Severity.WARNING):
        logger.warning(str(finding))
    if errors := only(findings, Severity.ERROR):
        listed = "\n".join(f"  {number}. {finding}" for number, finding in enumerate(errors, 1))
        raise SettingsError(f"this config must not trade:\n{listed}")
