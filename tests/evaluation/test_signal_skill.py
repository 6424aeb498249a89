"""Signal skill: a planted edge is found, noise and known price moves are not; fees and prices are exact."""

import math
from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation import signal_skill as skill_module
from adaptive_pkg.evaluation.signal_skill import LEAST_FIRINGS, PairSignals, signal_skill

N = 6000  # 4 h candles: 2.7 years
STEP = np.timedelta64(4, "h")


def pair(returns, name="A/USDT", **signals):
    """Candles without gaps between close and open; signals as given, traded the way they point."""
    close = 100 * np.exp(np.cumsum(returns))
    n = len(close)
    return PairSignals(
        pair=name,
        date=np.datetime64("2020-01-01T00:00", "s") + np.arange(n) * STEP,
        open=np.concatenate([[100.0], close[:-1]]),
        close=close,
        sigma=np.full(n, 0.01) * np.exp(0.3 * np.sin(np.arange(n) / 300)),
        live=np.ones(n, dtype=bool),
        judged=np.ones(n, dtype=bool),
        signals=signals,
        sides={key: np.sign(values) for key, values in signals.items()},
    )


def white(seed=1, n=N):
    return np.random.default_rng(seed).normal(0, 0.01, n)


def one(found, signal, horizon=1):
    return next(row for row in found if (row.signal, row.horizon) == (signal, horizon))


@pytest.fixture(scope="module")
def judged():
    """White returns for two pairs; one signal knows a little of the next return, the others nothing new."""
    pairs = []
    for seed in (1, 2):
        rng = np.random.default_rng(100 + seed)
        r = white(seed)
        following = np.append(r[1:], 0.0) / 0.01
        edge = np.where(rng.random(N) < 0.2, np.sign(0.3 * following + rng.normal(0, 1, N)), 0.0)
        noise = np.where(rng.random(N) < 0.2, rng.choice([-1.0, 1.0], N), 0.0)
        pairs.append(pair(r, f"{seed}", edge=edge, wrong=-edge, noise=noise, always=np.ones(N)))
    return signal_skill(pairs, (1, 6), 0.001)


def test_a_planted_edge_is_found_where_it_is(judged):
    edge = one(judged, "edge")
    assert edge.added_ic.low > 0.05
    assert edge.rank_ic.low > 0.05
    assert edge.excess_sigma.low > 0.1
    assert edge.adds == 1
    assert edge.p_holm < 1e-6
    assert 0.18 < edge.fired_share < 0.22


def test_its_opposite_points_the_wrong_way(judged):
    edge, wrong = one(judged, "edge"), one(judged, "wrong")
    assert wrong.adds == -1
    assert wrong.added_ic.value == pytest.approx(-edge.added_ic.value)
    assert wrong.net_pct.value == pytest.approx(-edge.gross_pct.value - 0.2, abs=1e-9)


def test_noise_is_called_noise_and_a_constant_has_no_ic(judged):
    noise = one(judged, "noise")
    assert noise.adds == 0
    assert noise.added_ic.low < 0 < noise.added_ic.high
    always = one(judged, "always")
    assert always.added_ic is None
    assert always.rank_ic is None
    assert math.isnan(always.p_holm)
    assert always.excess_sigma.value == pytest.approx(0, abs=1e-9)  # it is the drift
    assert (always.fired_share, always.long_share) == (1.0, 1.0)


def test_what_past_returns_already_say_adds_nothing():
    rng = np.random.default_rng(3)
    shocks = rng.normal(0, 0.01, N)
    r = np.zeros(N)
    for t in range(1, N):
        r[t] = 0.15 * r[t - 1] + shocks[t]  # momentum from one candle to the next
    follower = np.where(np.abs(r) > 0.008, np.sign(r), 0.0)
    row = one(signal_skill([pair(r, follower=follower)], (1,), 0.001), "follower")
    assert row.rank_ic.low > 0.05
    assert row.adds == 0
    assert abs(row.added_ic.value) < 0.03


def test_noise_is_seldom_given_an_interval_beside_zero():
    outside = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        signals = {str(i): np.where(rng.random(N) < 0.1, rng.choice([-1.0, 1.0], N), 0.0) for i in range(5)}
        found = signal_skill([pair(white(seed), **signals)], (6,), 0.001)
        outside += sum(row.added_ic.sign != 0 for row in found)
    assert outside <= 6  # 2 of 40 are expected


def test_a_trade_enters_at_the_next_open_and_leaves_at_the_horizons_close():
    r = white(4, 3000)
    signal = np.zeros(3000)
    signal[2400 : 2400 + LEAST_FIRINGS * 10 : 10] = 1.0
    candles = pair(r, signal=signal)
    opens = candles.open * 1.002  # a gap between close and open is the trader's
    row = one(signal_skill([replace(candles, open=opens)], (3,), 0.001), "signal", 3)
    at = np.flatnonzero(signal)
    trades = candles.close[at + 3] / opens[at + 1] - 1
    assert row.fired == LEAST_FIRINGS
    assert row.gross_pct.value == pytest.approx(100 * trades.mean())
    assert row.net_pct.value == pytest.approx(100 * trades.mean() - 0.2)
    in_sigma = np.log(candles.close[at + 3] / opens[at + 1]) / (candles.sigma[at] * math.sqrt(3))
    assert row.mean_sigma.value == pytest.approx(in_sigma.mean())


def test_a_short_earns_what_the_price_loses():
    r = white(5, 3000)
    signal = np.zeros(3000)
    signal[2400:2700:10] = -1.0
    candles = pair(r, signal=signal)
    row = one(signal_skill([candles], (1,), 0.0), "signal")
    at = np.flatnonzero(signal)
    assert row.net_pct.value == pytest.approx(
        -100 * (candles.close[at + 1] / candles.open[at + 1] - 1).mean()
    )


def test_too_few_firings_say_nothing():
    signal = np.zeros(N)
    signal[4000 : 4000 + LEAST_FIRINGS - 1] = 1.0
    row = one(signal_skill([pair(white(), signal=signal)], (1,), 0.001), "signal")
    assert row.fired == LEAST_FIRINGS - 1
    assert row.net_pct is row.added_ic is row.rank_ic is None
    assert (row.adds, row.pays) == (0, False)


def test_candles_that_are_not_judged_or_not_live_do_not_count():
    signal = np.ones(N)
    candles = pair(white(), signal=signal)
    live = candles.live.copy()
    live[5000:5100] = False
    judged = np.arange(N) >= 4000
    row = one(signal_skill([replace(candles, live=live, judged=judged)], (1,), 0.001), "signal")
    assert row.fired == N - 4000 - 100 - 1  # the last candle has no return


def test_controls_are_fitted_on_the_past_alone_less_the_horizon():
    rng = np.random.default_rng(8)
    candles = pair(white(8), a=rng.normal(size=N))
    rows = np.arange(200, N)
    controls = skill_module._controls(candles)[rows]
    y = rng.normal(size=len(rows)) + controls[:, 0]
    judged = np.ones(len(rows), dtype=bool)
    signals, date = candles.signals["a"][rows, None], candles.date[rows]
    year, span, horizon = 365 * 6, 91 * 6, 6

    def left(values):
        return skill_module._residuals(controls, values, signals, rows, date, horizon, judged)[0]

    def shuffled(start, stop):  # the same ranks in another order
        values = y.copy()
        values[start:stop] = rng.permutation(values[start:stop])
        return left(values)

    found, start = left(y), year + 5 * span
    assert not found[:year].any()  # a year to learn from comes first
    assert found[year:].all()
    later = shuffled(start, len(y))
    assert np.array_equal(later[:start], found[:start])
    assert not np.array_equal(later[start:], found[start:])
    nearly = shuffled(start - horizon, start)  # returns that reach into the span
    assert np.array_equal(nearly[start : start + span], found[start : start + span])
    past = shuffled(start - span, start)
    assert not np.array_equal(past[start : start + span], found[start : start + span])


def test_holm_asks_more_of_many_and_baselines_do_not_count():
    rng = np.random.default_rng(9)
    r = white(9)
    edge = np.sign(0.03 * np.append(r[1:], 0) / 0.01 + rng.normal(0, 1, N))
    noise = {f"noise {i}": rng.choice([-1.0, 1.0], N) for i in range(6)}
    alone = one(signal_skill([pair(r, edge=edge)], (1,), 0.001), "edge")
    assert 1e-6 < alone.p_added < 0.1
    assert alone.p_holm == alone.p_added
    among = signal_skill([pair(r, edge=edge, **noise)], (1,), 0.001)
    assert one(among, "edge").p_holm == pytest.approx(7 * alone.p_added, rel=1e-6)
    spared = signal_skill([pair(r, edge=edge, **noise)], (1,), 0.001, tuple(noise))
    assert one(spared, "edge").p_holm == pytest.approx(alone.p_added)
    assert math.isnan(one(spared, "noise 0").p_holm)
    ordered = sorted(among, key=lambda row: row.p_added)
    assert [row.p_holm for row in ordered] == sorted(row.p_holm for row in ordered)
    assert max(row.p_holm for row in among) <= 1.0


def test_nothing_to_judge_is_an_error():
    with pytest.raises(DataError, match="give a pair"):
        signal_skill([], (1,), 0.001)
    with pytest.raises(DataError, match="horizons"):
        signal_skill([pair(white(), a=np.ones(N))], (0,), 0.001)
    with pytest.raises(DataError, match="no candle to judge"):
        signal_skill([replace(pair(white(), a=np.ones(N)), judged=np.zeros(N, dtype=bool))], (1,), 0.001)
