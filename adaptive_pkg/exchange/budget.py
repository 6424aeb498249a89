"""When the next request may leave: limits, refusals and bans as a state machine without clock or socket.

Times named `now` are seconds of one clock that never goes back; the venue's own clock is that plus an offset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adaptive_pkg.errors import ExchangeError, RateLimitError
from adaptive_pkg.exchange.rules import (
    BANNED,
    LONGEST_BAN_SECONDS,
    LONGEST_REFUSAL_SECONDS,
    TOO_MANY_REQUESTS,
    Cost,
    RateRule,
    RuleKind,
    banned_until_ms,
    reported_use,
    retry_after_seconds,
)
from adaptive_pkg.exchange.windows import AnyWindow, CalendarWindows, TokenBucket
from adaptive_pkg.settings.exchange import LimiterSettings

_LEAST_WAIT_SECONDS = 1e-3  # so that rounding never makes a caller ask in a circle
_EDGE_SECONDS = 1e-6  # windows are half open; their edge itself is nobody's


class WaitReason(StrEnum):
    """What a request waits for."""

    TURN = "turn"  # others came first
    BUCKET = "bucket"
    WINDOW = "window"
    REFUSED = "refused"  # a 429's Retry-After
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may leave before `until`; ask again then."""

    until: float
    reason: WaitReason


@dataclass(slots=True)
class Grant:
    """Leave to send one request now. Report its answer, or that it never left."""

    at: float
    cost: Cost
    early: float  # the venue's clock, epoch seconds: not counted before this ...
    late: float  # ... nor after this
    done: bool = False


@dataclass(slots=True)
class Pressure:
    """The part of the limits in use: less after a 429, back again after quiet minutes."""

    settings: LimiterSettings
    base: float = 1.0
    refused_at: float = -math.inf
    reduced_at: float = -math.inf

    def factor(self, now: float) -> float:
        """Between floor_share and 1."""
        if self.base >= 1.0:
            return 1.0
        minutes = (now - self.refused_at) / 60 - self.settings.quiet_minutes
        return min(self.base + max(minutes, 0.0) * self.settings.recovery_per_minute, 1.0)

    def refused(self, now: float, sent_at: float) -> None:
        """A 429 came back. Requests already on their way at the last reduction reduce nothing again."""
        self.base = self.factor(now)
        self.refused_at = now
        if sent_at >= self.reduced_at:
            self.base = max(self.base * self.settings.reduction, self.settings.floor_share)
            self.reduced_at = now


class _Account:
    """One limit with its windows."""

    __slots__ = ("anywhere", "calendar", "rule")

    def __init__(self, rule: RateRule, settings: LimiterSettings):
        self.rule = rule
        self.calendar = CalendarWindows(rule.interval_seconds)
        self.anywhere = (
            AnyWindow(rule.interval_seconds, settings.latency_seconds + _EDGE_SECONDS)
            if settings.any_window
            else None
        )


class RequestBudget:
    """Answers `ask` with a Grant or a Wait, and learns from what the venue replies.

    Args:
        rules: the venue's limits.
        settings: share of them, margins, and the reaction to refusals.
        now: the clock's reading at the start.
        venue_seconds: the venue's clock at that moment, epoch seconds, as well as it is known.
    """

    def __init__(
        self, rules: Sequence[RateRule], settings: LimiterSettings, now: float, venue_seconds: float
    ):
        self.settings = settings
        self.pressure = Pressure(settings)
        self.blocked_until = -math.inf
        self.blocked_reason = WaitReason.REFUSED
        self._offset = venue_seconds - now
        self._error = settings.clock_error_seconds
        self._accounts: list[_Account] = []
        self._bucket: TokenBucket | None = None
        self._weight_rule: RateRule | None = None
        self._start = now
        self.set_rules(rules)

    @property
    def rules(self) -> tuple[RateRule, ...]:
        """The limits in force."""
        return tuple(account.rule for account in self._accounts)

    def set_rules(self, rules: Sequence[RateRule]) -> None:
        """Put other limits in force. Use of a limit with the same kind and window stays counted."""
        if not rules:
            raise ExchangeError("rate limits: an empty list would limit nothing; read exchangeInfo again")
        known = {(item.rule.kind, item.rule.interval_seconds): item for item in self._accounts}
        accounts = []
        for rule in rules:
            account = known.get((rule.kind, rule.interval_seconds)) or _Account(rule, self.settings)
            account.rule = rule
            accounts.append(account)
        self._accounts = accounts
        weights = [rule for rule in rules if rule.kind is RuleKind.WEIGHT]
        self._weight_rule = min(weights, key=lambda rule: rule.interval_seconds, default=None)
        if self._weight_rule is None:
            self._bucket = None
        elif self._bucket is None:
            capacity = self._capacity(1.0)
            self._bucket = TokenBucket(capacity, capacity, self._start)

    def check(self, cost: Cost) -> None:
        """Raise RateLimitError if no waiting would ever make this cost allowed."""
        for account in self._accounts:
            most = math.floor(account.rule.limit * self.settings.share)
            if (amount := cost.of(account.rule.kind)) > most:
                raise RateLimitError(
                    f"request with {account.rule.kind} {amount}: more than the {most} this bot may use in "
                    f"{account.rule.interval_seconds} s (limit {account.rule.limit}, share "
                    f"{self.settings.share}); ask for less at once"
                )

    def ask(self, now: float, cost: Cost) -> Grant | Wait:
        """May a request of this cost leave now? A Wait's moment is the earliest one worth asking again.

        Raises:
            RateLimitError: it is heavier than the limit itself.
        """
        if now < self.blocked_until:
            return Wait(self.blocked_until, self.blocked_reason)
        factor = self.pressure.factor(now)
        share = self.settings.share
        venue = now + self._offset
        early, late = venue - self._error, venue + self._error + self.settings.latency_seconds
        until, reason = -math.inf, WaitReason.WINDOW
        for account in self._accounts:
            amount = cost.of(account.rule.kind)
            if not amount:
                continue
            interval = account.rule.interval_seconds
            first, last = math.floor(early / interval), math.floor(late / interval)
            # heavier than the reduced limit: alone in a window. The venue's own limit still holds.
            limit = account.rule.limit
            own_cap = max(math.floor(limit * share * factor), amount)
            cap = max(math.floor(limit * factor), amount)
            if amount > math.floor(limit * share):
                self.check(cost)
            full = account.calendar.full_until(first, last, amount, own_cap, cap)
            if full is not None:
                until = max(until, (full + 1) * interval + self._error + _EDGE_SECONDS - self._offset)
            anywhere = account.anywhere
            if anywhere is not None:
                anywhere.expire(now)
                foreign = account.calendar.others(last)
                until = max(until, anywhere.room_at(amount, min(own_cap, max(cap - foreign, amount))))
        if self._bucket is not None:
            rate = self._rate(factor)
            self._bucket.refill(now, rate, self._capacity(factor))
            ready = self._bucket.ready_at(cost.weight, rate)
            if ready > max(now, until):
                until, reason = ready, WaitReason.BUCKET
        if until > now:
            return Wait(max(until, now + _LEAST_WAIT_SECONDS), reason)
        return self._grant(now, cost, early, late)

    def unsent(self, grant: Grant) -> None:
        """The request never left: nothing was used."""
        if grant.done:
            return
        grant.done = True
        for account in self._accounts:
            calendar, amount = account.calendar, grant.cost.of(account.rule.kind)
            calendar.uncharge(calendar.index(grant.early), calendar.index(grant.late), amount)
            if account.anywhere is not None:
                account.anywhere.uncharge(grant.at, amount)
        if self._bucket is not None:
            self._bucket.tokens = min(self._bucket.tokens + grant.cost.weight, self._bucket.capacity)

    def answered(
        self, now: float, grant: Grant, status: int, headers: Mapping[str, str] | None = None, body: str = ""
    ) -> None:
        """Learn from an answer: use by others, where our own was counted, refusals and bans.

        Args:
            now: when the answer was here.
            status: HTTP status.
            headers: the answer's headers, names in any case.
            body: its text; read only after a refusal.
        """
        headers = headers or {}
        if not grant.done:
            grant.done = True
            counted_by = now + self._offset + self._error
            for account in self._accounts:
                calendar, amount = account.calendar, grant.cost.of(account.rule.kind)
                first, last = calendar.index(grant.early), calendar.index(grant.late)
                settled = max(min(last, calendar.index(counted_by)), first)
                if settled < last:
                    calendar.uncharge(settled + 1, last, amount)
                if settled != first:
                    continue  # at an edge nobody knows which window the venue's count is for
                calendar.answered(first, amount)
                used = reported_use(headers, account.rule) if headers else None
                if used is not None:
                    calendar.report(first, used)
        if status in (TOO_MANY_REQUESTS, BANNED):
            self._refused(now, grant, status, headers, body)

    def hold(self, now: float, seconds: float, reason: WaitReason) -> None:
        """Nothing leaves for so long: another client on this address was refused."""
        if now + seconds > self.blocked_until:
            self.blocked_until, self.blocked_reason = now + seconds, reason

    def synchronise(self, sent: float, received: float, venue_seconds: float) -> None:
        """Set the venue's clock from its answer to a request for its time. Error: half the round trip."""
        if received < sent:
            raise ExchangeError(f"venue time: received ({received}) before it was asked for ({sent})")
        offset = venue_seconds - (sent + received) / 2
        for account in self._accounts:
            calendar = account.calendar
            calendar.rename(calendar.index(received + self._offset), calendar.index(received + offset))
        self._offset = offset
        self._error = (received - sent) / 2 + _LEAST_WAIT_SECONDS

    def used_share(self, now: float) -> float:
        """How full the fullest window is now, others' known use included: 0 to 1, or above."""
        venue = now + self._offset
        shares = [0.0]
        for account in self._accounts:
            index = account.calendar.index(venue)
            used = account.calendar.own.get(index, 0) + account.calendar.foreign.get(index, 0)
            shares.append(used / account.rule.limit)
        return max(shares)

    def _grant(self, now: float, cost: Cost, early: float, late: float) -> Grant:
        for account in self._accounts:
            if amount := cost.of(account.rule.kind):
                calendar = account.calendar
                calendar.charge(calendar.index(early), calendar.index(late), amount)
                if account.anywhere is not None:
                    account.anywhere.charge(now, amount)
        if self._bucket is not None:
            self._bucket.tokens -= cost.weight
        return Grant(now, cost, early, late)

    def _refused(self, now: float, grant: Grant, status: int, headers: Mapping[str, str], body: str) -> None:
        self.pressure.refused(now, grant.at)
        venue = now + self._offset
        try:
            pause = retry_after_seconds(headers, venue)
        except ExchangeError:
            pause = None
        if pause is not None:
            until = now + pause
        elif status == BANNED:
            until = now + self.settings.ban_seconds
        else:  # the window that is full ends, by whichever clock is later
            interval = self._weight_rule.interval_seconds if self._weight_rule else 60
            until = (math.floor(venue / interval) + 1) * interval + self._error - self._offset
        if (banned_until := banned_until_ms(body)) is not None:  # by the venue's clock, which is known here
            until = max(until, banned_until / 1000 + self._error - self._offset)
        until = min(until, now + (LONGEST_BAN_SECONDS if status == BANNED else LONGEST_REFUSAL_SECONDS))
        if until > self.blocked_until:
            self.blocked_until = until
            self.blocked_reason = WaitReason.BANNED if status == BANNED else WaitReason.REFUSED
        if self._bucket is not None:  # no burst when it is over: start from an empty bucket
            factor = self.pressure.factor(now)
            self._bucket.refill(now, self._rate(factor), self._capacity(factor))
            self._bucket.tokens = min(self._bucket.tokens, 0.0)
            self._bucket.at = max(self.blocked_until, now)

    def _rate(self, factor: float) -> float:
        assert self._weight_rule is not None
        return self._weight_rule.limit * self.settings.share * factor / self._weight_rule.interval_seconds

    def _capacity(self, factor: float) -> float:
        assert self._weight_rule is not None
        limit = self._weight_rule.limit * self.settings.share * factor
        return max(limit * self.settings.burst_share, 1.0)
