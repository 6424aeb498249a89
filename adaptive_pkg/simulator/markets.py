"""What Binance says about its markets: `exchangeInfo` entries with their filters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adaptive_pkg.errors import VenueError
from adaptive_pkg.simulator.candles import Book, book_of
from adaptive_pkg.simulator.replay import SPREAD
from adaptive_pkg.simulator.tape import CLOSE, Tape

PERPETUAL_DELIVERY_MS = 4_133_404_800_000  # what Binance writes for "never"
MIN_NOTIONAL = 5.0


def rate_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    """One entry of `rateLimits`."""
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


# as documented in 2026
SPOT_RATE_LIMITS = [
    rate_limit("REQUEST_WEIGHT", "MINUTE", 1, 6000),
    rate_limit("ORDERS", "SECOND", 10, 100),
    rate_limit("ORDERS", "DAY", 1, 200_000),
    rate_limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
]
PERPETUAL_RATE_LIMITS = [
    rate_limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
    rate_limit("ORDERS", "SECOND", 10, 300),
    rate_limit("ORDERS", "MINUTE", 1, 1200),
]


@dataclass(frozen=True)
class Market:
    """One listed pair: its names, and the steps its prices and amounts come in."""

    pair: str
    base: str
    quote: str
    settle: str | None
    tick: float
    lot: float
    listed_ms: int
    spread: float = SPREAD

    @property
    def symbol(self) -> str:
        """Binance's name of it: BTCUSDT, on spot and futures alike."""
        return f"{self.base}{self.quote}"

    @property
    def book(self) -> Book:
        return book_of(self.pair)


def market_of(pair: str, tape: Tape, spread: float = SPREAD) -> Market:
    """Describe a pair, with steps that suit its prices.

    The tick leaves five digits at the lowest prices of the history, so that old candles are not coarsened
    (Binance, too, narrows its ticks); a lot is worth 0.1 to 1 of the quote currency at the last price.

    Raises:
        VenueError: a name that is not BASE/QUOTE or BASE/QUOTE:SETTLE.
    """
    names, _, settle = pair.partition(":")
    base, _, quote = names.partition("/")
    if not base or not quote or "/" in quote:
        raise VenueError(f"pair {pair!r} is not written as BASE/QUOTE or BASE/QUOTE:SETTLE; correct the list")
    low = last = 1.0
    listed = 0
    if tape.has_candles and len(tape.finest.opened_ms):
        closes = tape.finest.values[:, CLOSE]
        low, last = float(np.quantile(closes, 0.01)), float(closes[-1])
        listed = int(tape.finest.opened_ms[0])
    tick = min(max(10.0 ** (math.floor(math.log10(low)) - 4), 1e-8), 0.01)
    lot = min(max(10.0 ** (-math.floor(math.log10(last)) - 1), 1e-8), 1.0)
    return Market(pair, base, quote, settle or None, tick, lot, listed, spread)


def exchange_info(
    markets: list[Market], now_ms: int, book: Book, rate_limits: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The body of `exchangeInfo` for one book; its limits are Binance's own where none are given."""
    limits = (
        (SPOT_RATE_LIMITS if book is Book.SPOT else PERPETUAL_RATE_LIMITS)
        if rate_limits is None
        else rate_limits
    )
    entry = _spot_entry if book is Book.SPOT else _perpetual_entry
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": [entry(market) for market in markets],
    }


def _filters(market: Market) -> list[dict[str, str]]:
    tick, lot = f"{market.tick:.8f}", f"{market.lot:.8f}"
    size = {"minQty": lot, "maxQty": "9000000.00000000", "stepSize": lot}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", **size},
        {"filterType": "MARKET_LOT_SIZE", **size},
    ]


def _spot_entry(market: Market) -> dict[str, Any]:
    return {
        "symbol": market.symbol,
        "status": "TRADING",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": [
            "LIMIT",
            "LIMIT_MAKER",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            *_filters(market),
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{MIN_NOTIONAL:.8f}",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
    }


def _perpetual_entry(market: Market) -> dict[str, Any]:
    return {
        "symbol": market.symbol,
        "pair": market.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY_MS,
        "onboardDate": market.listed_ms,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": market.base,
        "quoteAsset": market.quote,
        "marginAsset": market.settle,
        "pricePrecision": 8,
        "quantityPrecision": 8,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": [*_filters(market), {"filterType": "MIN_NOTIONAL", "notional": f"{MIN_NOTIONAL:g}"}],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }
