"""The order book round a last price: what `depth` shows is what market orders trade against."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from adaptive_pkg.simulator.markets import Market
from adaptive_pkg.simulator.replay import SPREAD
from adaptive_pkg.simulator.tape import Day
from adaptive_pkg.simulator.wire import stepped

LEVEL_GAP = 1e-4  # distance of one book level from the next
LEVEL_SHARE = 0.002  # value resting on the first level, relative to the traded value of an hour
LEVELS = 1000  # deeper than this no market order reaches


def best_prices(price: float, tick: float, spread: float = SPREAD) -> tuple[float, float]:
    """Best bid and ask round a last price, on the tick grid; both at that price without a spread."""
    if not spread:
        price = max(round(price / tick), 1) * tick
        return price, price
    half = max(price * spread / 2, tick)
    bid = max(np.floor((price - half) / tick + 1e-9), 1) * tick
    ask = np.ceil((price + half) / tick - 1e-9) * tick
    return float(bid), float(ask)


def book_sides(
    price: float, day: Day | None, market: Market, limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bid prices, ask prices and the amount on each level, best first, (limit,) each.

    Args:
        day: the last 24 hours, whose traded value sets the amounts; None: a market nobody trades.
    """
    bid, ask = best_prices(price, market.tick, market.spread)
    gap = max(round(price * LEVEL_GAP / market.tick), 1) * market.tick
    steps = np.arange(limit)
    hour_value = max(day.quote_volume / 24, 1000.0) if day else 1000.0
    amounts = hour_value * LEVEL_SHARE * (1 + 0.1 * steps) / price
    return bid - gap * steps, ask + gap * steps, amounts


def levels_of(prices: np.ndarray, amounts: np.ndarray, market: Market) -> list[list[str]]:
    """One side as Binance writes it: [price, amount] in text, prices above 0 only."""
    return [
        [stepped(p, market.tick), stepped(max(a, market.lot), market.lot)]
        for p, a in zip(prices, amounts, strict=True)
        if p > 0
    ]


def resting(
    price: float, day: Day | None, market: Market, asks: bool, limit: int = LEVELS
) -> list[tuple[Decimal, Decimal]]:
    """One side as decimals, best first: what a taker finds."""
    bid_prices, ask_prices, amounts = book_sides(price, day, market, limit)
    side = levels_of(ask_prices if asks else bid_prices, amounts, market)
    return [(Decimal(level), Decimal(amount)) for level, amount in side]
