"""The newest best bid and ask of each symbol: written by the stream's loop, read from any thread."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from adaptive_pkg.exchange.events import Event, EventKind

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quote:
    """A symbol's newest best bid and ask.

    `age_seconds` is infinite while the stream is down or has told nothing yet; the prices are NaN before.
    """

    bid: float
    ask: float
    age_seconds: float
    live: bool = True  # whether the stream is up

    @property
    def middle(self) -> float:
        """Halfway between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> float:
        """(ask − bid) ÷ middle."""
        return (self.ask - self.bid) / self.middle


class Quotes:
    """A table of quotes with the moment each came."""

    def __init__(self):
        self._newest: dict[str, tuple[float, float, float]] = {}  # symbol: bid, ask, when

    def put(self, event: Event, now: float) -> None:
        """Take a message of a bid and ask; others are ignored, unusable ones are logged and kept out."""
        if event.kind is not EventKind.BOOK:
            return
        try:
            symbol, bid, ask = event.data["s"], float(event.data["b"]), float(event.data["a"])
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("%s: unreadable bid and ask %s (%r)", event.stream, event.data, error)
            return
        if 0 < bid < ask < math.inf:  # else the age of the one before goes on growing
            self._newest[symbol] = (bid, ask, now)

    def get(self, symbol: str, now: float, *, live: bool) -> Quote:
        """The newest. `live`: whether the stream is up."""
        bid, ask, at = self._newest.get(symbol, (math.nan, math.nan, -math.inf))
        return Quote(bid, ask, now - at if live else math.inf, live)
