"""The stream benchmark: shipped settings through simulated outages, and what it would show if they failed."""

import dataclasses
import json

import pytest

from adaptive_pkg.bench import stream as bench
from adaptive_pkg.bench import stream_venue
from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.stream_venue import replay_folder
from adaptive_pkg.errors import DataError
from adaptive_pkg.exchange.events import candle_events
from adaptive_pkg.exchange.feed import Feed
from adaptive_pkg.simulator.candles import write_candles

PAIRS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture(scope="module")
def figures():
    return bench.run(24, seed=4)


def test_no_candle_is_missing_or_doubled_and_recovery_takes_seconds(figures):
    assert figures["candles"] > 50
    assert (figures["candles_missing"], figures["candles_doubled"], figures["candles_out_of_order"]) == (
        0,
        0,
        0,
    )
    assert figures["p99_seconds"] < bench.GOAL_SECONDS
    assert figures["most_connects_in_300_seconds"] <= bench.GOAL_CONNECTS
    assert [row["outages"] for row in figures["kinds"]] == [6] * 4
    assert 0.1 < figures["uptime_share"] < 1.0
    assert figures["stats"]["malformed"] > 0 and figures["duplicates_dropped"] > 0


def test_it_is_the_same_every_time(figures):
    assert bench.run(24, seed=4) == figures


def test_it_notices_a_feed_that_passes_doubles_and_skips_gaps(monkeypatch):
    monkeypatch.setattr(Feed, "offer", lambda self, event, now, room: [event])
    careless = bench.run(8, seed=4)
    assert careless["candles_missing"] > 0 or careless["candles_doubled"] > 0


def test_a_small_run_prints_and_stores_every_figure(tmp_path, capsys):
    out = tmp_path / "out" / "stream.json"
    assert bench.bench_stream(8, out) == 0
    assert json.loads(out.read_text())["outages"] == 8
    printed = capsys.readouterr().out
    assert "8 outages in" in printed and "black hole" in printed


@pytest.fixture
def folder(tmp_path, random_candles):
    """Two days of 5m candles of two pairs; BTC's have a hole of half an hour, seven hours before the end."""
    frames = {pair: random_candles(576, seed=seed, freq="5min") for seed, pair in enumerate(PAIRS)}
    frames["BTC/USDT"] = frames["BTC/USDT"].drop(index=range(490, 496)).reset_index(drop=True)
    write_candles(frames, tmp_path, "5m")
    return tmp_path


def test_the_venue_plays_a_folders_candles_with_their_holes(folder, tmp_path, capsys):
    out = tmp_path / "stream.json"
    assert bench.bench_stream(48, out, CandleChoice(folder, timeframe="5m")) == 0
    figures = json.loads(out.read_text())
    assert figures["streams"] == ["btcusdt@kline_5m", "ethusdt@kline_5m"]
    assert figures["simulated_hours"] > 3 and figures["candles"] > 60
    for fault in ("missing", "doubled", "out_of_order", "changed"):
        assert figures[f"candles_{fault}"] == 0, fault
    assert "0 changed" in capsys.readouterr().out


def test_candles_that_the_venue_never_had_are_not_waited_for(folder):
    replay = replay_folder(CandleChoice(folder, ["BTC/USDT"], "5m"), 1e9)
    assert replay.end_ms - replay.begin_ms == 576 * 300_000
    shorter = dataclasses.replace(replay, begin_ms=replay.begin_ms + 485 * 300_000)
    figures = bench.run(24, seed=4, replay=shorter)
    assert figures["candles_absent_at_the_venue"] == 6
    assert (figures["candles_missing"], figures["candles_doubled"], figures["candles_changed"]) == (0, 0, 0)


def test_a_candle_passed_on_with_other_values_is_noticed(folder, monkeypatch):
    def spoilt(stream, rows, venue_ms):
        return candle_events(stream, [(row[0], *"77777", row[6]) for row in rows], venue_ms)

    monkeypatch.setattr(stream_venue, "candle_events", spoilt)
    replay = replay_folder(CandleChoice(folder, ["ETH/USDT"], "5m"), 30_000)
    assert bench.run(24, seed=4, replay=replay)["candles_changed"] > 0


def test_candles_that_end_too_soon_are_an_error(folder):
    replay = replay_folder(CandleChoice(folder, ["ETH/USDT"], "5m"), 3_600)
    with pytest.raises(DataError, match=r"candles end after \d+ outages; ask for fewer"):
        bench.run(48, seed=4, replay=replay)
    with pytest.raises(DataError, match="no 1h candles"):
        bench.bench_stream(8, None, CandleChoice(folder))
    with pytest.raises(DataError, match="outages: 3 are fewer than the 4 kinds"):
        bench.bench_stream(3)
