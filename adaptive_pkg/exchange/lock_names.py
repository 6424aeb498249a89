"""Which locks there are, in which order they are taken, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LockKind(StrEnum):
    """What a lock guards, in the order in which locks are taken."""

    TRADE = "trade"
    POSITION = "position"
    ORDER = "order"
    BALANCE = "balance"


_RANK = {kind: rank for rank, kind in enumerate(LockKind)}


@dataclass(frozen=True, slots=True)
class LockName:
    """One lock: its kind, and the pair or order it is for."""

    kind: LockKind
    key: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Its place in the order."""
        return _RANK[self.kind], self.key

    def __str__(self) -> str:
        return f"{self.kind} {self.key}".rstrip()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, since when, and where he took it."""

    name: LockName
    owner: str
    seconds: float
    where: str
    waiting: int

    def __str__(self) -> str:
        return f"{self.name} is held by {self.owner} for {self.seconds:.2f} s, taken at {self.where}"


@dataclass(frozen=True, slots=True)
class LockStats:
    """One kind of lock so far. Times in seconds."""

    acquisitions: int = 0
    contended: int = 0  # had to wait
    timeouts: int = 0
    refusals: int = 0  # asked for out of order
    wait_total: float = 0.0
    wait_longest: float = 0.0
    hold_total: float = 0.0
    hold_longest: float = 0.0

    @property
    def contention(self) -> float:
        """Part of the acquisitions that had to wait."""
        return self.contended / self.acquisitions if self.acquisitions else 0.0
