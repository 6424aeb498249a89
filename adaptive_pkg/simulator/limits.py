"""How much one address and its accounts may ask, and what happens to one that asks for more.

Windows are fixed stretches of the venue's clock. A request above a limit gets 429 and Retry-After; an address
that goes on before that time is over is banned (418), for 2 minutes the first time, three times as long
each time after, 3 days at most. Source: Binance's public spot API reference, "LIMITS"; how many requests
after a 429 bring the ban, and how it grows, is not documented, and chosen here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from adaptive_pkg.simulator.markets import rate_limit
from adaptive_pkg.simulator.wire import BinanceError

MINUTE_MS = 60_000
LONGEST_BAN_MS = 3 * 24 * 3_600_000


@dataclass(frozen=True)
class LimitPlan:
    """The venue's limits and its patience.

    `strikes`: requests before a Retry-After is over that bring a ban. `under_way_ms`: a request that comes so
    soon after the refusal was answered was under way when its sender heard of it: refused and counted apart.
    """

    weight_per_minute: int = 6000
    orders_per_10s: int = 100
    orders_per_day: int = 200_000
    raw_per_5min: int = 300_000
    connects_per_5min: int = 300
    strikes: int = 10
    under_way_ms: int = 0
    first_ban_seconds: int = 120
    ban_growth: int = 3

    def rows(self) -> list[dict[str, Any]]:
        """As `exchangeInfo` states them."""
        return [
            rate_limit("REQUEST_WEIGHT", "MINUTE", 1, self.weight_per_minute),
            rate_limit("ORDERS", "SECOND", 10, self.orders_per_10s),
            rate_limit("ORDERS", "DAY", 1, self.orders_per_day),
            rate_limit("RAW_REQUESTS", "MINUTE", 5, self.raw_per_5min),
        ]


class LimitedError(BinanceError):
    """A request refused because there were too many: 429, or 418 with the ban's end in the text."""

    def __init__(self, message: str, status: int, retry_after_seconds: int, code: int = -1003):
        super().__init__(code, message, status)
        self.retry_after_seconds = retry_after_seconds


class _Window:
    """Uses within the current stretch of `length_ms`."""

    def __init__(self, length_ms: int, limit: int):
        self.length_ms, self.limit = length_ms, limit
        self._number, self._used = -1, 0

    def used(self, now_ms: int) -> int:
        number = now_ms // self.length_ms
        if number != self._number:
            self._number, self._used = number, 0
        return self._used

    def add(self, now_ms: int, amount: int) -> bool:
        """Count it; False where that is above the limit."""
        self._used = self.used(now_ms) + amount
        return self._used <= self.limit

    def seconds_left(self, now_ms: int) -> int:
        """Until it begins anew, rounded up."""
        return -(-(self.length_ms - now_ms % self.length_ms) // 1000)


class Limits:
    """Counts one address's requests.

    Attributes:
        violations: refused requests by what they exceeded: "weight", "raw", "orders", "connects", "early"
            (before a Retry-After was over), "banned" (during a ban), "under way" (either; see `LimitPlan`).
        bans: how many there were.
    """

    def __init__(self, plan: LimitPlan | None = None):
        self.plan = plan = plan or LimitPlan()
        self.violations: Counter[str] = Counter()
        self.bans = 0
        self._weight = _Window(MINUTE_MS, plan.weight_per_minute)
        self._raw = _Window(5 * MINUTE_MS, plan.raw_per_5min)
        self._connects = _Window(5 * MINUTE_MS, plan.connects_per_5min)
        self._orders: dict[str, dict[str, _Window]] = {}  # account → windows
        self._quiet_until_ms = self._banned_until_ms = 0
        self._strikes = 0
        self._told_ms = -(10**15)  # when a refusal that is not over was last answered

    def take(self, now_ms: int, weight: int, came_ms: int | None = None) -> None:
        """Count one request. Raises LimitedError where it is refused.

        Args:
            came_ms: when it arrived, if it was kept waiting since.
        """
        self._refuse_while_closed(now_ms, came_ms)
        within_raw = self._raw.add(now_ms, 1)
        if not self._weight.add(now_ms, weight):
            self.refuse(now_ms, self._weight.seconds_left(now_ms), "weight")
        if not within_raw:
            self.refuse(now_ms, self._raw.seconds_left(now_ms), "raw")

    def give_back(self, now_ms: int, weight: int) -> None:
        """A request of this very moment weighs nothing after all."""
        self._weight.add(now_ms, -weight)

    def take_order(self, now_ms: int, account: str = "") -> None:
        """Count one order of an account. Raises LimitedError (-1015) where it is refused."""
        for window in self._orders_of(account).values():
            if not window.add(now_ms, 1):
                seconds = window.seconds_left(now_ms)
                self.violations["orders"] += 1
                text = (
                    f"Too many new orders; current limit is {window.limit} orders per {window.length_ms} ms."
                )
                raise LimitedError(text, 429, seconds, code=-1015)

    def connect(self, now_ms: int, came_ms: int | None = None) -> None:
        """Count one WebSocket handshake, which weighs 2. As `take`."""
        self._refuse_while_closed(now_ms, came_ms)
        within_connects = self._connects.add(now_ms, 1)
        if not self._weight.add(now_ms, 2):
            self.refuse(now_ms, self._weight.seconds_left(now_ms), "weight")
        if not within_connects:
            self.refuse(now_ms, self._connects.seconds_left(now_ms), "connects")

    def refuse(self, now_ms: int, seconds: int, reason: str | None = None) -> None:
        """429, and what comes in the next `seconds` is a violation; with a reason so is this one."""
        if reason is not None:
            self.violations[reason] += 1
        self._quiet_until_ms = max(self._quiet_until_ms, now_ms + seconds * 1000)
        self._told_ms = now_ms
        self._raise_too_many(seconds)

    def ban(self, now_ms: int, seconds: int | None = None) -> None:
        """418 for this address, for so long or for as long as its next ban lasts."""
        if seconds is None:
            seconds = self.plan.first_ban_seconds * self.plan.ban_growth**self.bans
        self.bans += 1
        self._strikes = 0
        self._banned_until_ms = now_ms + min(seconds * 1000, LONGEST_BAN_MS)
        self._told_ms = now_ms
        self._raise_banned(now_ms)

    def headers(self, now_ms: int, orders_of: str | None = None) -> dict[str, str]:
        """Use so far, as every answer reports it; answers to an account's orders report its orders too."""
        used = str(self._weight.used(now_ms))
        found = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if orders_of is not None:
            orders = self._orders_of(orders_of).items()
            found |= {f"X-MBX-ORDER-COUNT-{name}": str(window.used(now_ms)) for name, window in orders}
        return found

    def _orders_of(self, account: str) -> dict[str, _Window]:
        """Windows of the ORDERS limits, which belong to an account; all others belong to the address."""
        if account not in self._orders:
            plan = self.plan
            self._orders[account] = {
                "10S": _Window(10_000, plan.orders_per_10s),
                "1D": _Window(86_400_000, plan.orders_per_day),
            }
        return self._orders[account]

    def _refuse_while_closed(self, now_ms: int, came_ms: int | None) -> None:
        banned = now_ms < self._banned_until_ms
        if not banned and now_ms >= self._quiet_until_ms:
            self._strikes = 0
            return
        came_ms = now_ms if came_ms is None else came_ms
        if came_ms < self._told_ms + self.plan.under_way_ms:
            self.violations["under way"] += 1
        else:
            self.violations["banned" if banned else "early"] += 1
            self._strikes += 1
            if self._strikes >= self.plan.strikes:
                self.ban(now_ms)
        if banned:
            self._raise_banned(now_ms)
        self._raise_too_many(-(-(self._quiet_until_ms - now_ms) // 1000))

    def _raise_too_many(self, seconds: int) -> None:
        limit = self.plan.weight_per_minute
        text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
        raise LimitedError(f"{text} Please use WebSocket Streams for live updates.", 429, seconds)

    def _raise_banned(self, now_ms: int) -> None:
        seconds = -(-(self._banned_until_ms - now_ms) // 1000)
        text = f"Way too many requests; IP(127.0.0.1) banned until {self._banned_until_ms}."
        raise LimitedError(
            f"{text} Please use WebSocket Streams for live updates to avoid bans.", 418, seconds
        )
