"""Candidates with a planted edge, or none: wins follow one feature as far as asked."""

from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.learning.estimators import Blend, Linear, Trees
from adaptive_pkg.learning.features import FEATURES
from adaptive_pkg.learning.training import Sample, Target
from adaptive_pkg.learning.walk_forward import WEIGHED, Chapter
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.settings import LearningSettings

HOUR_MS = 3_600_000
START_MS = 1_577_836_800_000  # 2020-01-01


@pytest.fixture
def few():
    """Trainings rare enough for a test."""
    return LearningSettings(first_days=300, retrain_days=150, least_candidates=200)


@pytest.fixture
def make_sample():
    """`make_sample(edge, n, seed)`: one candidate every ten hours; `edge` moves the log odds of a win."""

    def make(edge=0.0, n=1200, seed=1, win_r=1.5, hold=24):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, len(FEATURES)))
        won = rng.random(n) < 1 / (1 + np.exp(0.4 - edge * x[:, 0]))
        r = np.where(won, win_r, -1.0) + rng.normal(0, 0.1, n)
        holding = rng.integers(1, hold, n)
        closed = START_MS + 10 * HOUR_MS * np.arange(n)
        return Sample(
            x=x,
            y={
                Target.WIN: (r > 0).astype(float),
                Target.R: r,
                Target.HOLDING: np.log1p(holding),
                Target.EXCURSION: np.where(won, 0.3, 1.0) + rng.normal(0, 0.05, n),
            },
            r=r,
            closed_ms=closed,
            known_ms=closed + HOUR_MS * holding,
            ended_ms=np.full(n, closed[-1] + 100 * HOUR_MS),
            regime=rng.integers(0, 5, n),
        )

    return make


@pytest.fixture
def make_chapter():
    """`make_chapter(valid_from_ms, win=0.9)`: models that say the same of every candidate; full weight."""

    def constant(value):
        k = len(FEATURES)
        trees = {
            name: np.zeros((0, 7), dtype)
            for name, dtype in (
                ("feature", np.int16), ("threshold", float), ("left", np.int16), ("right", np.int16),
                ("leaf", float),
            )
        }  # fmt: skip
        return Blend(
            Linear(np.zeros(k), np.ones(k), np.zeros(k), np.zeros(1)),
            Trees(start=np.zeros(1), depth=np.array([2]), **trees),
            centre=np.zeros(2),
            slope=np.zeros(1),
            mean=np.array([float(value)]),
        )

    def make(valid_from_ms, win=0.9, r=1.0, earned=1.0):
        said = {Target.WIN: np.log(win / (1 - win)), Target.R: r, Target.HOLDING: 2.0, Target.EXCURSION: 0.7}
        sure = Estimate(0.1, 0.1, 0.1)
        return Chapter(
            valid_from_ms=valid_from_ms,
            blends={target: constant(said[target]) for target in Target},
            base={target: np.full(5, 0.4 if target is Target.WIN else 0.0) for target in Target},
            earned=dict.fromkeys(WEIGHED, earned),
            skill=dict.fromkeys(WEIGHED, sure),
            worth=dict.fromkeys(WEIGHED, sure),
            candidates=500,
        )

    return make
