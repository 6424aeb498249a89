"""The limiter benchmark counts what it says, and the budget keeps what it promises."""

import json
from dataclasses import replace

import pytest

from adaptive_pkg.bench import limiter as bench
from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.limiter_candles import candle_load, candle_scenario
from adaptive_pkg.bench.limiter_venue import LIMIT, SCENARIOS, Tally, Venue
from adaptive_pkg.errors import DataError
from adaptive_pkg.simulator.candles import write_candles


@pytest.fixture
def rng():
    import numpy as np

    return np.random.default_rng(1)


def test_the_venue_counts_minutes_and_stretches(rng):
    tally = Tally("", "")
    venue = Venue(tally, [], [], rng)
    assert venue.take(59.0, LIMIT) == (200, {"X-MBX-USED-WEIGHT-1M": str(LIMIT)})
    assert venue.take(60.0, LIMIT)[0] == 200  # a new minute, but the same 60 seconds
    assert (tally.minute_violations, tally.stretch_violations) == (0, 1)
    assert venue.take(61.5, 1) == (429, {"Retry-After": "59"})
    assert (tally.minute_violations, tally.stretch_violations) == (1, 2)
    assert venue.take(121.6, 1)[0] == 200


def test_the_venue_refuses_and_bans_as_planned(rng):
    tally = Tally("", "")
    venue = Venue(tally, [5.0], [10.0, 500.0], rng)
    assert venue.take(4.0, 1)[0] == 200
    assert venue.take(6.0, 1)[0] == 429
    assert venue.take(10.5, 1) == (418, {"Retry-After": "120"})
    assert venue.take(100.0, 1) == (418, {"Retry-After": "31"})
    assert venue.take(131.0, 1)[0] == 200
    assert venue.take(501.0, 1) == (418, {"Retry-After": "360"})
    assert (tally.refused, tally.banned, tally.under_way_at_a_ban) == (1, 2, 1)


PROMISED = [scenario for scenario in SCENARIOS if scenario.promised]


@pytest.mark.parametrize("scenario", PROMISED, ids=lambda scenario: scenario.name)
def test_the_budget_breaks_no_limit_where_the_plain_bucket_does(scenario):
    ours = bench.simulate(scenario, 8_000, 1, bench.ours, "budget")
    assert (ours.minute_violations, ours.sent_while_blocked) == (0, 0)
    assert ours.requests == 8_000
    if scenario.any_window:
        assert ours.stretch_violations == 0
    plain = bench.simulate(scenario, 8_000, 1, bench.plain, "plain")
    assert plain.minute_violations > 0 and plain.stretch_violations > 0


def test_one_who_never_sends_in_time_gets_a_low_share():
    class Half(bench.OurBudget):
        """Uses half the limit."""

    def half(scenario, share, clock_error):
        return bench.ours(scenario, share / 2, clock_error)

    slow = bench.simulate(SCENARIOS[0], 8_000, 1, half, "half")
    assert slow.share_of_limit == pytest.approx(0.5, abs=0.05)


def test_a_small_run_prints_and_stores_every_figure(tmp_path, capsys):
    out = tmp_path / "out" / "limiter.json"
    assert bench.bench_limiter(5_000, out) == 0
    figures = json.loads(out.read_text())
    assert figures["requests"] == 5_000 and len(figures["scenarios"]) == 2 * len(SCENARIOS)
    assert figures["minute_violations"] == figures["sent_while_blocked"] == 0
    assert figures["microseconds_per_request"] > 0
    printed = capsys.readouterr().out
    assert "5,000 requests: 0 over a fixed minute" in printed and "times signing it" in printed


@pytest.fixture
def two_pairs(tmp_path, random_candles):
    """BTC has 300 candles, ETH the newest 100 of the same."""
    candles = random_candles(300)
    write_candles({"BTC/USDT": candles, "ETH/USDT": candles.tail(100)}, tmp_path, "1h")
    return tmp_path


def test_each_candles_close_asks_for_what_a_bot_asks_for(two_pairs):
    load = candle_load(CandleChoice(two_pairs))
    assert load.pairs == ("BTC/USDT", "ETH/USDT") and len(load.closes) == 300
    # candles 2, book 5, open orders 6 for each pair; account 20 and best prices 4 for all
    assert load.closes[0] == (2, 5, 6, 20, 4)
    assert load.closes[-2] == (2, 5, 6) * 2 + (20, 4)
    # candle 12 closes at midday: 4h candles as well; candle 24 at midnight: also those of a day
    assert load.closes[11] == (2, 5, 6, 2, 20, 4)
    assert load.closes[23] == (2, 5, 6, 2, 2, 20, 4)
    assert load.figures()["most_weight_per_close"] == 2 * 17 + 24


def test_the_newest_close_is_one_of_all_pairs(two_pairs, random_candles):
    write_candles({"ETH/USDT": random_candles(300).head(240)}, two_pairs, "1h")
    load = candle_load(CandleChoice(two_pairs))
    assert len(load.closes) == 240 and load.closes[-1][:6] == (2, 5, 6, 2, 2, 2)
    idle = random_candles(300)
    idle["volume"] = 0.0
    write_candles({"ETH/USDT": idle}, two_pairs, "1h")
    with pytest.raises(DataError, match="ETH/USDT never traded"):
        candle_load(CandleChoice(two_pairs))


def test_bursts_at_candle_closes_break_no_limit_and_leave_soon(two_pairs):
    scenario = candle_scenario(candle_load(CandleChoice(two_pairs)))
    ours = bench.simulate(scenario, 20_000, 1, bench.ours, "budget")
    assert (ours.minute_violations, ours.stretch_violations, ours.sent_while_blocked) == (0, 0, 0)
    assert ours.candle_closes > 5 and ours.requests > 20_000
    assert ours.close_seconds_worst < 1.0  # a bot that is always behind takes nothing of its share
    assert ours.share_of_policy > bench.GOAL_SHARE
    wide = replace(scenario, closes=tuple(close * 15 for close in scenario.closes))
    crowded = bench.simulate(wide, 20_000, 1, bench.ours, "budget")
    assert crowded.minute_violations == 0
    assert crowded.close_seconds_worst > 10.0  # more than its share of a minute has to wait


def test_a_folders_candles_are_one_more_scenario(two_pairs, capsys):
    out = two_pairs / "limiter.json"
    assert bench.bench_limiter(5_000, out, CandleChoice(two_pairs)) == 0
    figures = json.loads(out.read_text())
    assert len(figures["scenarios"]) == 2 * (len(SCENARIOS) + 1)
    assert figures["requests"] > 6_000 and figures["minute_violations"] == 0
    assert figures["candles"] == {
        "pairs": ["BTC/USDT", "ETH/USDT"],
        "timeframe": "1h",
        "closes": 300,
        "most_weight_per_close": 58,
    }
    printed = capsys.readouterr().out
    assert "candle closes of 2 pairs, at most 58 weight each" in printed
    assert "too few for the shares" in printed.replace("\n", " ")


def test_too_few_requests_cannot_be_measured():
    with pytest.raises(DataError, match="requests: 4999 are too few"):
        bench.bench_limiter(4_999)
