"""A series of the store: its name, how late it is published and how long a value lasts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adaptive_pkg.errors import DataError

_NAME = re.compile(r"[a-z][a-z0-9_]*(/[A-Z0-9]+)?")


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """One series.

    Attributes:
        name: `fear_greed`, or with its coin `mvrv/BTC`.
        delay: from the end of the period a value speaks of to its publication, as history assumes it.
        max_age: a value whose period ended longer ago than this counts as missing.

    Raises:
        DataError: a name of another form, a delay below 0, or a max_age not above the delay.
    """

    name: str
    delay: timedelta
    max_age: timedelta

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DataError(f"series {self.name!r}: write it like fear_greed or mvrv/BTC")
        if self.delay < timedelta(0) or self.max_age <= self.delay:
            raise DataError(
                f"series {self.name}: delay {self.delay} must be 0 or more and max_age {self.max_age} "
                "above it, or no value would ever count"
            )


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as a source gives it.

    Attributes:
        series: the name of its series.
        about: the end of the period it speaks of, aware: it cannot have been known before.
        value: finite.

    Raises:
        DataError: the time has no zone, or the value is no number.
    """

    series: str
    about: datetime
    value: float

    def __post_init__(self) -> None:
        if self.about.tzinfo is None:
            raise DataError(f"{self.series}: time {self.about} has no zone; give it in UTC")
        if not math.isfinite(self.value):
            raise DataError(f"{self.series}: value {self.value!r} of {self.about} is no number")


def milliseconds(moment: datetime) -> int:
    """An aware time as milliseconds since 1970, exactly. Raises DataError for one without a zone."""
    if moment.tzinfo is None:
        raise DataError(f"time {moment} has no zone; give it in UTC")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def moment(ms: int) -> datetime:
    """Milliseconds since 1970 as an aware time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(ms))
