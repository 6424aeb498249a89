"""Orders and positions at the exchange that the trade database does not know: nobody watches their stops.

freqtrade stores an order after the exchange has answered. A process killed in between, or an answer lost on
the way, leaves an order that freqtrade never looks for, and its next loop enters the same signal again.

Such orders are found and told, and the pair's entries wait; none is adopted, and none cancelled:

- freqtrade takes an unknown order in only through `FreqtradeBot.handle_onexchange_order` (`/reload_trade`),
  which needs a trade for it to belong to. A lost first entry has none, and only freqtrade's entry routine,
  which sends an order first, makes one: its fees, precision, leverage and funding would have to be written
  into freqtrade's tables from here, by rules that are freqtrade's and change with its versions.
- A lost rung or partial exit has its trade, but a strategy is given no `FreqtradeBot`, and the method may not
  run from a callback: it commits, and may delete, the trade freqtrade is just working on, and takes every
  order since the trade's opening for the bot's, also the owner's own. A person who has looked can call it:
  the message names `/reload_trade`.
- Cancelling needs no trade, but an order that nobody knows may be its owner's, placed by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LOOK_BACK = timedelta(days=1)  # how far a start looks back, at least
LONGEST_LOOK_BACK = timedelta(days=7)
UNDER_WAY = timedelta(seconds=15)  # a request this old has arrived or is refused: ccxt's recvWindow is 10 s
LOOK_AGAIN = timedelta(minutes=1)
DUST = 0.02  # part of an order's amount that fees and rounding may explain


class OrphanKind(StrEnum):
    """What is at the exchange and not in the database."""

    ORDER = "order"  # open: it may still fill
    POSITION = "position"  # filled, and what it bought is still there


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """An order as the exchange tells it. Amounts in base currency."""

    order_id: str
    side: str  # "buy" or "sell"
    is_open: bool
    amount: float
    filled: float
    price: float

    @property
    def sign(self) -> float:
        return 1.0 if self.side == "buy" else -1.0

    @classmethod
    def from_ccxt(cls, order: Mapping[str, Any]) -> SeenOrder:
        """Read ccxt's unified order. Missing numbers count as 0."""
        return cls(
            str(order["id"]),
            str(order["side"]),
            order.get("status") in ("open", None),
            float(order.get("amount") or 0.0),
            float(order.get("filled") or 0.0),
            float(order.get("average") or order.get("price") or 0.0),
        )


@dataclass(frozen=True, slots=True)
class PairBooks:
    """One pair as the exchange and as the database have it.

    Attributes:
        orders: the exchange's, back to before the first one that could be missing.
        known: ids of the database's orders of this pair.
        owned: base currency in the account, or the perpetual's position (below 0: short).
        held: the same as the database's open trades have it.
        trade_id: of the open trade, if there is one.
    """

    orders: tuple[SeenOrder, ...]
    known: frozenset[str]
    owned: float
    held: float
    trade_id: int | None = None


@dataclass(frozen=True, slots=True)
class Orphan:
    """One open order, or what is left of what unknown orders bought or sold.

    `amount`: base currency; below 0 for a sale or a short.
    """

    kind: OrphanKind
    pair: str
    order_ids: tuple[str, ...]
    amount: float
    price: float
    trade_id: int | None = None

    @property
    def text(self) -> str:
        """What it is, and what to do about it."""
        named, amount = ", ".join(self.order_ids), f"{abs(self.amount):.8g}"
        side = "buy" if self.amount > 0 else "sell"
        if self.kind is OrphanKind.ORDER:
            what, remedy = f"an open {side} order {named} of {amount} at {self.price:.8g}", "cancel it"
        else:
            what = f"{amount} from {side} order {named} at {self.price:.8g}, without a stop,"
            remedy = "close it"
        remedy += " at the exchange"
        if self.trade_id is not None:
            remedy = f"/reload_trade {self.trade_id} takes it in; or {remedy}"
        return f"{self.pair}: the exchange has {what} which the bot does not know; {remedy}"


def find_orphans(pair: str, books: PairBooks) -> tuple[Orphan, ...]:
    """What the database does not know of one pair.

    An unknown position counts only as far as the account owns more than the open trades do: one that was
    closed by hand is none, nor is a balance that no unknown order explains.
    """
    unknown = [order for order in books.orders if order.order_id not in books.known]
    found = [
        Orphan(
            OrphanKind.ORDER,
            pair,
            (order.order_id,),
            order.sign * (order.amount - order.filled),
            order.price,
            books.trade_id,
        )
        for order in unknown
        if order.is_open
    ]
    filled = [order for order in unknown if order.filled > 0.0]
    net = sum(order.sign * order.filled for order in filled)
    surplus = books.owned - books.held
    left = min(abs(net), abs(surplus))
    grown = net * surplus > 0.0 and abs(books.owned) > abs(books.held)  # an exit freqtrade finds by itself
    if grown and left > DUST * max(order.filled for order in filled):
        cause = [order for order in filled if order.sign * net > 0]
        ids = tuple(order.order_id for order in cause)
        signed = left if net > 0 else -left
        found.append(Orphan(OrphanKind.POSITION, pair, ids, signed, cause[-1].price, books.trade_id))
    return tuple(found)


class OrphanWatch:
    """Asks the exchange at a start, and whenever an order was sent of which nothing was heard.

    Between two of them it costs nothing. While a pair has an orphan, or the exchange does not answer for it,
    its entries are refused. One pair is asked about in a turn of the bot's loop, and after a failure none for
    a minute: stops are looked at after this.

    Args:
        read: (pair, since) → its books. Whatever it raises means that the exchange cannot be asked.
        known: pair → the database's orders of it, each with when it was placed.
    """

    def __init__(
        self,
        read: Callable[[str, datetime], PairBooks],
        known: Callable[[str], Mapping[str, datetime]],
    ) -> None:
        self._read, self._known = read, known
        self._sent: dict[str, tuple[datetime, frozenset[str]]] = {}  # pair: when, and what was known then
        self._since: dict[str, datetime] = {}  # pair: to be asked about, back to this moment
        self._found: dict[str, tuple[Orphan, ...]] = {}
        self._looked: dict[str, datetime] = {}
        self._failed_at: datetime | None = None  # when the exchange gave no answer last
        self._failure = ""

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        """What is known to be at the exchange and not in the database."""
        return tuple(orphan for found in self._found.values() for orphan in found)

    def start(self, pairs: Collection[str], now: datetime) -> None:
        """After a start every pair is to be asked about, in this order: see `unheard`."""
        for pair in pairs:
            last = max(self._known(pair).values(), default=now) - LOOK_AGAIN
            self._since[pair] = max(min(now - LOOK_BACK, last), now - LONGEST_LOOK_BACK)

    def sending(self, pair: str, now: datetime) -> None:
        """An order of this pair goes out now."""
        self._sent[pair] = now, frozenset(self._known(pair))

    def refusal(self, pair: str, now: datetime) -> str:
        """Why no order may be sent for the pair; empty where one may."""
        if reason := self._settle(pair, now):
            return reason
        return self._look(pair, now) if pair in self._since else ""

    def unheard(self, now: datetime) -> str:
        """Ask about one pair that is due, if any. Returns what to say: orphans, or that nobody answers."""
        late = [pair for pair, (sent, _) in self._sent.items() if now - sent >= UNDER_WAY]
        for pair in late:
            self._settle(pair, now)
        if self._rests(now):
            return ""
        pair = next((pair for pair in self._since if pair not in self._found), None)
        return "" if pair is None else self._look(pair, now)

    def before_order(self, pair: str, now: datetime) -> str:
        """Why no order may go out now. Empty: it does, and is looked for if nothing is heard of it."""
        if not (reason := self.refusal(pair, now)):
            self.sending(pair, now)
        return reason

    def _settle(self, pair: str, now: datetime) -> str:
        """Has the last order of the pair come to the database? Else it is to be looked for, or waited for."""
        if pair in self._sent:
            sent, known = self._sent[pair]
            if set(self._known(pair)) <= known:  # lost, or turned down
                if now - sent < UNDER_WAY:
                    return f"{pair}: nothing was heard of its last order, which may still be under way"
                self._since.setdefault(pair, sent - LOOK_AGAIN)
            del self._sent[pair]
        return ""

    def _look(self, pair: str, now: datetime) -> str:
        """Ask about one pair. Empty where all is well, and then it is not asked about any more."""
        looked = self._looked.get(pair)
        if pair not in self._found and self._rests(now):
            return f"{pair}: {self._failure}"
        if looked is None or now - looked >= LOOK_AGAIN or pair not in self._found:
            try:
                found = find_orphans(pair, self._read(pair, self._since[pair]))
            except Exception as error:
                self._failed_at = now
                self._failure = f"the exchange cannot be asked for orders the bot does not know: {error}"
                return f"{pair}: {self._failure}"
            self._looked[pair] = now
            if not found:
                self._found.pop(pair, None)
                del self._since[pair]
                return ""
            self._found[pair] = found
        return "; ".join(orphan.text for orphan in self._found[pair])

    def _rests(self, now: datetime) -> bool:
        return self._failed_at is not None and now - self._failed_at < LOOK_AGAIN


def read_books(
    pair: str, orders: Iterable[Mapping[str, Any]], trades: Iterable[Any], owned: float
) -> PairBooks:
    """The books from ccxt's orders and freqtrade's trades of the pair, open and closed."""
    trades = list(trades)
    open_trades = [trade for trade in trades if trade.is_open]
    return PairBooks(
        tuple(SeenOrder.from_ccxt(order) for order in orders),
        frozenset(known_orders(trades)),
        owned,
        sum((-1.0 if trade.is_short else 1.0) * (trade.amount or 0.0) for trade in open_trades),
        open_trades[0].id if open_trades else None,
    )


def known_orders(trades: Iterable[Any]) -> dict[str, datetime]:
    """Ids of the orders of freqtrade's trades, each with when it was placed."""
    return {str(order.order_id): order.order_date_utc for trade in trades for order in trade.orders}


def watch_bot(dp: Any, wallets: Any, trades: Callable[..., Iterable[Any]]) -> OrphanWatch | None:
    """A watch over a live bot's account; None in a dry run, whose orders cannot be lost.

    Args:
        dp, wallets: the strategy's.
        trades: freqtrade's `Trade.get_trades_proxy`.
    """

    if dp.runmode.value != "live":
        return None

    def read(pair: str, since: datetime) -> PairBooks:
        orders = dp._exchange.fetch_orders(pair, since)
        wallets.update()  # after the orders: a fill in between is then no surplus that they do not explain
        owned = wallets.get_owned(pair, pair.partition("/")[0])
        position = wallets.get_all_positions().get(pair)
        if position is not None and position.side == "short":  # freqtrade tells its size without a sign
            owned = -abs(owned)
        return read_books(pair, orders, trades(pair=pair), owned)

    return OrphanWatch(read, lambda pair: known_orders(trades(pair=pair)))
