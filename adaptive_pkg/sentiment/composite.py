"""The moods as one number from −1 to 1, and as the confidence's factor from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.settings.sources import CompositeSettings

NEUTRAL_FACTOR = 0.5


def index_mood(index: ArrayLike) -> NDArray[np.float64]:
    """The Fear & Greed index, 0 to 100, as a mood from −1 to 1."""
    return (np.asarray(index, dtype=float) - 50.0) / 50.0


def composite(moods: Mapping[str, ArrayLike], settings: CompositeSettings) -> NDArray[np.float64]:
    """The weighted mean of the moods that are there; NaN where none is.

    Args:
        moods: by name (x, reddit, fear_greed), each (n,) from −1 to 1, NaN where missing.

    Raises:
        DataError: a mood without a weight, none at all, or different lengths.
    """
    weights = {"x": settings.x, "reddit": settings.reddit, "fear_greed": settings.fear_greed}
    if unknown := set(moods) - set(weights):
        raise DataError(f"mood {sorted(unknown)[0]!r} has no weight; known: {', '.join(weights)}")
    columns = [np.atleast_1d(np.asarray(moods[name], dtype=float)) for name in moods]
    if not columns or len({len(column) for column in columns}) != 1:
        raise DataError(
            f"moods of lengths {[len(column) for column in columns]}; give at least one, all equal"
        )
    values = np.stack(columns)
    weight = np.array([weights[name] for name in moods])[:, None] * ~np.isnan(values)
    total = weight.sum(axis=0)
    mean = np.where(np.isnan(values), 0.0, values * weight).sum(axis=0) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, np.nan)


def confidence_factor(mood: ArrayLike) -> NDArray[np.float64]:
    """A mood as a factor of the confidence: (mood + 1) / 2, and neutral where it is missing."""
    value = np.asarray(mood, dtype=float)
    return np.where(np.isnan(value), NEUTRAL_FACTOR, (np.clip(value, -1.0, 1.0) + 1.0) / 2.0)
