"""A trade as both a live bot and a backtest can show it: by candles, not by seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from adaptive_pkg.rehearsal.records import BotTrade


@dataclass(frozen=True)
class OrderView:
    """A filled order: its candle, side, tag, price and value in the stake currency."""

    candle: datetime
    side: str
    tag: str
    price: float
    value: float


@dataclass(frozen=True)
class TradeView:
    """A trade; `closed` and `exit_reason` are None and "" while it is open."""

    pair: str
    opened: datetime
    closed: datetime | None
    enter_tag: str
    exit_reason: str
    orders: tuple[OrderView, ...]

    @property
    def stake(self) -> float:
        """Value of the first entry."""
        return self.orders[0].value


def views_of_bot(trades: Iterable[BotTrade], length: timedelta, end: datetime) -> list[TradeView]:
    """A bot's trades as they stood at `end`."""
    views = []
    for trade in trades:
        orders = [order for order in trade.orders if order["filled"]]
        seen = tuple(
            OrderView(
                candle_of(order["order_filled_date"] or order["order_date"], length),
                order["ft_order_side"],
                order["ft_order_tag"] or "",
                float(order["average"] or order["price"]),
                float(order["average"] or order["price"]) * float(order["filled"]),
            )
            for order in orders
        )
        views.append(
            _cut(
                TradeView(
                    trade.pair,
                    candle_of(trade.open_date, length),
                    candle_of(trade.close_date, length) if trade.close_date else None,
                    trade.enter_tag or "",
                    (trade.exit_reason or "") if trade.close_date else "",
                    seen,
                ),
                end,
            )
        )
    return [view for view in views if view and view.orders]


def views_of_backtest(rows: Iterable[Mapping[str, Any]], length: timedelta, end: datetime) -> list[TradeView]:
    """A backtest's trades; the ones it closed because its candles ended count as open."""
    views = []
    for row in rows:
        still_open = row["exit_reason"] == "force_exit"
        orders = tuple(
            OrderView(
                candle_of(_from_ms(order["order_filled_timestamp"]), length),
                order["ft_order_side"],
                order.get("ft_order_tag") or "",
                float(order["safe_price"]),
                float(order["safe_price"]) * float(order["amount"]),
            )
            for order in row["orders"]
            if order["order_filled_timestamp"]
        )
        if still_open:
            orders = orders[:-1]
        views.append(
            _cut(
                TradeView(
                    row["pair"],
                    candle_of(pd.Timestamp(row["open_date"]).to_pydatetime(), length),
                    None
                    if still_open
                    else candle_of(pd.Timestamp(row["close_date"]).to_pydatetime(), length),
                    row["enter_tag"] or "",
                    "" if still_open else row["exit_reason"],
                    orders,
                ),
                end,
            )
        )
    return [view for view in views if view and view.orders]


def candle_of(moment: datetime, length: timedelta) -> datetime:
    """When the candle that holds a moment opened."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment.astimezone(UTC) - epoch) // length * length


def _cut(view: TradeView, end: datetime) -> TradeView | None:
    """What of a trade had happened by `end`."""
    if view.opened >= end:
        return None
    orders = tuple(order for order in view.orders if order.candle < end)
    if view.closed is None or view.closed < end:
        return TradeView(view.pair, view.opened, view.closed, view.enter_tag, view.exit_reason, orders)
    return TradeView(view.pair, view.opened, None, view.enter_tag, "", orders)


def _from_ms(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, UTC)
