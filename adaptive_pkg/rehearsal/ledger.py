"""The bot's trade database beside the venue's ledger: what one has and the other has not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from adaptive_pkg.rehearsal.records import BotTrade

DUST = 0.005  # part of an amount that fees and lots may take
_OPEN = ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue has it. Times in epoch ms of its clock, amounts in base currency."""

    order_id: str
    pair: str
    buys: bool
    is_open: bool
    amount: float
    filled: float
    placed_ms: int

    @property
    def counts(self) -> bool:
        """It has changed the account, or still may."""
        return self.is_open or self.filled > 0.0


@dataclass(frozen=True)
class Differences:
    """What does not agree. Nothing in it: nothing was lost and nothing doubled.

    Attributes:
        unknown: venue's orders that are open or filled, and not in the database.
        unknown_at_venue: ids of the database's orders that the venue never had.
        doubled: venue's entries in the same candle as an earlier one of that pair, neither of them a rung.
        balances: pair → what the account has too much (above 0) or too little of the base currency.
    """

    unknown: tuple[VenueOrder, ...] = ()
    unknown_at_venue: tuple[str, ...] = ()
    doubled: tuple[VenueOrder, ...] = ()
    balances: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.unknown or self.unknown_at_venue or self.doubled or self.balances)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def venue_orders(account: Mapping[str, Any], pairs: Iterable[str]) -> tuple[VenueOrder, ...]:
    """Every order of an account as `Rehearsal.account` tells it, oldest first."""
    names = {pair.replace("/", ""): pair for pair in pairs}
    return tuple(
        VenueOrder(
            str(row["orderId"]),
            names[row["symbol"]],
            row["side"] == "BUY",
            row["status"] in _OPEN,
            float(row["origQty"]),
            float(row["executedQty"]),
            row["time"],
        )
        for row in account["orders"]
    )


def owned(account: Mapping[str, Any], pairs: Iterable[str]) -> dict[str, float]:
    """Pair → base currency in the account, free and locked."""
    amounts = {row["asset"]: float(row["free"]) + float(row["locked"]) for row in account["balances"]}
    return {pair: amounts.get(pair.partition("/")[0], 0.0) for pair in pairs}


def compare(
    venue: Sequence[VenueOrder],
    trades: Sequence[BotTrade],
    balances: Mapping[str, float],
    *,
    candle_ms: int,
    by_hand: Iterable[str] = (),
) -> Differences:
    """Set the database beside the ledger.

    Args:
        balances: pair → base currency in the account. See `owned`.
        candle_ms: the timeframe's length: two entries within one candle are one signal taken twice.
        by_hand: ids of the venue's orders that somebody has dealt with; they are left out.
    """
    by_hand = frozenset(by_hand)
    known = {(o["ft_pair"], str(o["order_id"])): o for trade in trades for o in trade.orders}
    seen = {(order.pair, order.order_id) for order in venue}
    counted = [order for order in venue if order.order_id not in by_hand]
    held: dict[str, float] = defaultdict(float)
    for trade in trades:
        if trade.is_open:
            held[trade.pair] += trade.amount or 0.0
    too_much = {}
    for pair, there in balances.items():
        own = [order for order in venue if order.pair == pair]
        # what an open order has filled is in the account and not yet in its trade; every order leaves dust
        slack = sum(order.filled for order in own if order.is_open)
        slack += DUST * max([held[pair], *(order.amount for order in own)])
        if abs(there - held[pair]) > slack:
            too_much[pair] = there - held[pair]
    return Differences(
        tuple(order for order in counted if order.counts and (order.pair, order.order_id) not in known),
        tuple(number for pair, number in known if (pair, number) not in seen),
        _doubled(counted, known, candle_ms),
        too_much,
    )


def _doubled(
    venue: Sequence[VenueOrder], known: Mapping[tuple[str, str], Mapping[str, Any]], candle_ms: int
) -> tuple[VenueOrder, ...]:
    found: list[VenueOrder] = []
    last: dict[str, VenueOrder] = {}
    for order in venue:
        tag = known.get((order.pair, order.order_id), {}).get("ft_order_tag") or ""
        if not order.buys or not order.counts or tag.startswith("rung"):
            continue
        before = last.get(order.pair)
        if before and before.placed_ms // candle_ms == order.placed_ms // candle_ms:
            found.append(order)
        last[order.pair] = order
    return tuple(found)
