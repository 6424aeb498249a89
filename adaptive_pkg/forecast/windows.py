"""Contiguous candles, the windows that end in them, training chunks and the purged split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError


class Chunks(NamedTuple):
    """Training sequences of equal length, padded with zero weight at the end."""

    features: NDArray[np.float32]  # (chunks, candles, features)
    labels: NDArray[np.float32]  # (chunks, candles, labels)
    weights: NDArray[np.float32]  # (chunks, candles); 0: no loss at this step


def timestamps(dates: Any) -> NDArray[np.int64]:
    """Dates as nanoseconds since 1970. Raises ForecastError unless they strictly increase."""
    index = pd.DatetimeIndex(dates)
    stamps = index.as_unit("ns").asi8
    steps = np.diff(stamps)
    if index.hasnans or (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1 if len(steps) else 0
        raise ForecastError(
            f"dates: row {row} does not come after the row before it; sort and drop duplicates"
        )
    return stamps


def candle_step(stamps: NDArray[np.int64]) -> int:
    """Nanoseconds between neighbouring candles: the commonest. Raises ForecastError below 2 rows."""
    if len(stamps) < 2:
        raise ForecastError(f"dates: {len(stamps)} rows do not show the candle length; pass at least 2")
    steps, counts = np.unique(np.diff(stamps), return_counts=True)
    return int(steps[np.argmax(counts)])


def segments(usable: NDArray[np.bool_], stamps: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Runs of usable candles one `step` apart, as (k, 2) rows [start, stop)."""
    if not len(usable):
        return np.empty((0, 2), dtype=np.int64)
    joined = np.concatenate([[False], usable[1:] & usable[:-1] & (np.diff(stamps) == step), [False]])
    starts = np.flatnonzero(usable & ~joined[:-1])
    stops = np.flatnonzero(usable & ~joined[1:]) + 1
    return np.stack([starts, stops], axis=1)


def complete_windows(
    usable: NDArray[np.bool_], stamps: NDArray[np.int64], step: int, window: int
) -> NDArray[np.bool_]:
    """(n,) True where the `window` candles that end at the row are all usable and without a gap."""
    complete = np.zeros(len(usable), dtype=bool)
    for start, stop in segments(usable, stamps, step):
        complete[start + window - 1 : stop] = True
    return complete


def purged_split(
    targets: NDArray[np.bool_], validation_fraction: float, gap: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Divide target rows in time: early ones to train on, the last fraction to validate on.

    Args:
        targets: (n,) rows that can serve as a target.
        validation_fraction: part of the target rows, the newest, that validate.
        gap: rows before the first validation row that belong to neither. At horizon + window − 1 no
            training label and no training row reaches into a validation window
            (purging: López de Prado, Advances in Financial Machine Learning, 2018, ch. 7).

    Returns:
        (train, validation), both (n,) bool; either may be empty.
    """
    rows = np.flatnonzero(targets)
    train, validation = np.zeros_like(targets), np.zeros_like(targets)
    held_out = round(len(rows) * validation_fraction)
    if held_out:
        first = rows[-held_out]
        validation[rows[-held_out:]] = True
        train[rows[rows < first - gap]] = True
    return train, validation


def cut_chunks(
    features: NDArray[np.float32],
    labels: NDArray[np.float32],
    weights: NDArray[np.float32],
    runs: NDArray[np.int64],
    window: int,
    chunk: int,
    offset: int = 0,
) -> Chunks:
    """Cut contiguous runs into training chunks whose first `window` − 1 steps only warm the state up.

    Neighbouring chunks overlap by `window` − 1 candles, so each target is a loss step at most once.
    The last chunk of a run is padded behind, where a causal network does not look.

    Args:
        features: (n, f) scaled; labels: (n, l) scaled, any value where the weight is 0.
        weights: (n,) weight of each row as a target.
        runs: (k, 2) from `segments`.
        offset: targets skipped at the start of a run; a new one each epoch moves the cuts.
    """
    stride = chunk - window + 1
    starts, stops = [], []
    for start, stop in runs:
        count = stop - start - window + 1
        if count > 0:
            first = start + offset % min(stride, count)
            here = np.arange(first, stop - window + 1, stride)
            starts.append(here)
            stops.append(np.full(len(here), stop))
    if not starts:
        empty = np.empty((0, chunk), dtype=np.float32)
        return Chunks(
            np.empty((0, chunk, features.shape[1]), np.float32),
            np.empty((0, chunk, labels.shape[1]), np.float32),
            empty,
        )
    rows = np.concatenate(starts)[:, None] + np.arange(chunk)
    inside = rows < np.concatenate(stops)[:, None]
    rows = np.minimum(rows, len(features) - 1)
    x = np.where(inside[..., None], features[rows], np.float32(0))
    w = np.where(inside, weights[rows], np.float32(0))
    w[:, : window - 1] = 0
    y = np.where(w[..., None] > 0, labels[rows], np.float32(0))
    keep = w.any(axis=1)
    return Chunks(x[keep], y[keep], w[keep])


def consecutive(ends: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Blocks [i, j) of positions in `ends` whose rows follow one another, at most `most` long."""
    breaks = np.flatnonzero(np.diff(ends) != 1) + 1
    for start, stop in zip([0, *breaks], [*breaks, len(ends)], strict=True):
        for block in range(start, stop, most):
            yield int(block), int(min(block + most, stop))
