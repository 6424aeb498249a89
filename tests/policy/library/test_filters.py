"""Filters block the side they are meant for, and are neutral, and say so, without their column."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.library import alt_breadth, read_filters


def frame(n=3, **columns):
    return pd.DataFrame({"close": np.full(n, 100.0)} | columns)


def test_without_columns_everything_is_allowed_and_said_to_be_unknown(library):
    found = read_filters(frame(), library.filters)
    assert found.long_allowed.all()
    assert found.short_allowed.all()
    assert not found.breadth.any()
    assert found.absent == ("funding", "volume", "volatility", "breadth")
    assert "funding: no column 'funding_rate', neutral" in found.describe()


def test_funding_blocks_the_side_that_pays(library):
    found = read_filters(frame(funding_rate=[0.0011, -0.0011, 0.0009]), library.filters)
    assert found.long_allowed.tolist() == [False, True, True]
    assert found.short_allowed.tolist() == [True, False, True]


def test_thin_volume_and_odd_volatility_block_both(library):
    found = read_filters(
        frame(5, volume_ratio=[0.4, 0.6, 1, 1, 1], atr_ratio=[1, 1, 0.2, 3.1, 2.9]), library.filters
    )
    assert found.long_allowed.tolist() == found.short_allowed.tolist() == [False, True, False, False, True]


def test_an_unknown_value_is_neutral_and_counted(library):
    found = read_filters(
        frame(4, funding_rate=[np.nan, 0.002, np.nan, 0.0], alt_breadth=np.nan), library.filters
    )
    assert found.long_allowed.tolist() == [True, False, True, True]
    assert found.breadth.tolist() == [0.0] * 4
    assert found.unknown == {"funding": 0.5, "breadth": 1.0}
    assert "funding: unknown on 50.0%, neutral there" in found.describe()
    assert "breadth: no column" not in found.describe()


def test_funding_in_percent_is_refused_not_guessed(library):
    with pytest.raises(DataError, match=r"funding_rate: 0\.5 in row 1.*fraction"):
        read_filters(frame(funding_rate=[0.01, 0.5, 0.0]), library.filters)


def test_breadth_outside_its_bounds_is_refused(library):
    with pytest.raises(DataError, match="alt_breadth"):
        read_filters(frame(alt_breadth=[0.0, 1.5, 0.0]), library.filters)


def test_an_empty_frame_passes(library):
    found = read_filters(frame(0, volume_ratio=np.array([])), library.filters)
    assert len(found.long_allowed) == 0
    assert "none" in found.describe()


def closes(n=400, seed=1):
    moves = np.random.default_rng(seed).normal(0, 0.01, (n, 3))
    return pd.DataFrame(100 * np.exp(moves.cumsum(axis=0)), columns=["ETH", "BNB", "SOL"])


def test_breadth_is_the_coins_common_lean():
    market = closes()
    market.loc[399] = market.loc[398] * 1.05
    breadth = alt_breadth(market, 36)
    assert np.isnan(breadth[:36]).all()
    assert breadth[399] > 0.99
    mirrored = alt_breadth(1 / market, 36)
    assert np.allclose(breadth, -mirrored, equal_nan=True)


def test_breadth_measures_a_return_by_the_volatility_before_it():
    price = pd.DataFrame({"ETH": 100 * np.exp(np.cumsum(np.append(np.tile([0.01, -0.01], 50), 0.02)))})
    assert alt_breadth(price, 10)[-1] == pytest.approx(np.tanh(2.0))


def test_a_coin_that_does_not_trade_yet_is_left_out():
    market = closes()
    late = market.assign(SOL=np.nan)
    assert np.allclose(alt_breadth(late, 36), alt_breadth(market[["ETH", "BNB"]], 36), equal_nan=True)
    assert np.isnan(alt_breadth(late[["SOL"]], 36)).all()


def test_breadth_does_not_change_when_candles_are_appended():
    market = closes()
    assert np.array_equal(alt_breadth(market.iloc[:200], 36), alt_breadth(market, 36)[:200], equal_nan=True)
