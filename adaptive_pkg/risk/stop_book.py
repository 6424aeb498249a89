"""The stops of all open trades, each carried forward through the candles that have closed since its entry."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import Protocol

from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.stops import StopPlan, StopState, advance, initial_state


class Candles(Protocol):
    """What the book needs of a pair's candles (see market.closed_candles.PairCandles)."""

    starts: list[int]

    def last_closed(self, now: datetime) -> int: ...
    def first_since(self, moment: datetime) -> int: ...
    def index_after(self, start: int) -> int: ...
    def column(self, name: str) -> list: ...


class _Entry:
    __slots__ = ("opened_at", "plan", "seen", "state")

    def __init__(self, plan: StopPlan, opened_at: datetime) -> None:
        self.plan = plan
        self.opened_at = opened_at
        self.state = initial_state(plan)
        self.seen: int | None = None  # start of the last candle taken into account


class StopBook:
    """Plans and states by trade key. Each closed candle is read once, so asking again costs next to nothing.

    Nothing here needs to be saved: given the plan, the state follows from the candles, so a book rebuilt
    after a restart is in the same state (as far back as the candles reach; the stop that freqtrade stores
    never loosens, whatever the book says).
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: Hashable, plan: StopPlan, opened_at: datetime) -> None:
        """Start (or start anew) the stop of a trade."""
        self._entries[key] = _Entry(plan, opened_at)

    def plan(self, key: Hashable) -> StopPlan:
        """Raises RiskError for an unknown trade."""
        return self._entry(key).plan

    def drop(self, key: Hashable) -> None:
        """Forget a trade; an unknown one is no error."""
        self._entries.pop(key, None)

    def state(self, key: Hashable, candles: Candles, now: datetime) -> StopState:
        """The stop as of `now`, from candles that have closed by then.

        Raises:
            RiskError: unknown trade, or a candle without a price; the caller keeps the last stop.
        """
        entry = self._entry(key)
        last = candles.last_closed(now)
        if last < 0:
            return entry.state
        first = (
            candles.first_since(entry.opened_at) if entry.seen is None else candles.index_after(entry.seen)
        )
        if first <= last:
            closes, atrs = candles.column("close"), candles.column("atr")
            state = entry.state
            for index in range(first, last + 1):
                state = advance(entry.plan, state, closes[index], atrs[index])
            entry.state = state
            entry.seen = candles.starts[last]
        return entry.state

    def _entry(self, key: Hashable) -> _Entry:
        try:
            return self._entries[key]
        except KeyError:
            raise RiskError(f"trade {key!r} has no stop plan; its last stop stays") from None
