"""Findings: what a check has to say about a bot, and what to do about it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a finding asks for, the worst first."""

    ACT = "act"  # something is wrong, or more than luck explains
    LOOK = "look"  # worth an eye; it may well be nothing
    OK = "ok"  # nothing to do


@dataclass(frozen=True)
class FindingTable:
    """Rows below a finding, as a person reads them."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        told: what was found, in plain words.
        remedy: what to do; "" where there is nothing.
        figures: everything behind the words, plain values.
        measured: whether there was anything to measure; if not, `told` says why.
    """

    name: str
    verdict: Verdict
    told: str
    remedy: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    table: FindingTable | None = None
    measured: bool = True

    def __post_init__(self) -> None:
        if self.verdict is not Verdict.OK and not self.remedy:
            raise ValueError(f"{self.name}: {self.verdict} says no what to do")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not a number becomes null."""
        return plain(asdict(self))


def unmeasured(name: str, why: str, remedy: str = "") -> Finding:
    """A check that could not be made: worth a look where something can be done about it."""
    verdict = Verdict.LOOK if remedy else Verdict.OK
    return Finding(name, verdict, f"not measured: {why}", remedy, measured=False)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those to act on, those to look at, the others; each in the order they were found."""
    order = list(Verdict)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.verdict)))


def exit_status(findings: Iterable[Finding]) -> int:
    """1 where something is to be acted on, else 0."""
    return int(any(finding.verdict is Verdict.ACT for finding in findings))


def plain(value: Any) -> Any:
    """Values that JSON can hold: NaN and infinity become None, everything unknown its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value if not isinstance(value, StrEnum) else str(value)
    if hasattr(value, "item"):  # of NumPy
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return json.loads(json.dumps(value, default=str))
