"""A folder with short candles only serves longer ones as well, and is left as it was."""

import pandas as pd
import pytest

from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.joined_candles import join_missing
from adaptive_pkg.simulator.market import simulate_markets

PAIRS = ["BTC/USDT", "BTC/USDT:USDT"]


@pytest.fixture
def folder(tmp_path):
    write_candles(simulate_markets(PAIRS, 500, seed=5), tmp_path / "candles", "1h")
    return tmp_path / "candles"


def joined(folder, tmp_path, timeframes=("4h", "1d")):
    return join_missing(CandleStore(folder), PAIRS, timeframes, tmp_path / "shelf")


def test_the_longer_candles_are_the_joined_short_ones_spot_and_perpetual(folder, tmp_path):
    before = sorted(folder.rglob("*"))
    store = CandleStore(joined(folder, tmp_path))
    for pair in PAIRS:
        assert store.timeframes[pair] == ("1h", "4h", "1d")
        short = store.load(pair, "1h")
        pd.testing.assert_frame_equal(store.load(pair, "4h"), resample(short, "4h"))
    assert sorted(folder.rglob("*")) == before


def test_the_same_candles_come_from_the_same_path_and_changed_ones_from_another(folder, tmp_path):
    first = joined(folder, tmp_path)
    assert joined(folder, tmp_path) == first
    write_candles(simulate_markets(PAIRS, 600, seed=5), folder, "1h")
    second = joined(folder, tmp_path)
    assert second != first
    assert len(CandleStore(second).load("BTC/USDT", "4h")) == 150


def test_a_folder_that_has_all_is_used_as_it_is(folder, tmp_path):
    assert joined(folder, tmp_path, timeframes=()) == folder
    write_candles(simulate_markets(PAIRS, 500, seed=5), folder, "1h", also=["4h", "1d"])
    assert joined(folder, tmp_path) == folder
    assert not (tmp_path / "shelf").exists()


def test_candles_longer_than_the_timeframe_cannot_make_it(tmp_path):
    frames = simulate_markets(["BTC/USDT"], 500, seed=5, timeframe="1d")
    write_candles(frames, tmp_path / "daily", "1d")
    assert join_missing(CandleStore(tmp_path / "daily"), PAIRS, ["4h"], tmp_path) == tmp_path / "daily"
