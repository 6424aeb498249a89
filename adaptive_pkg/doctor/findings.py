"""Findings: what a check of a config has to say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

HIDDEN = "(hidden)"


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    ERROR = "error"  # a bot does not start with it
    WARNING = "warning"  # money, keys or a model may suffer
    NOTE = "note"  # worth knowing; it may well be meant


@dataclass(frozen=True)
class Finding:
    """One thing a config says, or leaves out, that somebody should know.

    Attributes:
        severity: see Severity.
        key: the dotted setting.
        value: what it says; None where it is not set, HIDDEN where it is a secret.
        problem: what is wrong with it.
        remedy: what to do.
    """

    severity: Severity
    key: str
    value: Any
    problem: str
    remedy: str

    @property
    def shown(self) -> str:
        """The value as a person reads it."""
        value = self.value.value if isinstance(self.value, Enum) else self.value
        if value is None:
            return "not set"
        return "hidden" if value == HIDDEN else json.dumps(value, default=str, ensure_ascii=False)

    def __str__(self) -> str:
        return f"{self.key} ({self.shown}): {self.problem}; {self.remedy}"


def error(key: str, value: Any, problem: str, remedy: str) -> Finding:
    """A finding that stops a start."""
    return Finding(Severity.ERROR, key, value, problem, remedy)


def warning(key: str, value: Any, problem: str, remedy: str) -> Finding:
    """A finding that is said at every start."""
    return Finding(Severity.WARNING, key, value, problem, remedy)


def note(key: str, value: Any, problem: str, remedy: str) -> Finding:
    """A finding that only the doctor tells."""
    return Finding(Severity.NOTE, key, value, problem, remedy)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors, warnings, notes; each in the order they were found."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def only(findings: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    """The findings of one severity."""
    return tuple(finding for finding in findings if finding.severity is severity)


def block(config: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A nested block of a config; empty where it is missing or no block."""
    inner: Any = config
    for name in names:
        inner = inner.get(name)
        if not isinstance(inner, Mapping):
            return {}
    return inner


def is_live(config: Mapping[str, Any]) -> bool:
    """Whether a bot with this config sends real orders."""
    return config.get("dry_run", True) is False


def has_freqai(config: Mapping[str, Any]) -> bool:
    """Whether forecasts are on."""
    return bool(block(config, "freqai").get("enabled"))
