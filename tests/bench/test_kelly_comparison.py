"""Drawdowns are compared at equal growth, and a growth out of reach is said to be."""

import math
from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.bench import kelly_comparison as comparison
from adaptive_pkg.bench.kelly_simulation import FRACTIONS, Accounts


def test_growth_is_matched_on_a_known_frontier():
    growth, drawdown = np.array([0.0, 2.0, 4.0, 3.0]), np.array([1.0, 3.0, 9.0, 20.0])
    assert comparison.match_growth(growth, drawdown, 2.0) == 3.0
    assert (
        comparison.match_growth(growth, drawdown, 3.0) == 6.0
    )  # on the way up, not where too big a size falls
    assert comparison.match_growth(growth, drawdown, -1.0) == 1.0  # the smallest size already grows faster
    assert math.isnan(comparison.match_growth(growth, drawdown, 4.1))


def test_an_account_half_as_bold_at_the_same_growth_halves_the_drawdown():
    """Ours: drawdown 10 % per bp of growth; plain: 2 bp at 40 %. Equal growth means 20 %: −50 %."""
    paths, sizes = 50, np.arange(1, len(FRACTIONS) + 1) / 4
    ours = np.repeat(sizes[:, None], paths, axis=1)
    accounts = Accounts(np.full(paths, 2e-4), np.full(paths, 0.4), 1e-4 * ours, 0.1 * ours, False)
    row = comparison.compare(60, "mean", accounts, np.random.default_rng(1))
    assert row.plain_growth_bp_per_trade == pytest.approx(2.0)
    assert row.our_median_drawdown_pct == pytest.approx(20.0)
    assert (row.median_change_pct, row.p95_change_pct) == (pytest.approx(-50.0), pytest.approx(-50.0))
    assert row.median_change_pct_ci95 == pytest.approx((-50.0, -50.0))
    assert row.goal_met
    bold = replace(accounts, plain_growth=np.full(paths, 1.0))
    out_of_reach = comparison.compare(60, "mean", bold, np.random.default_rng(1))
    assert math.isnan(out_of_reach.median_change_pct) and not out_of_reach.goal_met
