"""The live bot trades through every fault the venue has: it stays up, and its stops are kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adaptive_pkg.rehearsal.busy import write_busy_market
from adaptive_pkg.rehearsal.storm import NOBODYS_FAULT, StormReport, rehearse_storm

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
START = datetime(2024, 3, 10, tzinfo=UTC)
CANDLES = 30


@pytest.fixture(scope="module")
def report(tmp_path_factory, project_root) -> StormReport:
    folder = tmp_path_factory.mktemp("storm")
    market = write_busy_market(folder / "binance", PAIRS, START, days=1, seed=3)
    return rehearse_storm(folder / "run", market, START, PAIRS, candles=CANDLES, seed=1, project=project_root)


def test_most_kinds_of_fault_have_struck(report):
    assert len(report.struck) >= 10, report.table()


def test_the_bot_stays_up(report):
    assert report.deaths == 0, report.table()


def test_nothing_of_ours_fails(report):
    assert report.own_errors == {}, report.table()


def test_no_stop_is_missed_beyond_a_candle(report):
    assert report.missed_stops == 0, report.table()


def test_an_order_whose_answer_was_lost_is_not_sent_again(report):
    assert report.doubled == 0, report.table()


def test_nothing_is_asked_before_a_retry_after_or_a_ban_is_over(report):
    assert {"too_many", "ban"} <= set(report.struck), report.table()
    assert set(report.violations) <= NOBODYS_FAULT, report.table()
