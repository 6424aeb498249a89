"""A stop that the price went through: left in time, late, or never."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.rehearsal.ledger import VenueOrder
from adaptive_pkg.rehearsal.records import BotTrade
from adaptive_pkg.rehearsal.stop_audit import StopSample, audit_stops, price_path
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.tape import Tape

PAIR, CANDLE_MS = "BTC/USDT", 300_000
BEGIN = pd.Timestamp("2024-01-01", tz="UTC")
BEGIN_MS = int(BEGIN.timestamp() * 1000)


@pytest.fixture
def tape(tmp_path):
    """20 candles: flat at 100, then from candle 10 on down by 1 a candle."""
    closes = np.concatenate([np.full(10, 100.0), 100.0 - np.arange(1, 11)])
    opens = np.concatenate([[100.0], closes[:-1]])
    frame = pd.DataFrame(
        {
            "date": pd.date_range(BEGIN, periods=20, freq="5min"),
            "open": opens,
            "high": np.maximum(opens, closes),
            "low": np.minimum(opens, closes),
            "close": closes,
            "volume": 10.0,
        }
    )
    write_candles({PAIR: frame}, tmp_path, "5m")
    return Tape(CandleStore(tmp_path), PAIR)


def audit(tape, exit_candle, stops=((0, 98.0),), end_candle=20, exit_tag="stop_loss"):
    samples = [StopSample(BEGIN_MS + candle * CANDLE_MS, 1, stop) for candle, stop in stops]
    rows, venue = [], []
    if exit_candle is not None:
        placed = BEGIN_MS + exit_candle * CANDLE_MS + 200_000
        rows = [{"order_id": "2", "ft_order_tag": exit_tag}]
        venue = [VenueOrder("2", PAIR, False, False, 1.0, 1.0, placed)]
    trades = [BotTrade({"id": 1, "pair": PAIR}, tuple(rows), {})]
    return audit_stops(
        samples, trades, venue, {PAIR: tape}, end_ms=BEGIN_MS + end_candle * CANDLE_MS, candle_ms=CANDLE_MS
    )


def test_the_path_goes_through_every_candles_corners(tape):
    times, prices = price_path(tape, BEGIN_MS, BEGIN_MS + 20 * CANDLE_MS - 1000)
    assert len(times) == len(prices) == 20 * 300
    assert prices[:3000] == pytest.approx(100.0)
    assert prices[11 * 300] == pytest.approx(99.0)
    assert np.all(np.diff(prices) <= 1e-9)


@pytest.mark.parametrize(("exit_candle", "late", "missed"), [(12, 0, False), (13, 1, False), (15, 3, True)])
def test_how_late_an_exit_is_counts_from_the_candle_that_crossed(tape, exit_candle, late, missed):
    """98 is reached as candle 11 ends, and left behind in candle 12."""
    (check,) = audit(tape, exit_candle)
    assert (check.candles_late, check.missed) == (late, missed)
    assert BEGIN_MS + 12 * CANDLE_MS <= check.crossed_ms < BEGIN_MS + 13 * CANDLE_MS


def test_a_stop_that_nobody_left_at_is_missed(tape):
    (check,) = audit(tape, None)
    assert check.candles_late is None and check.missed


def test_a_crossing_at_the_very_end_is_not_judged(tape):
    assert audit(tape, None, end_candle=13) == ()


def test_an_exit_before_the_crossing_is_none(tape):
    assert audit(tape, 9) == ()


def test_a_stop_counts_from_when_the_database_had_it(tape):
    (check,) = audit(tape, 16, stops=((0, 90.5), (15, 97.0)))
    assert check.stop == 97.0 and check.crossed_ms >= BEGIN_MS + 15 * CANDLE_MS
    assert check.candles_late == 1


def test_a_part_sold_on_the_way_is_no_exit(tape):
    (check,) = audit(tape, 13, exit_tag="scale out 1")
    assert check.exit_ms is None
