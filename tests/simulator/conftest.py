"""A folder of hand-made candles, a clock that only tests move, and a venue with one account."""

import logging
import threading

import ccxt
import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.simulator.answers import Answers
from adaptive_pkg.simulator.candles import Book, CandleStore, write_candles
from adaptive_pkg.simulator.desk import Desk
from adaptive_pkg.simulator.matching import Terms
from adaptive_pkg.simulator.service import Accounts
from adaptive_pkg.simulator.venue import LoopbackVenue

KEY, SECRET = "k" * 64, "s" * 64
MINUTE_MS = 60_000
START = pd.Timestamp("2024-01-01", tz="UTC")
START_MS = int(START.timestamp() * 1000)


class Clock:
    """Epoch milliseconds that only a test moves."""

    def __init__(self, now_ms):
        self.now_ms = now_ms

    def __call__(self):
        return self.now_ms

    def tick(self, seconds):
        self.now_ms += round(seconds * 1000)


def candles(prices, volume=1000.0):
    """Minute candles from (open, high, low, close) rows."""
    frame = pd.DataFrame(prices, columns=["open", "high", "low", "close"], dtype=float)
    frame.insert(0, "date", pd.date_range(START, periods=len(frame), freq="1min", unit="ms"))
    return frame.assign(volume=volume)


def walk(count, seed):
    """A random walk from 100."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.004, count))), 2)
    open_ = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.3, (2, count)))
    high, low = np.maximum(open_, close) + wick[0], np.minimum(open_, close) - wick[1]
    return np.round(np.column_stack([open_, high, low, close]), 2)


@pytest.fixture(scope="session")
def walk_folder(tmp_path_factory):
    """1,500 minutes of BTC and ETH."""
    folder = tmp_path_factory.mktemp("walk")
    write_candles(
        {"BTC/USDT": candles(walk(1500, 1)), "ETH/USDT": candles(walk(1500, 2), 50.0)}, folder, "1m"
    )
    return folder


@pytest.fixture
def clock():
    """A hundred minutes into the candles."""
    return Clock(START_MS + 100 * MINUTE_MS)


@pytest.fixture
def make_desk(tmp_path):
    """An account over hand-made candles of BTC/USDT: `make_desk(rows, balances, terms)`."""

    def make(rows, balances=None, terms=None, volume=1000.0):
        write_candles({"BTC/USDT": candles(rows, volume)}, tmp_path, "1m")
        answers = Answers(CandleStore(tmp_path), ("BTC/USDT",), Book.SPOT)
        return Desk(answers, KEY, balances or {"USDT": 10_000, "BTC": 100}, terms or Terms())

    return make


@pytest.fixture
def make_venue(walk_folder, clock):
    """A running venue with one account, stopped after the test; no thread may be left behind."""
    running, before = [], threading.active_count()

    def make(**kwargs):
        kwargs.setdefault("accounts", Accounts({KEY: SECRET}))
        venue = LoopbackVenue(CandleStore(walk_folder), [], clock, **kwargs)
        venue.start()
        running.append(venue)
        return venue

    logging.getLogger("adaptive_pkg.simulator").setLevel(logging.ERROR)
    yield make
    logging.getLogger("adaptive_pkg.simulator").setLevel(logging.NOTSET)
    for venue in running:
        venue.stop()
    assert threading.active_count() <= before


@pytest.fixture
def make_client(clock):
    """The real ccxt with the account's key, on the test's clock."""

    def make(venue, ahead_ms=0, **settings):
        config = venue.live_overlay()["exchange"]
        client = ccxt.binance(
            {**config["ccxt_config"], "apiKey": KEY, "secret": SECRET, "timeout": 2000, **settings}
        )
        client.milliseconds = lambda: clock.now_ms + ahead_ms
        return client

    return make
