"""Market streams made from the tape as time passes: kline, aggTrade, bookTicker, partial depth.

Shapes: Binance's public reference, "WebSocket Streams".
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.simulator.answers import INTERVALS, Listing
from adaptive_pkg.simulator.book import best_prices, book_sides, levels_of
from adaptive_pkg.simulator.trades import last_id, trade_row, trades_between
from adaptive_pkg.simulator.wire import kline_row, stepped

logger = logging.getLogger(__name__)

_DEPTH = re.compile(r"^depth(5|10|20)(@100ms|@1000ms)?$")
UPDATE_MS = 2000  # a candle under way is sent this often; candles of one second twice as often
DEPTH_MS = 1000


@dataclass(frozen=True)
class Message:
    """One message of a stream. `key` names its content, whenever it is sent."""

    stream: str
    key: str
    data: Mapping[str, Any]


Source = Callable[[int, int], list[Message]]  # (after, until] in epoch ms → messages, oldest first


def source_of(stream: str, listings: Mapping[str, Listing]) -> Source | None:
    """What a stream of this name says; None where the venue has nothing to say, which Binance does not tell.

    One source belongs to one subscription: it remembers what it said last.
    """
    symbol, _, what = stream.partition("@")
    listing = listings.get(symbol.upper())
    if listing is None or not listing.tape.has_candles or symbol != symbol.lower():
        return None
    if what == "aggTrade":
        return _agg_trades(stream, listing)
    if what == "bookTicker":
        return _book_ticker(stream, listing)
    if match := _DEPTH.match(what):
        return _depth(stream, listing, int(match.group(1)))
    interval = what.removeprefix("kline_")
    if what.startswith("kline_") and interval in INTERVALS:
        try:
            return _klines(stream, listing, interval)
        except AdaptiveError as error:
            logger.warning("loopback venue: stream %s stays silent: %s", stream, error)
    return None


def _klines(stream: str, listing: Listing, interval: str) -> Source:
    tape, symbol = listing.tape, listing.market.symbol
    length = tape.series(interval).length_ms
    updated_ms = 0

    def message(opened: int, values: list[float], closed: bool, at_ms: int) -> Message:
        row = kline_row(opened, values, length)
        first = last_id(tape, opened - 1) + 1
        newest = last_id(tape, min(at_ms, opened + length - 1))
        candle = dict(zip(("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B"), row, strict=True))
        candle |= {"s": symbol, "i": interval, "x": closed, "f": first, "L": newest}
        candle["n"] = max(newest - first + 1, 0)
        data = {"e": "kline", "E": at_ms, "s": symbol, "k": candle}
        return Message(stream, f"{opened}|{'closed' if closed else at_ms}", data)

    def source(after_ms: int, until_ms: int) -> list[Message]:
        nonlocal updated_ms
        series = tape.series(interval)
        rows = series.between(after_ms - length + 1, until_ms - length)
        closed = zip(series.opened_ms[rows].tolist(), series.values[rows].tolist(), strict=True)
        found = [message(opened, values, True, opened + length) for opened, values in closed]
        if until_ms - updated_ms >= min(UPDATE_MS, length):
            opened, values = tape.candles(interval, None, None, 1, until_ms)
            if len(opened) and opened[0] + length > until_ms:
                updated_ms = until_ms
                found.append(message(int(opened[0]), values[0].tolist(), False, until_ms))
        return found

    return source


def _agg_trades(stream: str, listing: Listing) -> Source:
    market = listing.market

    def source(after_ms: int, until_ms: int) -> list[Message]:
        trades = trades_between(listing.tape, market.tick, market.lot, after_ms, until_ms)
        rows = [trade_row(trades, i, market) for i in range(len(trades))]
        head = {"e": "aggTrade", "s": market.symbol}
        return [Message(stream, str(row["a"]), head | {"E": row["T"]} | row) for row in rows]

    return source


def _book_ticker(stream: str, listing: Listing) -> Source:
    market = listing.market
    said: tuple[str, str] | None = None

    def source(after_ms: int, until_ms: int) -> list[Message]:
        nonlocal said
        price = listing.tape.price(until_ms)
        if price is None:
            return []
        bid, ask = (stepped(side, market.tick) for side in best_prices(price, market.tick, market.spread))
        if said == (bid, ask):
            return []
        said = (bid, ask)
        amount = stepped(max(1000 / price, market.lot), market.lot)
        data = {"u": until_ms, "s": market.symbol, "b": bid, "B": amount, "a": ask, "A": amount}
        return [Message(stream, str(until_ms), data)]

    return source


def _depth(stream: str, listing: Listing, levels: int) -> Source:
    market = listing.market
    said_ms = 0

    def source(after_ms: int, until_ms: int) -> list[Message]:
        nonlocal said_ms
        price = listing.tape.price(until_ms)
        if price is None or until_ms - said_ms < DEPTH_MS:
            return []
        said_ms = until_ms
        bids, asks, amounts = book_sides(price, listing.tape.day(until_ms), market, levels)
        sides = {"bids": levels_of(bids, amounts, market), "asks": levels_of(asks, amounts, market)}
        return [Message(stream, str(until_ms), {"lastUpdateId": until_ms} | sides)]

    return source
