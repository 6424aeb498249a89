"""A live bot is killed, also between an order and its fill; after a restart its books are right again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adaptive_pkg.rehearsal.busy import write_busy_market
from adaptive_pkg.rehearsal.crash import CrashRehearsal
from adaptive_pkg.rehearsal.crash_report import Crash, CrashReport

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "LTC/USDT")
START = datetime(2024, 3, 10, tzinfo=UTC)
LOST = "order placed, answer not read"


@pytest.fixture(scope="module")
def report(tmp_path_factory, project_root) -> CrashReport:
    folder = tmp_path_factory.mktemp("crash")
    market = write_busy_market(folder / "binance", PAIRS, START, days=1.5, seed=3)
    rehearsal = CrashRehearsal(
        folder / "run",
        market,
        START,
        PAIRS,
        seed=2,
        throttle_seconds=15,
        windows=("order open", LOST, "any moment"),
        project=project_root,
    )
    return rehearsal.play(kills=3)


def test_the_bot_is_killed_in_every_window(report):
    assert {crash.window for crash in report.crashes} >= {"order open", LOST}, report.table()


def test_an_order_the_bot_had_heard_of_is_never_lost(report):
    for crash in report.crashes:
        if crash.window != LOST:
            assert (crash.unknown, crash.missing, crash.balance_gap) == (0, 0, ()), report.table()


def test_an_order_it_had_not_heard_of_is_said_and_not_sent_again(report):
    assert report.unknown > 0, report.table()
    assert (report.unsaid, report.doubled) == (0, 0), report.table()


def test_every_open_trade_keeps_its_plan_and_stage(report):
    assert any(crash.ready_real_seconds is not None for crash in report.crashes), report.table()
    assert report.broken_plans == 0, report.table()


def test_no_limit_of_the_venue_is_broken(report):
    assert not report.violations, report.table()


def crash(**values) -> Crash:
    base = {
        "window": "any moment", "at": "2024-03-10 01:00:00", "open_trades": 2, "open_orders": 0, "unknown": 0,
        "doubled": 0, "missing": 0, "balance_gap": (), "said": False, "without_plan": (), "plan_changed": (),
        "stage_lost": (), "ready_real_seconds": None, "ready_cpu_seconds": None,
    }  # fmt: skip
    return Crash(**{**base, **values})


def test_a_report_counts_what_was_lost_and_what_was_not_said():
    crashes = (
        crash(unknown=1, said=True, ready_real_seconds=0.5, ready_cpu_seconds=0.4),
        crash(unknown=2, doubled=1, without_plan=(3,), ready_real_seconds=0.7, ready_cpu_seconds=0.6),
    )
    found = CrashReport(1, crashes, 9, 4, {"weight": 1})
    assert (found.unknown, found.unsaid, found.doubled, found.broken_plans) == (3, 1, 1, 1)
    assert found.ready("real") == (pytest.approx(0.6), 0.7)
    assert "weight" in found.table() and found.to_dict()["unsaid"] == 1
    assert not found.holds


def test_what_was_lost_and_said_holds_and_what_took_too_long_does_not():
    said = crash(unknown=1, said=True, ready_real_seconds=0.9, ready_cpu_seconds=0.8)
    assert CrashReport(1, (said,), 9, 4, {}).holds
    assert not CrashReport(1, (said, crash(ready_real_seconds=5.1)), 9, 4, {}).holds
    assert not CrashReport(1, (said, crash(balance_gap=("BTC/USDT",))), 9, 4, {}).holds
