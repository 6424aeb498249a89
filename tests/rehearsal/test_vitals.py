"""Memory that grows is told from memory that does not, threads that pile up from threads that come and go."""

from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.rehearsal.vitals import Pulse, vitals


def pulses(mb_per_day=0.0, n=200, days=2.0, noise=1.0, threads=lambda i: 12, sockets=lambda i: 8):
    dice = np.random.default_rng(1)
    seconds = np.linspace(0, days * 86_400, n)
    rss = 300 + mb_per_day * seconds / 86_400 + dice.normal(0, noise, n)
    return [
        Pulse(float(s), float(r), threads(i), sockets(i))
        for i, (s, r) in enumerate(zip(seconds, rss, strict=True))
    ]


def test_a_flat_process_has_no_slope():
    found = vitals(pulses())
    assert found.mb_per_day_low < 0 < found.mb_per_day_high
    assert abs(found.grown_mb) < 0.7 and found.thread_drift == 0


def test_a_leak_is_found_with_its_size():
    found = vitals(pulses(mb_per_day=5.0))
    assert found.mb_per_day == pytest.approx(5.0, abs=0.5)
    assert found.mb_per_day_low > 4.0


def test_the_warm_up_is_left_out():
    rows = pulses(noise=0.1)
    rows[:40] = [Pulse(p.at_seconds, p.rss_mb - 80, p.threads, p.sockets) for p in rows[:40]]
    assert abs(vitals(rows, warm_up=0.25).mb_per_day) < 0.2


def test_threads_that_come_and_go_do_not_drift_and_those_that_pile_up_do():
    assert vitals(pulses(threads=lambda i: 12 + i % 2)).thread_drift == 0
    assert vitals(pulses(sockets=lambda i: 8 + i // 20)).socket_drift >= 5


def test_too_few_looks_say_nothing():
    with pytest.raises(DataError, match="look more often"):
        vitals(pulses(n=8))
