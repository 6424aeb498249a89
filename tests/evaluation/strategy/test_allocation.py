"""What is held, and what it costs, against accounts worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.allocation import Allocation, simulate
from adaptive_pkg.evaluation.strategy.panel import make_panel


def panel_of(*closes, opens=None):
    """Candles of a day with these closes; each opens at the close before it unless said."""
    frames = {}
    for i, close in enumerate(closes):
        close = np.asarray(close, dtype=float)
        open_ = (
            np.concatenate([close[:1], close[:-1]]) if opens is None else np.asarray(opens[i], dtype=float)
        )
        frames[f"C{i}/USDT"] = pd.DataFrame(
            {
                "date": pd.date_range("2022-01-01", periods=len(close), freq="1D", tz="UTC"),
                "open": open_,
                "high": np.maximum(open_, close),
                "low": np.minimum(open_, close),
                "close": close,
            }
        )
    return make_panel(frames)


def allocation(shares, due=None, band=0.0):
    shares = np.asarray(shares, dtype=float)
    shares = shares[:, None] if shares.ndim == 1 else shares
    due = np.ones(len(shares), dtype=bool) if due is None else np.asarray(due, dtype=bool)
    return Allocation("x", shares, due, band)


def test_a_decision_is_filled_at_the_next_open_and_pays_both_ways():
    panel = panel_of([100, 100, 120, 120], opens=[[100, 100, 110, 130]])
    (account,) = simulate(panel, allocation([0, 1, 0, 0]), [0.01])
    # bought at 110 after the second close, sold at 130 at the fourth open
    units = 1 / (110 * 1.01)
    assert account.equity.tolist() == pytest.approx([1, 1, 1, units * 120, units * 130 * 0.99])
    assert account.trades == 2
    assert account.exposure.tolist() == pytest.approx([0, 0, 1, 0])
    assert account.returns.iloc[-1] == pytest.approx(130 * 0.99 / 120 - 1)


def test_costs_are_simulated_side_by_side():
    panel = panel_of(np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.05, 60))))
    shares = np.random.default_rng(2).uniform(0, 1, 60)
    together = simulate(panel, allocation(shares), [0.001, 0.003])
    alone = [simulate(panel, allocation(shares), [cost])[0] for cost in (0.001, 0.003)]
    for a, b in zip(together, alone, strict=True):
        pd.testing.assert_series_equal(a.equity, b.equity)
    assert together[0].equity.iloc[-1] > together[1].equity.iloc[-1]
    assert together[1].costs > 2.9 * together[0].costs


def test_holding_everything_without_costs_is_the_market():
    close = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.05, 50)))
    (account,) = simulate(panel_of(close), allocation(np.ones(50), np.arange(50) == 0), [0.0])
    np.testing.assert_allclose(account.equity.to_numpy()[2:], close[1:] / close[0])
    assert account.exposure.iloc[1:].to_numpy() == pytest.approx(1.0)


def test_a_rebalance_sells_what_rose_for_what_fell():
    panel = panel_of([100, 100, 200, 200], [100, 100, 50, 50])
    half = np.full((4, 2), 0.5)
    (account,) = simulate(panel, allocation(half, [1, 0, 1, 0]), [0.0])
    assert account.equity.iloc[-1] == pytest.approx(0.5 * 2 + 0.5 * 0.5)
    assert account.trades == 4
    (held,) = simulate(panel, allocation(half, [1, 0, 0, 0]), [0.0])
    assert held.trades == 2


def test_the_band_leaves_small_changes_alone_but_never_an_exit():
    panel = panel_of(np.full(6, 100.0))
    shares = [0.5, 0.55, 0.5, 0.9, 0.0, 0.0]
    (account,) = simulate(panel, allocation(shares, band=0.2), [0.001])
    assert account.trades == 3  # into 0.5, up to 0.9, out
    assert account.exposure.iloc[-1] == 0.0


def test_an_order_waits_for_a_candle_to_be_filled_in():
    frames = panel_of([100, 100, 100, 100, 100])
    there = frames.there.copy()
    there[2] = False
    panel = type(frames)(**{**vars(frames), "there": there})
    (account,) = simulate(panel, allocation([0, 1, 1, 1, 1], [0, 1, 0, 0, 0]), [0.0])
    assert account.exposure.tolist() == pytest.approx([0, 0, 0, 1, 1])


def test_a_span_begins_with_nothing_held_and_what_was_decided_before_it():
    panel = panel_of([100, 100, 110, 121])
    (account,) = simulate(panel, allocation([1, 1, 1, 1]), [0.0], start=pd.Timestamp("2022-01-03"))
    assert account.equity.tolist() == pytest.approx([1, 1.1, 1.21])


def test_impossible_allocations_and_costs_are_refused():
    for shares in ([0.5, 1.5], [-0.1, 0.0], [np.nan, 0.0]):
        with pytest.raises(DataError, match="sum to 1 at most"):
            allocation(shares)
    with pytest.raises(DataError, match="costs"):
        simulate(panel_of([1, 1, 1]), allocation([0, 0, 0]), [1.0])
