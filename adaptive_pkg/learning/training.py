"""Four models of labelled candidates: win probability, R, holding time, adverse excursion.

Each is the mean of a shrunk linear model and of boosted shallow trees (Friedman 2001), fitted by
scikit-learn on the older part of the past and calibrated on its newest part (Platt 1999 for the
probability, a slope of least squares for the others), then handed on as plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.context import CONTEXT
from adaptive_pkg.learning.estimators import Blend, Linear, Trees, raw_blend, standardised
from adaptive_pkg.learning.features import feature_matrix

FITTED_PART = 0.75  # the older part of the past; the rest calibrates
TREES, DEPTH, RATE = 60, 2, 0.05
WIDEST_R = 10.0  # R beyond which an outcome teaches no more


class Target(StrEnum):
    """What is forecast of a candidate."""

    WIN = "win"  # probability of a profit after fees
    R = "r"  # profit over initial risk, within ±WIDEST_R
    HOLDING = "holding"  # log(1 + candles)
    EXCURSION = "excursion"  # worst excursion in initial stop distances


@dataclass(frozen=True)
class Sample:
    """Labelled candidates in order of time. x (m, features); targets by name (m,); times in ms.

    r: profit over initial risk, as it was (m,). known_ms: when the outcome was known. regime: `Regime.code`.
    """

    x: np.ndarray
    y: Mapping[Target, np.ndarray]
    r: np.ndarray
    closed_ms: np.ndarray
    known_ms: np.ndarray
    ended_ms: np.ndarray
    regime: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def only(self, which: np.ndarray) -> Sample:
        """The candidates that `which` (mask or indices) names."""
        return Sample(
            self.x[which],
            {target: values[which] for target, values in self.y.items()},
            self.r[which],
            self.closed_ms[which],
            self.known_ms[which],
            self.ended_ms[which],
            self.regime[which],
        )


def sample_of(labelled: pd.DataFrame) -> Sample:
    """The numbers of `label_candidates`' rows, in order of time. Raises DataError for a missing column."""
    rows = labelled.sort_values("closed_ms", kind="stable")
    codes = rows["regime"].map({str(regime): regime.code for regime in Regime}).to_numpy(dtype=np.int64)
    context = {name: rows[name].to_numpy(float) for name in CONTEXT if name in rows}
    r = rows["r"].to_numpy(float)
    return Sample(
        x=feature_matrix(context, rows["side"].to_numpy(), codes),
        y={
            Target.WIN: (r > 0).astype(float),
            Target.R: np.clip(r, -WIDEST_R, WIDEST_R),
            Target.HOLDING: np.log1p(rows["holding_candles"].to_numpy(float)),
            Target.EXCURSION: rows["mae_r"].to_numpy(float),
        },
        r=r,
        closed_ms=rows["closed_ms"].to_numpy(np.int64),
        known_ms=rows["known_ms"].to_numpy(np.int64),
        ended_ms=rows["ended_ms"].to_numpy(np.int64),
        regime=codes,
    )


def fit_blends(past: Sample, seed: int = 0) -> dict[Target, Blend]:
    """Fit the four models to candidates whose outcomes are known.

    Raises:
        DataError: no candidates, or all of them won or lost.
    """
    return {target: _fit(past.x, past.y[target], target is Target.WIN, seed) for target in Target}


def forecast(blend: Blend, target: Target, x: np.ndarray) -> np.ndarray:
    """What a model says of candidates, on the target's own scale: a probability for WIN."""
    value = blend.value(x)
    return 1.0 / (1.0 + np.exp(-value)) if target is Target.WIN else value


def _fit(x: np.ndarray, y: np.ndarray, classify: bool, seed: int) -> Blend:
    cut = int(FITTED_PART * len(x))
    older, newer = slice(0, cut), slice(cut, None)
    if classify and not (0 < y[older].mean() < 1 and 0 < y[newer].mean() < 1):
        raise DataError(f"{len(x)} candidates of which all won or all lost: nothing can be learned")
    linear = _linear(x[older], y[older], classify)
    trees = _trees(x[older], y[older], classify, seed)
    told = linear.value(x[older]), trees.value(x[older])
    centre = np.array([values.mean() for values in told])
    said = raw_blend(linear.value(x[newer]), trees.value(x[newer]), centre)
    slope, mean = _calibrated(said, y[newer], y, classify)
    return Blend(linear, trees, centre, np.array([slope]), np.array([mean]))


def _linear(x: np.ndarray, y: np.ndarray, classify: bool) -> Linear:
    from sklearn.linear_model import LogisticRegression, Ridge

    centre, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    z = standardised(x, centre, scale)
    if classify:
        model = LogisticRegression(C=0.01, max_iter=200).fit(z, y)
        return Linear(centre, scale, model.coef_[0].copy(), model.intercept_.copy())
    model = Ridge(alpha=0.1 * len(z)).fit(z, y)
    return Linear(centre, scale, model.coef_.copy(), np.array([model.intercept_]))


def _trees(x: np.ndarray, y: np.ndarray, classify: bool, seed: int) -> Trees:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    kind = GradientBoostingClassifier if classify else GradientBoostingRegressor
    model = kind(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=0.5,
        max_features=0.5,
        min_samples_leaf=max(5, len(x) // 50),
        random_state=seed,
    ).fit(x, y)
    fitted = [stage[0].tree_ for stage in model.estimators_]
    size = 2 ** (DEPTH + 1) - 1
    shape = (len(fitted), size)
    feature, leaf = np.zeros(shape, np.int16), np.zeros(shape)
    threshold = np.zeros(shape)
    left, right = np.tile(np.arange(size, dtype=np.int16), (2, shape[0], 1))
    for i, tree in enumerate(fitted):
        nodes = np.arange(tree.node_count)
        inner = tree.children_left >= 0
        feature[i, nodes] = np.where(inner, tree.feature, 0)
        threshold[i, nodes] = np.where(inner, tree.threshold, 0.0)
        left[i, nodes] = np.where(inner, tree.children_left, nodes)
        right[i, nodes] = np.where(inner, tree.children_right, nodes)
        leaf[i, nodes] = RATE * tree.value[:, 0, 0]
    base = y.mean()
    start = np.log(base / (1 - base)) if classify else base
    return Trees(np.array([start]), feature, threshold, left, right, leaf, np.array([DEPTH]))


def _calibrated(
    said: np.ndarray, y: np.ndarray, everything: np.ndarray, classify: bool
) -> tuple[float, float]:
    """Slope (0 to 1) and level of what was said, as later candidates bear it out."""
    base = float(everything.mean())
    if classify:
        from sklearn.linear_model import LogisticRegression

        if said.std() < 1e-9:
            return 0.0, float(np.log(base / (1 - base)))
        slope = float(LogisticRegression(C=1e6).fit(said[:, None], y).coef_[0, 0])
        return float(np.clip(slope, 0.0, 1.0)), float(np.log(base / (1 - base)))
    centred = said - said.mean()
    power = float((centred**2).sum())
    slope = 0.0 if power < 1e-12 else float((centred * (y - y.mean())).sum()) / power
    return float(np.clip(slope, 0.0, 1.0)), base
