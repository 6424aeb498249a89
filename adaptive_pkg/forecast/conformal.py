"""How far off a forecast may be: split conformal intervals from held-out errors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError


def half_widths(
    errors: NDArray[np.float64], coverage: float, independent_rows: float | None = None
) -> NDArray[np.float64]:
    """Half-widths w so that forecast ± w holds a later label with probability `coverage`, per label.

    The ⌈(n + 1) · coverage⌉-th smallest of n absolute errors (Lei et al. 2018, JASA 113): exact for
    exchangeable errors. Labels that look ahead overlap, so n counts only as many rows as do not.

    Args:
        errors: (m, labels), forecast − label on rows the forecaster was not fitted to.
        coverage: between 0 and 1.
        independent_rows: rows that do not overlap, at most m; None: all m.

    Returns:
        (labels,), in the labels' unit.

    Raises:
        ForecastError: too few rows to support the coverage.
    """
    absolute = np.sort(np.abs(np.asarray(errors, dtype=np.float64)), axis=0)
    rows = len(absolute)
    independent = math.floor(rows if independent_rows is None else min(independent_rows, rows))
    rank = math.ceil((independent + 1) * coverage)
    if not 0 < coverage < 1 or rank > independent:
        needed = math.ceil(coverage / (1 - coverage)) if coverage < 1 else "infinitely many"
        raise ForecastError(
            f"interval_coverage: {coverage} cannot be supported by {independent} independent validation "
            f"rows, at least {needed} are needed; lower interval_coverage or raise train_period_days"
        )
    return absolute[math.ceil(rank / independent * rows) - 1]
