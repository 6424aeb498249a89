"""Regime statistics: figures that can be checked by hand, and errors that are honest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.regime import RegimeFrame
from adaptive_pkg.market.statistics import pooled_statistics, regime_statistics

STRONG, VOLATILE, TIGHT, CHOPPY, TRANSITIONAL = (regime.code for regime in Regime)


def labelled(codes: list[int] | np.ndarray, valid_from: int = 0) -> RegimeFrame:
    codes = np.asarray(codes, dtype=np.int8)
    return RegimeFrame(codes, np.full(len(codes), 0.5), codes, np.arange(len(codes)) >= valid_from)


def candles(log_returns: np.ndarray, freq: str = "1h", start: str = "2022-01-01") -> pd.DataFrame:
    dates = pd.date_range(start, periods=len(log_returns), freq=freq, tz="UTC")
    return pd.DataFrame({"date": dates, "close": 100 * np.exp(np.cumsum(log_returns))})


def noise(n: int, seed: int = 1, sigma: float = 0.01) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, n)


def test_shares_dwells_and_transitions_by_hand():
    codes = [STRONG] * 4 + [CHOPPY] * 2 + [STRONG] * 3 + [TIGHT] * 1
    found = regime_statistics(candles(noise(10)), labelled(codes), horizon=1)
    strong, _, tight, choppy, _ = found.regimes
    assert (strong.share, choppy.share, tight.share) == (0.7, 0.2, 0.1)
    assert (strong.mean_dwell_candles, strong.median_dwell_candles) == (3.5, 3.5)
    assert strong.next_regime[Regime.CHOPPY] == strong.next_regime[Regime.TIGHT_RANGE] == 0.5
    assert choppy.next_regime[Regime.STRONG_TREND] == 1.0
    assert strong.stay_probability == pytest.approx(5 / 7)
    assert found.shortest_dwell_candles == 2  # the last run is cut off by the end of the data


def test_the_warm_up_is_left_out():
    codes = [TRANSITIONAL] * 50 + [STRONG] * 50
    found = regime_statistics(candles(noise(100)), labelled(codes, valid_from=50), horizon=1)
    assert found.candles == 50
    assert found.regimes[STRONG].share == 1.0


@pytest.mark.parametrize(("freq", "hours"), [("1h", 1), ("4h", 4), ("5min", 1 / 12)])
def test_switches_a_year_follow_the_timeframe(freq, hours):
    codes = np.repeat(np.arange(100) % 2, 10)
    found = regime_statistics(candles(noise(1000), freq), labelled(codes), horizon=2)
    assert found.timeframe_hours == pytest.approx(hours)
    assert found.switches_per_year == pytest.approx(99 / 1000 * 8766 / hours)


def test_forward_figures_start_after_the_candle():
    returns = np.zeros(30)
    returns[20] = 0.10  # only candles 18 and 19 have it in their next two
    codes = [CHOPPY] * 18 + [STRONG] * 2 + [TIGHT] * 10
    found = regime_statistics(candles(returns), labelled(codes), horizon=2)
    assert found.regimes[STRONG].forward_return_pct == pytest.approx(10.0)
    assert found.regimes[STRONG].forward_volatility_pct == pytest.approx(100 * np.sqrt(0.01 / 2))
    assert found.regimes[CHOPPY].forward_return_pct == pytest.approx(0.0)
    assert found.regimes[TIGHT].forward_return_pct == pytest.approx(0.0, abs=1e-9)


def test_eta_squared_is_one_when_the_label_knows_and_zero_when_it_does_not():
    volatility = np.repeat([0.002, 0.02] * 20, 250)
    returns = volatility * np.where(np.arange(10_000) % 2, 1, -1)
    known = np.repeat([STRONG, VOLATILE] * 20, 250)
    guessed = np.random.default_rng(0).integers(0, 5, 10_000)
    assert regime_statistics(candles(returns), labelled(known), 1).eta_squared_volatility > 0.95
    assert regime_statistics(candles(returns), labelled(guessed), 1).eta_squared_volatility < 0.01


def test_standard_error_of_overlapping_returns_covers_the_truth():
    """Over many worlds without any effect, |mean| / error must look like a standard normal."""
    horizon, ratios = 24, []
    for seed in range(150):
        codes = np.repeat(np.random.default_rng(seed).integers(0, 2, 60), 50)
        found = regime_statistics(candles(noise(3000, seed)), labelled(codes), horizon)
        ratios.append(found.regimes[0].forward_return_pct / found.regimes[0].forward_return_error_pct)
    # An error that ignored the overlap would be about 4.5 times too small.
    assert 0.85 < np.std(ratios) < 1.3


def test_pooling_coins_that_move_together_does_not_shrink_the_error():
    returns, codes = noise(3000), np.repeat(np.arange(60) % 2, 50)
    one = regime_statistics(candles(returns), labelled(codes), 12)
    eight = pooled_statistics([(candles(returns), labelled(codes))] * 8, 12)
    assert eight.regimes[0].forward_return_error_pct == pytest.approx(one.regimes[0].forward_return_error_pct)
    assert eight.candles == 8 * one.candles
    assert eight.switches_per_year == pytest.approx(one.switches_per_year)


def test_pooling_independent_coins_does_shrink_it():
    codes = np.repeat(np.arange(60) % 2, 50)
    parts = [(candles(noise(3000, seed)), labelled(codes)) for seed in range(8)]
    one, eight = regime_statistics(*parts[0], 12), pooled_statistics(parts, 12)
    ratio = eight.regimes[0].forward_return_error_pct / one.regimes[0].forward_return_error_pct
    assert ratio == pytest.approx(8**-0.5, rel=0.3)


def test_pooled_series_need_not_share_their_dates():
    early = (candles(noise(500)), labelled([STRONG] * 500))
    late = (candles(noise(300), start="2023-01-01"), labelled([CHOPPY] * 300))
    found = pooled_statistics([early, late], 5)
    assert found.switches_per_year == 0  # the step from one series to the next is no switch
    assert found.regimes[STRONG].share == pytest.approx(5 / 8)


def test_a_regime_never_seen_has_no_figures():
    found = regime_statistics(candles(noise(50)), labelled([STRONG] * 50), 5)
    assert found.regimes[TIGHT].share == 0
    assert np.isnan(found.regimes[TIGHT].forward_return_pct)
    assert np.isnan(found.regimes[TIGHT].mean_dwell_candles)


@pytest.mark.parametrize(
    ("frame", "codes", "horizon", "message"),
    [
        (candles(noise(10)), [0] * 9, 1, "10 candles against 9 regimes"),
        (candles(noise(1)), [0], 1, "two at least"),
        (candles(noise(10)).drop(columns="date"), [0] * 10, 1, "no column 'date'"),
        (candles(noise(10)), [0] * 10, 0, "horizon 0"),
    ],
)
def test_input_that_does_not_fit_is_refused(frame, codes, horizon, message):
    with pytest.raises(DataError, match=message):
        regime_statistics(frame, labelled(codes), horizon)


def test_no_series_is_refused():
    with pytest.raises(DataError, match="no series"):
        pooled_statistics([], 1)
