"""A storm holds every kind of fault, inside its time, and is the same for the same seed."""

from __future__ import annotations

import pytest

from adaptive_pkg.rehearsal.weather import SPELLS, fault_row, hurried, storm
from adaptive_pkg.simulator.faults import FaultKind, FaultPlan, read_faults


def test_every_kind_of_fault_has_its_spells():
    assert {spell.fault.kind for spell in SPELLS} == set(FaultKind)


@pytest.mark.parametrize("hours", [2, 24])
def test_a_storm_keeps_to_its_time_and_has_at_least_one_spell_of_each(hours):
    plan = storm(3, 600.0, hours * 3600.0)
    assert all(600.0 <= fault.start < fault.end <= 600.0 + hours * 3600.0 for fault in plan.faults)
    assert {fault.kind for fault in plan.faults} == {spell.fault.kind for spell in SPELLS}
    assert len(plan.faults) >= len(SPELLS)


def test_a_seed_is_a_storm():
    assert storm(1, 0.0, 7200.0) == storm(1, 0.0, 7200.0) != storm(2, 0.0, 7200.0)


def test_the_venue_reads_what_is_written():
    plan = storm(5, 60.0, 7200.0)
    rows = {"seed": 5, "faults": [fault_row(fault) for fault in plan.faults]}
    assert read_faults(rows) == FaultPlan(plan.faults, 5)


def test_in_a_hurry_only_waits_for_answers_are_shorter():
    for slow, fast in zip(SPELLS, hurried(SPELLS, 0.1), strict=True):
        waits = slow.fault.kind in (FaultKind.LATENCY, FaultKind.STALL, FaultKind.SLOW)
        if waits and not slow.fault.where.startswith("ws"):
            assert fast.fault.seconds == pytest.approx(slow.fault.seconds * 0.1)
            assert fast.fault != slow.fault
        else:
            assert fast == slow
