"""The weight a forecast would have had in the decision, fold by fold, from the folds before alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from adaptive_pkg.evaluation.forecast.runner import PairForecasts
from adaptive_pkg.forecast.skill import earned_weight


def earned_weights(
    forecasts: PairForecasts, model: str, column: int, reference: np.ndarray | None
) -> dict[str, Any] | None:
    """Weights by fold, and what the weighted forecast is worth beside its reference.

    Args:
        column: of the target. reference: (n,) forecast that weight 0 stands for; None: zero.

    Returns:
        by_fold (mean over seeds, the first fold has none), final (after all folds), reason (of the first
        seed), mse_over_reference of the weighted forecast. None for a model that is its reference.
    """
    panel, number = forecasts.panel, forecasts.fold_number
    actual = panel.labels.to_numpy()[:, column]
    base = np.zeros(len(panel)) if reference is None else reference
    values = forecasts.values[model][..., column]
    scored = (number >= 0) & np.isfinite(actual)
    if not np.nanmax(np.abs(np.where(scored, values - base, 0.0))) > 0:
        return None
    by_fold, weighted = [], np.zeros(len(panel))
    used = np.zeros(len(panel), dtype=bool)
    for fold in forecasts.folds[1:]:
        # labels of the last `horizon` candles before the fold are not known when it starts
        past = scored & (np.arange(len(panel)) < fold.test_first - panel.horizon)
        earned = [
            earned_weight(actual[past], row[past], base[past], horizon=panel.horizon).weight for row in values
        ]
        by_fold.append(float(np.mean(earned)))
        here = scored & (number == fold.number) & np.isfinite(values).all(axis=0)
        errors = [
            (base[here] + w * (row[here] - base[here]) - actual[here]) ** 2
            for w, row in zip(earned, values, strict=True)
        ]
        weighted[here] = np.mean(errors, axis=0)
        used |= here
    final = [
        earned_weight(actual[scored], row[scored], base[scored], horizon=panel.horizon) for row in values
    ]
    against = ((actual - base) ** 2)[used]
    return {
        "by_fold": by_fold,
        "final": float(np.mean([item.weight for item in final])),
        "reason": final[0].reason,
        "mse_over_reference": float(weighted[used].sum() / against.sum()) if used.any() else None,
    }
