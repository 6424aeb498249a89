"""Is the market good enough for an entry now? Age of the feed, spread, depth, imbalance, funding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.stop_plan import LONG, SHORT
from adaptive_pkg.settings.live import GateSettings


class GateLimit(StrEnum):
    """Which limit refused an entry."""

    NONE = ""
    FEED = "feed"
    SPREAD = "spread"
    DEPTH = "depth"
    IMBALANCE = "imbalance"
    FUNDING = "funding"


@dataclass(frozen=True, slots=True)
class MarketReading:
    """A pair's market at one moment.

    Attributes:
        feed_age_seconds: of the newest bid and ask; infinity: none has come, or the stream is down.
        spread: (ask − bid) ÷ middle price.
        bid_depth, ask_depth: money within the band, quote currency.
        funding: what a long pays for the present interval, as a fraction; NaN: no perpetual.
    """

    feed_age_seconds: float
    spread: float
    bid_depth: float
    ask_depth: float
    funding: float = math.nan

    @property
    def imbalance(self) -> float:
        """(bids − asks) ÷ (bids + asks), −1 to 1; NaN for an empty book."""
        total = self.bid_depth + self.ask_depth
        return (self.bid_depth - self.ask_depth) / total if total > 0 else math.nan


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether the entry may go on, and why."""

    allowed: bool
    reason: str
    limit: GateLimit = GateLimit.NONE


class Book(Protocol):
    """An order book. `spread` and `depth` are relative to its middle price."""

    @property
    def middle(self) -> float: ...

    @property
    def spread(self) -> float: ...

    def depth(self, band: float) -> tuple[float, float]:
        """Money within `band` of the middle price: bids, asks."""
        ...


class BestPrices(Protocol):
    """The newest bid and ask of a stream; NaN where none has come."""

    @property
    def live(self) -> bool: ...

    @property
    def age_seconds(self) -> float: ...

    @property
    def middle(self) -> float: ...

    @property
    def spread(self) -> float: ...


def market_reading(
    book: Book, quote: BestPrices, funding: float | None, settings: GateSettings
) -> MarketReading:
    """What the gate judges. Of the book's spread and the stream's the wider one counts, if both are of now.

    The stream speaks only when bid or ask change: an old quote that agrees with the book is not stale.

    Args:
        funding: None: no perpetual.
    """
    bids, asks = book.depth(settings.depth_band)
    age, spread = quote.age_seconds, book.spread
    if not quote.live:
        age = math.inf
    elif age <= settings.max_feed_age_seconds:
        spread = max(spread, quote.spread)
    elif math.isnan(quote.middle) or abs(quote.middle / book.middle - 1) <= settings.max_spread:
        age = 0.0
    return MarketReading(age, spread, bids, asks, math.nan if funding is None else funding)


def judge_market(reading: MarketReading, side: str, notional: float, settings: GateSettings) -> GateVerdict:
    """Whether a position may be opened in this market. The first limit that refuses gives the reason.

    In order: age of the feed, spread, depth of either side (one to enter by, one to leave by), imbalance
    against the trade, funding against the trade. A number that is NaN refuses; only funding may be unknown.

    Args:
        side: "long" or "short". notional: value of the whole position, quote currency.

    Raises:
        RiskError: an unknown side, or a notional that is no amount of money.
    """
    if side not in (LONG, SHORT):
        raise RiskError(f"side: {side!r}; expected {LONG!r} or {SHORT!r}")
    if not (math.isfinite(notional) and notional >= 0):
        raise RiskError(f"notional: {notional!r} is no amount of money; refuse the entry")
    age = reading.feed_age_seconds
    if not age <= settings.max_feed_age_seconds:
        seen = "no bid and ask has come" if math.isinf(age) else f"bid and ask are {age:.0f} s old"
        return _refusal(GateLimit.FEED, f"{seen} (limit {settings.max_feed_age_seconds:g} s)")
    if not reading.spread <= settings.max_spread:
        return _refusal(
            GateLimit.SPREAD, f"spread {reading.spread:.3%} is wider than {settings.max_spread:.3%}"
        )
    needed = settings.depth_multiple * notional
    depth = min(reading.bid_depth, reading.ask_depth)
    if not (depth > 0 and depth >= needed):
        return _refusal(
            GateLimit.DEPTH,
            f"{depth:,.0f} rest within {settings.depth_band:.2%} of the price on the thinner side; "
            f"{settings.depth_multiple:g} × the position are {needed:,.0f}",
        )
    sign = 1 if side == LONG else -1
    against = -sign * reading.imbalance
    if not against <= settings.max_adverse_imbalance:
        return _refusal(
            GateLimit.IMBALANCE, f"the book leans {reading.imbalance:+.2f} against a {side} position"
        )
    cost = sign * reading.funding
    if cost > settings.max_funding:
        return _refusal(
            GateLimit.FUNDING,
            f"funding costs a {side} position {cost:.3%} an interval (limit {settings.max_funding:.3%})",
        )
    return GateVerdict(True, f"spread {reading.spread:.3%}, {depth:,.0f} on the thinner side")


def _refusal(limit: GateLimit, reason: str) -> GateVerdict:
    return GateVerdict(False, reason, limit)
