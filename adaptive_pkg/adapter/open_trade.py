"""What is read of freqtrade's trades, live or in a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from adaptive_pkg.risk.ladder import FilledOrder, LadderState
from adaptive_pkg.risk.portfolio import LastExit


class OpenTrade(Protocol):
    """What is read of a trade; freqtrade's Trade and LocalTrade have it."""

    id: int
    pair: str
    open_date: datetime
    open_date_utc: datetime
    open_rate: float
    amount: float
    stake_amount: float
    leverage: float | None
    is_short: bool
    trade_direction: str
    entry_side: str
    enter_tag: str | None
    fee_open: float
    stop_loss: float
    is_stop_loss_trailing: bool
    has_open_orders: bool
    nr_of_successful_entries: int
    orders: Sequence[Any]

    def get_custom_data(self, key: str) -> Any: ...
    def set_custom_data(self, key: str, value: Any) -> None: ...
    def adjust_stop_loss(self, current_price: float, stoploss: float, *, allow_refresh: bool) -> None: ...


def last_exit(closed: Sequence[Any]) -> LastExit | None:
    """The latest exit of a pair's closed trades; None without any."""
    if not closed:
        return None
    last = max(closed, key=lambda trade: trade.close_date_utc)
    return LastExit(last.close_date_utc, last.trade_direction)


def trade_key(trade: OpenTrade) -> tuple:
    """What tells a trade from all others: a new backtest counts its ids from 1 again."""
    return trade.id, trade.pair, trade.open_date


def _filled(trade: OpenTrade) -> list[Any]:
    """Filled orders, oldest first."""
    done = [order for order in trade.orders if not order.ft_is_open and order.safe_filled]
    return sorted(done, key=lambda order: order.order_filled_utc or order.order_date_utc)


def ladder_state(trade: OpenTrade) -> LadderState:
    """Where the trade's ladder is, from its filled orders. Raises RiskError for unusable ones."""
    leverage = trade.leverage or 1.0
    return LadderState.from_orders(
        FilledOrder(
            order.ft_order_side == trade.entry_side,
            order.ft_order_tag,
            float(order.safe_price),
            float(order.safe_filled),
            float(order.safe_filled) * float(order.safe_price) / leverage,
        )
        for order in _filled(trade)
    )


def last_entry(trade: OpenTrade) -> datetime:
    """When the last entry order filled: stop states are measured from there (see `risk.ladder.rebase`)."""
    entries = [order for order in _filled(trade) if order.ft_order_side == trade.entry_side]
    filled = entries[-1].order_filled_utc if entries else None
    return filled or trade.open_date_utc


def ordered_since(trade: OpenTrade, moment: float) -> bool:
    """Whether an entry or exit order was placed at `moment` (seconds since 1970) or later."""
    return any(
        order.ft_order_side != "stoploss" and order.order_date_utc.timestamp() >= moment
        for order in trade.orders
    )


def stop_distance(stop: float, rate: float, trade: OpenTrade) -> float:
    """What freqtrade computes a stop from: its distance from `rate`, as margin. 0: `rate` is at or beyond it.

    A hair more than the distance, or rounding errors would move the stop by a tick from call to call.
    """
    sign = -1.0 if trade.is_short else 1.0
    return max(sign * (1.0 - stop / rate), 0.0) * (trade.leverage or 1.0) * (1.0 + 1e-9)
