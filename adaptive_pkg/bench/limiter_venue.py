"""Who asks for too much, and who counts it: scenarios, bots, baseline, ideal, and the simulated venue."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adaptive_pkg.exchange.budget import Grant, RequestBudget, Wait, WaitReason
from adaptive_pkg.exchange.rules import Cost

LIMIT, MINUTE = 6000, 60.0
LATENCY_SECONDS = (0.02, 0.5)  # one way, uniform; the budget assumes at most 0.5
CLOSE_MINUTES = 2
CROWD_SECONDS, CROWD_WEIGHT = 5.0, 150  # a stranger on the address sends this much this often


@dataclass(frozen=True)
class Scenario:
    """One way to ask for too much."""

    name: str
    part: float  # of all requests
    bots: tuple[float, ...] = (1.0,)  # each one's share of the address
    burst_minutes: int = 0  # demand comes all at once, a tenth of a second before a minute ends; 0: always
    refusals_per_hour: float = 0.0  # 429 although within the limit, as a crowded address gets
    bans: int = 0
    any_window: bool = True
    latency_seconds: tuple[float, float] = LATENCY_SECONDS
    stranger: bool = False  # somebody without a share uses 30 % of the address; only answers tell
    promised: bool = True  # False: outside what the budget assumes; shown, and not part of the goal
    # weights the last bot asks for at each candle's close, which fall on every CLOSE_MINUTES-th minute's
    # edge; the other bots are as busy as without it
    closes: tuple[tuple[int, ...], ...] = ()


SCENARIOS = (
    Scenario("always behind", 0.2),
    Scenario("bursts at a minute's edge", 0.2, burst_minutes=2),
    Scenario("the same, documented windows only", 0.2, burst_minutes=2, any_window=False),
    Scenario("three bots on one address", 0.2, bots=(0.5, 0.3, 0.2)),
    Scenario("429s and bans", 0.2, refusals_per_hour=2.0, bans=3),
    Scenario("beyond: a stranger on the address", 0.05, stranger=True, promised=False),
    Scenario("beyond: travel up to 3 s", 0.05, latency_seconds=(0.02, 3.0), promised=False),
)


@dataclass
class Tally:
    """What one scenario came to."""

    scenario: str
    limiter: str
    requests: int = 0
    weight: int = 0
    minutes: float = 0.0
    minute_violations: int = 0  # requests above the limit of their fixed minute
    stretch_violations: int = 0  # requests above the limit of the 60 seconds before them
    refused: int = 0
    banned: int = 0
    sent_while_blocked: int = 0  # although the bot knew
    under_way_at_a_ban: int = 0  # had left before the bot could know
    candle_closes: int = 0
    # from a candle's close until the last of its requests has left
    close_seconds_p50: float | None = None
    close_seconds_p99: float | None = None
    close_seconds_worst: float | None = None
    decisions: int = 0
    decision_seconds: float = 0.0
    # weight sent when a sender that knows everything is done, as a part of the whole
    share_of_limit: float = 0.0  # it uses the venue's limit
    share_of_policy: float = 0.0  # it is as cautious after a 429 as the budget has to be


class PlainTokenBucket:
    """The baseline: a bucket as large as the limit, refilled at limit a minute. Honours Retry-After."""

    def __init__(self, share: float, now: float):
        self._capacity, self._rate = LIMIT * share, LIMIT * share / MINUTE
        self._tokens, self._at, self._blocked = self._capacity, now, -math.inf

    def ask(self, now: float, cost: Cost) -> Grant | Wait:
        self._tokens = min(self._tokens + (now - self._at) * self._rate, self._capacity)
        self._at = now
        until = max(self._blocked, now + (cost.weight - self._tokens) / self._rate)
        if until > now:
            return Wait(until + 1e-6, WaitReason.BUCKET)
        self._tokens -= cost.weight
        return Grant(now, cost, now, now)

    def answered(self, now: float, grant: Grant, status: int, headers: dict[str, str]) -> None:
        if status != 200:
            self._blocked = max(self._blocked, now + float(headers["Retry-After"]))

    def factor(self, now: float) -> float:
        return 1.0


class OurBudget(RequestBudget):
    """The shipped budget, with its factor at hand."""

    def factor(self, now: float) -> float:
        return self.pressure.factor(now)


class Venue:
    """Counts an address's weight by fixed minutes and by stretches of 60 seconds; refuses and bans."""

    def __init__(self, tally: Tally, refuse_at: list[float], ban_at: list[float], rng: np.random.Generator):
        self._tally, self._rng = tally, rng
        self._refuse_at, self._ban_at = deque(refuse_at), deque(ban_at)
        self._minute, self._used = -1, 0
        self._recent: deque[tuple[float, int]] = deque()
        self._recent_used = 0
        self._banned_until = -math.inf
        self._bans = 0

    def take(self, at: float, weight: int) -> tuple[int, dict[str, str]]:
        """Count one request that arrives at `at` of the venue's clock; the answer's status and headers."""
        tally = self._tally
        if at < self._banned_until:
            tally.under_way_at_a_ban += 1
            return 418, {"Retry-After": str(math.ceil(self._banned_until - at))}
        self.count(at, weight)
        tally.stretch_violations += self._recent_used > LIMIT
        if self._ban_at and at >= self._ban_at[0]:
            self._ban_at.popleft()
            seconds = 120 * 3**self._bans  # bans escalate
            self._bans += 1
            self._banned_until = at + seconds
            tally.banned += 1
            return 418, {"Retry-After": str(seconds)}
        if self._used > LIMIT:
            tally.minute_violations += 1
            return 429, {"Retry-After": str(math.ceil(MINUTE - at % MINUTE))}
        if self._refuse_at and at >= self._refuse_at[0]:
            self._refuse_at.popleft()
            tally.refused += 1
            return 429, {"Retry-After": str(int(self._rng.integers(1, 61)))}
        return 200, {"X-MBX-USED-WEIGHT-1M": str(self._used)}

    def count(self, at: float, weight: int) -> None:
        """Add to the address's use, whoever sent it."""
        minute = int(at // MINUTE)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        while self._recent and self._recent[0][0] <= at - MINUTE:
            self._recent_used -= self._recent.popleft()[1]
        self._used += weight
        self._recent.append((at, weight))
        self._recent_used += weight


@dataclass
class Bot:
    """One limiter with its backlog."""

    limiter: Any
    share: float
    clock_error: float
    backlog: deque[int] = field(default_factory=deque)
    waiting_until: float = -math.inf
    blocked: list[tuple[float, float]] = field(default_factory=list)


class Ideal:
    """A sender that knows everything: minute by minute it sends what is asked for, up to the limit.

    Refusals stop it as they stop the bots. When it has sent all demand, the bots' weight so far is noted.
    """

    def __init__(self, bots: list[Bot], tally: Tally, total: int, limit: float):
        self._bots, self._tally, self._coming, self._limit = bots, tally, total, limit
        self._second = 0
        self._open = np.zeros(2)  # of this minute, in seconds: by the limit, by the policy as well
        self._waiting = np.zeros(2)
        self._marks: list[int | None] = [None, None]

    def demand(self, weight: int) -> None:
        """More to send."""
        self._waiting += weight
        self._coming -= weight

    def advance(self, now: float) -> None:
        """Let time pass."""
        while self._second + 1 <= now:
            for bot in self._bots:
                if not any(start <= self._second < end for start, end in bot.blocked[-8:]):
                    self._open += (bot.share, bot.share * bot.limiter.factor(self._second))
            self._second += 1
            if self._second % 60 == 0:
                self._waiting -= np.minimum(self._waiting, self._open * self._limit / MINUTE)
                self._open[:] = 0
                for index in range(2):
                    if not self._coming and self._waiting[index] <= 0 and self._marks[index] is None:
                        self._marks[index] = self._tally.weight

    def judge(self) -> None:
        """Write down both shares, once the bots are done."""
        shares = [1.0 if mark is None else mark / self._tally.weight for mark in self._marks]
        self._tally.share_of_limit, self._tally.share_of_policy = shares
