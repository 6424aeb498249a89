"""The synthetic market: sane candles, known regimes that behave as claimed, repeatable."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.simulator.market import simulate_market, simulate_markets
from adaptive_pkg.simulator.plan import DEFAULT_REGIME_PLANS, GapPlan, MarketPlan, RegimePlan

HOUR = pd.Timedelta(hours=1)


@pytest.fixture(scope="module")
def long_market() -> pd.DataFrame:
    frame = simulate_market(MarketPlan(), candles=60_000, seed=3)
    frame["log_return"] = np.log(frame["close"] / frame["open"])
    return frame


def stays(frame: pd.DataFrame) -> pd.Series:
    """Number of the stay each candle belongs to."""
    return frame["regime"].ne(frame["regime"].shift()).cumsum()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dof=st.one_of(st.none(), st.floats(2.1, 30)),
    timeframe=st.sampled_from(["5m", "1h", "1d"]),
    price=st.floats(1e-6, 1e6),
)
def test_candles_are_possible_for_any_seed(seed, dof, timeframe, price):
    plan = MarketPlan(start_price=price, student_dof=dof)
    frame = simulate_market(plan, candles=300, seed=seed, timeframe=timeframe)
    ohlc = frame[["open", "high", "low", "close"]]
    assert np.isfinite(ohlc.to_numpy()).all() and (ohlc > 0).all().all()
    assert (frame["high"] >= ohlc[["open", "close"]].max(axis=1)).all()
    assert (frame["low"] <= ohlc[["open", "close"]].min(axis=1)).all()
    assert (frame["volume"] > 0).all()
    assert frame["open"].iloc[0] == float(f"{price:.5e}")  # quoted to six significant digits
    assert np.allclose(frame["open"].iloc[1:], frame["close"].iloc[:-1])


def test_prices_are_quoted_to_six_significant_digits():
    ohlc = simulate_market("XRP/USDT", 2_000, seed=4)[["open", "high", "low", "close"]].to_numpy().ravel()
    assert all(value == float(f"{value:.5e}") for value in ohlc)


def test_the_same_seed_gives_the_same_frame_and_another_seed_does_not():
    first, again, other = (simulate_market("BTC/USDT", 500, seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first["close"], other["close"])


def test_a_pair_does_not_change_when_another_joins():
    alone = simulate_markets(["ETH/USDT"], 400, seed=2)["ETH/USDT"]
    joined = simulate_markets(["BTC/USDT", "ETH/USDT", "NEW/USDT"], 400, seed=2)["ETH/USDT"]
    pd.testing.assert_frame_equal(alone, joined)
    pd.testing.assert_frame_equal(alone, simulate_market("ETH/USDT", 400, seed=2))


def test_dates_are_utc_candle_openings(long_market):
    assert str(long_market["date"].dtype) == "datetime64[ms, UTC]"
    assert (long_market["date"].diff().dropna() == HOUR).all()


def test_every_regime_has_a_fair_share_and_stays_as_long_as_planned(long_market):
    share = long_market["regime"].value_counts(normalize=True)
    assert set(share.index) == {regime.value for regime in Regime}
    assert share.min() > 0.05
    lengths = long_market.groupby(stays(long_market)).agg(regime=("regime", "first"), n=("regime", "size"))
    assert lengths["n"].iloc[:-1].min() >= MarketPlan().min_dwell_candles
    for regime, plan in DEFAULT_REGIME_PLANS.items():
        mean = lengths.loc[lengths["regime"] == regime.value, "n"].mean()
        assert mean == pytest.approx(plan.dwell_candles, rel=0.25)


def test_regimes_differ_in_volatility_as_planned(long_market):
    spread = long_market.groupby("regime")["log_return"].std() * 100
    assert spread["tight_range"] < spread["transitional"] < spread["choppy"] < spread["volatile_trend"]
    for regime, plan in DEFAULT_REGIME_PLANS.items():
        assert spread[regime.value] == pytest.approx(plan.volatility_pct, rel=0.15)


def test_trends_persist_and_chop_reverses(long_market):
    correlation = long_market.groupby("regime")["log_return"].apply(lambda returns: returns.autocorr())
    assert correlation["strong_trend"] > 0.08
    assert correlation["choppy"] < -0.15
    assert abs(correlation["transitional"]) < 0.05


def test_trends_travel_and_ranges_stay(long_market):
    grouped = long_market.groupby(stays(long_market))
    travelled = grouped["log_return"].sum().abs() / np.sqrt(
        (long_market["log_return"] ** 2).groupby(stays(long_market)).sum()
    )
    by_regime = travelled.groupby(grouped["regime"].first()).mean()
    # A random walk travels sqrt(2/π) ≈ 0.8 of its own root sum of squares.
    assert by_regime["strong_trend"] > 1.5
    assert by_regime["tight_range"] < 0.6
    assert by_regime["choppy"] < 0.7


def test_tails_are_fat_and_volatility_clusters(long_market):
    calm = MarketPlan(regimes={Regime.TRANSITIONAL: RegimePlan()}, student_dof=None, cluster_spread=0.0)
    gaussian = simulate_market(calm, 60_000, seed=3)
    gaussian_returns = np.log(gaussian["close"] / gaussian["open"])
    assert abs(gaussian_returns.kurt()) < 0.2
    assert long_market["log_return"].kurt() > 5
    assert long_market["log_return"].abs().autocorr(24) > 0.1 > abs(gaussian_returns.abs().autocorr(24))


def test_volume_peaks_when_the_season_says_and_is_lower_in_a_tight_range(long_market):
    by_hour = long_market.groupby(long_market["date"].dt.hour)["volume"].median()
    assert abs(by_hour.idxmax() - 15) <= 2
    value = (long_market["volume"] * long_market["close"]).groupby(long_market["regime"]).median()
    assert value["tight_range"] < value["strong_trend"] < value["volatile_trend"]


def test_pairs_share_the_common_factor():
    def correlation(share: float) -> float:
        plan = MarketPlan(common_share=share)
        frames = simulate_markets(["BTC/USDT", "ETH/USDT"], 8_000, seed=4, plan=plan)
        moves = [np.log(frame["close"] / frame["open"]) for frame in frames.values()]
        return float(np.corrcoef(moves)[0, 1])

    assert abs(correlation(0.0)) < 0.05
    assert 0.25 < correlation(0.5) < correlation(0.9)


def test_trends_go_up_only_when_asked():
    plan = MarketPlan(up_share=1.0, regimes={Regime.STRONG_TREND: RegimePlan(drift_sigma=0.2)})
    frame = simulate_market(plan, 5_000, seed=1)
    assert frame["close"].iloc[-1] > 20 * frame["close"].iloc[0]


def test_volatility_follows_the_timeframe():
    hourly, daily = (simulate_market(MarketPlan(), 20_000, seed=1, timeframe=t) for t in ("1h", "1d"))
    spreads = [np.log(frame["close"] / frame["open"]).std() for frame in (hourly, daily)]
    assert spreads[1] / spreads[0] == pytest.approx(np.sqrt(24), rel=0.2)


def test_gaps_are_as_many_and_as_long_as_asked_and_the_price_moves_on():
    frame = simulate_market(MarketPlan(gaps=GapPlan(count=7, candles=34)), 2_000, seed=9)
    whole = simulate_market(MarketPlan(), 2_000, seed=9)
    steps = frame["date"].diff().dropna()
    assert len(frame) == 2_000 - 7 * 34
    assert (steps[steps > HOUR] == 35 * HOUR).all() and (steps > HOUR).sum() == 7
    kept = whole[whole["date"].isin(frame["date"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, kept)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: simulate_market(MarketPlan(), 1), "candles: 1 is too short"),
        (lambda: simulate_market(MarketPlan(), 100, timeframe="1x"), "timeframe: '1x'"),
        (lambda: simulate_market(MarketPlan(gaps=GapPlan(50, 34)), 100), "at most 2"),
        (lambda: simulate_markets(["A/USDT", "A/USDT"], 100), "A/USDT named twice"),
        (lambda: RegimePlan(volatility_pct=-1.0), "volatility_pct"),
        (lambda: MarketPlan(student_dof=1.0), "student_dof"),
        (lambda: MarketPlan(regimes={}), "no regime"),
        (lambda: MarketPlan(regimes={"choppy": RegimePlan()}), "Regime"),
        (lambda: MarketPlan(regimes={Regime.CHOPPY: RegimePlan(weight=0.0)}), "weight"),
    ],
)
def test_a_bad_plan_is_refused_by_name(call, says):
    with pytest.raises(SettingsError, match=says):
        call()
