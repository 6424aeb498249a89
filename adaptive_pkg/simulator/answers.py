"""Binance's market-data endpoints as functions of the candles, the query and the clock.

Shapes, defaults and error codes: Binance's public API reference, "Market Data endpoints" and "Error codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.simulator.book import best_prices, book_sides, levels_of
from adaptive_pkg.simulator.candles import Book, CandleStore
from adaptive_pkg.simulator.markets import Market, exchange_info, market_of
from adaptive_pkg.simulator.replay import USUAL, Replay
from adaptive_pkg.simulator.tape import DAY_MS, HOUR_MS, Day, Tape
from adaptive_pkg.simulator.trades import last_id, trade_row, trades_from
from adaptive_pkg.simulator.wire import BinanceError, integer_of, kline_row, plain, stepped, text_of

FUNDING_MS = 8 * HOUR_MS

INTERVALS = (
    *("1s", "1m", "3m", "5m", "15m", "30m"),
    *("1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"),
)


@dataclass(frozen=True)
class Listing:
    """One listed market with its tape."""

    market: Market
    tape: Tape


class Answers:
    """Answers of one book (spot or perpetual) from candle files. Unlisted symbols raise BinanceError."""

    def __init__(
        self,
        store: CandleStore,
        pairs: tuple[str, ...],
        book: Book,
        rate_limits: list[dict[str, Any]] | None = None,
        replay: Replay = USUAL,
    ):
        self._book = book
        self._store = store
        self._rate_limits = rate_limits
        tapes = {pair: Tape(store, pair, replay.path) for pair in pairs}
        self._listings = {
            listing.market.symbol: listing
            for listing in (
                Listing(market_of(pair, tape, replay.spread), tape) for pair, tape in tapes.items()
            )
        }

    @property
    def listings(self) -> Mapping[str, Listing]:
        """Binance symbol → market and tape."""
        return self._listings

    def listing(self, query: Mapping[str, str]) -> Listing:
        """The one that `symbol` names. Raises BinanceError -1121."""
        return self._listing(query)

    def last_price(self, listing: Listing, now_ms: int) -> float:
        """Its last price. Raises BinanceError before its first candle."""
        return self._price(listing, now_ms)

    def ping(self, query: Mapping[str, str], now_ms: int) -> Any:
        return {}

    def time(self, query: Mapping[str, str], now_ms: int) -> Any:
        return {"serverTime": now_ms}

    def exchange_info(self, query: Mapping[str, str], now_ms: int) -> Any:
        chosen = [self._listing(query)] if "symbol" in query else list(self._listings.values())
        markets = [listing.market for listing in chosen]
        return exchange_info(markets, now_ms, self._book, self._rate_limits)

    def klines(self, query: Mapping[str, str], now_ms: int) -> Any:
        listing = self._listing(query)
        interval = text_of(query, "interval")
        if interval not in INTERVALS:
            raise BinanceError(-1120, "Invalid interval.")
        top = 1000 if self._book is Book.SPOT else 1500
        limit = min(integer_of(query, "limit", 500), top)
        start, end = integer_of(query, "startTime"), integer_of(query, "endTime")
        if not listing.tape.has_candles or limit == 0:
            return []
        try:
            opened, values = listing.tape.candles(interval, start, end, limit, now_ms)
            length_ms = listing.tape.series(interval).length_ms
        except (DataError, SettingsError) as error:
            raise BinanceError(-1120, f"Invalid interval. ({error})") from error
        return [
            kline_row(int(time), row, length_ms) for time, row in zip(opened, values.tolist(), strict=True)
        ]

    def agg_trades(self, query: Mapping[str, str], now_ms: int) -> Any:
        """The trades inside the candles: from an id, from a time, or the latest."""
        listing, tape = self._listing(query), self._listing(query).tape
        limit = min(integer_of(query, "limit", 500), 1000)
        if not tape.has_candles:
            return []
        market, start, end = listing.market, integer_of(query, "startTime"), integer_of(query, "endTime")
        first = integer_of(query, "fromId")
        until = now_ms if end is None else min(end, now_ms)
        if first is None and start is not None:
            first = last_id(tape, start - 1) + 1
        if first is None:
            first = max(last_id(tape, until) - limit + 1, 0)
        trades = trades_from(tape, market.tick, market.lot, first, limit, until)
        return [trade_row(trades, i, market) for i in range(len(trades))]

    def average_price(self, query: Mapping[str, str], now_ms: int) -> Any:
        """The last price; Binance averages it over five minutes."""
        listing = self._listing(query)
        price = stepped(self._price(listing, now_ms), listing.market.tick)
        return {"mins": 5, "price": price, "closeTime": now_ms}

    def depth(self, query: Mapping[str, str], now_ms: int) -> Any:
        listing = self._listing(query)
        limit = min(integer_of(query, "limit", 100), 5000 if self._book is Book.SPOT else 1000)
        market = listing.market
        bids, asks, amounts = book_sides(
            self._price(listing, now_ms), listing.tape.day(now_ms), market, limit
        )
        body = {
            "lastUpdateId": now_ms,
            "bids": levels_of(bids, amounts, market),
            "asks": levels_of(asks, amounts, market),
        }
        return body if self._book is Book.SPOT else {**body, "E": now_ms, "T": now_ms}

    def book_ticker(self, query: Mapping[str, str], now_ms: int) -> Any:
        """Best bid and ask. Perpetuals carry a time, by which clients tell the two books apart."""
        stamp = {} if self._book is Book.SPOT else {"time": now_ms, "lastUpdateId": now_ms}
        return self._each(query, now_ms, lambda item, price: self._book_ticker(item, price) | stamp)

    def ticker_price(self, query: Mapping[str, str], now_ms: int) -> Any:
        stamp = {} if self._book is Book.SPOT else {"time": now_ms}

        def entry(item: Listing, price: float) -> dict[str, Any]:
            return {"symbol": item.market.symbol, "price": stepped(price, item.market.tick)} | stamp

        return self._each(query, now_ms, entry)

    def ticker_24hr(self, query: Mapping[str, str], now_ms: int) -> Any:
        return self._each(query, now_ms, lambda item, _: self._ticker_24hr(item, now_ms))

    def premium_index(self, query: Mapping[str, str], now_ms: int) -> Any:
        """Mark price, here the last price, and the last funding rate paid."""

        def entry(item: Listing, price: float) -> dict[str, Any]:
            paid = self._funding(item, 0, now_ms)
            return {
                "symbol": item.market.symbol,
                "markPrice": stepped(price, item.market.tick),
                "indexPrice": stepped(price, item.market.tick),
                "estimatedSettlePrice": stepped(price, item.market.tick),
                "lastFundingRate": plain(paid[-1][1]) if paid else "0",
                "interestRate": "0.0001",
                "nextFundingTime": (now_ms // FUNDING_MS + 1) * FUNDING_MS,
                "time": now_ms,
            }

        return self._each(query, now_ms, entry)

    def funding_rate(self, query: Mapping[str, str], now_ms: int) -> Any:
        listing = self._listing(query)
        start, end = integer_of(query, "startTime"), integer_of(query, "endTime")
        limit = min(integer_of(query, "limit", 100), 1000)
        paid = self._funding(listing, start or 0, min(now_ms, now_ms if end is None else end))
        paid = paid[:limit] if start is not None else paid[-limit:]
        return [
            {"symbol": listing.market.symbol, "fundingTime": time, "fundingRate": plain(rate)}
            for time, rate in paid
        ]

    def leverage_bracket(self, query: Mapping[str, str], now_ms: int) -> Any:
        """One made-up ladder for every perpetual: up to 20 × below 50,000, then 10 × and 5 ×."""
        steps = [
            (20, 0, 50_000, 0.01, 0),
            (10, 50_000, 500_000, 0.025, 750),
            (5, 500_000, 10**9, 0.05, 13250),
        ]
        brackets = [
            {
                "bracket": number,
                "initialLeverage": leverage,
                "notionalFloor": floor,
                "notionalCap": cap,
                "maintMarginRatio": ratio,
                "cum": cum,
            }
            for number, (leverage, floor, cap, ratio, cum) in enumerate(steps, 1)
        ]
        return [{"symbol": symbol, "brackets": brackets} for symbol in self._listings]

    def _listing(self, query: Mapping[str, str]) -> Listing:
        symbol = text_of(query, "symbol")
        if symbol not in self._listings:
            raise BinanceError(-1121, "Invalid symbol.")
        return self._listings[symbol]

    def _each(self, query: Mapping[str, str], now_ms: int, entry: Any) -> Any:
        """One body for `symbol`, else a list: of `symbols` (a JSON list), or of all that have traded."""
        if "symbol" in query:
            listing = self._listing(query)
            return entry(listing, self._price(listing, now_ms))
        wanted = [name.strip(' "') for name in query.get("symbols", "").strip("[]").split(",") if name]
        listings = [self._listing({"symbol": name}) for name in wanted] or list(self._listings.values())
        priced = [(item, item.tape.price(now_ms)) for item in listings if item.tape.has_candles]
        return [entry(item, price) for item, price in priced if price is not None]

    def _price(self, listing: Listing, now_ms: int) -> float:
        price = listing.tape.price(now_ms) if listing.tape.has_candles else None
        if price is None:
            raise BinanceError(-1000, f"No candle of {listing.market.pair} before this time.")
        return price

    def _book_ticker(self, item: Listing, price: float) -> dict[str, Any]:
        bid, ask = best_prices(price, item.market.tick, item.market.spread)
        amount = stepped(max(1000 / price, item.market.lot), item.market.lot)
        return {
            "symbol": item.market.symbol,
            "bidPrice": stepped(bid, item.market.tick),
            "bidQty": amount,
            "askPrice": stepped(ask, item.market.tick),
            "askQty": amount,
        }

    def _ticker_24hr(self, item: Listing, now_ms: int) -> dict[str, Any]:
        day: Day = item.tape.day(now_ms)
        body = {
            "symbol": item.market.symbol,
            "priceChange": plain(day.last - day.open),
            "priceChangePercent": plain(round((day.last / day.open - 1) * 100, 3)),
            "weightedAvgPrice": plain(day.quote_volume / day.volume if day.volume else day.last),
            "lastPrice": stepped(day.last, item.market.tick),
            "lastQty": plain(item.market.lot),
            "openPrice": plain(day.open),
            "highPrice": plain(day.high),
            "lowPrice": plain(day.low),
            "volume": plain(day.volume),
            "quoteVolume": plain(day.quote_volume),
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": 0,
            "lastId": 0,
            "count": 0,
        }
        if self._book is Book.SPOT:
            body |= self._book_ticker(item, day.last) | {"prevClosePrice": plain(day.open)}
        return body

    def _funding(self, listing: Listing, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        paid = self._store.load_funding(listing.market.pair)
        times = paid["date"].dt.as_unit("ms").astype("int64")
        inside = (times >= start_ms) & (times <= end_ms)
        return list(zip(times[inside].tolist(), paid["rate"][inside].tolist(), strict=True))
