from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.forecast.inference import predict_windows
from adaptive_pkg.forecast.network import NetworkShape, initial_weights
from adaptive_pkg.settings.forecast import Cell

SHAPE = NetworkShape(features=12, outputs=2)
SMALL = NetworkShape(features=3, outputs=2, units=(5,), dense_units=4)


@pytest.mark.parametrize("cell", Cell)
def test_first_weights_are_seeded_orthogonal_and_forecast_zero(cell):
    shape = NetworkShape(features=12, outputs=2, cell=cell)
    first, again, other = (initial_weights(shape, seed) for seed in (1, 1, 2))
    assert [value.shape for value in first] == shape.weight_shapes()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()
    np.testing.assert_allclose(first[1] @ first[1].T, np.eye(100), atol=1e-5)
    rows = np.random.default_rng(0).normal(size=(9, 12))
    assert not predict_windows(first, shape, rows, np.array([8]), 9).any()


def test_an_lstm_begins_by_remembering():
    bias = initial_weights(NetworkShape(3, 2, (5, 4), cell=Cell.LSTM), 1)[5]
    assert bias.reshape(4, 4).tolist() == [[0] * 4, [1] * 4, [0] * 4, [0] * 4]  # i, f, candidate, o


def test_operations_of_a_step_counted_by_hand():
    # 3 gates: 2 · (3 + 5) · 3 · 5; dense 2 · 5 · 4; output 2 · 4 · 2
    assert SMALL.flops(1) == 240 + 40 + 16
    assert NetworkShape(3, 2, (5,), dense_units=4, cell=Cell.LSTM).flops(10) == 10 * (320 + 40 + 16)


def test_the_global_random_state_is_left_alone():
    np.random.seed(4)
    expected = np.random.random()
    np.random.seed(4)
    initial_weights(SMALL, 1)
    assert np.random.random() == expected
