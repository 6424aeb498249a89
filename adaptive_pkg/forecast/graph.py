"""The same network as one compiled Keras graph per process and shape, weights swapped in.

`engine` trains; this is what its gradients are checked against, and what it is timed beside. A Keras model
built per retrain leaks about 16 MB each time and `clear_session` does not give it back, so a graph is built
once and its variables are overwritten before each training.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.network import NetworkShape, Weights
from adaptive_pkg.forecast.windows import Chunks

_graphs: dict[NetworkShape, TrainingGraph] = {}
_graphs_lock = threading.Lock()


def training_graph(shape: NetworkShape) -> TrainingGraph:
    """The process's graph for `shape`, built at the first call. Hold `graph.lock` while training on it."""
    with _graphs_lock:
        if shape not in _graphs:
            _graphs[shape] = TrainingGraph(shape)
        return _graphs[shape]


@cache
def load_tensorflow() -> Any:
    """Import TensorFlow, on the CPU and on one thread: the network is too small to gain from more."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ForecastError(
            f"TensorFlow cannot be imported ({error}); install the bundle's requirements"
        ) from None
    # RuntimeError: somebody used TensorFlow before us, and its threads cannot be changed any more
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")
    return tf


def keras_engine(shape: NetworkShape, weights: Weights, seed: int, learning_rate: float) -> TrainingGraph:
    """The graph as `trainer.train`'s engine, for one training at a time."""
    graph = training_graph(shape)
    graph.restore(weights, seed, learning_rate)
    return graph


class TrainingGraph:
    """Model, Adam and the compiled steps of one network shape. Not thread-safe: hold `lock`."""

    def __init__(self, shape: NetworkShape) -> None:
        self.lock = threading.Lock()
        self.shape = shape
        tf = load_tensorflow()
        import keras

        with tf.device("CPU:0"):
            self.model = build_model(keras, shape)
            self._optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
            self._optimizer.build(self.model.trainable_variables)
        floats = [
            tf.TensorSpec((None, None, shape.features), tf.float32),
            tf.TensorSpec((None, None, shape.outputs), tf.float32),
            tf.TensorSpec((None, None), tf.float32),
        ]

        def errors(chunks_x: Any, chunks_y: Any, weights: Any, training: bool) -> Any:
            squared = tf.square(self.model(chunks_x, training=training) - chunks_y)
            return tf.reduce_sum(weights[..., None] * squared, axis=(0, 1))

        @tf.function(input_signature=floats)
        def train_step(chunks_x: Any, chunks_y: Any, weights: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(errors(chunks_x, chunks_y, weights, True)) / tf.reduce_sum(weights)
            gradients = tape.gradient(loss, self.model.trainable_variables)
            self._optimizer.apply(gradients)
            return loss

        @tf.function(input_signature=floats)
        def error_step(chunks_x: Any, chunks_y: Any, weights: Any) -> Any:
            return errors(chunks_x, chunks_y, weights, False)

        self._train_step, self._error_step = train_step, error_step

    @property
    def learning_rate(self) -> float:
        return float(self._optimizer.learning_rate.numpy())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._optimizer.learning_rate.assign(value)

    def restore(self, weights: Weights, seed: int, learning_rate: float) -> None:
        """Set every variable: network weights, dropout seeds, optimizer moments and learning rate."""
        expected = self.shape.weight_shapes()
        if [value.shape for value in weights] != expected:
            raise ForecastError(
                f"weights: shapes {[v.shape for v in weights]} do not fit {expected}; train from scratch"
            )
        for variable, value in zip(self.model.trainable_variables, weights, strict=True):
            variable.assign(value)
        for position, variable in enumerate(self.model.non_trainable_variables):
            stream = (seed + 1_000_003 * (position + 1)) % 2**31
            variable.assign(np.array([stream, 0], dtype=variable.dtype))
        for variable in self._optimizer.variables:
            variable.assign(np.zeros(variable.shape, dtype=variable.dtype))
        self.learning_rate = learning_rate

    def weights(self) -> Weights:
        """A copy of the network's weights."""
        return tuple(np.array(variable.numpy()) for variable in self.model.trainable_variables)

    def train(self, batch: Chunks) -> float:
        """One Adam step. Returns the weighted mean squared error before it, averaged over outputs."""
        return float(self._train_step(*batch))

    def mean_squared_errors(self, chunks: Chunks) -> NDArray[np.float64]:
        """Weighted mean squared error of each output, shape (outputs,), without dropout."""
        return self._error_step(*chunks).numpy().astype(np.float64) / float(chunks.weights.sum())

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keras' own output at every step, (m, window, outputs): the reference for the NumPy pass."""
        return self.model(windows, training=False).numpy()


def build_model(keras: Any, shape: NetworkShape, last_only: bool = False) -> Any:
    """The network in Keras, with outputs at every step or at the last one only."""
    layers = keras.layers
    inputs = keras.Input((None, shape.features))
    flow = inputs
    for position, units in enumerate(shape.units):
        every_step = not last_only or position + 1 < len(shape.units)
        flow = getattr(layers, shape.cell.name)(units, return_sequences=every_step)(flow)
        flow = layers.Dropout(shape.dropout, seed=0)(flow)
    flow = layers.Dense(shape.dense_units, activation="relu")(flow)
    flow = layers.Dropout(shape.dense_dropout, seed=0)(flow)
    return keras.Model(inputs, layers.Dense(shape.outputs)(flow))
