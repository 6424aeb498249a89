"""What a span of so many trading days usually brings: drawn from the whole record, not from a formula.

A week has few trades, and in trend following one in ten makes all the profit: an interval around such a
week's own mean alarms in up to a sixth of all weeks. Its place among spans drawn from the record does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError

DRAWS = 4000
SEED = 8
RARE = 0.025  # so small a part of the drawn spans calls for a look
LEAST = 10  # trades in the span, below which nothing is compared
LEAST_BEFORE = 30  # trades before it


@dataclass(frozen=True)
class Usual:
    """A span's mean beside the means of spans drawn from the record.

    Attributes:
        value: of the span. low, high: between which 95 % of the drawn lie.
        as_low, as_high: part of the drawn that are as low, as high.
    """

    value: float
    low: float
    high: float
    as_low: float
    as_high: float

    @property
    def is_low(self) -> bool:
        return self.as_low <= RARE

    @property
    def is_high(self) -> bool:
        return self.as_high <= RARE

    def to_list(self) -> list[float]:
        """For the report's figures: value, low, high, as_low, as_high."""
        return [self.value, self.low, self.high, self.as_low, self.as_high]


def usual(values: NDArray[np.float64], recent: NDArray[np.bool_], days: NDArray, seed: int = SEED) -> Usual:
    """Compare the mean of the recent trades with that of as many days drawn from the whole record.

    Args:
        values: (n,) of each trade. recent: (n,) those of the span. days: (n,) labels of the days, whose
            trades move together and are drawn together.

    Raises:
        DataError: no recent trade, or none before.
    """
    if not recent.any() or recent.all():
        raise DataError("usual: give trades of the span and trades before it")
    _, day = np.unique(days, return_inverse=True)
    count = np.bincount(day).astype(float)
    total = np.bincount(day, weights=values)
    span = len(np.unique(day[recent]))
    rng = np.random.default_rng(seed)
    drawn_days = rng.integers(0, len(count), size=(DRAWS, span))
    drawn = total[drawn_days].sum(axis=1) / count[drawn_days].sum(axis=1)
    value = float(values[recent].mean())
    low, high = np.quantile(drawn, (0.025, 0.975))
    slack = 1e-12 * max(1.0, abs(value))
    return Usual(
        value,
        float(low),
        float(high),
        float((1 + np.count_nonzero(drawn <= value + slack)) / (1 + DRAWS)),
        float((1 + np.count_nonzero(drawn >= value - slack)) / (1 + DRAWS)),
    )
