"""Refused entries by who refused them, read from the decision journal."""

import sqlite3
from contextlib import closing

import pytest

from adaptive_pkg.journal.database import CANDIDATES
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.refusals import check_refusals

from .conftest import NOW

COLUMNS = ("mode", "closed_ms", "decision", "decided_by")


@pytest.fixture
def journal(tmp_path):
    """`journal([(hours before now, decision, decided_by, mode)])`: its file."""

    def make(rows):
        path = tmp_path / "journal.sqlite"
        with closing(sqlite3.connect(path)) as file:
            file.execute(
                "create table candidates (mode text, closed_ms integer, decision text, decided_by text)"
            )
            file.executemany(
                "insert into candidates values (?, ?, ?, ?)",
                [
                    (mode, int(NOW.timestamp() * 1000 - hours * 3_600_000), decision, by)
                    for hours, decision, by, mode in rows
                ],
            )
            file.commit()
        return {"journal": {"path": str(path)}}

    return make


def rows(count, first, decision, by, mode="dry_run"):
    return [(first + number, decision, by, mode) for number in range(count)]


def test_the_journal_has_what_is_read():
    assert set(COLUMNS) <= {column.name for column in CANDIDATES.columns}


def test_taken_and_refused_are_counted_this_week_and_before(seen, journal):
    written = rows(3, 2, "taken", "confirmed") + rows(9, 20, "refused", "limits")
    written += rows(10, 300, "taken", "confirmed") + rows(10, 400, "refused", "sizing")
    written += rows(50, 2, "taken", "confirmed", mode="backtest")  # not the bot's
    found = check_refusals(seen(adaptive=journal(written)))
    assert found.verdict is Verdict.OK
    assert found.told == "12 candidates this week, 3 taken; 50% of 20 before"
    assert found.figures["recent"] == {"refused: limits": 9, "taken": 3}


def test_errors_are_to_be_acted_on(seen, journal):
    found = check_refusals(seen(adaptive=journal(rows(1, 3, "refused", "error") + rows(9, 4, "taken", "x"))))
    assert found.verdict is Verdict.ACT and "1 refused because the answer failed" in found.told


def test_a_week_in_which_nothing_was_taken_is_looked_at(seen, journal):
    written = rows(30, 2, "refused", "limits") + rows(30, 300, "taken", "confirmed")
    found = check_refusals(seen(adaptive=journal(written)))
    assert found.verdict is Verdict.LOOK and "not one was taken" in found.told


def test_no_journal_is_nothing_measured(seen, journal, tmp_path):
    found = check_refusals(seen(adaptive={"journal": {"path": str(tmp_path / "none.sqlite")}}))
    assert (found.measured, found.verdict) == (False, Verdict.OK)
    assert "holds no candidate" in check_refusals(seen(adaptive=journal([]))).told
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"nothing" * 200)
    found = check_refusals(seen(adaptive={"journal": {"path": str(broken)}}))
    assert (found.measured, found.verdict) == (False, Verdict.LOOK)
