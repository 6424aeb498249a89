"""Fit a network: many-to-many chunks, Adam, early stopping, reduce-on-plateau, everything seeded.

A step deep inside a training chunk has seen up to `chunk_candles` candles, a prediction exactly `window`.
The difference is accepted in training, where it saves most of the cost; it never enters a prediction, and
the figures a forecaster reports come from true windows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.blas import hold_one_blas_thread
from adaptive_pkg.forecast.engine import TrainingEngine
from adaptive_pkg.forecast.network import NetworkShape, Weights, initial_weights
from adaptive_pkg.forecast.windows import Chunks, cut_chunks
from adaptive_pkg.settings.forecast import Engine, ForecastSettings

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
    engine: Callable[[NetworkShape, Weights, int, float], Any] | None = None,
) -> Training:
    """Train until the validation loss stops falling and keep the best weights.

    The same data, settings and first weights give bit-equal weights, in whichever thread it runs.

    Args:
        initial: weights to start from; None draws them from `settings.seed`.
        engine: makes the network in training from (shape, weights, seed, learning rate); None: the one that
            `settings.engine` names.

    Raises:
        ForecastError: nothing to train or validate on, or the loss is no longer finite.
    """
    window, chunk = settings.window, settings.chunk_candles
    held_out = validation.chunks(window, chunk)
    if not len(held_out.weights):
        raise ForecastError("validation: no complete window; raise train_period_days or validation_fraction")
    rng = np.random.default_rng([settings.seed, 0x5EED])
    learning_rate = settings.learning_rate
    history: list[Epoch] = []
    plateau = 0
    hold_one_blas_thread()
    make, alone = (engine, nullcontext()) if engine else _engine(shape, settings)
    with alone, np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is told
        first = initial_weights(shape, settings.seed) if initial is None else initial
        network = make(shape, first, settings.seed, learning_rate)
        best, best_epoch, best_loss = network.weights(), 0, _mean_error(network, held_out)
        if not np.isfinite(best_loss):
            raise ForecastError(
                f"training: the loss is {best_loss} before the first epoch; start from scratch (switch "
                "continual_learning off) or look for extreme values in the features"
            )
        for number in range(1, settings.epochs + 1):
            chunks = training.chunks(window, chunk, int(rng.integers(chunk)))
            train_loss = _one_pass(network, chunks, settings.batch_chunks, rng)
            loss = _mean_error(network, held_out)
            if not np.isfinite(train_loss + loss):
                raise ForecastError(
                    f"training diverged in epoch {number} (loss {train_loss}); lower learning_rate "
                    f"({settings.learning_rate}) or look for extreme values in the features"
                )
            history.append(Epoch(train_loss, loss, learning_rate))
            if loss < best_loss:
                best, best_epoch, best_loss, plateau = network.weights(), number, loss, 0
                continue
            plateau += 1
            if number - best_epoch >= settings.patience:
                break
            if plateau >= settings.plateau_patience:
                plateau, learning_rate = 0, learning_rate * PLATEAU_FACTOR
                network.learning_rate = learning_rate
    return Training(best, tuple(history), best_epoch)


def _engine(shape: NetworkShape, settings: ForecastSettings) -> tuple[Callable[..., Any], Any]:
    """The engine that the settings name, and what to hold while it trains."""
    if settings.engine is Engine.NUMPY:
        return TrainingEngine, nullcontext()
    from adaptive_pkg.forecast.graph import keras_engine, training_graph  # TensorFlow, only where asked for

    return keras_engine, training_graph(shape).lock


def _one_pass(network: Any, chunks: Chunks, batch_chunks: int, rng: np.random.Generator) -> float:
    """One Adam step per batch, batches of nearly equal size. Returns their mean loss."""
    count = len(chunks.weights)
    if not count:
        raise ForecastError("training: no complete window; raise train_period_days or lower window")
    order = rng.permutation(count)
    losses = []
    for rows in np.array_split(order, -(-count // batch_chunks)):
        losses.append(network.train(Chunks(*(part[rows] for part in chunks))))
    return float(np.mean(losses))


def _mean_error(network: Any, chunks: Chunks) -> float:
    return float(network.mean_squared_errors(chunks).mean())
