"""What a crash rehearsal has found, kill by kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

READY_SECONDS = 5.0  # after a restart


@dataclass(frozen=True)
class Crash:
    """One kill and what was found after the restart.

    Attributes:
        window: what was under way. at: the rehearsal's time.
        open_trades, open_orders: in the database and at the venue as the bot died.
        unknown, doubled, missing: orders, see `ledger.Differences`; unknown ones were then closed by hand.
        balance_gap: pairs whose balance does not agree with the trades, unknown orders apart.
        said: the bot has said that there are unknown orders.
        without_plan: open trades with a position and no sound stop plan in the database, or no stop from it.
        plan_changed: trades whose first stop is not what it was.
        stage_lost: trades whose stop or its stage went back.
        ready_*: from the strategy's construction until the stops of all open trades were known again; None
            without an open position.
        errors: what the restarted bot logged as errors, but for freqtrade's candle streams.
    """

    window: str
    at: str
    open_trades: int
    open_orders: int
    unknown: int
    doubled: int
    missing: int
    balance_gap: tuple[str, ...]
    said: bool
    without_plan: tuple[int, ...]
    plan_changed: tuple[int, ...]
    stage_lost: tuple[int, ...]
    ready_real_seconds: float | None
    ready_cpu_seconds: float | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class CrashReport:
    """All kills of a rehearsal."""

    seed: int
    crashes: tuple[Crash, ...]
    venue_orders: int
    trades: int
    violations: Mapping[str, int]

    @property
    def unknown(self) -> int:
        return sum(crash.unknown for crash in self.crashes)

    @property
    def unsaid(self) -> int:
        """Kills after which an order was unknown and the bot said nothing."""
        return sum(bool(crash.unknown) and not crash.said for crash in self.crashes)

    @property
    def doubled(self) -> int:
        return sum(crash.doubled for crash in self.crashes)

    @property
    def broken_plans(self) -> int:
        return sum(len(c.without_plan) + len(c.plan_changed) + len(c.stage_lost) for c in self.crashes)

    @property
    def holds(self) -> bool:
        """Nothing doubled, nothing lost that was not said, plans kept, ready in time, no limit broken."""
        lost = any(crash.missing or crash.balance_gap for crash in self.crashes)
        real = self.ready("real")
        in_time = real is None or real[1] < READY_SECONDS
        broken = self.unsaid or self.doubled or self.broken_plans or self.violations
        return bool(self.crashes) and in_time and not lost and not broken

    def ready(self, name: str) -> tuple[float, float] | None:
        """Median and most of "real" or "cpu" seconds; None where no trade was open."""
        times = [getattr(crash, f"ready_{name}_seconds") for crash in self.crashes]
        known = [seconds for seconds in times if seconds is not None]
        return (median(known), max(known)) if known else None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "holds": self.holds,
            "unknown": self.unknown,
            "unsaid": self.unsaid,
            "doubled": self.doubled,
            "broken_plans": self.broken_plans,
            "ready": {name: self.ready(name) for name in ("real", "cpu")},
        }

    def table(self) -> str:
        """What a person reads."""
        rows = [
            f"{'killed while':<32} {'kills':>5} {'open trades':>11} {'unknown':>8} {'said':>5} "
            f"{'doubled':>8} {'balances':>9} {'plans':>6}"
        ]
        for window in dict.fromkeys(crash.window for crash in self.crashes):
            own = [crash for crash in self.crashes if crash.window == window]
            rows.append(
                f"{window:<32} {len(own):>5} {sum(c.open_trades for c in own):>11} "
                f"{sum(c.unknown for c in own):>8} {sum(c.said for c in own):>5} "
                f"{sum(c.doubled for c in own):>8} {sum(len(c.balance_gap) for c in own):>9} "
                f"{sum(len(c.without_plan) + len(c.plan_changed) + len(c.stage_lost) for c in own):>6}"
            )
        rows.append(
            f"{len(self.crashes)} kills, {self.venue_orders} orders at the venue, {self.trades} trades; "
            f"orders unknown to the bot after a restart: {self.unknown} ({self.unsaid} times unsaid), "
            f"doubled: {self.doubled}, plans lost, changed or set back: {self.broken_plans}, limits broken: "
            f"{dict(self.violations) or 'none'}"
        )
        for name, what in (("real", "real"), ("cpu", "CPU")):
            if found := self.ready(name):
                rows.append(
                    f"stops known again: {found[0]:.2f} {what} seconds after the strategy is made, "
                    f"{found[1]:.2f} at most"
                )
        if errors := Counter(words for crash in self.crashes for words in crash.errors):
            rows.append("errors logged after a restart:")
            rows += [f"  {count} × {words}" for words, count in errors.most_common()]
        return "\n".join(rows)
