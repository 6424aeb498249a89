"""The trades inside candles: they follow the path, add up, and are the same however one asks."""

from itertools import pairwise

import numpy as np
import pytest

from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.tape import Tape
from adaptive_pkg.simulator.trades import PER_CANDLE, last_id, trades_between, trades_from

from .conftest import MINUTE_MS, START_MS, walk

TICK, LOT = 0.01, 0.001


@pytest.fixture(scope="module")
def tape(walk_folder):
    return Tape(CandleStore(walk_folder), "BTC/USDT")


def test_every_candle_is_its_trades(tape):
    rows = walk(1500, 1)[:50]
    trades = trades_between(tape, TICK, LOT, START_MS - 1, START_MS + 50 * MINUTE_MS - 1)
    assert trades.ids.tolist() == list(range(50 * PER_CANDLE))
    assert (np.diff(trades.times_ms) > 0).all()
    prices = trades.prices.reshape(50, PER_CANDLE)
    seen = np.column_stack([prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1]])
    np.testing.assert_allclose(seen, rows, atol=1e-9)
    np.testing.assert_allclose(trades.amounts.reshape(50, PER_CANDLE).sum(axis=1), 1000.0)


def test_asking_in_parts_gives_the_same_as_asking_once(tape):
    whole = trades_between(tape, TICK, LOT, START_MS, START_MS + 600_000)
    cuts = [START_MS, *range(START_MS + 7_001, START_MS + 600_000, 7_001), START_MS + 600_000]
    parts = [trades_between(tape, TICK, LOT, a, b) for a, b in pairwise(cuts)]
    assert np.concatenate([part.ids for part in parts]).tolist() == whole.ids.tolist()
    paged = trades_from(tape, TICK, LOT, int(whole.ids[0]), len(whole), START_MS + 600_000)
    assert paged.prices.tolist() == whole.prices.tolist()


def test_nothing_is_told_before_it_happened(tape):
    now = START_MS + 90_500
    newest = last_id(tape, now)
    trades = trades_from(tape, TICK, LOT, 0, 1000, now)
    assert trades.ids[-1] == newest and trades.times_ms[-1] <= now
    assert last_id(tape, int(trades.times_ms[-1]) - 1) == newest - 1
    assert last_id(tape, START_MS - 1) == -1
