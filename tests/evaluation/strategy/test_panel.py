from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.panel import make_panel


def test_pairs_share_one_grid_and_a_gap_is_flat_and_cannot_be_traded(random_candles):
    one, other = random_candles(200, seed=1, freq="4h"), random_candles(200, seed=2, freq="4h")
    late = other.iloc[50:].drop(index=[80, 81]).reset_index(drop=True)
    panel = make_panel({"A/USDT": one, "B/USDT": late})
    assert len(panel) == 200
    assert panel.candles_a_day == 6
    assert not panel.listed[49, 1]
    assert panel.listed[50:].all()
    assert panel.there[:, 1].sum() == 148
    gap = panel.close[79, 1]
    for prices in (panel.open, panel.high, panel.low, panel.close):
        assert (prices[80:82, 1] == gap).all()
    np.testing.assert_array_equal(panel.open[:, 0], one["open"])


def test_rows_are_those_that_begin_in_the_span(random_candles):
    panel = make_panel({"A/USDT": random_candles(100, freq="4h")})
    rows = panel.rows(pd.Timestamp("2022-01-02"), pd.Timestamp("2022-01-03", tz="UTC"))
    assert (rows.start, rows.stop) == (6, 12)
    with pytest.raises(DataError, match="no candles from 2030"):
        panel.rows(pd.Timestamp("2030-01-01"), None)


def test_unusable_candles_are_named(random_candles):
    good = random_candles(50, freq="4h")
    with pytest.raises(DataError, match="no pair"):
        make_panel({})
    with pytest.raises(DataError, match="B/USDT: 1 candles"):
        make_panel({"A/USDT": good, "B/USDT": good.iloc[:1]})
    with pytest.raises(DataError, match="A/USDT: candles out of order"):
        make_panel({"A/USDT": good.iloc[::-1]})
    bad = good.copy()
    bad.loc[7, "low"] = 0.0
    with pytest.raises(DataError, match="A/USDT: the candle of 2022-01-02 04"):
        make_panel({"A/USDT": bad})
    with pytest.raises(DataError, match="different length"):
        make_panel({"A/USDT": good, "B/USDT": random_candles(50, freq="1h")})
