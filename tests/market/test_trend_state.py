"""The share of long channels in a trend: what begins one, what ends one, and how far back it looks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.market.trend_state import trend_shares, trend_startup

LOOKBACKS = (5, 8)


def closes(*parts):
    return np.concatenate([np.asarray(part, dtype=float) for part in parts])


def walk(seed, n=400):
    return 100.0 * np.exp(np.random.default_rng(seed).normal(0, 0.01, n).cumsum())


def plain_share(close, lookbacks):
    """The definition, candle by candle."""
    shares = np.zeros(len(close))
    for n in lookbacks:
        last, since = False, 0
        for t in range(n, len(close)):
            before = close[t - n : t]
            if close[t] > before.max():
                last, since = True, t
            elif close[t] < (before.max() + before.min()) / 2:
                last, since = False, t
            shares[t] += last and t - since <= 2 * n
    return shares / len(lookbacks)


def test_a_new_high_begins_a_trend_and_a_close_below_the_middle_ends_it():
    close = closes([10, 11] * 6, [12, 13, 14], [13.9] * 2, [9])
    up, down = trend_shares(close, LOOKBACKS)
    assert up[11] == 0  # within the range
    assert up[12] == up[16] == 1  # a new high, and nothing against it since
    assert up[17] == 0 and down[17] == 1


def test_each_channel_counts_alone():
    close = closes([20] * 4, [10] * 8, [12])  # the highest of five, not of ten
    up, _ = trend_shares(close, (5, 10))
    assert up[-1] == 0.5


def test_nothing_is_said_before_a_channel_has_its_candles():
    up, down = trend_shares(np.arange(1.0, 9.0), (8,))
    assert not up.any() and not down.any()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_it_is_what_a_plain_reading_gives(seed):
    close = walk(seed)
    up, down = trend_shares(close, (7, 20, 31))
    np.testing.assert_array_equal(up, plain_share(close, (7, 20, 31)))
    np.testing.assert_array_equal(down, plain_share(-close, (7, 20, 31)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_it_knows_no_later_candle_and_needs_no_earlier_one_than_it_says(seed, cut):
    close, lookbacks = walk(seed), (7, 20)
    whole, _ = trend_shares(close, lookbacks)
    np.testing.assert_array_equal(trend_shares(close[: 400 - cut], lookbacks)[0], whole[: 400 - cut])
    need = trend_startup(lookbacks)
    np.testing.assert_array_equal(trend_shares(close[cut:], lookbacks)[0][need:], whole[cut:][need:])


def test_a_trend_without_news_is_forgotten():
    close = closes(range(10, 20), [19] * 80)
    up, _ = trend_shares(close, (8,))
    assert up[9] == up[9 + 16] == 1 and up[9 + 17] == 0


@pytest.mark.parametrize("lookbacks", [(5,), (5, 50)])
def test_the_start_up_covers_the_longest_channel_and_its_memory(lookbacks):
    assert trend_startup(lookbacks) == 3 * max(lookbacks) + 1
    assert trend_startup(()) == 1
