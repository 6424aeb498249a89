"""Soak: a live bot runs for days; does its memory grow, do threads or sockets pile up?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adaptive_pkg.rehearsal.busy import BUSY, merged
from adaptive_pkg.rehearsal.live_bot import Rehearsal
from adaptive_pkg.rehearsal.vitals import Pulse, Vitals, vitals

MB_PER_DAY = 5.0  # a bot of 350 MB would take two months to double
DRIFT = 2.0  # threads, and sockets, of reconnects under way


@dataclass(frozen=True)
class SoakReport:
    """What days of running did to the process.

    Attributes:
        days: simulated. loops: of the bot, about.
        vitals: memory, threads and sockets after the warm-up.
        cpu_seconds: of the bot, for all of it.
        warnings, errors: lines of its log.
    """

    days: float
    loops: int
    trades: int
    venue_orders: int
    requests: int
    violations: Mapping[str, int]
    vitals: Vitals
    cpu_seconds: float
    warnings: int
    errors: int

    @property
    def holds(self) -> bool:
        """Memory grows by less than `MB_PER_DAY`, threads and sockets do not pile up, no limit is broken."""
        found = self.vitals
        drift = max(abs(found.thread_drift), abs(found.socket_drift))
        return found.mb_per_day < MB_PER_DAY and drift <= DRIFT and not self.violations

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"holds": self.holds}

    def table(self) -> str:
        """What a person reads."""
        found = self.vitals
        return "\n".join(
            [
                f"{self.days:.2f} simulated days, about {self.loops} loops, {self.trades} trades, "
                f"{self.venue_orders} orders, {self.requests} requests, limits broken: "
                f"{dict(self.violations) or 'none'}",
                f"memory: {found.start_mb:.1f} MB after the warm-up, {found.end_mb:.1f} MB at the end, "
                f"{found.mb_per_day:+.2f} MB a day ({found.mb_per_day_low:+.2f} to "
                f"{found.mb_per_day_high:+.2f})",
                f"threads: {found.threads[0]} to {found.threads[1]}, drift {found.thread_drift:+.1f}; "
                f"sockets: {found.sockets[0]} to {found.sockets[1]}, drift {found.socket_drift:+.1f}",
                f"CPU: {self.cpu_seconds:.0f} s; log: {self.warnings} warnings, {self.errors} errors",
            ]
        )


def rehearse_soak(
    folder: Path,
    datadir: Path,
    start: datetime,
    pairs: Sequence[str],
    *,
    days: float = 7.0,
    timeframe: str = "5m",
    throttle_seconds: int = 60,
    looks: int = 400,
    warm_up: float = 0.25,
    seed: int = 0,
    config_extra: Mapping[str, Any] | None = None,
    project: Path = Path(),
) -> SoakReport:
    """Let a live bot trade for days in leap time, and look at its process every now and then.

    Args:
        folder: for the run; anew. datadir: candles. start: first moment, at least 30 days into them.
        throttle_seconds: between two loops. looks: how many. warm_up: part of them that is left out.

    Raises:
        RehearsalError: the bot cannot be started, or has ended.
    """
    run = Rehearsal(
        folder,
        datadir,
        start,
        pairs,
        timeframe,
        throttle_seconds=throttle_seconds,
        longest_leap=10.0,
        live=True,
        limits={},
        seed=seed,
        config_extra=merged(BUSY, dict(config_extra or {})),
        project=project,
    )
    pulses: list[Pulse] = []
    with run:
        bot = run.start_bot()
        run.wait_until(lambda: any("to: RUNNING" in line.message for line in run.log()), 180.0)
        began = run.now()
        for look in range(1, looks + 1):
            run.wait_until(began + timedelta(days=days) * look / looks, 1800.0, poll_seconds=0.05)
            seen = bot.footprint()
            pulses.append(Pulse((seen.at - began).total_seconds(), seen.rss_mb, seen.threads, seen.sockets))
        report = run.venue_report()
        orders, trades = len(run.account()["orders"]), len(run.trades())
        bot.stop()
        counts = run.log_counts()
    return SoakReport(
        days,
        round(days * 86_400 / throttle_seconds),
        trades,
        orders,
        sum(report["requests"].values()),
        report["violations"],
        vitals(pulses, warm_up),
        seen.cpu_seconds,
        counts["WARNING"],
        counts["ERROR"] + counts["CRITICAL"],
    )
