"""Callbacks that are spared freqtrade's copy of the trade must leave the trade itself alone."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from types import SimpleNamespace

import pytest
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

MARKED = ("order_filled", "adjust_trade_position", "custom_stoploss", "custom_exit", "custom_roi")


def snapshot(trade):
    """Everything a trade and its orders hold."""
    own = {name: deepcopy(value) for name, value in vars(trade).items() if name != "orders"}
    orders = [
        {name: value for name, value in vars(order).items() if not name.startswith("_")}
        for order in trade.orders
    ]
    return own, orders


@pytest.mark.parametrize("futures", [False, True])
def test_no_marked_callback_changes_its_trade(make_config, run_backtest, futures_config, futures):
    seen, changed = Counter(), []  # an assertion in a callback would be swallowed by freqtrade's wrapper

    def prepare(strategy):
        def watch(name):
            original = getattr(strategy, name)

            def callback(**question):
                before = snapshot(question["trade"])
                answer = original(**question)
                if snapshot(question["trade"]) != before:
                    changed.append((name, question["current_time"]))
                seen[name] += 1
                return answer

            setattr(strategy, name, callback)

        for name in MARKED:
            watch(name)

    run_backtest(make_config(futures_config if futures else {}), prepare)
    assert not changed
    assert set(seen) == set(MARKED)


def test_freqtrade_hands_marked_callbacks_the_trade_itself_and_others_a_copy(trader):
    """The reason for the mark; were it to vanish, backtests would be slower and nothing else."""
    trade = SimpleNamespace(orders=[])
    for name in MARKED:
        assert getattr(type(trader), name).__qualname__ == f"IStrategy.{name}"
    handed = []

    def mine(*, trade):
        handed.append(trade)

    strategy_safe_wrapper(mine, supress_error=True)(trade=trade)
    mine.__qualname__ = "IStrategy.mine"
    strategy_safe_wrapper(mine, supress_error=True)(trade=trade)
    assert handed[0] is not trade
    assert handed[1] is trade
