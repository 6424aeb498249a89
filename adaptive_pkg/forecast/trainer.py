"""Fit a network: many-to-many chunks, Adam, early stopping, reduce-on-plateau, everything seeded.

A step deep inside a training chunk has seen up to `chunk_candles` candles, a prediction exactly `window`.
The difference is accepted in training, where it saves most of the cost; it never enters a prediction, and
the figures a forecaster reports come from true windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.graph import TrainingGraph, training_graph
from adaptive_pkg.forecast.network import NetworkShape, Weights, initial_weights
from adaptive_pkg.forecast.windows import Chunks, cut_chunks
from adaptive_pkg.settings.forecast import ForecastSettings

PLATEAU_FACTOR = 0.5


@dataclass(frozen=True)
class Sequences:
    """Scaled rows to learn from: features (n, f), labels (n, l), target weights (n,), runs (k, 2)."""

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    runs: NDArray[np.int64]

    def chunks(self, window: int, chunk: int, offset: int = 0) -> Chunks:
        return cut_chunks(self.features, self.labels, self.weights, self.runs, window, chunk, offset)


@dataclass(frozen=True)
class Epoch:
    """Mean squared errors after one pass, in scaled labels."""

    train_loss: float
    validation_loss: float
    learning_rate: float


@dataclass(frozen=True)
class Training:
    """The best weights and how they were reached. `best_epoch` 0 means the first weights were best."""

    weights: Weights
    epochs: tuple[Epoch, ...]
    best_epoch: int


def train(
    training: Sequences,
    validation: Sequences,
    shape: NetworkShape,
    settings: ForecastSettings,
    initial: Weights | None = None,
) -> Training:
    """Train until the validation loss stops falling and keep the best weights.

    The same data, settings and first weights give bit-equal weights, in whichever thread it runs.

    Args:
        initial: weights to start from; None draws them from `settings.seed`.

    Raises:
        ForecastError: nothing to train or validate on, or the loss is no longer finite.
    """
    window, chunk = settings.window, settings.chunk_candles
    held_out = validation.chunks(window, chunk)
    if not len(held_out.weights):
        raise ForecastError("validation: no complete window; raise train_period_days or validation_fraction")
    rng = np.random.default_rng([settings.seed, 0x5EED])
    graph = training_graph(shape)
    with graph.lock:
        learning_rate = settings.learning_rate
        graph.restore(initial or initial_weights(shape, settings.seed), settings.seed, learning_rate)
        best, best_epoch, best_loss = graph.weights(), 0, float(graph.mean_squared_errors(held_out).mean())
        history: list[Epoch] = []
        plateau = 0
        for number in range(1, settings.epochs + 1):
            chunks = training.chunks(window, chunk, int(rng.integers(chunk)))
            train_loss = _one_pass(graph, chunks, settings.batch_chunks, rng)
            loss = float(graph.mean_squared_errors(held_out).mean())
            if not np.isfinite(train_loss + loss):
                raise ForecastError(
                    f"training diverged in epoch {number} (loss {train_loss}); lower learning_rate "
                    f"({settings.learning_rate}) or look for extreme values in the features"
                )
            history.append(Epoch(train_loss, loss, learning_rate))
            if loss < best_loss:
                best, best_epoch, best_loss, plateau = graph.weights(), number, loss, 0
                continue
            plateau += 1
            if number - best_epoch >= settings.patience:
                break
            if plateau >= settings.plateau_patience:
                plateau, learning_rate = 0, learning_rate * PLATEAU_FACTOR
                graph.set_learning_rate(learning_rate)
    return Training(best, tuple(history), best_epoch)


def _one_pass(graph: TrainingGraph, chunks: Chunks, batch_chunks: int, rng: np.random.Generator) -> float:
    """One Adam step per batch, batches of nearly equal size. Returns their mean loss."""
    count = len(chunks.weights)
    if not count:
        raise ForecastError("training: no complete window; raise train_period_days or lower window")
    order = rng.permutation(count)
    losses = []
    for rows in np.array_split(order, -(-count // batch_chunks)):
        losses.append(graph.train(Chunks(*(part[rows] for part in chunks))))
    return float(np.mean(losses))
