"""A million simulated requests through the request budget: violations, bans, throughput, cost of a decision.

Simulated time, simulated venue: it counts by fixed minutes of its own clock, as Binance documents, and beside
that in every stretch of 60 seconds, as a stricter venue would. Requests and answers travel at random speeds,
the bots' clocks are wrong, and the venue refuses and bans when the scenario says so.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.bench.limiter_candles import CandleLoad, candle_load, candle_scenario
from adaptive_pkg.bench.limiter_venue import (
    CLOSE_MINUTES,
    CROWD_SECONDS,
    CROWD_WEIGHT,
    LIMIT,
    MINUTE,
    SCENARIOS,
    Bot,
    Ideal,
    OurBudget,
    PlainTokenBucket,
    Scenario,
    Tally,
    Venue,
)
from adaptive_pkg.errors import DataError
from adaptive_pkg.exchange.budget import Wait
from adaptive_pkg.exchange.rules import Cost, RateRule, RuleKind
from adaptive_pkg.reports import report_console
from adaptive_pkg.settings.exchange import LimiterSettings

SEED = 17
# weights of Binance's market-data and account endpoints, roughly as often as a bot uses them
WEIGHTS, SHARES = (1, 2, 4, 5, 20, 25, 50, 80, 250), (0.25, 0.45, 0.1, 0.08, 0.06, 0.03, 0.02, 0.0075, 0.0025)
RULES = (RateRule(RuleKind.WEIGHT, 60, LIMIT),)
GOAL_SHARE = 0.95
FEW_REQUESTS = 50_000


def simulate(
    scenario: Scenario, requests: int, seed: int, make: Callable[[Scenario, float, float], Any], name: str
) -> Tally:
    """Send `requests` requests through the scenario; `make(scenario, share, clock error)` gives a limiter."""
    rng = np.random.default_rng(seed)
    tally = Tally(scenario.name, name)
    weights = rng.choice(WEIGHTS, size=requests, p=SHARES)
    expected_minutes = max(weights.sum() / LIMIT, 2.0)
    rate = scenario.refusals_per_hour / 60
    refuse_at = np.sort(rng.uniform(1, expected_minutes, int(rate * expected_minutes))) * MINUTE
    ban_at = np.sort(rng.uniform(1, expected_minutes, scenario.bans)) * MINUTE
    venue = Venue(tally, list(refuse_at), list(ban_at), rng)
    errors = rng.uniform(-0.2, 0.2, len(scenario.bots))
    bots = [
        Bot(make(scenario, share, float(error)), share, float(error))
        for share, error in zip(scenario.bots, errors, strict=True)
    ]
    busy = bots[:-1] if scenario.closes else bots
    demand = _demand(scenario, weights, busy)
    if scenario.closes:
        demand += _closes(scenario, expected_minutes, number=len(busy))
        requests = sum(len(batch) for _, _, batch in demand)
    up, down = (iter(rng.uniform(*scenario.latency_seconds, 2 * requests + 10_000)) for _ in range(2))
    crowd = CROWD_WEIGHT / CROWD_SECONDS * MINUTE if scenario.stranger else 0.0
    ideal = Ideal(busy, tally, int(weights.sum()), LIMIT - crowd)
    closing: list[float] = []  # candle closes of which requests are still to be sent
    close_seconds: list[float] = []
    # (time, order, kind, bot, what): kind 0 new demand, 1 ask, 2 arrival, 3 answer, 4 the stranger
    events: list[tuple[float, int, int, int, Any]] = []
    order = 0

    def later(at: float, kind: int, bot: int, what: Any = None) -> None:
        nonlocal order
        order += 1
        heapq.heappush(events, (at, order, kind, bot, what))

    for at, bot, chunk in demand:
        later(at, 0, bot, chunk)
    if scenario.stranger:
        later(1.0, 4, 0)
    now = 0.0
    left = requests
    while left:
        now, _, kind, number, what = heapq.heappop(events)
        bot = bots[number]
        ideal.advance(now)
        if kind == 2:
            grant = what
            status, headers = venue.take(now, grant.cost.weight)
            later(now + next(down), 3, number, (grant, status, headers))
            if status == 200:
                left -= 1
                tally.requests += 1
                tally.weight += grant.cost.weight
            continue
        if kind == 4:
            venue.count(now, CROWD_WEIGHT)
            later(now + CROWD_SECONDS, 4, 0)
            continue
        if kind == 0:
            bot.backlog.extend(what)
            if number < len(busy):
                ideal.demand(int(np.sum(what)))
            else:
                closing.append(now)
        elif kind == 3:
            grant, status, headers = what
            started = time.perf_counter()
            bot.limiter.answered(now, grant, status, headers)
            tally.decision_seconds += time.perf_counter() - started
            if status != 200:
                bot.blocked.append((now, now + float(headers["Retry-After"])))
                bot.backlog.appendleft(grant.cost.weight)
        if kind == 1:
            bot.waiting_until = -math.inf
        while bot.backlog and bot.waiting_until <= now:
            cost = Cost(bot.backlog[0])
            started = time.perf_counter()
            decision = bot.limiter.ask(now, cost)
            tally.decision_seconds += time.perf_counter() - started
            tally.decisions += 1
            if isinstance(decision, Wait):
                bot.waiting_until = decision.until
                later(decision.until, 1, number)
                break
            bot.backlog.popleft()
            tally.sent_while_blocked += any(start <= now < end for start, end in bot.blocked[-8:])
            later(now + next(up), 2, number, decision)
        if closing and not bots[-1].backlog:
            close_seconds += [now - at for at in closing]
            closing.clear()
    if close_seconds:
        tally.candle_closes = len(close_seconds)
        tally.close_seconds_p50, tally.close_seconds_p99, tally.close_seconds_worst = np.percentile(
            close_seconds, [50, 99, 100]
        ).tolist()
    tally.minutes = now / MINUTE
    ideal.judge()
    return tally


def _demand(scenario: Scenario, weights: np.ndarray, bots: list[Bot]) -> list[tuple[float, int, list[int]]]:
    """(time, bot, weights) of what is asked for: all at once, or in bursts at the edges of minutes."""
    batches: list[tuple[float, int, list[int]]] = []
    edges = np.cumsum([bot.share for bot in bots[:-1]]) / sum(bot.share for bot in bots)
    for number, part in enumerate(np.split(weights, (edges * len(weights)).astype(int))):
        if not scenario.burst_minutes:
            batches.append((0.0, number, part.tolist()))
            continue
        size = LIMIT * scenario.burst_minutes * bots[number].share
        burst = (np.cumsum(part) // size).astype(int)
        for index in range(burst[-1] + 1):
            at = (index * scenario.burst_minutes + 1) * MINUTE - 0.1
            batches.append((at, number, part[burst == index].tolist()))
    return batches


def _closes(scenario: Scenario, minutes: float, number: int) -> list[tuple[float, int, list[int]]]:
    """The newest of the scenario's candle closes, as many as fall within `minutes`."""
    most = max(int((minutes - 1) // CLOSE_MINUTES), 1)
    return [
        ((index * CLOSE_MINUTES + 1) * MINUTE, number, list(weights))
        for index, weights in enumerate(scenario.closes[-most:])
    ]


def ours(scenario: Scenario, share: float, clock_error: float) -> OurBudget:
    """The shipped budget with its default settings and a clock that is wrong by `clock_error`."""
    settings = LimiterSettings(share=share, any_window=scenario.any_window)
    return OurBudget(RULES, settings, 0.0, clock_error)


def plain(scenario: Scenario, share: float, clock_error: float) -> PlainTokenBucket:
    """The baseline."""
    return PlainTokenBucket(share, 0.0)


def run(requests: int = 1_000_000, seed: int = SEED, load: CandleLoad | None = None) -> dict[str, Any]:
    """Every scenario through the budget, a fifth of it through the plain bucket; figures for JSON.

    Args:
        load: what a bot asks for at its candles' closes; beside all else, one more scenario.
    """
    scenarios = (*SCENARIOS, candle_scenario(load)) if load else SCENARIOS
    tallies = [
        simulate(scenario, int(requests * scenario.part * part), seed + number, make, name)
        for number, scenario in enumerate(scenarios)
        for make, name, part in ((ours, "budget", 1.0), (plain, "plain bucket", 0.2))
    ]
    promised = {item.name: item for item in scenarios if item.promised}
    our = [tally for tally in tallies if tally.limiter == "budget" and tally.scenario in promised]
    spent = sum(tally.decision_seconds for tally in our)
    microseconds = 1e6 * spent / sum(tally.requests for tally in our)
    signing = _signing_microseconds()
    total = Counter()
    for tally in our:
        total.update(
            requests=tally.requests,
            minute_violations=tally.minute_violations,
            sent_while_blocked=tally.sent_while_blocked,
        )
        if promised[tally.scenario].any_window:
            total.update(stretch_violations=tally.stretch_violations)
    return {
        "seed": seed,
        "limit_weight_per_minute": LIMIT,
        "candles": load.figures() if load else None,
        "scenarios": [asdict(tally) for tally in tallies],
        "requests": total["requests"],
        "minute_violations": total["minute_violations"],
        "stretch_violations_any_window": total["stretch_violations"],
        "sent_while_blocked": total["sent_while_blocked"],
        "lowest_share_of_policy": min(tally.share_of_policy for tally in our),
        "microseconds_per_request": microseconds,
        "time_ratio_to_signing_a_request": microseconds / signing,
    }


def show(figures: dict[str, Any]) -> None:
    """Print what `run` measured."""
    console = report_console()
    table = Table(
        *("scenario", "limiter", "requests", ">minute", ">60 s", "blocked", "early", "limit", "policy"),
        title=f"limit {figures['limit_weight_per_minute']} a minute, simulated time",
        caption="requests over the limit of their minute, of the 60 s before them; sent while blocked; under "
        "way when a ban fell; share of what an all-knowing sender gets through, without and with our caution",
    )
    for row in figures["scenarios"]:
        table.add_row(
            *(row["scenario"], row["limiter"], f"{row['requests']:,}", f"{row['minute_violations']:,}"),
            *(f"{row['stretch_violations']:,}", f"{row['sent_while_blocked']:,}"),
            *(
                f"{row['under_way_at_a_ban']:,}",
                f"{row['share_of_limit']:.1%}",
                f"{row['share_of_policy']:.1%}",
            ),
        )
    console.print(table)
    if figures["candles"]:
        _show_closes(figures, console)
    met = (
        figures["minute_violations"] == figures["sent_while_blocked"] == 0
        and figures["lowest_share_of_policy"] >= GOAL_SHARE
    )
    if figures["requests"] < FEW_REQUESTS:
        console.print(
            f"fewer than {FEW_REQUESTS:,} requests: minutes are too few for the shares to mean much"
        )
    console.print(
        f"{figures['requests']:,} requests: {figures['minute_violations']} over a fixed minute, "
        f"{figures['stretch_violations_any_window']} over any 60 s where that is asked for, "
        f"{figures['sent_while_blocked']} sent while blocked; at least "
        f"{figures['lowest_share_of_policy']:.1%} of the allowed throughput (goal 95 %): "
        f"{'met' if met else 'missed'}"
    )
    console.print(
        f"decisions and answers: {figures['microseconds_per_request']:.1f} µs a request, "
        f"{figures['time_ratio_to_signing_a_request']:.1f} times signing it (HMAC-SHA256)"
    )


def _show_closes(figures: dict[str, Any], console: Console) -> None:
    for row in figures["scenarios"]:
        if row["candle_closes"]:
            console.print(
                f"{row['candle_closes']} candle closes of {len(figures['candles']['pairs'])} pairs, at most "
                f"{figures['candles']['most_weight_per_close']} weight each, {row['limiter']}: the last "
                f"request left {row['close_seconds_p50']:.1f} s after the close (median), "
                f"{row['close_seconds_p99']:.1f} s (p99), {row['close_seconds_worst']:.1f} s (worst)"
            )


def bench_limiter(
    requests: int = 1_000_000, json_path: Path | None = None, choice: CandleChoice | None = None
) -> int:
    """Run, print, and write the figures where asked. Returns 0.

    Args:
        choice: candles at whose closes one more bot makes its requests.

    Raises:
        DataError: no such candles, or too few requests to measure.
    """
    if requests < 5_000:
        raise DataError(f"requests: {requests} are too few to measure; ask for at least 5000")
    figures = run(requests, load=candle_load(choice) if choice else None)
    show(figures)
    write_figures(figures, json_path)
    return 0


def _signing_microseconds(repeats: int = 20_000) -> float:
    message = b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=100&timestamp=1499827319559"
    started = time.perf_counter()
    for _ in range(repeats):
        hmac.new(b"k" * 64, message, hashlib.sha256).hexdigest()
    return 1e6 * (time.perf_counter() - started) / repeats
