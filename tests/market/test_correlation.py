"""How alike two pairs move: from closed candles that both have, and never a made-up number."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.closed_candles import ClosedCandles, PairCandles
from adaptive_pkg.market.correlation import MIN_RETURNS, PairCorrelations, return_correlation

START = datetime(2023, 1, 1, tzinfo=UTC)
HOUR = 3_600
N = 200
END = START + timedelta(hours=N)  # the last candle has just closed


def frame(returns, missing=()):
    """Hourly candles with these log returns; `missing` are the candles that the venue never sent."""
    close = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    dates = pd.date_range(START, periods=len(close), freq="1h", unit="ms")
    return pd.DataFrame({"date": dates, "close": close}).drop(index=list(missing)).reset_index(drop=True)


def pair(returns, missing=()):
    return PairCandles(frame(returns, missing), ["close"], HOUR)


def returns(seed, n=N - 1):
    return np.random.default_rng(seed).normal(0, 0.01, n)


def mixed(seed, rho, n=N - 1):
    """Two rows of returns with correlation `rho` in expectation."""
    a, b = returns(seed, n), returns(seed + 1_000, n)
    return a, rho * a + math.sqrt(1 - rho**2) * b


def test_it_is_pearsons_correlation_of_the_last_log_returns():
    a, b = mixed(1, 0.7)
    expected = np.corrcoef(a[-168:], b[-168:])[0, 1]
    assert return_correlation(pair(a), pair(b), END, 168) == pytest.approx(expected, abs=1e-9)
    assert expected != pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-3)  # the older ones do not count


def test_a_pair_moves_with_itself_and_against_its_mirror():
    a = returns(1)
    assert return_correlation(pair(a), pair(a), END, 168) == pytest.approx(1.0)
    assert return_correlation(pair(a), pair(-a), END, 168) == pytest.approx(-1.0)
    assert return_correlation(pair(a), pair(3.0 * a), END, 168) == pytest.approx(1.0)


def test_rounding_never_takes_it_beyond_one():
    """Without a limit, one in five of these comes out above 1."""
    for seed in range(50):
        a = returns(seed)
        assert return_correlation(pair(a), pair(2.0 * a), END, 168) <= 1.0
        assert return_correlation(pair(a), pair(-2.0 * a), END, 168) >= -1.0


def test_the_candle_that_is_still_open_does_not_count():
    a, b = returns(1), returns(2)
    a[-1], b[-1] = 0.5, 0.5  # a crash upwards together, in the candle that closes at END
    before = return_correlation(pair(a), pair(b), END - timedelta(seconds=1), 168)
    assert before == return_correlation(pair(a[:-1]), pair(b[:-1]), END, 168)
    assert abs(before) < 0.3
    assert return_correlation(pair(a), pair(b), END, 168) > 0.9


@given(hours=st.integers(25, N), seed=st.integers(0, 9), gap=st.integers(0, N - 1))
def test_later_candles_change_nothing(hours, seed, gap):
    a, b = mixed(seed, 0.5)
    now = START + timedelta(hours=hours)
    other_a, other_b = a.copy(), b.copy()
    other_a[hours - 1 :], other_b[hours - 1 :] = 0.5, -0.5
    known = return_correlation(pair(a), pair(b, [gap]), now, 60)
    later = return_correlation(pair(other_a), pair(other_b, [gap]), now, 60)
    cut = return_correlation(pair(a[: hours - 1]), pair(b, [gap]), now, 60)
    assert np.array_equal([later, cut], [known, known], equal_nan=True)


def test_candles_are_matched_by_when_they_started_not_by_position():
    """A pair that lacks one candle would otherwise be one candle off from there on."""
    a = returns(1)
    assert return_correlation(pair(a), pair(a, [150]), END, 168) == pytest.approx(1.0)
    late = PairCandles(frame(a).iloc[100:], ["close"], HOUR)  # listed later
    assert return_correlation(pair(a), late, END, 168) == pytest.approx(1.0)


def test_a_return_across_a_gap_is_left_out():
    """One 48-hour return would weigh as much as 48 of one hour."""
    a, b = returns(1), returns(2)
    a[110:158], b[110:158] = 0.02, 0.02  # both rise, every hour; then candles 111 to 157 are lost
    lost = list(range(111, 158))
    kept = np.r_[31:110, 158:199]
    expected = np.corrcoef(a[kept], b[kept])[0, 1]
    got = return_correlation(pair(a, lost), pair(b, lost), END, 121)
    assert got == pytest.approx(expected, abs=1e-9)
    assert abs(got) < 0.3


def test_too_little_in_common_is_unknown_not_zero():
    a, b = returns(1), returns(2)
    few = START + timedelta(hours=MIN_RETURNS)  # 20 candles: 19 returns
    assert math.isnan(return_correlation(pair(a), pair(b), few, 168))
    assert not math.isnan(return_correlation(pair(a), pair(b), few + timedelta(hours=1), 168))
    assert math.isnan(return_correlation(pair(a), pair(b), START, 168))
    assert math.isnan(return_correlation(pair(a), pair(b, range(0, N, 2)), END, 168))  # no two in a row
    lone = [*range(40, N, 2)]  # 120 common candles, of which 40 in a row: 39 returns
    assert not math.isnan(return_correlation(pair(a), pair(b, lone), END, N))
    assert math.isnan(return_correlation(pair(a), pair(b, [*lone, *range(20)]), END, N))  # 19
    stale = pair(b[:100])  # delisted: its last candles are not the other's
    assert math.isnan(return_correlation(pair(a), stale, END, 60))


def test_a_pair_that_does_not_move_has_no_correlation():
    a = returns(1)
    assert math.isnan(return_correlation(pair(a), pair(0.0 * a), END, 168))
    steady = pair(np.full(N - 1, 0.001))  # its variance is rounding error
    assert math.isnan(return_correlation(pair(a), steady, END, 168))


@pytest.mark.parametrize("bad", [math.nan, 0.0, -5.0, math.inf])
def test_a_close_that_is_no_price_costs_its_two_returns(bad):
    a, b = mixed(1, 0.6)
    spoilt = frame(b)
    spoilt.loc[150, "close"] = bad
    kept = np.r_[31:149, 151:199]
    expected = np.corrcoef(a[kept], b[kept])[0, 1]
    got = return_correlation(pair(a), PairCandles(spoilt, ["close"], HOUR), END, 168)
    assert got == pytest.approx(expected, abs=1e-9)


@given(seed=st.integers(0, 99), rho=st.floats(-1, 1), missing=st.sets(st.integers(0, N - 1), max_size=40))
def test_it_is_symmetric_and_within_one(seed, rho, missing):
    a, b = mixed(seed, rho)
    first, second = pair(a), pair(b, missing)
    there, back = (return_correlation(*two, END, 100) for two in ((first, second), (second, first)))
    assert there == back
    assert -1.0 <= there <= 1.0


@given(seed=st.integers(0, 20), scale=st.floats(1e-8, 1e8))
def test_the_unit_of_the_price_does_not_matter(seed, scale):
    a, b = mixed(seed, 0.5)
    scaled = frame(b).assign(close=lambda f: f["close"] * scale)
    assert return_correlation(pair(a), PairCandles(scaled, ["close"], HOUR), END, 168) == pytest.approx(
        return_correlation(pair(a), pair(b), END, 168), abs=1e-9
    )


def test_two_timeframes_or_a_tiny_window_are_an_error():
    a = frame(returns(1))
    four_hours = PairCandles(a, ["close"], 4 * HOUR)
    with pytest.raises(DataError, match="3600 s with candles of 14400 s"):
        return_correlation(PairCandles(a, ["close"], HOUR), four_hours, END, 168)
    with pytest.raises(DataError, match="over 19 candles"):
        return_correlation(pair(returns(1)), pair(returns(2)), END, 19)


def test_a_pair_that_has_left_the_pairlist_is_unknown_but_the_one_to_be_entered_must_be_there():
    known = ClosedCandles(["close"], HOUR)
    a, b = mixed(1, 0.8)
    known.put("BTC/USDT", frame(a))
    known.put("ETH/USDT", frame(b))
    correlations = PairCorrelations(known, 168)
    assert correlations.between("BTC/USDT", "ETH/USDT", END) == return_correlation(pair(a), pair(b), END, 168)
    assert math.isnan(correlations.between("BTC/USDT", "LUNA/USDT", END))
    with pytest.raises(DataError, match="LUNA/USDT"):
        correlations.between("LUNA/USDT", "BTC/USDT", END)


@pytest.mark.real_data
def test_real_pairs_move_together(real_candles):
    frames = {name: real_candles(name).tail(2_000) for name in ("BTC/USDT", "ETH/USDT")}
    closes = pd.concat({name: f.set_index("date")["close"] for name, f in frames.items()}, axis=1).dropna()
    now = closes.index[-1].to_pydatetime() + timedelta(hours=1)
    btc, eth = (PairCandles(f, ["close"], HOUR) for f in frames.values())
    expected = np.log(closes).diff().tail(168).corr().iloc[0, 1]
    assert return_correlation(btc, eth, now, 168) == pytest.approx(expected, abs=1e-9)
    assert expected > 0.5
