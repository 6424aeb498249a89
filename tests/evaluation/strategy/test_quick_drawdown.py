"""The quick drawdown is freqtrade's own, bit for bit, and stands in for it only while a backtest runs."""

import pandas as pd
import pytest
from freqtrade.data.metrics import calculate_max_drawdown
from freqtrade.plugins.protections import max_drawdown_protection
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.evaluation.strategy.quick_drawdown import quick_max_drawdown, quick_protections

# hours that collide, so that the order of trades closing together matters
TRADES = st.lists(st.tuples(st.integers(0, 30), st.floats(-400.0, 500.0)), min_size=1, max_size=80)


def frame(trades):
    hours, profits = zip(*trades, strict=True)
    start = pd.Timestamp("2023-01-01", tz="UTC")
    return pd.DataFrame({"close_date": [start + pd.Timedelta(hours=h) for h in hours], "profit_abs": profits})


@given(trades=TRADES, balance=st.sampled_from([0.0, 5_000.0, 10_000.0]), relative=st.booleans())
def test_it_gives_the_same_numbers(trades, balance, relative):
    options = {"starting_balance": balance, "relative": relative, "value_col": "profit_abs"}
    ours, theirs = (
        quick_max_drawdown(frame(trades), **options),
        calculate_max_drawdown(frame(trades), **options),
    )
    for name in ("drawdown_abs", "relative_account_drawdown"):
        mine, own = getattr(ours, name), getattr(theirs, name)
        assert mine == own or (mine != mine and own != own)


def test_no_trades_are_refused_as_freqtrade_does():
    with pytest.raises(ValueError, match="empty"):
        quick_max_drawdown(frame([(1, 1.0)]).iloc[:0], starting_balance=1.0, relative=True)


def test_it_stands_in_only_for_as_long_as_asked():
    with pytest.raises(RuntimeError), quick_protections():
        assert max_drawdown_protection.calculate_max_drawdown is quick_max_drawdown
        raise RuntimeError
    assert max_drawdown_protection.calculate_max_drawdown is calculate_max_drawdown
