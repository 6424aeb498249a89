"""What goes wrong at the venue, where and when: a plan from a file or from a test, repeatable by its seed.

    {"seed": 3, "faults": [
        {"kind": "latency", "where": "GET /api/v3/*", "from": 60, "to": 120, "seconds": 2, "jitter": 1},
        {"kind": "drop", "where": "ws *@kline_*", "chance": 0.01}]}

`where` is a pattern over "METHOD /path", "ws connect", "ws answer" and "ws stream-name". `from` and `to` are
seconds of the venue's clock since it began.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from adaptive_pkg.errors import VenueError


class FaultKind(StrEnum):
    """What happens. REST and handshakes: R; messages of a stream: S."""

    LATENCY = "latency"  # R S: answered `seconds` ± `jitter` later
    RESET = "reset"  # R S: the connection is cut, before or after (`after`) the request was carried out
    STALL = "stall"  # R S: half open: nothing comes any more, for `seconds` or until `to`; then it is cut
    SLOW = "slow"  # R S: `bytes_per_second`
    MALFORMED = "malformed"  # R S: JSON that breaks off
    STATUS = "status"  # R: `status`, such as 503; with `after` the request was carried out all the same
    TOO_MANY = "too_many"  # R: 429 with Retry-After `seconds`
    BAN = "ban"  # R: 418 for `seconds`
    CLOCK_SKEW = "clock_skew"  # the venue's clock, as timestamps are judged and `time` answers, is off
    RESTART = "restart"  # the port is closed from `from` to `to`, every connection cut; orders are kept
    DUPLICATE = "duplicate"  # S
    REORDER = "reorder"  # S: comes after the next one
    DROP = "drop"  # S
    SHUTDOWN = "shutdown"  # S: serverShutdown, and the connection is closed `seconds` later


_NAMES = {"from": "start", "to": "end"}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. Raises VenueError for values that make no sense."""

    kind: FaultKind
    where: str = "*"
    start: float = 0.0
    end: float = math.inf
    chance: float = 1.0
    seconds: float = 0.0
    jitter: float = 0.0
    status: int = 503
    bytes_per_second: float = 50.0
    after: bool = False

    def __post_init__(self) -> None:
        rules = (
            ("chance", 0 <= self.chance <= 1, "a part from 0 to 1"),
            ("to", self.end > self.start, f"later than from ({self.start})"),
            ("jitter", self.jitter >= 0, "0 or more"),
            ("seconds", self.seconds >= 0 or self.kind is FaultKind.CLOCK_SKEW, "0 or more"),
            ("status", 400 <= self.status <= 599, "an HTTP status from 400 to 599"),
            ("bytes_per_second", self.bytes_per_second > 0, "above 0"),
            ("to", self.kind is not FaultKind.RESTART or self.end < math.inf, "given: a restart has an end"),
        )
        for name, holds, wanted in rules:
            if not holds:
                value = getattr(self, _NAMES.get(name, name))
                raise VenueError(f"fault {self.kind}: {name}: {value} must be {wanted}")


@dataclass(frozen=True)
class FaultPlan:
    """Faults and the seed of their dice."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0


def read_faults(source: Path | Mapping[str, Any]) -> FaultPlan:
    """A plan from a JSON file or its content. Raises VenueError that names what is wrong."""
    body: Any = source
    if isinstance(source, Path):
        try:
            body = json.loads(source.read_text())
        except (OSError, ValueError) as error:
            raise VenueError(f"fault plan {source}: cannot be read ({error})") from error
    if not isinstance(body, Mapping) or set(body) - {"seed", "faults"}:
        raise VenueError(f"fault plan: expected an object with `seed` and `faults`, got {str(body)[:80]}")
    return FaultPlan(tuple(_fault(row) for row in body.get("faults", [])), int(body.get("seed", 0)))


def _fault(row: Any) -> Fault:
    known = {field.name: field.type for field in fields(Fault)}
    if not isinstance(row, Mapping) or "kind" not in row:
        raise VenueError(f"fault plan: {row!r} is not a fault; it needs a `kind`")
    values = {}
    for name, value in row.items():
        field = {**_NAMES}.get(name, name)
        if field not in known or name in _NAMES.values():
            raise VenueError(f"fault plan: {name!r} in {row!r} is unknown; known: kind, where, from, to, …")
        if field == "kind":
            if value not in FaultKind.__members__.values():
                raise VenueError(f"fault plan: kind {value!r} is none of {', '.join(FaultKind)}")
            value = FaultKind(value)
        elif field == "after":
            value = bool(value)
        elif field != "where" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise VenueError(f"fault plan: {name}: {value!r} is not a number")
        values[field] = value
    return Fault(**values)


class Chaos:
    """A plan at work, to which faults can be added and taken away while the venue runs.

    Attributes:
        struck: how often each kind of fault happened.
    """

    def __init__(self, plan: FaultPlan | None = None):
        plan = plan or FaultPlan()
        self.struck: Counter[FaultKind] = Counter()
        self._seed = plan.seed
        self._faults: dict[int, Fault] = dict(enumerate(plan.faults))
        self._next = len(self._faults)
        self._asked: Counter[tuple[int, str]] = Counter()
        self._began_ms: int | None = None

    def begin(self, now_ms: int) -> None:
        """The moment from which `from` and `to` count; only the first one counts."""
        if self._began_ms is None:
            self._began_ms = now_ms

    @property
    def began_ms(self) -> int | None:
        """The moment from which `from` and `to` count; None before the venue has started."""
        return self._began_ms

    def add(self, fault: Fault) -> int:
        """One more fault; its number, for `remove`."""
        number, self._next = self._next, self._next + 1
        self._faults = {**self._faults, number: fault}  # replaced whole: another thread may be reading
        return number

    def remove(self, number: int) -> None:
        self._faults = {key: fault for key, fault in self._faults.items() if key != number}

    def clear(self) -> None:
        self._faults = {}

    def find(self, kind: FaultKind, where: str, now_ms: int, key: str | None = None) -> Fault | None:
        """The first fault of a kind that strikes here and now.

        Args:
            key: what it would strike. The same key meets the same fate; None: the next in a row.
        """
        for fault, _ in self._struck(kind, where, now_ms, key):
            return fault
        return None

    def delay_seconds(self, where: str, now_ms: int, key: str | None = None) -> float:
        """All latencies that strike here and now, added up."""
        return sum(
            max(fault.seconds + fault.jitter * dice.uniform(-1, 1), 0.0)
            for fault, dice in self._struck(FaultKind.LATENCY, where, now_ms, key)
        )

    def skew_ms(self, now_ms: int) -> int:
        """How far the venue's clock is off."""
        return round(1000 * sum(fault.seconds for fault in self.active(FaultKind.CLOCK_SKEW, now_ms)))

    def active(self, kind: FaultKind, now_ms: int) -> Iterable[Fault]:
        """Faults of a kind whose time it is."""
        since = (now_ms - (self._began_ms or now_ms)) / 1000
        return [f for f in self._faults.values() if f.kind is kind and f.start <= since < f.end]

    def is_over(self, fault: Fault, now_ms: int) -> bool:
        """Whether its time has passed, or it was taken away."""
        since = (now_ms - (self._began_ms or now_ms)) / 1000
        return since >= fault.end or fault not in self._faults.values()

    def _struck(
        self, kind: FaultKind, where: str, now_ms: int, key: str | None
    ) -> Iterator[tuple[Fault, random.Random]]:
        since = (now_ms - (self._began_ms or now_ms)) / 1000
        for number, fault in self._faults.items():
            if fault.kind is not kind or not fault.start <= since < fault.end:
                continue
            if not fnmatchcase(where, fault.where):
                continue
            self._asked[number, where] += 1
            own = self._asked[number, where] if key is None else key
            dice = random.Random(f"{self._seed}|{number}|{where}|{own}")
            if dice.random() < fault.chance:
                self.struck[kind] += 1
                yield fault, dice
