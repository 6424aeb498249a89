"""What a callback may know: candles by the time they have closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.closed_candles import ClosedCandles, PairCandles

START = datetime(2023, 1, 1, tzinfo=UTC)
HOUR = 3_600


def frame(n=6, freq="1h", unit="ms"):
    dates = pd.date_range(START, periods=n, freq=freq, unit=unit)
    return pd.DataFrame({"date": dates, "close": np.arange(n) + 100.0, "atr": 1.0})


def at(hours=0, minutes=0, seconds=0.0):
    return START + timedelta(hours=hours, minutes=minutes, seconds=seconds)


@pytest.fixture
def candles():
    return PairCandles(frame(), ["close"], HOUR)


def test_a_candle_counts_from_the_instant_it_closes(candles):
    assert candles.last_closed(at(0, 59, 59.999)) == -1
    assert candles.last_closed(at(1)) == 0
    assert candles.last_closed(at(1, 59, 59.999)) == 0
    assert candles.last_closed(at(2)) == 1


def test_long_after_the_last_candle_it_is_still_the_last_one(candles):
    assert candles.last_closed(at(1_000)) == 5


def test_the_entry_candle_is_the_one_open_at_the_fill(candles):
    assert candles.first_since(at(2)) == 2
    assert candles.first_since(at(2, 30)) == 2
    assert candles.first_since(at(2, 59, 59.999)) == 2


def test_an_entry_candle_that_is_not_there_yet_is_the_next_to_come_not_the_one_before(candles):
    """Live frames hold closed candles only: the candle of a fresh fill comes with the next analysis."""
    assert candles.first_since(at(6, 20)) == 6
    assert candles.first_since(at(-1)) == 0
    outage = PairCandles(frame(6).drop(index=[2, 3]).reset_index(drop=True), ["close"], HOUR)
    assert outage.first_since(at(2, 30)) == 2  # the candle of 04:00


def test_reading_on_starts_after_the_candle_that_was_seen(candles):
    seen = candles.starts[2]
    assert candles.index_after(seen) == 3
    assert candles.index_after(candles.starts[-1]) == 6
    assert candles.index_after(candles.starts[0] - 1) == 0


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_frames_time_unit_does_not_matter(unit):
    assert PairCandles(frame(unit=unit), ["close"], HOUR).starts == PairCandles(frame(), [], HOUR).starts


def test_another_time_zone_of_now_is_the_same_instant(candles):
    from zoneinfo import ZoneInfo

    assert candles.last_closed(at(3).astimezone(ZoneInfo("Asia/Kolkata"))) == candles.last_closed(at(3)) == 2


@given(
    gaps=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    seconds=st.integers(-HOUR, 60 * 40 * HOUR),
    timeframe=st.sampled_from([300, HOUR, 4 * HOUR]),
)
def test_never_a_candle_that_is_still_open_and_never_one_too_few(gaps, seconds, timeframe):
    """Outages included: where candles are missing, the last one before the gap stays the last closed."""
    offsets = np.cumsum([0, *gaps]) * timeframe
    dates = pd.DatetimeIndex([START + timedelta(seconds=int(o)) for o in offsets]).as_unit("ms")
    candles = PairCandles(pd.DataFrame({"date": dates, "close": 1.0}), ["close"], timeframe)
    now = START + timedelta(seconds=seconds)
    index = candles.last_closed(now)
    closes = [start + timeframe for start in candles.starts]
    assert all(close <= now.timestamp() for close in closes[: index + 1])
    assert all(close > now.timestamp() for close in closes[index + 1 :])


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="atr_pct"):
        PairCandles(frame(), ["close", "atr_pct"], HOUR)


def test_an_unknown_pair_is_named():
    with pytest.raises(DataError, match="BTC/USDT"):
        ClosedCandles(["close"], HOUR).get("BTC/USDT")


def test_the_newest_analysis_replaces_the_one_before_and_leaves_other_pairs_alone():
    known = ClosedCandles(["close"], HOUR)
    known.put("BTC/USDT", frame(3))
    known.put("ETH/USDT", frame(4))
    known.put("BTC/USDT", frame(6))
    assert len(known.get("BTC/USDT").starts) == 6
    assert len(known.get("ETH/USDT").starts) == 4


def test_what_was_handed_out_does_not_change_under_the_readers_hands():
    """In live trading the next analysis comes while a callback may still hold the last."""
    known, source = ClosedCandles(["close"], HOUR), frame(3)
    known.put("BTC/USDT", source)
    held = known.get("BTC/USDT")
    source.loc[0, "close"] = -1.0
    known.put("BTC/USDT", frame(6))
    assert held.column("close") == [100.0, 101.0, 102.0]


def test_columns_are_plain_numbers():
    """freqtrade's custom data silently drops NumPy integers."""
    source = frame().assign(regime=np.arange(6, dtype=np.int8))
    candles = PairCandles(source, ["close", "regime"], HOUR)
    assert type(candles.column("close")[0]) is float
    assert type(candles.column("regime")[0]) is int


def test_an_empty_frame_has_no_closed_candle():
    assert PairCandles(frame(0), ["close"], HOUR).last_closed(at(5)) == -1
