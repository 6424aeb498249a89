"""With an order book and the gate a live bot trades otherwise than its backtest: how, is told."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from adaptive_pkg.rehearsal.busy import BUSY
from adaptive_pkg.rehearsal.market import BEGIN, PAIRS, TIMEFRAME
from adaptive_pkg.rehearsal.played import Played
from adaptive_pkg.rehearsal.real_spread import Spread, run_real_spread, set_side_by_side
from adaptive_pkg.rehearsal.records import LogLine
from adaptive_pkg.rehearsal.trade_views import OrderView, TradeView

AT, HOUR = datetime(2023, 1, 1, tzinfo=UTC), timedelta(hours=1)


def view(pair, entry, leave, hours=1, reason="roi"):
    orders = (
        OrderView(AT, "buy", "trend", entry, 10 * entry),
        OrderView(AT + hours * HOUR, "sell", reason, leave, 10 * leave),
    )
    return TradeView(pair, AT, AT + hours * HOUR, "trend", reason, orders)


def refusal(pair, reason, minutes=1):
    return LogLine(
        AT + timedelta(minutes=minutes),
        "adaptive_pkg.adapter.messages",
        "INFO",
        f"{pair}: long entry (trend) refused: market: {reason}",
    )


def side_by_side(live, backtest, log=()):
    played = Played(AT, AT + 4 * HOUR, tuple(live), tuple(backtest), 0, 0, 0, 1.0, tuple(log), 10_000.0)
    return set_side_by_side(played, "dry run", 4, PAIRS, TIMEFRAME)


def test_dearer_entries_and_cheaper_exits_are_worse():
    report = side_by_side(
        [view("BTC/USDT", 100.1, 109.0), view("ETH/USDT", 99.9, 110.0, reason="stop_loss")],
        [view("BTC/USDT", 100.0, 110.0), view("ETH/USDT", 100.0, 110.0)],
    )
    assert (report.matched, report.other_exits) == (2, 1)
    assert (report.entries.best, report.entries.worst) == pytest.approx((-0.1, 0.1))
    assert report.entries.mean == pytest.approx(0.0, abs=1e-9)
    assert (report.exits.orders, report.exits.mean) == (1, pytest.approx(100 / 110))
    assert math.isnan(report.exits.error), "one order has no interval"
    assert report.value_live - report.value_backtest == pytest.approx(-1.0 + 1.0 - 10.0)


def test_of_the_trades_the_bot_has_not_made_the_gates_refusals_are_named_by_their_reason():
    log = [
        refusal("BTC/USDT", "spread 0.200% is wider than 0.150%"),
        refusal("BTC/USDT", "spread 0.300% is wider than 0.150%", minutes=5),  # the same candle again
        refusal("ETH/USDT", "spread 0.170% is wider than 0.150%", minutes=70),  # nobody's trade
        LogLine(AT, "x", "INFO", "SOL/USDT: long entry (trend) refused: 6 trades are open"),  # not the gate's
    ]
    log.append(refusal("LTC/USDT", "the stream of bids and asks is down"))  # and up again soon after
    report = side_by_side(
        [view("LTC/USDT", 100.0, 110.0)], [view(f"{coin}/USDT", 100.0, 110.0) for coin in ("BTC", "SOL")], log
    )
    assert report.refused == {"spread #% is wider than #%": 2}
    assert (report.only_backtest, report.refused_of_backtest, report.delayed) == (2, 1, 1)
    assert "2 × spread" in report.table()


def test_nothing_to_compare_is_no_number():
    assert Spread.of([]).orders == 0 and math.isnan(Spread.of([]).mean)
    assert "0" in Spread.of([]).row("entries")


@pytest.mark.timeout(600)
def test_a_dry_run_trades_at_the_books_prices_and_its_backtest_at_the_open(tmp_path, market, project_root):
    report = run_real_spread(
        tmp_path / "run", market, BEGIN, 3, PAIRS, TIMEFRAME, config_extra=BUSY, project=project_root
    )
    assert report.matched >= 1, report.table()
    assert 0.001 < abs(report.entries.mean) < 1.0, report.table()
    assert (report.violations, report.errors) == (0, 0), report.table()
    assert json.loads(json.dumps(report.to_dict()))["matched"] == report.matched
