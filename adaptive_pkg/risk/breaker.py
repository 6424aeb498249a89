"""`CircuitBreaker`: pauses entries after failures in a row, while data are old, or on a day of losses.

Stops and exits never ask it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from adaptive_pkg.errors import RiskError
from adaptive_pkg.settings.live import BreakerSettings


class Trip(StrEnum):
    """What has opened the circuit."""

    NONE = ""
    ERRORS = "errors"
    DATA_AGE = "data age"
    DAILY_LOSS = "daily loss"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """Whether entries may go on; if not, why and until when (None: as long as the cause lasts)."""

    trip: Trip
    reason: str = ""
    until: datetime | None = None

    @property
    def closed(self) -> bool:
        """Current flows: entries may go on."""
        return self.trip is Trip.NONE


class ClosedTrade(Protocol):
    """What counts of a closed trade: its profit in stake currency; None: not known."""

    @property
    def close_profit_abs(self) -> float | None: ...


class HeldTrade(Protocol):
    """What counts of an open one. `realized_profit`: of the parts already sold, stake currency."""

    @property
    def pair(self) -> str: ...

    @property
    def amount(self) -> float: ...

    @property
    def realized_profit(self) -> float: ...

    def calc_profit(self, rate: float) -> float:
        """Of what is left, at this price, fees included."""
        ...


@dataclass(frozen=True, slots=True)
class DayResult:
    """A day's profit and loss in stake currency, from what a restart does not lose.

    Attributes:
        realised: of the trades closed since midnight UTC.
        open_profit: of all open trades at the present price; one that was open before counts whole.
        equity: now, open trades at cost.

    Raises:
        RiskError: a number is not finite, or the day began without equity.
    """

    realised: float
    open_profit: float
    equity: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.realised, self.open_profit, self.equity))) or self.first <= 0:
            raise RiskError(f"{self}: the day must begin with equity above 0; refuse the entry")

    @property
    def first(self) -> float:
        """Equity at midnight, open trades at cost."""
        return self.equity - self.realised

    @property
    def loss(self) -> float:
        """What the day has lost, as a part of its first equity; below 0 for a gain."""
        return -(self.realised + self.open_profit) / self.first


class CircuitBreaker:
    """Counts failures and judges data and losses. Time is passed in, aware.

    After `errors` failures in a row entries rest for `pause_minutes`. Then one more failure is enough to rest
    again; one success clears the count.
    """

    def __init__(self, settings: BreakerSettings):
        self._settings = settings
        self.failures = 0
        self._last_failure = ""
        self._resting_until: datetime | None = None

    def failed(self, what: str, now: datetime) -> None:
        """Something that trading relies on has failed."""
        self.failures += 1
        self._last_failure = what
        if self.failures >= self._settings.errors:
            self._resting_until = now + timedelta(minutes=self._settings.pause_minutes)

    def succeeded(self) -> None:
        """It has worked. A rest that has begun goes on to its end."""
        self.failures = 0

    def state(
        self, now: datetime, *, candle_age_seconds: float, candle_seconds: int, day: DayResult
    ) -> BreakerState:
        """Where the breaker stands: the first cause in the order errors, data age, daily loss.

        Args:
            now: aware. candle_age_seconds: since the newest known candle closed.
            candle_seconds: length of a candle. day: profit and loss since midnight UTC.

        Raises:
            RiskError: the day began without equity. Refuse the entry.
        """
        settings = self._settings
        if self._resting_until is not None and now < self._resting_until:
            reason = f"{self.failures or settings.errors} failures in a row, last: {self._last_failure}"
            return BreakerState(Trip.ERRORS, reason, self._resting_until)
        most = (1 + settings.late_candles) * candle_seconds
        if not candle_age_seconds <= most:
            reason = f"the newest candle closed {candle_age_seconds:.0f} s ago (limit {most:.0f} s)"
            return BreakerState(Trip.DATA_AGE, reason)
        if not day.loss < settings.daily_loss:
            reason = f"{day.loss:.2%} lost since midnight UTC (limit {settings.daily_loss:.2%})"
            return BreakerState(Trip.DAILY_LOSS, reason, midnight(now) + timedelta(days=1))
        return BreakerState(Trip.NONE)


def day_result(
    closed_today: Iterable[ClosedTrade],
    open_trades: Iterable[HeldTrade],
    equity: float,
    price: Callable[[str], float],
) -> DayResult:
    """The day so far.

    Args:
        closed_today: trades closed since midnight UTC. equity: open trades at cost.
        price: pair → present price; NaN: a trade counts at cost.

    Raises:
        RiskError: see `DayResult`.
    """
    open_profit = 0.0
    for trade in open_trades:
        now = price(trade.pair)
        if trade.amount:  # else nothing has filled
            open_profit += (trade.calc_profit(now) if math.isfinite(now) else 0.0) + trade.realized_profit
    return DayResult(sum(trade.close_profit_abs or 0.0 for trade in closed_today), open_profit, equity)


def midnight(now: datetime) -> datetime:
    """The start of `now`'s day, UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
