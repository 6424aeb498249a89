"""Check: which candidate entries were refused, by whom, and is one limit refusing nearly all of them?"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd

from adaptive_pkg.doctor.findings import block
from adaptive_pkg.policy.calibration import wilson_interval
from adaptive_pkg.settings.places import resolve_path
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection
from adaptive_pkg.upkeep.trade_book import read_only

NAME = "refusals"
JOURNAL = "user_data/adaptive_journal.sqlite"  # where the config names no other
LEAST = 20
ERRORS = "error"  # an answer that could not be found: entries fail closed


def check_refusals(seen: Inspection) -> Finding:
    """Candidates of the span in the decision journal: taken and refused, by who decided; against before."""
    named = str(block(seen.config, "adaptive", "journal").get("path") or JOURNAL)
    path = resolve_path(named, seen.config.get("user_data_dir"))
    if not path.is_file():
        return unmeasured(NAME, f"there is no decision journal at {path}")
    try:
        with closing(read_only(path)) as journal:
            found = pd.read_sql(
                "select closed_ms, decision, decided_by from candidates where mode in ('live', 'dry_run')",
                journal,
            )
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        return unmeasured(
            NAME, f"{path} cannot be read ({error})", "see whether the file is a journal of ours"
        )
    moment = pd.to_datetime(found["closed_ms"], unit="ms", utc=True)
    found, moment = found[moment <= seen.now], moment[moment <= seen.now]
    recent = (moment >= seen.start).to_numpy()
    if not len(found):
        return unmeasured(NAME, f"{path} holds no candidate of a live bot or a dry run")
    taken = (found["decision"] == "taken").to_numpy()
    kind = pd.Series(np.where(taken, "taken", "refused: " + found["decided_by"].astype(str)))
    rows = tuple(
        (name, *_share(kind[recent] == name), *_share(kind[~recent] == name))
        for name in sorted(set(kind), key=lambda name: (name != "taken", name))
    )
    table = FindingTable(
        ("answer", f"this {seen.period.noun}", "share (95 %)", "before", "share (95 %)"), rows
    )
    figures = {
        "recent": kind[recent].value_counts().to_dict(),
        "before": kind[~recent].value_counts().to_dict(),
    }
    told = f"{recent.sum()} candidates this {seen.period.noun}, {taken[recent].sum()} taken"
    if (~recent).any():
        told += f"; {taken[~recent].mean():.0%} of {(~recent).sum()} before"
    failed = int((kind[recent] == f"refused: {ERRORS}").sum())
    if failed:
        return Finding(
            NAME,
            Verdict.ACT,
            f"{failed} refused because the answer failed with an error: {told}",
            "read the bot's log at these times: the entries were lost to a fault, not to a rule",
            figures,
            table,
        )
    if (
        recent.sum() >= LEAST
        and (~recent).sum() >= LEAST
        and not taken[recent].any()
        and taken[~recent].any()
    ):
        return Finding(
            NAME,
            Verdict.LOOK,
            f"not one was taken: {told}",
            "see the table for who refused them; a halt or a full portfolio ends by itself",
            figures,
            table,
        )
    return Finding(NAME, Verdict.OK, told, "", figures, table)


def _share(member: pd.Series) -> tuple[str, str]:
    n, k = len(member), int(member.sum())
    if not n:
        return "0", "–"
    low, high = wilson_interval(k, n)
    return str(k), f"{k / n:.0%} ({low:.0%} to {high:.0%})"
