from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.forecast import inference
from adaptive_pkg.forecast.graph import training_graph
from adaptive_pkg.forecast.inference import predict_windows
from adaptive_pkg.forecast.network import NetworkShape
from adaptive_pkg.settings.forecast import Cell

SHAPE = NetworkShape(features=12, outputs=2)
SMALL = NetworkShape(features=3, outputs=2, units=(5,), dense_units=4)
DEEP = NetworkShape(features=3, outputs=1, units=(33, 7, 20), dense_units=4)
SHAPES = [replace(shape, cell=cell) for shape in (SHAPE, SMALL, DEEP) for cell in Cell]


def named(shape: NetworkShape) -> str:
    return f"{shape.cell} {shape.units}"


def trained_looking(shape: NetworkShape, seed: int = 1):
    """Weights whose network neither forgets at once nor is chaotic, as after training."""
    rng = np.random.default_rng(seed)
    return tuple(
        rng.normal(0, size[0] ** -0.5 if len(size) > 1 else 0.3, size).astype(np.float32)
        for size in shape.weight_shapes()
    )


@pytest.mark.parametrize("shape", SHAPES, ids=named)
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


@pytest.mark.parametrize("shape", SHAPES, ids=named)
def test_a_prediction_has_the_same_bits_in_any_company(shape):
    weights, window = trained_looking(shape), 20
    rows = np.random.default_rng(2).normal(size=(700, shape.features))
    ends = np.arange(19, 700)
    together = predict_windows(weights, shape, rows, ends, window)
    for end in (19, 20, 300, 511, 530, 699):
        alone = predict_windows(weights, shape, rows[end - 19 : end + 1], np.array([19]), window)
        np.testing.assert_array_equal(alone[0], together[end - 19])
    some = ends[(ends % 7 > 2) & (ends < 400)]  # blocks of four
    np.testing.assert_array_equal(predict_windows(weights, shape, rows, some, window), together[some - 19])


def test_several_threads_change_no_bit():
    weights = trained_looking(SHAPE)
    rows, ends = np.random.default_rng(2).normal(size=(900, 12)), np.arange(19, 900)
    one = predict_windows(weights, SHAPE, rows, ends, 20)
    with ThreadPoolExecutor(3) as pool:
        several = predict_windows(weights, SHAPE, rows, ends, 20, pool.map)
    np.testing.assert_array_equal(several, one)
    assert len(ends) > 3 * inference.BLOCK


def test_a_prediction_sees_its_whole_window_and_nothing_else():
    weights, window = trained_looking(SMALL), 10
    rows = np.random.default_rng(3).normal(size=(30, 3))
    before = predict_windows(weights, SMALL, rows, np.array([20]), window)
    outside, inside = rows.copy(), rows.copy()
    outside[:11], outside[21:] = 9.0, 9.0
    inside[11] += 1.0
    np.testing.assert_array_equal(predict_windows(weights, SMALL, outside, np.array([20]), window), before)
    assert (predict_windows(weights, SMALL, inside, np.array([20]), window) != before).all()


@pytest.mark.parametrize("cell", Cell)
def test_extreme_inputs_saturate_and_do_not_overflow(cell):
    shape = replace(SMALL, cell=cell)
    with np.errstate(all="raise", under="ignore"):
        out = predict_windows(trained_looking(shape), shape, np.full((8, 3), 1e6), np.array([7]), 8)
    assert np.isfinite(out).all()


def test_no_window_gives_no_rows():
    out = predict_windows(trained_looking(SMALL), SMALL, np.zeros((4, 3)), np.array([], dtype=np.int64), 8)
    assert out.shape == (0, 2)
