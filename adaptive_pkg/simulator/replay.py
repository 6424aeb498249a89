"""How candles become prices: the path inside a candle, and the spread round it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from adaptive_pkg.errors import VenueError

SPREAD = 2e-4  # distance of best bid and ask, relative to the price; at least two ticks


@dataclass(frozen=True)
class CandlePath:
    """Straight lines from open over both extremes to close, at parts (0…1) of the candle's time.

    Args:
        rest_until: until then the price stays at the open.
        first, second: from when to when it stays at the one and the other extreme.
        close_from: from then on it stays at the close.
        low_first: the low always comes first; else only in a candle that rises.

    Raises:
        VenueError: the times do not follow each other.
    """

    rest_until: float = 0.0
    first: tuple[float, float] = (0.25, 0.25)
    second: tuple[float, float] = (0.75, 0.75)
    close_from: float = 1.0
    low_first: bool = False
    times: tuple[float, ...] = field(init=False, repr=False)
    corners: tuple[int, ...] = field(init=False, repr=False)  # which of open, first, second, close

    def __post_init__(self) -> None:
        knots = [0.0, self.rest_until, *self.first, *self.second, self.close_from, 1.0]
        if knots != sorted(knots) or len({knots[0], knots[2], knots[4], knots[7]}) < 4:
            raise VenueError(f"candle path: times {knots} must rise from 0 to 1")
        kept = dict.fromkeys(zip(knots, (0, 0, 1, 1, 2, 2, 3, 3), strict=True))
        object.__setattr__(self, "times", tuple(time for time, _ in kept))
        object.__setattr__(self, "corners", tuple(corner for _, corner in kept))

    def falls_first(self, rising: np.ndarray | bool) -> np.ndarray | bool:
        """Whether the low comes before the high, given whether a candle rises."""
        return rising | self.low_first

    def weights(self, at: np.ndarray) -> np.ndarray:
        """(4, n): how much of open, first, second extreme and close is in the price at these parts."""
        eye = np.eye(4)[:, list(self.corners)]
        return np.array([np.interp(at, self.times, eye[corner]) for corner in range(4)])


STRAIGHT = CandlePath()


@dataclass(frozen=True)
class Replay:
    """What a venue makes of its candles.

    `spread`: of best bid and ask, relative to the price. 0: both at the last price, so that orders at the
    best price fill at once and cost nothing: what a backtest assumes.
    """

    spread: float = SPREAD
    path: CandlePath = STRAIGHT

    def __post_init__(self) -> None:
        if not 0 <= self.spread < 1:
            raise VenueError(f"spread: {self.spread} must be a part of the price, from 0 to below 1")


USUAL = Replay()
AS_BACKTESTED = Replay(
    spread=0.0,
    path=CandlePath(
        rest_until=0.05, first=(0.45, 0.5), second=(0.8125, 0.875), close_from=0.9375, low_first=True
    ),
)
"""Prices as freqtrade's backtest imagines them: entries at the open, the stop's side of a candle first."""
