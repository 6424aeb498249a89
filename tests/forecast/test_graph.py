from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.graph import training_graph
from adaptive_pkg.forecast.network import NetworkShape, initial_weights
from adaptive_pkg.forecast.windows import Chunks

SHAPE = NetworkShape(features=3, outputs=2, units=(5,), dense_units=4)


def batch(seed: int = 0) -> Chunks:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6, 12, 3)), rng.normal(size=(6, 12, 2))
    return Chunks(x.astype(np.float32), y.astype(np.float32), np.ones((6, 12), dtype=np.float32))


def test_importing_the_room_does_not_import_tensorflow():
    code = (
        "import sys, adaptive_pkg.forecast; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_one_graph_serves_every_network_of_its_shape():
    assert training_graph(SHAPE) is training_graph(NetworkShape(3, 2, (5,), 0.2, 4))
    assert training_graph(SHAPE) is not training_graph(NetworkShape(3, 2, (6,), 0.2, 4))


def test_restoring_forgets_weights_moments_and_dropout_of_the_training_before():
    graph, first = training_graph(SHAPE), initial_weights(SHAPE, 1)

    def three_steps() -> list:
        graph.restore(first, seed=1, learning_rate=0.01)
        losses = [graph.train(batch(i)) for i in range(3)]
        return [losses, graph.weights()]

    with graph.lock:
        losses, weights = three_steps()
        graph.restore(initial_weights(SHAPE, 9), seed=9, learning_rate=0.1)
        graph.train(batch(7))
        again, same = three_steps()
    assert losses == again
    assert all(np.array_equal(a, b) for a, b in zip(weights, same, strict=True))


def test_steps_without_weight_do_not_count():
    graph, full = training_graph(SHAPE), batch()
    masked = full.weights.copy()
    masked[:, :5] = 0
    spoiled = full.labels.copy()
    spoiled[:, :5] = 1e3
    with graph.lock:
        graph.restore(initial_weights(SHAPE, 1), 1, 0.01)
        clean = graph.mean_squared_errors(Chunks(full.features, full.labels, masked))
        same = graph.mean_squared_errors(Chunks(full.features, spoiled, masked))
    np.testing.assert_array_equal(clean, same)
    expected = (full.labels[:, 5:] ** 2).mean(axis=(0, 1))  # the first weights forecast 0
    np.testing.assert_allclose(clean, expected, rtol=1e-5)


def test_weights_of_another_shape_are_refused():
    graph = training_graph(SHAPE)
    with pytest.raises(ForecastError, match="do not fit"), graph.lock:
        graph.restore(initial_weights(NetworkShape(4, 2, (5,), 0.2, 4), 1), 1, 0.01)
