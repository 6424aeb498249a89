"""The simulated accounts are what they claim: the edge, the shipped estimator, plain and the informed one."""

import math

import numpy as np
import pytest

from adaptive_pkg.bench import kelly_simulation as simulation
from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.risk import ClosedTrade, TradeLedger, drawdown_multiplier, estimate
from adaptive_pkg.settings import KellySettings


@pytest.fixture(scope="module")
def market():
    return simulation.simulate(3, 15, np.random.default_rng(4), simulation.Edges())


@pytest.mark.parametrize("changes", [{}, {"significance": 1.0, "start_trades": 50, "prior_trades": 30}])
def test_the_swept_fraction_is_the_shipped_estimators(market, changes):
    regimes, r = market
    evidence = simulation.our_evidence(regimes, r, 15, KellySettings(**changes))
    for fraction in (0.1, 0.25, 1.0):
        settings = KellySettings(fraction=fraction, **changes)
        swept = simulation.our_fractions(evidence, fraction, settings)
        for path in range(len(r)):
            ledger = TradeLedger()
            for at, (code, outcome) in enumerate(zip(regimes[path], r[path], strict=True)):
                regime = Regime.from_code(int(code))
                if at >= 75:
                    expected = estimate(ledger, regime, settings).fraction
                    assert swept[path, at - 75] == pytest.approx(expected, rel=1e-9)
                ledger.add(ClosedTrade(at, at, regime, float(outcome), 0.0))
    assert len(np.unique(swept)) > 100


def test_the_plain_estimator_counted_by_hand(market):
    regimes, r = market
    fractions = simulation.plain_fractions(regimes, r, 15)
    for at in (0, 100, 299):
        before = r[0, : 75 + at][regimes[0, : 75 + at] == regimes[0, 75 + at]]
        p = (before > 0).mean()
        quarter = min(max(0.25 * (1.5 * p - (1 - p)) / 1.5, 0.005), 0.10)
        assert fractions[0, at] == pytest.approx(quarter if len(before) >= 30 else 0.01)
    assert fractions[0, 0] == 0.01  # 15 trades on record


def test_the_market_has_the_edge_it_claims():
    regimes, r = simulation.simulate(2_000, 30, np.random.default_rng(2), simulation.Edges())
    assert (np.bincount(regimes[0, :150]) == 30).all()
    # p = 0.42 on average, so (b + 1) · 0.02 R; between paths the common half of the variance shows
    assert r.mean() == pytest.approx(0.05, abs=0.005)
    share = (r > 0).mean(axis=1)
    own = 0.03**2 * (0.5 + 0.5 / 5) + 0.42 * 0.58 / r.shape[1]
    assert share.std() == pytest.approx(math.sqrt(own), rel=0.05)


def test_drawdown_and_growth_of_one_account():
    fractions, r = np.full((1, 3), 0.1), np.array([[1.0, -1.0, -1.0]])
    growth, drawdown = simulation.account(fractions, r)
    assert growth[0] == pytest.approx(math.log(1.1 * 0.9 * 0.9) / 3)
    assert drawdown[0] == pytest.approx(0.19)
    # at 10 % down the throttle leaves 0.625, so the second loss is of 6.25 %
    settings = KellySettings()
    _, held = simulation.account(fractions, r, lambda dd: simulation.throttle(dd, settings))
    assert held[0] == pytest.approx(1 - 0.9 * (1 - 0.1 * drawdown_multiplier(0.1, settings)))


def test_the_throttle_of_an_array_is_the_shipped_one():
    settings, depths = KellySettings(drawdown_start=0.03), np.array([0.0, 0.02, 0.05, 0.1, 0.3, 0.99])
    expected = [drawdown_multiplier(float(depth), settings) for depth in depths]
    assert simulation.throttle(depths, settings) == pytest.approx(expected)


def test_the_informed_one_knows_the_edge_better_than_any_other():
    """Its error is the smallest, and unbiased given what it says: the truth regressed on it has slope 1."""
    edges, rng = simulation.Edges(), np.random.default_rng(6)
    regimes, r = simulation.simulate(4_000, 30, rng, edges)
    means = simulation.informed_means(regimes, r, 30, edges)[:, 0]
    outcome, code, before = r[:, 150], regimes[:, 150], slice(0, 150)
    own = np.array(
        [row[before][codes[before] == c].mean() for row, codes, c in zip(r, regimes, code, strict=True)]
    )
    pooled = r[:, before].mean(axis=1)
    errors = [((guess - outcome) ** 2).mean() for guess in (means, pooled, own)]
    assert errors == sorted(errors)
    assert means.mean() == pytest.approx(outcome.mean(), abs=0.06)
    assert means.std() < pooled.std() < own.std()
    later = simulation.informed_means(regimes, r, 30, edges)[:, -1]
    assert later.std() > means.std()  # it knows more by then
    assert later.std() < 2.5 * edges.sd


def test_the_informed_mean_of_one_path_by_linear_algebra(market):
    """The conjugate posterior of five means with a common part, solved as one Gaussian system."""
    regimes, r = market
    edges = simulation.Edges(mean=0.03, sd=0.05, shared=0.3)
    means = simulation.informed_means(regimes, r, 15, edges)
    noise, mean = 2.5**2 * 0.43 * 0.57, 2.5 * 0.43 - 1.0
    prior = (2.5 * 0.05) ** 2 * (0.3 * np.ones((5, 5)) + 0.7 * np.eye(5))
    for at in (0, 299):
        before = regimes[1, : 75 + at]
        n = np.bincount(before, minlength=5)
        sums = np.bincount(before, weights=r[1, : 75 + at], minlength=5)
        precision = np.linalg.inv(prior)
        posterior = np.linalg.solve(
            precision + np.diag(n / noise), precision @ np.full(5, mean) + sums / noise
        )
        assert means[1, at] == pytest.approx(posterior[regimes[1, 75 + at]])
    assert (simulation.informed_fractions(means, 0.25, KellySettings())[means <= 0] == 0.005).all()


@pytest.mark.parametrize("values", [{"sd": 0.0}, {"sd": math.nan}, {"shared": 0.0}, {"shared": 1.0}])
def test_edges_without_a_spread_are_refused(values):
    with pytest.raises(DataError, match="edges"):
        simulation.Edges(**values)
