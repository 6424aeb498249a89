"""The limiter benchmark counts what it says, and the budget keeps what it promises."""

import json

import pytest

from adaptive_pkg.bench import limiter as bench
from adaptive_pkg.bench.limiter_venue import LIMIT, SCENARIOS, Tally, Venue


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
