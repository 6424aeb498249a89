"""The resampled record sizes both accounts by what they claim, on the same orders, seeded."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.reports import kelly_resampled as resampled
from adaptive_pkg.risk import ClosedTrade
from adaptive_pkg.risk.ledger import RunningStats
from adaptive_pkg.settings import KellySettings


def trades_of(multiples):
    """A trade an hour, the regimes in turn."""
    regimes = list(Regime)
    return [ClosedTrade(i, i, regimes[i % 5], float(r), float(r)) for i, r in enumerate(multiples)]


@pytest.fixture(scope="module")
def record():
    rng = np.random.default_rng(8)
    return trades_of(np.where(rng.random(200) < 0.42, 1.5, -1.0))


def test_growth_and_drawdown_of_one_account():
    trades = trades_of([1.0, -1.0, -1.0])
    growth, drawdown = resampled.account(trades, lambda ledger, trade: 0.1, lambda depth: 1.0)
    assert growth == pytest.approx(math.log(1.1 * 0.9 * 0.9))
    assert drawdown == pytest.approx(0.19)
    depths = []
    resampled.account(trades, lambda ledger, trade: 0.1, lambda depth: depths.append(depth) or 1.0)
    assert depths == pytest.approx([0.0, 0.0, 0.1])


def test_a_size_knows_only_the_trades_before_it():
    seen = []
    resampled.account(
        trades_of([2.0, -1.0, 0.5]),
        lambda ledger, trade: seen.append((len(ledger), ledger.pooled.mean)) or 0.01,
        lambda depth: 1.0,
    )
    assert seen == [(0, 0.0), (1, 2.0), (2, 0.5)]


def test_the_plain_estimator_counted_by_hand():
    own = RunningStats()
    for r in [2.0] * 12 + [-1.0] * 17:
        own.add(r)
    assert resampled.plain_fraction(own, 0.25) == 0.01  # 29 trades
    own.add(-1.0)
    assert resampled.plain_fraction(own, 0.25) == pytest.approx(0.25 * (2.0 * 0.4 - 0.6) / 2.0)
    for _ in range(40):
        own.add(-1.0)
    assert resampled.plain_fraction(own, 0.25) == 0.005


def test_accounts_of_equal_size_do_not_differ_at_all(record, monkeypatch):
    """The orders are the same ones: with 1 % at risk on both sides and no drawdown rule, nothing is left."""
    still = KellySettings(floor=0.01, start_fraction=0.01, cap=0.01, drawdown_floor=1.0)
    for name, value in (("PLAIN_FLOOR", 0.01), ("PLAIN_CAP", 0.01), ("PLAIN_CLIFF_FACTOR", 1.0)):
        monkeypatch.setattr(resampled.plain_rule, name, value)
    for row in resampled.resample(record, still, 30):
        assert row.ours == row.plain != 0.0
        assert row.difference_ci95 == (0.0, 0.0)
    bolder = replace(still, cap=0.02, start_fraction=0.02, floor=0.02)
    drawdown = resampled.resample(record, bolder, 30)[1]
    assert 1.3 * drawdown.plain < drawdown.ours < 2.0 * drawdown.plain


def test_a_record_without_any_variation_is_resampled_too():
    growth, drawdown = resampled.resample(trades_of([1.0] * 100), KellySettings(), 20)
    assert growth.ours > 0.0 == drawdown.ours


def test_the_differences_are_paired_and_seeded(record):
    rows = resampled.resample(record, KellySettings(), 60)
    assert rows == resampled.resample(record, KellySettings(), 60)
    for row in rows:
        low, high = row.difference_ci95
        assert low <= row.difference <= high
    drawdown = rows[1]
    assert drawdown.ours < drawdown.plain  # five thin records of their own are what it does without
    bolder = resampled.resample(record, KellySettings(fraction=1.0), 60)[1]
    assert bolder.plain > drawdown.plain


def test_it_prints_and_stores_what_it_found(record, capsys):
    rows = resampled.resample(record, KellySettings(), 20)
    resampled.print_resampled(rows, len(record), 20, Console(width=120))
    printed = capsys.readouterr().out
    assert "200 trades in 20 resampled orders" in printed and f"{rows[1].ours:.2f}" in printed
    figures = json.loads(json.dumps(resampled.as_figures(rows, 20)))
    assert figures["resamples"] == 20
    assert figures["figures"][0]["difference_ci95"] == list(rows[0].difference_ci95)


def test_what_cannot_be_resampled_is_refused(record):
    with pytest.raises(DataError, match=r"60 closed trades, 100 resamples.*more than 60"):
        resampled.resample(record[:60], KellySettings(), 100)
    with pytest.raises(DataError, match="19 resamples"):
        resampled.resample(record, KellySettings(), 19)
    ruin = [*record, ClosedTrade("gap", 999, Regime.CHOPPY, -300.0, -1.0)]
    with pytest.raises(DataError, match=r"'gap'.*-300\.0 R.*more than the account"):
        resampled.resample(ruin, KellySettings(), 20)
