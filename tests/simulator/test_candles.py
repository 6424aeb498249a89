"""Candle folders: what is written here, freqtrade reads; what is missing is named."""

from pathlib import Path

import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.plan import GapPlan, MarketPlan

COLUMNS = ["date", "open", "high", "low", "close", "volume"]


@pytest.fixture
def frames() -> dict[str, pd.DataFrame]:
    plan = MarketPlan(gaps=GapPlan(count=2, candles=5))
    return simulate_markets(["BTC/USDT", "ETH/USDT"], 300, seed=8, plan=plan)


def test_freqtrade_loads_exactly_what_was_written(frames, tmp_path):
    from freqtrade.data.history import load_pair_history
    from freqtrade.enums import CandleType

    write_candles({**frames, "BTC/USDT:USDT": frames["BTC/USDT"]}, tmp_path, "1h")
    for pair, kind in (("BTC/USDT", CandleType.SPOT), ("BTC/USDT:USDT", CandleType.FUTURES)):
        loaded = load_pair_history(
            pair,
            "1h",
            tmp_path,
            fill_up_missing=False,
            drop_incomplete=False,
            data_format="feather",
            candle_type=kind,
        )
        pd.testing.assert_frame_equal(loaded, frames["BTC/USDT"][COLUMNS])


def test_the_file_is_what_freqtrade_itself_would_store(frames, tmp_path):
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    (ours,) = write_candles({"ETH/USDT": frames["ETH/USDT"]}, tmp_path / "ours", "1h")
    handler = get_datahandler(tmp_path / "theirs", "feather")
    handler.ohlcv_store("ETH/USDT", "1h", frames["ETH/USDT"][COLUMNS], CandleType.SPOT)
    assert ours.read_bytes() == (tmp_path / "theirs" / "ETH_USDT-1h.feather").read_bytes()


def test_the_store_lists_and_loads_slices(frames, tmp_path):
    write_candles({**frames, "ETH/USDT:USDT": frames["ETH/USDT"]}, tmp_path, "1h")
    write_candles({"BTC/USDT": resample(frames["BTC/USDT"], "4h")}, tmp_path, "4h")
    (tmp_path / "notes-1h.txt").write_text("not candles")
    store = CandleStore(tmp_path)
    assert store.pairs == ("BTC/USDT", "ETH/USDT", "ETH/USDT:USDT")
    assert store.timeframes["BTC/USDT"] == ("1h", "4h")
    dates = frames["BTC/USDT"]["date"]
    part = store.load("BTC/USDT", "1h", start=dates.iloc[10], end=dates.iloc[20])
    pd.testing.assert_frame_equal(part, frames["BTC/USDT"][COLUMNS].iloc[10:20].reset_index(drop=True))


def test_longer_candles_hold_what_the_shorter_ones_held(frames):
    hourly = frames["BTC/USDT"]
    longer = resample(hourly, "4h")
    bucket = hourly["date"].dt.floor("4h")
    assert longer["date"].tolist() == sorted(bucket.unique())
    assert longer["volume"].sum() == pytest.approx(hourly["volume"].sum())
    assert longer["high"].tolist() == hourly.groupby(bucket)["high"].max().tolist()
    assert longer["open"].tolist() == hourly.groupby(bucket)["open"].first().tolist()


@pytest.mark.parametrize(
    ("pair", "timeframe", "says"),
    [
        ("SOL/USDT", "1h", r"SOL/USDT: no candles \(.*SOL_USDT-1h.feather is missing\).*BTC/USDT, ETH/USDT"),
        ("BTC/USDT", "5m", r"BTC/USDT: no 5m candles \(.*BTC_USDT-5m.feather.*has 1h"),
        ("BTC/USDT:USDT", "1h", r"futures/BTC_USDT_USDT-1h-futures.feather is missing"),
    ],
)
def test_what_is_missing_and_what_is_there_are_named(frames, tmp_path, pair, timeframe, says):
    write_candles(frames, tmp_path, "1h")
    with pytest.raises(DataError, match=says):
        CandleStore(tmp_path).load(pair, timeframe)


def test_a_missing_folder_is_named_unless_it_may_be_absent(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        CandleStore(tmp_path / "nowhere")
    assert CandleStore(tmp_path / "nowhere", may_be_absent=True).pairs == ()


def test_a_broken_file_is_named(frames, tmp_path):
    (path,) = write_candles({"BTC/USDT": frames["BTC/USDT"]}, tmp_path, "1h")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"BTC_USDT-1h\.feather: not a readable candle file"):
        CandleStore(tmp_path).load("BTC/USDT", "1h")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda frame: frame.drop(columns="volume"), "lack volume"),
        (lambda frame: frame.assign(date=frame["date"].dt.tz_localize(None)), "convert them to UTC"),
        (lambda frame: frame.iloc[::-1], "not strictly rising"),
        (lambda frame: pd.concat([frame, frame.tail(1)]), "not strictly rising"),
    ],
)
def test_frames_that_are_no_candles_are_not_written(frames, tmp_path, spoil, says):
    with pytest.raises(DataError, match=f"BTC/USDT: .*{says}"):
        write_candles({"BTC/USDT": spoil(frames["BTC/USDT"])}, tmp_path, "1h")
    assert not list(Path(tmp_path).glob("*.feather"))


@pytest.mark.real_data
def test_the_real_folder_is_understood(real_datadir):
    store = CandleStore(real_datadir)
    assert {"BTC/USDT", "SOL/USDT", "BTC/USDT:USDT"} <= set(store.pairs)
    funding = store.load_funding("BTC/USDT:USDT")
    assert funding["rate"].abs().between(1e-8, 0.01).mean() > 0.9
