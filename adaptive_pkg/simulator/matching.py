"""Orders matched against the replayed candles: triggers, fills by volume share, fees, balances.

A resting limit order is filled at its own price by the trades that touch it, each of which leaves it a seeded
part of its amount. A taking order meets the book that `depth` shows at that moment; the book is whole again
afterwards. The outcome depends on the candles, the seed and the orders' times, not on how often one looks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

import numpy as np

from adaptive_pkg.simulator.answers import Listing
from adaptive_pkg.simulator.book import resting
from adaptive_pkg.simulator.filters import Ticket, step_of
from adaptive_pkg.simulator.orders import Fill, Kind, Order, Side, Status
from adaptive_pkg.simulator.trades import Trades, trades_between
from adaptive_pkg.simulator.wallet import ZERO, Wallet, plain_decimal
from adaptive_pkg.simulator.wire import BinanceError

Notify = Callable[[dict[str, Any]], None]
_SATOSHI = Decimal("0.00000001")


@dataclass(frozen=True)
class Terms:
    """How the venue fills and what it charges.

    `maker_fee`, `taker_fee`: parts of what a fill yields, taken in the currency received.
    `volume_share`: bounds of the part of each trade's amount that resting orders get, drawn per trade.
    """

    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    volume_share: tuple[float, float] = (0.05, 0.25)
    seed: int = 0


class Matching:
    """One account's orders on every listed spot market.

    Args:
        listings: Binance symbol → market and tape.
        wallet: pays and is paid.
        notify: called with every message of the user's stream, in order.
    """

    def __init__(
        self, listings: Mapping[str, Listing], wallet: Wallet, terms: Terms, notify: Notify | None = None
    ):
        self.orders: dict[int, Order] = {}
        self.wallet = wallet
        self.terms = terms
        self._listings = listings
        self._notify = notify or (lambda message: None)
        self._open: dict[str, dict[int, Order]] = {}
        self._at_ms = -1
        self._trade_id = 0

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Orders that may still fill, oldest first; of all markets without a symbol."""
        chosen = self._open.values() if symbol is None else [self._open.get(symbol, {})]
        return sorted((order for book in chosen for order in book.values()), key=lambda o: o.order_id)

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """The order of that id, else the newest of that client id."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order is not None and order.market.symbol == symbol else None
        named = (o for o in self.orders.values() if o.client_id == client_id and o.market.symbol == symbol)
        return max(named, key=lambda order: order.order_id, default=None)

    # --- time -------------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Let every trade up to now meet the open orders. A clock that goes back changes nothing."""
        if now_ms <= self._at_ms:
            return
        for symbol, book in list(self._open.items()):
            listing = self._listings[symbol]
            if book and listing.tape.has_candles:
                market = listing.market
                trades = trades_between(listing.tape, market.tick, market.lot, self._at_ms, now_ms)
                self._meet(listing, book, trades)
        self._at_ms = now_ms

    def _meet(self, listing: Listing, book: dict[int, Order], trades: Trades) -> None:
        if not len(trades):
            return
        levels = [float(p) for order in book.values() for p in (order.price, order.stop_price) if p]
        touched = np.zeros(len(trades), bool)
        for level in levels:  # trades that can matter: on the far side of a level from where orders wait
            touched |= self._sides(book, level, trades.prices)
        for i in np.flatnonzero(touched):
            if not book:
                return
            self._meet_one(
                listing,
                book,
                int(trades.ids[i]),
                int(trades.times_ms[i]),
                _on_grid(float(trades.prices[i]), listing.market.tick),
                float(trades.amounts[i]),
            )

    @staticmethod
    def _sides(book: dict[int, Order], level: float, prices: np.ndarray) -> np.ndarray:
        slack = level * 1e-9
        below = above = False
        for order in book.values():
            if float(order.price) == level:
                below, above = below or order.buys, above or not order.buys
            if float(order.stop_price) == level and not order.working:
                falls = _falls(order)
                below, above = below or falls, above or not falls
        return ((prices <= level + slack) & below) | ((prices >= level - slack) & above)

    def _meet_one(
        self,
        listing: Listing,
        book: dict[int, Order],
        trade_id: int,
        at_ms: int,
        price: Decimal,
        amount: float,
    ) -> None:
        market = listing.market
        low, high = self.terms.volume_share
        draw = random.Random(f"{self.terms.seed}|{market.symbol}|{trade_id}").random()
        lot = step_of(market.lot)
        share = max(Decimal(amount * (low + (high - low) * draw)) // lot, Decimal(1)) * lot
        for order in sorted(book.values(), key=lambda o: (-o.price if o.buys else o.price, o.order_id)):
            if not order.working:
                if price <= order.stop_price if _falls(order) else price >= order.stop_price:
                    order.working = True
                    order.updated_ms = at_ms
                    self._take(order, listing, float(price), at_ms)
            elif (price <= order.price if order.buys else price >= order.price) and share > 0:
                part = min(order.left, share)
                share -= part
                self._fill(order, order.price, part, at_ms, maker=True)

    # --- what the client does ---------------------------------------------------------------------------

    def place(self, ticket: Ticket, listing: Listing, last: float, now_ms: int) -> Order:
        """Accept an order and fill what can be filled at once.

        Raises:
            BinanceError: -2010 for a client id that is in use, too little balance, a stop that would trigger
                at once, or a LIMIT_MAKER that would take.
        """
        self.advance(now_ms)
        if ticket.client_id and any(o.client_id == ticket.client_id for o in self.open_orders()):
            raise BinanceError(-2010, "Duplicate order sent.")
        number = len(self.orders) + 1
        order = Order(
            number,
            ticket.client_id or f"venue{number:08d}",
            listing.market,
            ticket.side,
            ticket.kind,
            ticket.time_in_force,
            ticket.price,
            ticket.amount,
            ticket.stop_price,
            now_ms,
            quote_amount=ticket.quote_amount,
            working=not ticket.kind.waits,
            updated_ms=now_ms,
        )
        price = _on_grid(last, listing.market.tick)
        if order.kind.waits and (price <= order.stop_price if _falls(order) else price >= order.stop_price):
            raise BinanceError(-2010, "Stop price would trigger immediately.")
        reachable = self._reachable(order, listing, last, now_ms) if order.working else []
        if order.kind is Kind.LIMIT_MAKER and reachable:
            raise BinanceError(-2010, "Order would immediately match and take.")
        if order.kind is Kind.MARKET and order.quote_amount:
            order.amount = sum((amount for _, amount in reachable), ZERO)
            if not order.amount:
                raise BinanceError(-1013, "Filter failure: LOT_SIZE")
        self._lock(order, reachable)
        self.orders[number] = order
        self._open.setdefault(listing.market.symbol, {})[number] = order
        self._tell(order, "NEW", now_ms)
        if order.working:
            killed = order.time_in_force == "FOK" and sum((a for _, a in reachable), ZERO) < order.amount
            for level, amount in [] if killed else reachable:
                self._fill(order, level, amount, now_ms, maker=False)
            if order.status.is_open and (order.kind.is_market or order.time_in_force != "GTC"):
                self._end(order, Status.EXPIRED, now_ms)
        return order

    def cancel(self, order: Order, now_ms: int, client_id: str = "") -> None:
        """Take an order back. Raises BinanceError -2011 where it is over."""
        self.advance(now_ms)
        if not order.status.is_open:
            raise BinanceError(-2011, "Unknown order sent.")
        self._end(order, Status.CANCELED, now_ms, client_id)

    # --- inside -----------------------------------------------------------------------------------------

    def _reachable(
        self, order: Order, listing: Listing, last: float, now_ms: int
    ) -> list[tuple[Decimal, Decimal]]:
        """(price, amount) of the book's levels that the order can take, best first."""
        found: list[tuple[Decimal, Decimal]] = []
        left, money, lot = order.left, order.quote_amount, step_of(listing.market.lot)
        for price, amount in resting(last, listing.tape.day(now_ms), listing.market, asks=order.buys):
            if not order.kind.is_market and (price > order.price if order.buys else price < order.price):
                break
            part = min(amount, (money / price) // lot * lot) if order.quote_amount else min(amount, left)
            if part <= 0:
                break
            found.append((price, part))
            left, money = left - part, money - part * price
        return found

    def _lock(self, order: Order, reachable: list[tuple[Decimal, Decimal]]) -> None:
        if not order.buys:
            needed = order.amount
        elif order.kind is Kind.MARKET:
            needed = sum((price * amount for price, amount in reachable), ZERO)
        else:
            needed = order.amount * (order.price or order.stop_price)
        self.wallet.lock(order.spends, needed)
        order.locked = needed

    def _take(self, order: Order, listing: Listing, last: float, at_ms: int) -> None:
        """A stop price was reached: the order meets the book as it is now."""
        reachable = self._reachable(order, listing, last, at_ms)
        if order.kind.is_market and order.buys:  # what was locked at the stop price need not be enough
            self._free(order, order.locked)
            try:
                self._lock_exactly(order, sum((price * amount for price, amount in reachable), ZERO))
            except BinanceError:
                self._end(order, Status.EXPIRED, at_ms)
                return
        for price, amount in reachable:
            self._fill(order, price, amount, at_ms, maker=False)
        if order.status.is_open and order.kind.is_market:
            self._end(order, Status.EXPIRED, at_ms)

    def _lock_exactly(self, order: Order, needed: Decimal) -> None:
        self.wallet.lock(order.spends, needed)
        order.locked = needed

    def _fill(self, order: Order, price: Decimal, amount: Decimal, at_ms: int, maker: bool) -> None:
        self._trade_id += 1
        rate = self.terms.maker_fee if maker else self.terms.taker_fee
        paid, got = (price * amount, amount) if order.buys else (amount, price * amount)
        fee = (got * rate).quantize(_SATOSHI, ROUND_DOWN)
        fill = Fill(self._trade_id, at_ms, price, amount, fee, order.receives, maker)
        self.wallet.spend(order.spends, paid)
        order.locked -= paid
        self.wallet.receive(order.receives, got - fee)
        order.fills.append(fill)
        order.updated_ms = at_ms
        if order.buys and order.price:  # filled below its limit: the rest of the lock is not needed
            self._free(order, max(order.locked - order.price * order.left, ZERO))
        if order.left:
            order.status = Status.PARTIALLY_FILLED
            self._tell(order, "TRADE", at_ms, fill)
        else:
            self._end(order, Status.FILLED, at_ms, fill=fill)

    def _free(self, order: Order, amount: Decimal) -> None:
        self.wallet.release(order.spends, amount)
        order.locked -= amount

    def _end(
        self, order: Order, status: Status, at_ms: int, client_id: str = "", fill: Fill | None = None
    ) -> None:
        order.status, order.updated_ms = status, at_ms
        self._free(order, order.locked)
        del self._open[order.market.symbol][order.order_id]
        self._tell(order, "TRADE" if status is Status.FILLED else status.value, at_ms, fill, client_id)

    def _tell(
        self, order: Order, execution: str, at_ms: int, fill: Fill | None = None, client_id: str = ""
    ) -> None:
        self._notify(order.report(execution, at_ms, fill, client_id))
        balances = [
            {"a": a, "f": plain_decimal(self.wallet.free(a)), "l": plain_decimal(self.wallet.locked(a))}
            for a in (order.market.base, order.market.quote)
        ]
        self._notify({"e": "outboundAccountPosition", "E": at_ms, "u": at_ms, "B": balances})


def _falls(order: Order) -> bool:
    """Whether the stop price is reached from above: a stop-loss that sells, a take-profit that buys."""
    return (order.side is Side.SELL) == order.kind.startswith("STOP")


def _on_grid(price: float, tick: float) -> Decimal:
    step = step_of(tick)
    return (Decimal(price) / step).to_integral_value() * step
