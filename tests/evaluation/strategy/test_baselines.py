"""The rules to beat: they do what they say, on the past alone, and reach what they are known to reach."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.allocation import simulate
from adaptive_pkg.evaluation.strategy.baselines import (
    DonchianRule,
    baselines,
    breakout,
    buy_and_hold,
    cost_multiples,
    donchian_ensemble,
    equal_weight,
    moving_average_trend,
)
from adaptive_pkg.evaluation.strategy.panel import make_panel
from adaptive_pkg.evaluation.strategy.performance import measure

PAIRS = ("BTC", "ETH", "SOL", "XRP", "ADA", "LTC", "LINK", "BNB")


@pytest.fixture
def panel(random_candles):
    return make_panel(
        {f"C{seed}/USDT": random_candles(1500, seed=seed, freq="4h", sigma=0.02) for seed in range(3)}
    )


@pytest.mark.parametrize("index", range(4))
def test_later_candles_change_no_share_and_no_account(panel, index):
    cut = 1300
    whole, part = baselines(panel)[index], baselines(panel.head(cut))[index]
    np.testing.assert_array_equal(whole.shares[:cut], part.shares)
    np.testing.assert_array_equal(whole.due[:cut], part.due)
    long, short = simulate(panel, whole)[0], simulate(panel.head(cut), part)[0]
    np.testing.assert_array_equal(long.equity.to_numpy()[: cut + 1], short.equity.to_numpy())


def test_a_breakout_is_held_from_a_new_high_until_the_middle_of_the_range():
    close = np.array([10, 11, 10, 12, 12, 11.5, 10.9, 10.5, 12, 13.0])[:, None]
    # 12 tops 10, 11, 10; 10.9 lies below the middle of 12, 12, 11.5 (11.75); 12 again tops 11.5, 10.9, 10.5
    assert breakout(close, 3)[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]


def test_a_rising_market_is_held_and_a_falling_one_is_not():
    dates = pd.date_range("2022-01-01", periods=2000, freq="4h", tz="UTC")
    path = np.exp(np.concatenate([np.linspace(0, 1, 1000), np.linspace(1, 0, 1000)]))
    path *= np.exp(0.002 * (np.arange(2000) % 2))
    frame = pd.DataFrame({"date": dates} | dict.fromkeys(("open", "high", "low", "close"), path))
    panel = make_panel({"A/USDT": frame})
    for rule in (moving_average_trend(panel), donchian_ensemble(panel)):
        assert (rule.shares[700:1000] > 0).all()
        assert (rule.shares[1200:] == 0).all()


def test_a_wild_pair_gets_a_smaller_share_of_the_same_slice(random_candles):
    calm = random_candles(1500, seed=1, freq="4h", sigma=0.01)
    wild = calm.copy()
    for name in ("open", "high", "low", "close"):
        wild[name] = 100 * (calm[name] / 100) ** 3  # the same path, three times the log moves
    shares = donchian_ensemble(make_panel({"CALM/USDT": calm, "WILD/USDT": wild})).shares
    held = shares[:, 0] > 0
    assert held.sum() > 100
    assert np.median(shares[held, 1] / shares[held, 0]) == pytest.approx(1 / 3, abs=0.03)


def test_the_volatility_target_is_met_by_a_market_always_held():
    rng = np.random.default_rng(1)
    # up slowly enough never to leave the range: always held once it is in
    close = 100 * np.exp(np.cumsum(rng.choice([-0.02, 0.0245], 6000)))
    dates = pd.date_range("2019-01-01", periods=6000, freq="4h", tz="UTC")
    panel = make_panel(
        {"A/USDT": pd.DataFrame({"date": dates} | dict.fromkeys(("open", "high", "low", "close"), close))}
    )
    rule = donchian_ensemble(panel, DonchianRule(lookbacks=(700,), volatility_days=30))
    assert (rule.shares[2000:] > 0).mean() > 0.9
    account = simulate(panel, rule, [0.0], start=dates[2000])[0]
    assert measure(account.returns).volatility == pytest.approx(0.25, abs=0.04)


def test_buy_and_hold_trades_once_and_equal_weight_every_month(panel):
    start = pd.Timestamp("2022-02-01")
    held = simulate(panel, buy_and_hold(panel, start), start=start)[0]
    assert held.trades == 3
    rows = panel.rows(start, None)
    grown = (panel.close[rows] / panel.open[rows.start]).mean(axis=1)
    np.testing.assert_allclose(held.equity.to_numpy()[1:], grown / 1.001, rtol=1e-9)
    monthly = equal_weight(panel, start)
    assert np.diff(np.flatnonzero(monthly.due)).tolist() == [180] * (monthly.due.sum() - 1)
    assert monthly.shares[rows.start].tolist() == pytest.approx([1 / 3] * 3)


def test_a_pair_listed_later_is_held_from_then_on(random_candles):
    old, new = random_candles(1500, seed=1, freq="4h"), random_candles(1500, seed=2, freq="4h")
    panel = make_panel({"OLD/USDT": old, "NEW/USDT": new.iloc[800:]})
    for rule in baselines(panel):
        assert (rule.shares[:800, 1] == 0).all()
        assert np.isfinite(simulate(panel, rule)[0].equity).all()
    assert equal_weight(panel).shares[900].tolist() == [0.5, 0.5]


def test_higher_costs_never_help(panel):
    for rule in baselines(panel):
        ends = [a.equity.iloc[-1] for a in simulate(panel, rule, cost_multiples(0.001, (1, 2, 3)))]
        assert ends == sorted(ends, reverse=True)


def test_a_target_of_nothing_is_refused(panel):
    with pytest.raises(DataError, match="volatility target 0"):
        donchian_ensemble(panel, DonchianRule(volatility_target=0.0))


@pytest.mark.real_data
def test_on_real_candles_the_ensemble_earns_with_a_small_drawdown(real_candles):
    panel = make_panel({f"{coin}/USDT": real_candles(f"{coin}/USDT", "4h") for coin in PAIRS})
    start = pd.Timestamp("2019-01-01", tz="UTC")
    ensemble, hold = (
        measure(simulate(panel, rule, start=start)[0].returns)
        for rule in (donchian_ensemble(panel), buy_and_hold(panel, start))
    )
    assert ensemble.sharpe == pytest.approx(1.86, abs=0.1)
    assert ensemble.max_drawdown == pytest.approx(0.11, abs=0.02)
    assert hold.max_drawdown > 0.7
