"""A process's vital signs over time: does its memory grow, do its threads or sockets pile up?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import theilslopes

from adaptive_pkg.errors import DataError


@dataclass(frozen=True, slots=True)
class Pulse:
    """One look at a process. `at_seconds`: since the run began, on the simulated clock."""

    at_seconds: float
    rss_mb: float
    threads: int
    sockets: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """What many looks say, the warm-up left out.

    Attributes:
        mb_per_day: Theil–Sen slope of resident memory, with its 95 % interval.
        grown_mb: median of the last fifth less median of the first.
        threads, sockets: least and most.
        socket_drift: median of the last fifth less median of the first.
    """

    looks: int
    days: float
    start_mb: float
    end_mb: float
    grown_mb: float
    mb_per_day: float
    mb_per_day_low: float
    mb_per_day_high: float
    threads: tuple[int, int]
    thread_drift: float
    sockets: tuple[int, int]
    socket_drift: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def vitals(pulses: Sequence[Pulse], warm_up: float = 0.25) -> Vitals:
    """Sum up a run.

    Args:
        warm_up: part of it that is left out: caches fill, lazy modules load.

    Raises:
        DataError: fewer than 10 looks are left.
    """
    kept = sorted(pulses, key=lambda pulse: pulse.at_seconds)[int(len(pulses) * warm_up) :]
    if len(kept) < 10:
        raise DataError(f"vitals: {len(kept)} looks after the warm-up are too few; look more often")
    days = np.array([pulse.at_seconds for pulse in kept]) / 86_400
    columns = {
        name: np.array([getattr(pulse, name) for pulse in kept], float)
        for name in ("rss_mb", "threads", "sockets")
    }
    slope, _, low, high = theilslopes(columns["rss_mb"], days)
    fifth = max(len(kept) // 5, 1)
    first = {name: float(np.median(values[:fifth])) for name, values in columns.items()}
    last = {name: float(np.median(values[-fifth:])) for name, values in columns.items()}
    return Vitals(
        len(kept),
        float(days[-1] - days[0]),
        first["rss_mb"],
        last["rss_mb"],
        last["rss_mb"] - first["rss_mb"],
        float(slope),
        float(low),
        float(high),
        (int(columns["threads"].min()), int(columns["threads"].max())),
        last["threads"] - first["threads"],
        (int(columns["sockets"].min()), int(columns["sockets"].max())),
        last["sockets"] - first["sockets"],
    )
