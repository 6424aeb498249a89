"""Fitted models as plain numbers: nothing to unpickle, nothing of scikit-learn needed to ask them.

A pickled scikit-learn model runs whatever code its file holds, and only loads in the version that wrote it.
These are arrays: a file of them can be wrong, but not do anything.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from adaptive_pkg.errors import DataError


@dataclass(frozen=True)
class Linear:
    """intercept + clip((x − centre) / scale) · slopes; arrays (k,)."""

    centre: np.ndarray
    scale: np.ndarray
    slopes: np.ndarray
    intercept: np.ndarray  # (1,)

    def value(self, x: np.ndarray) -> np.ndarray:
        """(m, k) → (m,)."""
        return standardised(x, self.centre, self.scale) @ self.slopes + self.intercept[0]


@dataclass(frozen=True)
class Trees:
    """start + the sum of the leaves reached: gradient boosting's trees, each padded to equal size.

    Arrays (trees, nodes): feature, threshold, left, right, leaf; a leaf leads to itself.
    """

    start: np.ndarray  # (1,)
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    depth: np.ndarray  # (1,)

    def value(self, x: np.ndarray) -> np.ndarray:
        """(m, k) → (m,). As scikit-learn does, in single precision where it compares."""
        seen = np.asarray(x, dtype=np.float32)
        tree = np.arange(len(self.feature))
        at = np.zeros((len(seen), len(tree)), dtype=np.int64)
        row = np.arange(len(seen))[:, None]
        for _ in range(int(self.depth[0])):
            below = seen[row, self.feature[tree, at]] <= self.threshold[tree, at]
            at = np.where(below, self.left[tree, at], self.right[tree, at])
        return self.start[0] + self.leaf[tree, at].sum(axis=1)


@dataclass(frozen=True)
class Blend:
    """mean + slope · (linear − mean_linear + trees − mean_trees) / 2, on the models' own scale.

    slope and mean are fitted on the latest part of the past, which the models had not seen: models that say
    nothing get a slope of 0, and the blend is the past mean.
    """

    linear: Linear
    trees: Trees
    centre: np.ndarray  # (2,) mean of both models' values
    slope: np.ndarray  # (1,)
    mean: np.ndarray  # (1,)

    def value(self, x: np.ndarray) -> np.ndarray:
        """(m, k) → (m,)."""
        told = raw_blend(self.linear.value(x), self.trees.value(x), self.centre)
        return self.mean[0] + self.slope[0] * told


def raw_blend(linear: np.ndarray, trees: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """What both models say beyond their means, on average."""
    return (linear - centre[0] + trees - centre[1]) / 2.0


def standardised(x: np.ndarray, centre: np.ndarray, scale: np.ndarray, clip: float = 4.0) -> np.ndarray:
    """In standard deviations, outliers clipped so that they do not carry a fit."""
    return np.clip((np.asarray(x, dtype=float) - centre) / scale, -clip, clip)


def to_arrays(blend: Blend, prefix: str) -> dict[str, np.ndarray]:
    """Every number under a name of its own."""
    parts = {"linear": blend.linear, "trees": blend.trees}
    named = {f"{prefix}/{item}": getattr(blend, item) for item in ("centre", "slope", "mean")}
    for part, model in parts.items():
        named |= {f"{prefix}/{part}/{item.name}": getattr(model, item.name) for item in fields(model)}
    return named


def from_arrays(arrays: dict[str, np.ndarray], prefix: str, features: int) -> Blend:
    """The inverse of `to_arrays`. Raises DataError for numbers that make no model."""
    try:
        linear = Linear(**{item.name: arrays[f"{prefix}/linear/{item.name}"] for item in fields(Linear)})
        trees = Trees(**{item.name: arrays[f"{prefix}/trees/{item.name}"] for item in fields(Trees)})
        own = {item: arrays[f"{prefix}/{item}"] for item in ("centre", "slope", "mean")}
    except KeyError as error:
        raise DataError(f"model {prefix}: {error.args[0]} is missing; learn anew") from None
    nodes = trees.feature.shape
    numbers = (*vars(linear).values(), *own.values(), trees.threshold, trees.leaf, trees.start)
    sound = (
        linear.slopes.shape == linear.centre.shape == linear.scale.shape == (features,)
        and len(nodes) == 2
        and all(getattr(trees, name).shape == nodes for name in ("threshold", "left", "right", "leaf"))
        and all(np.isfinite(values).all() for values in numbers)
        and (not trees.feature.size or 0 <= trees.feature.min() <= trees.feature.max() < features)
        and all(
            not nodes_.size or 0 <= nodes_.min() <= nodes_.max() < nodes[1]
            for nodes_ in (trees.left, trees.right)
        )
    )
    if not sound:
        raise DataError(f"model {prefix}: its numbers make no model of {features} features; learn anew")
    return Blend(linear, trees, **own)
