"""Whether the moving stops are left too early less often than fixed ones, which a wide stop always is.

The same rules trade with fixed stops of several distances, so that one of them can be chosen that is as far
away on average, and one that loses as much in its worst trades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.evaluation.strategy.excursions import excursions
from adaptive_pkg.evaluation.strategy.performance import TAIL
from adaptive_pkg.evaluation.strategy.trading import entry_weeks
from adaptive_pkg.policy.calibration import Estimate

DISTANCES = (0.01, 0.02, 0.03, 0.05, 0.10)  # of the entry price
LEAST_STOPPED = 20  # trades; the share of fewer says nothing


@dataclass(frozen=True)
class StopComparison:
    """Premature stops over trades, ours and a fixed stop's; relative is ours over theirs, less 1.

    distance, tail: of the fixed stop that was chosen, and ours: mean distance from the entry, mean of the
    worst 5 % of trades over their stake.
    """

    fixed: float
    premature: tuple[float, float]
    distance: tuple[float, float]
    tail: tuple[float, float]
    relative: Estimate


def fixed_stops() -> dict[str, dict[str, Any]]:
    """Settings of the runs that are compared with, by name."""
    return {
        name_of(distance): {"components": {"dynamic_stops": False}, "stops": {"fixed_fraction": distance}}
        for distance in DISTANCES
    }


def name_of(distance: float) -> str:
    return f"fixed stop {100 * distance:g} %"


def compare_stops(
    ours: pd.DataFrame, fixed: Mapping[float, pd.DataFrame], candles: Mapping[str, pd.DataFrame]
) -> tuple[StopComparison, StopComparison] | None:
    """Beside the fixed stop of the nearest mean distance, and beside that of the nearest tail loss.

    Args:
        ours: trades with `excursions`, as `fixed` has them by distance without. candles: by pair.

    Returns:
        None where too few trades of either kind were stopped.
    """
    known = {distance: excursions(trades, candles) for distance, trades in fixed.items() if len(trades)}
    known = {
        distance: trades for distance, trades in known.items() if trades["stopped"].sum() >= LEAST_STOPPED
    }
    if not known or ours["stopped"].sum() < LEAST_STOPPED:
        return None
    by_distance = min(known, key=lambda at: abs(_distance(known[at]) - _distance(ours)))
    by_tail = min(known, key=lambda at: abs(_tail(known[at]) - _tail(ours)))
    return _compared(ours, by_distance, known[by_distance]), _compared(ours, by_tail, known[by_tail])


def _compared(ours: pd.DataFrame, at: float, theirs: pd.DataFrame) -> StopComparison:
    both = pd.concat([ours, theirs], ignore_index=True)
    mine = np.concatenate([np.ones(len(ours)), np.zeros(len(theirs))])
    early = both["premature"].to_numpy(float)
    terms = np.column_stack([mine, mine * early, 1.0 - mine, (1.0 - mine) * early])
    relative = estimate_by_block(terms, entry_weeks(both), _relative)
    shares = (float(ours["premature"].mean()), float(theirs["premature"].mean()))
    return StopComparison(
        at, shares, (_distance(ours), _distance(theirs)), (_tail(ours), _tail(theirs)), relative
    )


def _relative(sums: np.ndarray) -> np.ndarray:
    return (sums[..., 1] / sums[..., 0]) / (sums[..., 3] / sums[..., 2]) - 1.0


def _distance(trades: pd.DataFrame) -> float:
    return float((1.0 - trades["initial_stop"] / trades["open_rate"]).mean())


def _tail(trades: pd.DataFrame) -> float:
    worst = np.sort(trades["profit_ratio"].to_numpy(float))
    return float(worst[: max(1, round(TAIL * len(worst)))].mean())
