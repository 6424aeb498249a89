"""Storm: a live bot trades through everything that can go wrong at a venue; what became of its stops?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.rehearsal.busy import BUSY, merged
from adaptive_pkg.rehearsal.ledger import Differences, compare, owned, venue_orders
from adaptive_pkg.rehearsal.live_bot import Rehearsal
from adaptive_pkg.rehearsal.stop_audit import StopCheck, StopSample, audit_stops
from adaptive_pkg.rehearsal.weather import SPELLS, Spell, fault_row, hurried, storm
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.tape import Tape

CALM_BEFORE, CALM_AFTER = timedelta(minutes=5), timedelta(minutes=15)
CLIENT_SECONDS = 20.0  # ccxt gives up on a request after so long; its default is 10
HURRY = 0.05
# of a request that the venue sees so soon after its refusal nobody can say that the bot knew better
UNDER_WAY_MS = 250
NOBODYS_FAULT = {"under way"}
_FATAL = re.compile(r"Fatal exception|Stopping trader")
_OWN = ("adaptive_pkg", "AdaptiveGRU")


@dataclass(frozen=True)
class StormReport:
    """What a storm did.

    Attributes:
        candles: how many of the strategy's candles it lasted.
        struck: faults by kind.
        deaths: how often the bot ended or stopped trading; it was then started again.
        failed_starts: how often such a start did not succeed, for the storm went on.
        last_words: what it said when it did.
        own_errors: error messages of this package, without their numbers.
        other_errors: the same of freqtrade and its libraries, by logger.
        stops: every stop that the price went through.
        violations: limits broken, as the venue counts them; `early` and `banned` are requests before a
            Retry-After or a ban was over, `under way` such that were sent before the bot heard of it.
        unknown, doubled: orders at the end, see `ledger.Differences`.
    """

    seed: int
    speed: float | None
    candles: int
    struck: Mapping[str, int]
    deaths: int
    failed_starts: int
    last_words: tuple[str, ...]
    own_errors: Mapping[str, int]
    other_errors: Mapping[str, int]
    stops: tuple[StopCheck, ...]
    trades: int
    venue_orders: int
    requests: int
    violations: Mapping[str, int]
    bans: int
    unknown: int
    doubled: int

    @property
    def missed_stops(self) -> int:
        return sum(check.missed for check in self.stops)

    @property
    def holds(self) -> bool:
        """The bot stayed up, its stops were kept, nothing was doubled, no limit broken."""
        broken = set(self.violations) - NOBODYS_FAULT
        return not (self.deaths or self.missed_stops or self.own_errors or self.doubled or broken)

    def to_dict(self) -> dict[str, Any]:
        found = asdict(self)
        return found | {
            "holds": self.holds,
            "stops": [check.to_dict() for check in self.stops],
            "missed_stops": self.missed_stops,
        }

    def table(self) -> str:
        """What a person reads."""
        late = Counter(check.candles_late for check in self.stops)
        lateness = ", ".join(
            f"{'never' if n is None else f'{n} candles late'}: {late[n]}"
            for n in sorted(late, key=lambda n: (n is None, n))
        )
        struck = ", ".join(f"{kind} {count}" for kind, count in sorted(self.struck.items()))
        lines = [
            f"{self.candles} candles of storm, {self.trades} trades, {self.venue_orders} orders",
            f"faults: {struck or 'none'}",
            f"the bot ended or stopped trading: {self.deaths} times; starts that failed in the storm: "
            f"{self.failed_starts}",
            *(f"  {words}" for words in self.last_words),
            f"stops the price went through: {len(self.stops)} ({lateness or 'none'}); "
            f"missed by more than a candle: {self.missed_stops}",
            f"requests: {self.requests}, limits broken: {dict(self.violations) or 'none'}, bans: {self.bans}",
            f"orders unknown to the bot at the end: {self.unknown}, doubled: {self.doubled}",
            f"errors of this package in the log: {sum(self.own_errors.values())}, of others: "
            f"{sum(self.other_errors.values())}",
            *(f"  {count} × {words}" for words, count in self.own_errors.items()),
        ]
        return "\n".join(lines)


def rehearse_storm(
    folder: Path,
    datadir: Path,
    start: datetime,
    pairs: Sequence[str],
    *,
    candles: int = 288,
    seed: int = 0,
    speed: float | None = None,
    throttle_seconds: int = 15,
    timeframe: str = "5m",
    spells: tuple[Spell, ...] = SPELLS,
    config_extra: Mapping[str, Any] | None = None,
    arguments: Sequence[str] = (),
    project: Path = Path(),
) -> StormReport:
    """Let a live bot trade through a storm, after some calm candles and with some after it.

    Args:
        folder: for the run; anew. datadir: candles. start: first moment, at least 30 days into them.
        candles: how long the storm lasts.
        speed: None: leap time, in which waits for answers, and the bot's patience with them, are `HURRY` of
            what they are else; a number: an even pace, all waits at their full length.

    Raises:
        RehearsalError: the bot cannot be started.
    """
    candle = timedelta(hours=timeframe_hours(timeframe))
    length = candles * candle
    hurry = HURRY if speed is None else 1.0
    plan = storm(seed, 0.0, length.total_seconds(), hurried(spells, hurry))
    run = Rehearsal(
        folder,
        datadir,
        start,
        pairs,
        timeframe,
        speed=speed,
        throttle_seconds=throttle_seconds,
        longest_leap=5.0,
        live=True,
        limits={"under_way_ms": UNDER_WAY_MS},
        seed=seed,
        faults={"seed": seed, "faults": []},
        config_extra=merged(
            BUSY,
            {"exchange": {"ccxt_config": {"timeout": round(CLIENT_SECONDS * hurry * 1000)}}},
            dict(config_extra or {}),
        ),
        arguments=arguments,
        project=project,
    )
    with run:
        watch = _Watch(run)
        watch.until(run.now() + CALM_BEFORE)
        began = run.now()
        for fault in plan.faults:
            run.add_fault(**fault_row(fault))
        watch.until(began + length)
        run.clear_faults()
        watch.until(run.now() + CALM_AFTER)
        end = run.now()
        trades, report, account = run.trades(), run.venue_report(), run.account()
        orders = venue_orders(account, pairs)
        found = _settled(run, candle)
        watch.end()
    store = CandleStore(Path(datadir))
    candle_ms = round(candle.total_seconds() * 1000)
    checks = audit_stops(
        watch.samples,
        trades,
        orders,
        {pair: Tape(store, pair) for pair in pairs},
        end_ms=round(end.timestamp() * 1000),
        candle_ms=candle_ms,
    )
    own, others = _errors(run)
    return StormReport(
        seed,
        speed,
        candles,
        report["faults_struck"],
        watch.deaths,
        watch.failed_starts,
        tuple(watch.last_words),
        own,
        others,
        checks,
        len(trades),
        len(orders),
        sum(report["requests"].values()),
        report["violations"],
        report["bans"],
        len(found.unknown),
        len(found.doubled),
    )


class _Watch:
    """Keeps the bot running as a supervisor would, and writes down what its stops are."""

    def __init__(self, run: Rehearsal):
        self.samples: list[StopSample] = []
        self.deaths = self.failed_starts = 0
        self.last_words: list[str] = []
        self._run = run
        self._stopped = self._ran = 0
        self._stops: dict[int, float] = {}
        self._bot = run.start_bot()
        run.wait_until(lambda: self._count("to: RUNNING"), 300.0)

    def until(self, goal: datetime) -> None:
        """Watch until then."""
        run = self._run
        while run.now() < goal:
            moment = run.now() + timedelta(seconds=15)
            run.wait_until(moment, bot_may_end=True)
            if not self._bot.is_running or self._has_stopped():
                self._restart()
            self._sample()

    def end(self) -> None:
        if self._bot.is_running:
            self._bot.kill()

    def _sample(self) -> None:
        at_ms = round(self._run.now().timestamp() * 1000)
        for trade in self._run.trades():
            if trade.is_open and trade.amount and self._stops.get(trade.id) != trade.stop_loss:
                self._stops[trade.id] = trade.stop_loss
                self.samples.append(StopSample(at_ms, trade.id, trade.stop_loss))

    def _count(self, words: str) -> int:
        path = self._run.log_path
        return path.read_text(errors="replace").count(words) if path.exists() else 0

    def _has_stopped(self) -> bool:
        """Whether freqtrade has given up trading, alive as it may be."""
        before, self._stopped = self._stopped, self._count("Stopping trader")
        return self._stopped > before

    def _restart(self) -> None:
        before, self._ran = self._ran, self._count("to: RUNNING")
        if self._ran > before:
            self.deaths += 1
        else:
            self.failed_starts += 1
        self._bot.kill()
        said = [line for line in self._run.log("ERROR", "CRITICAL") if _FATAL.search(line.message)]
        self.last_words.append(said[-1].message.strip().splitlines()[-1][:300] if said else "(nothing said)")
        self._bot = self._run.start_bot()


def _settled(run: Rehearsal, candle: timedelta) -> Differences:
    """Differences that last: an order placed this very moment is in no database yet."""
    for _ in range(4):
        account = run.account()
        found = compare(
            venue_orders(account, run.pairs),
            run.trades(),
            owned(account, run.pairs),
            candle_ms=round(candle.total_seconds() * 1000),
        )
        if not found.unknown:
            break
        run.wait_until(run.now() + timedelta(seconds=20), bot_may_end=True)
    return found


def _errors(run: Rehearsal) -> tuple[dict[str, int], dict[str, int]]:
    """Error messages of this package by their words, and of all others by their logger."""
    own: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for line in run.log("ERROR", "CRITICAL"):
        if line.logger.startswith(_OWN):
            own[re.sub(r"[\d.]+", "#", line.message.splitlines()[0])[:160]] += 1
        else:
            others[line.logger] += 1
    return dict(own), dict(others)
