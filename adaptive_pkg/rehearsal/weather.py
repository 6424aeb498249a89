"""What goes wrong during a storm: the faults the venue knows, in seeded spells."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from typing import Any

from adaptive_pkg.simulator.faults import Fault, FaultKind, FaultPlan

_ORDERS, _MARKET, _ALL = "* /api/v3/order", "GET /api/v3/*", "* /api/v3/*"


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault and how it comes: `minutes` at a time, `per_day` times a day."""

    fault: Fault
    minutes: tuple[float, float]
    per_day: float


SPELLS: tuple[Spell, ...] = (
    Spell(Fault(FaultKind.LATENCY, _ALL, seconds=1.5, jitter=1.5), (3, 15), 12),
    Spell(Fault(FaultKind.LATENCY, _ORDERS, seconds=5.0, jitter=4.0, chance=0.5), (5, 20), 12),
    Spell(Fault(FaultKind.RESET, _MARKET, chance=0.3), (1, 8), 12),
    Spell(Fault(FaultKind.RESET, _ORDERS, chance=0.3), (5, 20), 12),
    Spell(Fault(FaultKind.RESET, "POST /api/v3/order", chance=0.5, after=True), (5, 20), 12),
    Spell(Fault(FaultKind.STALL, _MARKET, chance=0.05, seconds=25.0), (2, 8), 12),
    Spell(Fault(FaultKind.STALL, "ws *", chance=0.02, seconds=60.0), (5, 30), 12),
    Spell(Fault(FaultKind.SLOW, _MARKET, chance=0.3, bytes_per_second=20_000.0), (3, 10), 12),
    Spell(Fault(FaultKind.SLOW, "ws *", chance=0.2, bytes_per_second=500.0), (3, 10), 12),
    Spell(Fault(FaultKind.MALFORMED, _MARKET, chance=0.2), (1, 6), 12),
    Spell(Fault(FaultKind.MALFORMED, _ORDERS, chance=0.3), (5, 20), 12),
    Spell(Fault(FaultKind.MALFORMED, "ws *", chance=0.1), (3, 10), 12),
    Spell(Fault(FaultKind.STATUS, _ALL, chance=0.6, status=503), (1, 6), 12),
    Spell(Fault(FaultKind.STATUS, _ALL, chance=0.5, status=502), (1, 6), 8),
    Spell(Fault(FaultKind.STATUS, "POST /api/v3/order", chance=0.5, status=504, after=True), (5, 20), 8),
    Spell(Fault(FaultKind.TOO_MANY, _MARKET, chance=0.03, seconds=1.0), (1, 4), 8),
    Spell(Fault(FaultKind.TOO_MANY, _MARKET, chance=0.2, seconds=30.0), (1, 4), 8),
    Spell(Fault(FaultKind.BAN, _MARKET, chance=0.3, seconds=60.0), (1, 2), 4),
    Spell(Fault(FaultKind.CLOCK_SKEW, seconds=3.0), (5, 20), 6),
    Spell(Fault(FaultKind.CLOCK_SKEW, seconds=-4.0), (5, 20), 6),
    Spell(Fault(FaultKind.RESTART, end=1.0), (0.3, 2), 8),
    Spell(Fault(FaultKind.DUPLICATE, "ws *", chance=0.2), (5, 30), 12),
    Spell(Fault(FaultKind.REORDER, "ws *", chance=0.2), (5, 30), 12),
    Spell(Fault(FaultKind.DROP, "ws *", chance=0.2), (5, 30), 12),
    Spell(Fault(FaultKind.SHUTDOWN, seconds=5.0), (1, 3), 6),
)


def storm(seed: int, start_seconds: float, seconds: float, spells: tuple[Spell, ...] = SPELLS) -> FaultPlan:
    """Spells of every kind, spread over a stretch of the venue's time; at least one of each.

    Args:
        start_seconds: when it begins, after the venue. seconds: how long it lasts.
    """
    dice, faults = random.Random(seed), []
    for spell in spells:
        for _ in range(max(round(spell.per_day * seconds / 86_400), 1)):
            length = min(60.0 * dice.uniform(*spell.minutes), seconds / 4)
            begin = start_seconds + dice.uniform(0.0, seconds - length)
            faults.append(replace(spell.fault, start=begin, end=begin + length))
    return FaultPlan(tuple(sorted(faults, key=lambda fault: fault.start)), seed)


def hurried(spells: tuple[Spell, ...], factor: float) -> tuple[Spell, ...]:
    """The same with shorter waits for REST's answers: for leap time, in which nobody sleeps through those."""
    found = []
    for spell in spells:
        fault = spell.fault
        if fault.kind in (FaultKind.LATENCY, FaultKind.STALL) and not fault.where.startswith("ws"):
            fault = replace(fault, seconds=fault.seconds * factor, jitter=fault.jitter * factor)
        elif fault.kind is FaultKind.SLOW and not fault.where.startswith("ws"):
            fault = replace(fault, bytes_per_second=fault.bytes_per_second / factor)
        found.append(replace(spell, fault=fault))
    return tuple(found)


def fault_row(fault: Fault) -> dict[str, Any]:
    """A fault as a plan's file has it. See `simulator.faults.read_faults`."""
    row = {field.name: getattr(fault, field.name) for field in fields(Fault)}
    row |= {"kind": fault.kind.value, "from": row.pop("start"), "to": row.pop("end")}
    return row
