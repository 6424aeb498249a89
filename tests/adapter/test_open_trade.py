"""What is read of a trade's orders: only what has filled counts, and in the order in which it filled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from ccxt import TICK_SIZE
from freqtrade.persistence import LocalTrade

from adaptive_pkg.adapter.open_trade import (
    ladder_state,
    last_entry,
    last_exit,
    ordered_since,
    stop_distance,
    trade_key,
)
from adaptive_pkg.errors import RiskError

OPENED = datetime(2023, 5, 1, 10, tzinfo=UTC)


def order(side="buy", tag=None, price=100.0, amount=1.0, hours=0.0, is_open=False, filled=None):
    when = OPENED + timedelta(hours=hours)
    return SimpleNamespace(
        ft_order_side=side, ft_order_tag=tag, safe_price=price, safe_filled=amount, ft_is_open=is_open,
        order_date_utc=when, order_filled_utc=when if filled is None else filled,
    )  # fmt: skip


def trade(*orders, leverage=1.0, **fields):
    values = {"id": 7, "pair": "BTC/USDT", "open_date": OPENED, "open_date_utc": OPENED, "entry_side": "buy"}
    return SimpleNamespace(**{**values, "orders": list(orders), "leverage": leverage, **fields})


def test_open_and_empty_orders_are_not_held():
    state = ladder_state(
        trade(order(), order(tag="rung 1", is_open=True), order(tag="rung 2", amount=0.0, hours=1))
    )
    assert state.entry.amount == 1.0
    assert state.stake == 100.0


def test_orders_count_in_the_order_they_filled():
    """A sale of a rung that is listed before its purchase is still taken from that rung."""
    bought, sold = order(tag="rung 1", hours=1), order("sell", "sell rung 1", 101.0, hours=2)
    state = ladder_state(trade(sold, order(), bought))
    assert state.rung(1).amount == 0.0
    assert state.entry.amount == 1.0


@pytest.mark.parametrize("leverage", [None, 1.0, 4.0])
def test_stake_is_value_over_leverage(leverage):
    assert ladder_state(trade(order(amount=2.0), leverage=leverage)).stake == 200.0 / (leverage or 1.0)


def test_a_fill_without_a_price_is_an_error():
    with pytest.raises(RiskError, match="price"):
        ladder_state(trade(order(price=float("nan"))))


def test_the_last_entry_is_the_last_filled_purchase():
    assert last_entry(trade()) == OPENED
    held = trade(order(), order(tag="rung 1", hours=3), order("sell", hours=5), order(hours=6, is_open=True))
    assert last_entry(held) == OPENED + timedelta(hours=3)


def test_orders_since_a_moment_are_entries_and_exits_whatever_became_of_them():
    held = trade(order(), order("sell", hours=2), order("stoploss", hours=4))
    at = (OPENED + timedelta(hours=2)).timestamp()
    assert ordered_since(held, at)
    assert not ordered_since(held, at + 1)  # a stop order at the exchange is none of the ladder's
    assert ordered_since(trade(order(hours=3, amount=0.0, is_open=True)), at)


def test_the_last_exit_is_the_latest_whatever_the_order_of_the_trades():
    closed = [
        SimpleNamespace(close_date_utc=OPENED + timedelta(hours=h), trade_direction=side)
        for h, side in ((3, "long"), (9, "short"), (5, "long"))
    ]
    assert last_exit(closed).side == "short"
    assert last_exit(closed).when == OPENED + timedelta(hours=9)
    assert last_exit([]) is None


def test_a_trade_is_told_by_more_than_its_number():
    first, other = trade(), trade(pair="ETH/USDT")
    assert trade_key(first) != trade_key(other)
    assert trade_key(first) != trade_key(trade(open_date=OPENED + timedelta(hours=1)))
    assert trade_key(first) == trade_key(trade(order()))


@pytest.mark.parametrize("short", [False, True])
def test_freqtrade_computes_the_very_stop_from_the_distance_whatever_the_rate(short):
    """No tick is lost or won by rounding: a stop that moves by itself would be called a trailing one."""
    rng = np.random.default_rng(1)
    for stop, away in zip(rng.integers(5_000, 20_000, 500) / 100, rng.uniform(0.001, 0.2, 500), strict=True):
        held = LocalTrade(
            pair="BTC/USDT", open_rate=100.0, fee_open=0.001, fee_close=0.001, is_short=short, leverage=3.0,
            stake_amount=10.0, amount=0.1, price_precision=0.01, precision_mode_price=TICK_SIZE,
        )  # fmt: skip
        rate = stop * (1 - away if short else 1 + away)
        held.adjust_stop_loss(rate, stop_distance(stop, rate, held), allow_refresh=True)
        assert held.stop_loss == pytest.approx(stop, abs=1e-9)


def test_a_stop_beyond_the_rate_has_no_distance():
    assert stop_distance(101.0, 100.0, trade(is_short=False)) == 0.0
    assert stop_distance(99.0, 100.0, trade(is_short=True)) == 0.0
    assert stop_distance(99.0, 100.0, trade(is_short=False, leverage=4.0)) == pytest.approx(0.04)
