"""The network in training, held against the same network in Keras."""

from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.engine import TrainingEngine
from adaptive_pkg.forecast.graph import keras_engine
from adaptive_pkg.forecast.network import NetworkShape, initial_weights
from adaptive_pkg.forecast.windows import Chunks
from adaptive_pkg.settings.forecast import Cell


def shape_of(cell: Cell, dropout: float = 0.0) -> NetworkShape:
    return NetworkShape(3, 2, (6, 5), dropout, dense_units=4, dense_dropout=dropout, cell=cell)


def batch(chunks: int = 6, candles: int = 20, seed: int = 0, quiet: int = 5) -> Chunks:
    rng = np.random.default_rng(seed)
    weights = rng.random((chunks, candles)).astype(np.float32)
    weights[:, :quiet] = 0
    weights[1, 12:] = 0
    return Chunks(
        rng.normal(size=(chunks, candles, 3)).astype(np.float32),
        rng.normal(size=(chunks, candles, 2)).astype(np.float32),
        weights,
    )


def some_weights(shape: NetworkShape, seed: int = 0):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(0, 0.3, size).astype(np.float32) for size in shape.weight_shapes())


@pytest.mark.parametrize("cell", Cell)
def test_losses_and_steps_are_those_of_keras(cell):
    shape = shape_of(cell)
    ours, keras = (make(shape, some_weights(shape), 1, 0.01) for make in (TrainingEngine, keras_engine))
    for step in range(4):  # batches of other sizes in between
        part = batch(6 - step, 20 + step, seed=step, quiet=step)
        np.testing.assert_allclose(ours.mean_squared_errors(part), keras.mean_squared_errors(part), rtol=1e-5)
        assert ours.train(part) == pytest.approx(keras.train(part), rel=1e-5)
    for mine, theirs in zip(ours.weights(), keras.weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
        assert np.abs(mine).max() > 0


@pytest.mark.parametrize("cell", Cell)
def test_gradients_of_long_chunks_agree_where_adam_cannot_hide_it(cell):
    """One step from zero moments moves each weight by the sign of its gradient alone; two differ in size."""
    shape = shape_of(cell)
    ours, keras = (make(shape, some_weights(shape, 3), 1, 0.05) for make in (TrainingEngine, keras_engine))
    for seed in (1, 2):
        part = batch(3, 90, seed=seed)
        ours.train(part), keras.train(part)
    for mine, theirs in zip(ours.weights(), keras.weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_dropout_keeps_the_scale_is_seeded_and_off_outside_training():
    shape = shape_of(Cell.GRU, dropout=0.5)
    first, again, other = (TrainingEngine(shape, some_weights(shape), seed, 0.01) for seed in (1, 1, 2))
    mask = first._dropout(0.3, (400, 100))
    assert set(np.unique(mask).tolist()) == {0.0, float(np.float32(1 / 0.7))}
    assert mask.mean() == pytest.approx(1.0, abs=0.02)
    again._dropout(0.3, (400, 100))
    assert first.train(batch()) == again.train(batch()) != other.train(batch())
    np.testing.assert_array_equal(first.mean_squared_errors(batch()), again.mean_squared_errors(batch()))


def test_no_step_of_one_training_reaches_another():
    shape = shape_of(Cell.LSTM)
    alone, beside, busy = (TrainingEngine(shape, initial_weights(shape, 1), 1, 0.01) for _ in range(3))
    for seed in range(3):
        alone.train(batch(seed=seed))
    for seed in range(3):
        busy.train(batch(seed=9))
        beside.train(batch(seed=seed))
    assert all(np.array_equal(a, b) for a, b in zip(alone.weights(), beside.weights(), strict=True))


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ForecastError, match="do not fit"):
        TrainingEngine(shape_of(Cell.GRU), initial_weights(shape_of(Cell.LSTM), 1), 1, 0.01)
