from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.graph import training_graph
from adaptive_pkg.forecast.network import NetworkShape, initial_weights, predict_windows

SHAPE = NetworkShape(features=12, outputs=2)
SMALL = NetworkShape(features=3, outputs=2, units=(5,), dense_units=4)


def trained_looking(shape: NetworkShape, seed: int = 1):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(0, 0.3, size).astype(np.float32) for size in shape.weight_shapes())


@pytest.mark.parametrize("shape", [SHAPE, SMALL], ids=["2 x 100", "1 x 5"])
def test_numpy_predicts_what_keras_predicts(shape):
    weights, window = trained_looking(shape), 30
    rows = np.random.default_rng(2).normal(size=(60, shape.features))
    windows = np.lib.stride_tricks.sliding_window_view(rows, window, axis=0).transpose(0, 2, 1)
    graph = training_graph(shape)
    with graph.lock:
        graph.restore(weights, seed=1, learning_rate=0.001)
        keras = graph.predict(windows.astype(np.float32))[:, -1]
    ours = predict_windows(weights, shape, rows, np.arange(window - 1, 60), window)
    np.testing.assert_allclose(ours, keras, atol=1e-5)
    assert np.abs(ours).max() > 0.05


def test_a_prediction_does_not_depend_on_what_else_is_predicted():
    weights, window = trained_looking(SHAPE), 20
    rows = np.random.default_rng(2).normal(size=(700, 12))
    together = np.round(predict_windows(weights, SHAPE, rows, np.arange(19, 700), window), 6)
    for end in (19, 300, 511, 530, 699):
        alone = predict_windows(weights, SHAPE, rows[end - 19 : end + 1], np.array([19]), window)
        np.testing.assert_array_equal(np.round(alone[0], 6), together[end - 19])


def test_a_prediction_sees_its_whole_window_and_nothing_else():
    weights, window = trained_looking(SMALL), 10
    rows = np.random.default_rng(3).normal(size=(30, 3))
    before = predict_windows(weights, SMALL, rows, np.array([20]), window)
    outside, inside = rows.copy(), rows.copy()
    outside[:11], outside[21:] = 9.0, 9.0
    inside[11] += 1.0
    np.testing.assert_array_equal(predict_windows(weights, SMALL, outside, np.array([20]), window), before)
    assert (predict_windows(weights, SMALL, inside, np.array([20]), window) != before).all()


def test_extreme_inputs_saturate_and_do_not_overflow():
    weights = trained_looking(SMALL)
    with np.errstate(all="raise", under="ignore"):
        out = predict_windows(weights, SMALL, np.full((8, 3), 1e6), np.array([7]), 8)
    assert np.isfinite(out).all()


def test_no_window_gives_no_rows():
    out = predict_windows(trained_looking(SMALL), SMALL, np.zeros((4, 3)), np.array([], dtype=np.int64), 8)
    assert out.shape == (0, 2)


def test_first_weights_are_seeded_orthogonal_and_forecast_zero():
    first, again, other = (initial_weights(SHAPE, seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()
    np.testing.assert_allclose(first[1] @ first[1].T, np.eye(100), atol=1e-5)
    rows = np.random.default_rng(0).normal(size=(9, 12))
    assert not predict_windows(first, SHAPE, rows, np.array([8]), 9).any()


def test_the_global_random_state_is_left_alone():
    np.random.seed(4)
    expected = np.random.random()
    np.random.seed(4)
    initial_weights(SMALL, 1)
    assert np.random.random() == expected


def test_another_kind_of_cell_is_refused():
    with pytest.raises(ForecastError, match="'lstm'"):
        NetworkShape(features=3, outputs=2, kind="lstm")
