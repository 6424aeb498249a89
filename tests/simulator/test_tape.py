"""A pair seen from a moment: nothing later shows, and a forming candle grows into the stored one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.market import simulate_market, simulate_markets
from adaptive_pkg.simulator.tape import CLOSE, DAY_MS, HIGH, HOUR_MS, LOW, OPEN, VOLUME, Tape, partial_candle


@pytest.fixture(scope="module")
def market() -> pd.DataFrame:
    return simulate_market("BTC/USDT", 200, seed=1)


@pytest.fixture(scope="module")
def tape(market, tmp_path_factory) -> Tape:
    folder = tmp_path_factory.mktemp("tape")
    write_candles({"BTC/USDT": market}, folder, "1h")
    write_candles({"BTC/USDT": resample(market, "4h")}, folder, "4h")
    return Tape(CandleStore(folder), "BTC/USDT")


def opened(market: pd.DataFrame, row: int) -> int:
    return int(market["date"].iloc[row].timestamp() * 1000)


prices = st.tuples(*[st.floats(1, 1000)] * 4)


@settings(max_examples=60, deadline=None)
@given(prices=prices, volume=st.floats(0, 1e6), fractions=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_forming_candle_only_ever_widens_and_ends_as_the_whole(prices, volume, fractions):
    low, *inner, high = sorted(prices)
    candle = np.array([inner[0], high, low, inner[1], volume])
    early, late = (partial_candle(candle, fraction) for fraction in sorted(fractions))
    assert early[HIGH] <= late[HIGH] <= high and early[LOW] >= late[LOW] >= low
    assert early[VOLUME] <= late[VOLUME] <= volume
    assert early[LOW] <= early[CLOSE] <= early[HIGH]
    np.testing.assert_allclose(partial_candle(candle, 1.0), candle)


def test_nothing_after_now_is_shown(tape, market):
    now = opened(market, 50) + HOUR_MS // 2
    times, values = tape.candles("1h", None, None, 500, now)
    assert len(times) == 51 and times[-1] == opened(market, 50)
    np.testing.assert_array_equal(values[:-1], market[["open", "high", "low", "close", "volume"]].iloc[:50])
    assert values[-1, VOLUME] == pytest.approx(market["volume"].iloc[50] / 2)
    assert values[-1, CLOSE] == tape.price(now)
    for start_ms, end_ms in ((0, now + DAY_MS), (None, now + DAY_MS), (0, None)):  # nor when it is asked for
        assert tape.candles("1h", start_ms, end_ms, 500, now)[0].tolist() == times.tolist()
    assert len(tape.candles("1h", now + 1, now + DAY_MS, 500, now)[0]) == 0


def test_a_long_candle_forms_from_the_short_ones_seen_so_far(tape, market):
    # The 4h file holds the whole candle; one hour into it only the first hour may show.
    start = next(row for row in range(40, 60) if opened(market, row) % (4 * HOUR_MS) == 0)
    times, values = tape.candles("4h", None, None, 1, opened(market, start) + HOUR_MS)
    first = market.iloc[start]
    assert times.tolist() == [opened(market, start)]
    assert values[0, HIGH] == max(first["high"], market["open"].iloc[start + 1])
    assert values[0, OPEN] == first["open"]
    assert values[0, VOLUME] == pytest.approx(first["volume"])


def test_a_length_without_a_file_is_joined_and_a_shorter_one_is_refused(tape, market):
    _, values = tape.candles("2h", None, None, 500, opened(market, 199) + DAY_MS)
    assert values[:, VOLUME].sum() == pytest.approx(market["volume"].sum())
    with pytest.raises(DataError, match="no 5m candles"):
        tape.candles("5m", None, None, 10, opened(market, 100))


def test_before_the_first_candle_there_is_no_price_and_after_the_last_it_rests(tape, market):
    assert tape.price(opened(market, 0) - 1) is None
    assert tape.day(opened(market, 0) - 1) is None
    later = opened(market, 199) + 10 * DAY_MS
    assert tape.price(later) == market["close"].iloc[-1]
    assert tape.day(later).volume == 0.0


def test_the_day_covers_the_last_24_hours(tape, market):
    day = tape.day(opened(market, 100))
    seen = market.iloc[76:100]
    assert day.open == seen["open"].iloc[0]
    assert (day.high, day.low) == (max(seen["high"].max(), market["open"].iloc[100]), seen["low"].min())
    assert day.volume == pytest.approx(seen["volume"].sum())
    assert day.last == market["open"].iloc[100]


@pytest.mark.parametrize("timeframe", ["15m", "1h", "4h", "1d"])
def test_five_minute_candles_make_every_longer_one(tmp_path, timeframe):
    frames = simulate_markets(["BTC/USDT"], 12 * 24 * 3, seed=4, timeframe="5m")
    write_candles(frames, tmp_path, "5m")
    series = Tape(CandleStore(tmp_path), "BTC/USDT").series(timeframe)
    assert len(series.opened_ms) == len(resample(frames["BTC/USDT"], timeframe))
