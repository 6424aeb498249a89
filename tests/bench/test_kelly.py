"""The Kelly benchmark compares what it says: the shipped estimator, the plain one, the same growth."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.bench import kelly as bench
from adaptive_pkg.enums import Regime
from adaptive_pkg.risk import ClosedTrade, TradeLedger, drawdown_multiplier, estimate
from adaptive_pkg.settings import KellySettings


def test_growth_is_matched_on_a_known_frontier():
    growth, drawdown = np.array([0.0, 2.0, 4.0, 3.0]), np.array([1.0, 3.0, 9.0, 20.0])
    assert bench.match_growth(growth, drawdown, 2.0) == 3.0
    assert bench.match_growth(growth, drawdown, 3.0) == 6.0  # on the way up, not where too big a size falls
    assert bench.match_growth(growth, drawdown, -1.0) == 1.0  # the smallest size already grows faster
    assert math.isnan(bench.match_growth(growth, drawdown, 4.1))


def test_an_account_half_as_bold_at_the_same_growth_halves_the_drawdown():
    """Ours: drawdown 10 % per bp of growth; plain: 2 bp at 40 %. Equal growth means 20 %: −50 %."""
    paths, sizes = 50, np.arange(1, len(bench.FRACTIONS) + 1) / 4
    ours = np.repeat(sizes[:, None], paths, axis=1)
    accounts = bench.Accounts(np.full(paths, 2e-4), np.full(paths, 0.4), 1e-4 * ours, 0.1 * ours, False)
    row = bench.compare(60, "mean", accounts, np.random.default_rng(1))
    assert row.plain_growth_bp_per_trade == pytest.approx(2.0)
    assert row.our_median_drawdown_pct == pytest.approx(20.0)
    assert (row.median_change_pct, row.p95_change_pct) == (pytest.approx(-50.0), pytest.approx(-50.0))
    assert row.median_change_pct_ci95 == pytest.approx((-50.0, -50.0))
    assert row.goal_met
    bold = replace(accounts, plain_growth=np.full(paths, 1.0))
    out_of_reach = bench.compare(60, "mean", bold, np.random.default_rng(1))
    assert math.isnan(out_of_reach.median_change_pct) and not out_of_reach.goal_met


@pytest.fixture(scope="module")
def market():
    return bench.simulate(3, 15, np.random.default_rng(4))


def test_the_swept_fraction_is_the_shipped_estimators(market):
    regimes, r = market
    evidence = bench.our_evidence(regimes, r, 15, KellySettings())
    for fraction in (0.1, 0.25, 1.0):
        settings = KellySettings(fraction=fraction)
        swept = bench.our_fractions(evidence, fraction, settings)
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
    fractions = bench.plain_fractions(regimes, r, 15)
    for at in (0, 100, 299):
        before = r[0, : 75 + at][regimes[0, : 75 + at] == regimes[0, 75 + at]]
        p = (before > 0).mean()
        quarter = min(max(0.25 * (1.5 * p - (1 - p)) / 1.5, 0.005), 0.10)
        assert fractions[0, at] == pytest.approx(quarter if len(before) >= 30 else 0.01)
    assert fractions[0, 0] == 0.01  # 15 trades on record


def test_the_market_has_the_edge_it_claims():
    regimes, r = bench.simulate(2_000, 30, np.random.default_rng(2))
    assert (np.bincount(regimes[0, :150]) == 30).all()
    # p = 0.42 on average, so (b + 1) · 0.02 R; between paths the common half of the variance shows
    assert r.mean() == pytest.approx(0.05, abs=0.005)
    share = (r > 0).mean(axis=1)
    own = 0.03**2 * (0.5 + 0.5 / 5) + 0.42 * 0.58 / r.shape[1]
    assert share.std() == pytest.approx(math.sqrt(own), rel=0.05)


def test_drawdown_and_growth_of_one_account():
    fractions, r = np.full((1, 3), 0.1), np.array([[1.0, -1.0, -1.0]])
    growth, drawdown = bench.account(fractions, r)
    assert growth[0] == pytest.approx(math.log(1.1 * 0.9 * 0.9) / 3)
    assert drawdown[0] == pytest.approx(0.19)
    # at 10 % down the throttle leaves 0.625, so the second loss is of 6.25 %
    settings = KellySettings()
    _, held = bench.account(fractions, r, lambda dd: bench._throttle(dd, settings))
    assert held[0] == pytest.approx(1 - 0.9 * (1 - 0.1 * drawdown_multiplier(0.1, settings)))


def test_a_small_run_prints_and_stores_every_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "HISTORIES", (15, 60))
    monkeypatch.setattr(bench, "LEDGER_SIZES", (50, 500))
    out = tmp_path / "out" / "kelly.json"
    assert bench.bench_kelly(20, out) == 0
    first = json.loads(out.read_text(), parse_constant=pytest.fail)
    rows = first["comparisons"]
    assert len(rows) == 2 * 2 * 2
    assert {row["history_trades_per_regime"] for row in rows} == {15, 60}
    for row in rows:
        assert 0 < row["plain_median_drawdown_pct"] < row["plain_p95_drawdown_pct"] < 100
        assert len(row["median_change_pct_ci95"]) == 2
        if row["median_change_pct"] is not None:
            change = row["our_median_drawdown_pct"] / row["plain_median_drawdown_pct"] - 1
            assert row["median_change_pct"] == pytest.approx(100 * change)
    assert any(row["median_change_pct"] is not None for row in rows)
    assert first["ledger_time_ratio_to_smallest"]["50"] == 1.0
    printed = capsys.readouterr().out
    assert "missed" in printed and "ledger" in printed
    bench.bench_kelly(20, out)
    assert json.loads(out.read_text())["comparisons"] == rows  # seeded
