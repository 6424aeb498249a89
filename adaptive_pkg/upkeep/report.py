"""The report `adaptive maintain`: every check of a period, and what to do, worst first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adaptive_pkg.doctor.findings import is_live
from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.upkeep.findings import Finding, Verdict, exit_status, plain, unmeasured, worst_first
from adaptive_pkg.upkeep.inspection import Inspection, Period

STYLES = {Verdict.ACT: "bold red", Verdict.LOOK: "yellow", Verdict.OK: "green"}
Check = tuple[str, Callable[[], Finding]]


@dataclass(frozen=True)
class MaintenanceReport:
    """What was found of one bot."""

    period: Period
    now: pd.Timestamp
    start: pd.Timestamp
    database: Path
    live: bool
    trades: int
    findings: tuple[Finding, ...]

    @property
    def to_do(self) -> tuple[Finding, ...]:
        """What asks for something, worst first."""
        return tuple(item for item in worst_first(self.findings) if item.verdict is not Verdict.OK)

    @property
    def status(self) -> int:
        """1 where something is to be acted on, else 0."""
        return exit_status(self.findings)

    @property
    def headline(self) -> str:
        """One line: what, of when, how bad."""
        counts = {verdict: sum(item.verdict is verdict for item in self.findings) for verdict in Verdict}
        idle = sum(item.verdict is Verdict.OK and not item.measured for item in self.findings)
        mode = "real money" if self.live else "dry run"
        return (
            f"{self.period} maintenance, {self.start:%Y-%m-%d} to {self.now:%Y-%m-%d %H:%M} UTC, {mode}: "
            f"{counts[Verdict.ACT]} to act on, {counts[Verdict.LOOK]} to look at, "
            f"{counts[Verdict.OK] - idle} fine" + (f", {idle} not measured" if idle else "")
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "period": str(self.period),
            "from": self.start.isoformat(),
            "to": self.now.isoformat(),
            "database": str(self.database),
            "live": self.live,
            "trades": self.trades,
            "exit_status": self.status,
            "findings": [item.to_dict() for item in self.findings],
            "what_to_do": [plain({"name": item.name, "verdict": item.verdict, "remedy": item.remedy})
                           for item in self.to_do],
        }  # fmt: skip


def run_checks(seen: Inspection, checks: list[Check], console: Console) -> MaintenanceReport:
    """Make the checks one after the other. One that cannot be made says why, and stops no other."""
    findings = []
    for name, check in checks:
        with console.status(f"checking {name}"):
            try:
                findings.append(check())
            except AdaptiveError as error:
                findings.append(unmeasured(name, str(error), "do what the message says, and run this again"))
    return MaintenanceReport(
        seen.period,
        seen.now,
        seen.start,
        seen.book.file,
        is_live(seen.config),
        len(seen.book.trades),
        tuple(findings),
    )


def render(report: MaintenanceReport, console: Console) -> None:
    """Print it: each finding with its table, then what to do."""
    console.print(f"[bold]{escape(report.headline)}[/bold]\n{escape(str(report.database))}", highlight=False)
    for item in report.findings:
        mark = "–" if not item.measured and item.verdict is Verdict.OK else str(item.verdict)
        console.print(
            f"\n[{STYLES[item.verdict]}]{mark:>4}[/]  [bold]{escape(item.name)}[/bold]: {escape(item.told)}",
            highlight=False,
        )
        if item.table is not None and item.table.rows:
            console.print(_table(item))
    console.print("\n[bold]What to do[/bold]")
    for line in steps(report):
        console.print(escape(line), highlight=False)


def steps(report: MaintenanceReport) -> Iterator[str]:
    """What to do, worst first, a line each."""
    if not report.to_do:
        yield "nothing"
    for number, item in enumerate(report.to_do, 1):
        yield f"{number}. [{item.verdict}] {item.name}: {item.remedy}"


def _table(item: Finding) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for at, heading in enumerate(item.table.headings):
        table.add_column(escape(heading), justify="left" if at == 0 else "right", overflow="fold")
    for row in item.table.rows:
        table.add_row(*map(escape, row))
    return table


def write_json(report: MaintenanceReport, path: Path) -> None:
    """All figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
