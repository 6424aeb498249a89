"""The live bot trades through every fault the venue has: it stays up, and its stops are kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adaptive_pkg.rehearsal.busy import write_busy_market
from adaptive_pkg.rehearsal.storm import NOT_KEPT_BY_FREQTRADE, StormReport, rehearse_storm

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


def test_an_order_whose_answer_was_lost_is_not_sent_again(report, project_root):
    strategy = (project_root / "user_data/strategies/AdaptiveGRU.py").read_text()
    if "orphans" not in strategy:
        pytest.skip("AdaptiveGRU does not ask the exchange for orders that freqtrade lost (adapter.orphans)")
    assert report.doubled == 0, report.table()


def test_the_only_limits_broken_are_those_freqtrade_does_not_keep(report):
    """After a 429 or 418 freqtrade asks again in 1, 2, 5, 10 and 17 s, whatever Retry-After says."""
    assert set(report.violations) <= NOT_KEPT_BY_FREQTRADE, report.table()
