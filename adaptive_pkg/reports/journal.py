"""`adaptive journal show` and `export`: what the decision journal holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import DecidedBy
from adaptive_pkg.journal.journal import DecisionJournal


def show_journal(path: Path, run: str | None, last: int, console: Console) -> int:
    """Print its runs, who decided how often, and the newest candidates. Returns 0.

    Raises:
        DataError: there is no journal, or it cannot be read.
    """
    with _opened(path) as journal:
        runs = journal.runs()
        rows = journal.rows(run=run)
    table = _table("runs", "run", "timeframe", "candidates", "taken", "first", "last", "rules")
    for held in runs:
        if run in (None, held.run.name):
            table.add_row(
                held.run.name,
                held.timeframe,
                f"{held.candidates:,}",
                f"{held.taken:,}",
                _moment(held.first_ms),
                _moment(held.last_ms),
                held.run.rules,
            )
    console.print(table)
    if rows.empty:
        console.print("no candidates", highlight=False)
        return 0
    table = _table("decisions", "decision", "by", "reason", "candidates")
    # limits and guards name prices and hours, each reason another one: they are counted together
    reason = rows["reason"].where(rows["decided_by"] == str(DecidedBy.RULES), "")
    counted = rows.assign(reason=reason).groupby(["decision", "decided_by", "reason"]).size()
    for (decision, by, why), count in counted.sort_values(ascending=False).items():
        table.add_row(decision, by, why, f"{count:,}")
    console.print(table)
    table = _table(
        f"the newest {min(last, len(rows))}", "closed", "pair", "side", "tag", "confidence", "decision"
    )
    for row in rows.tail(last).itertuples():
        why = f"{row.decision} ({row.decided_by}{': ' + row.reason if row.reason else ''})"
        side = "long" if row.side > 0 else "short"
        table.add_row(_moment(row.closed_ms), row.pair, side, row.tag, f"{row.confidence:.2f}", why)
    console.print(table)
    return 0


def export_journal(path: Path, run: str | None, file: Path) -> int:
    """Write rows as CSV, `closed_ms` also as a date. Returns how many.

    Raises:
        DataError: there is no journal, it cannot be read, or holds no such rows.
    """
    with _opened(path) as journal:
        rows = journal.rows(run=run)
    if rows.empty:
        raise DataError(f"{path}: no candidates{f' of run {run!r}' if run else ''}; `adaptive journal show`")
    rows.insert(0, "closed", pd.to_datetime(rows["closed_ms"], unit="ms", utc=True))
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(file, index=False)
    return len(rows)


def _opened(path: Path) -> DecisionJournal:
    if not path.is_file():
        raise DataError(f"{path}: there is no journal; a bot writes one while it trades")
    return DecisionJournal(path)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading, justify="right" if heading in ("candidates", "taken", "confidence") else "left"
        )
    return table


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
