"""The stream benchmark: shipped settings through simulated outages, and what it would show if they failed."""

import json

import pytest

from adaptive_pkg.bench import stream as bench
from adaptive_pkg.exchange.feed import Feed


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
