"""The recurrent network: its shape, its first weights, and its forward pass in NumPy.

TensorFlow trains (see `graph`); NumPy predicts. A prediction starts from a zero state at the first candle
of its own window, so it is the same number in a backtest slice, in a live tail and in a whole frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.windows import consecutive

Weights = tuple[NDArray[np.float32], ...]

BLOCK_WINDOWS = 512  # windows advanced together: large enough for BLAS, small enough for the cache


@dataclass(frozen=True)
class NetworkShape:
    """Layers of the network. Equal shapes share one compiled training graph."""

    features: int
    outputs: int
    units: tuple[int, ...] = (100, 100)
    dropout: float = 0.2
    dense_units: int = 50
    dense_dropout: float = 0.1
    kind: str = "gru"

    def __post_init__(self) -> None:
        if self.kind != "gru":
            raise ForecastError(f"kind: {self.kind!r} is not built; use 'gru'")

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shapes in Keras order: per GRU kernel, recurrent kernel, two biases; then dense and output."""
        shapes: list[tuple[int, ...]] = []
        width = self.features
        for units in self.units:
            shapes += [(width, 3 * units), (units, 3 * units), (2, 3 * units)]
            width = units
        return [
            *shapes,
            (width, self.dense_units),
            (self.dense_units,),
            (self.dense_units, self.outputs),
            (self.outputs,),
        ]


def initial_weights(shape: NetworkShape, seed: int) -> Weights:
    """First weights: Glorot uniform kernels, orthogonal recurrent kernels, zero biases (Keras' defaults).

    The output kernel starts at zero, so an untrained network is the zero forecast. Each array has its own
    generator from (seed, position): no global random state is read or written.
    """
    weights = []
    sizes = shape.weight_shapes()
    for position, size in enumerate(sizes):
        rng = np.random.default_rng([seed, position])
        recurrent = position < 3 * len(shape.units) and position % 3 == 1
        bias = len(size) == 1 or (position < 3 * len(shape.units) and position % 3 == 2)
        if bias or position == len(sizes) - 2:
            value = np.zeros(size)
        elif recurrent:
            q, r = np.linalg.qr(rng.normal(size=(size[1], size[0])))
            value = (q * np.sign(np.diag(r))).T
        else:
            limit = np.sqrt(6.0 / (size[0] + size[1]))
            value = rng.uniform(-limit, limit, size)
        weights.append(value.astype(np.float32))
    return tuple(weights)


def predict_windows(
    weights: Weights, shape: NetworkShape, rows: NDArray[np.float64], ends: NDArray[np.int64], window: int
) -> NDArray[np.float64]:
    """Network output for the windows that end at `ends`.

    Computed in float64: the order in which BLAS sums depends on how many windows come together, and in
    float64 that difference (1e-16) vanishes when the prediction is rounded; in float32 it would not.

    Args:
        weights: in the order of `NetworkShape.weight_shapes`.
        rows: (n, features) scaled, finite in every window asked for.
        ends: (m,) increasing row numbers, each at least window − 1.

    Returns:
        (m, outputs) float64.
    """
    wide = [np.asarray(value, dtype=np.float64) for value in weights]
    dense_kernel, dense_bias, output_kernel, output_bias = wide[-4:]
    recurrent = [tuple(wide[3 * i : 3 * i + 3]) for i in range(len(shape.units))]
    out = np.empty((len(ends), shape.outputs))
    if not len(ends):
        return out
    # Products this small gain nothing from a second BLAS thread and lose a factor of five to its spinning
    # when the cores are shared, as they are while a bot trains and predicts.
    with _blas().limit(limits=1, user_api="blas"):
        for start, stop in consecutive(ends, BLOCK_WINDOWS):
            first, last = ends[start] - window + 1, ends[stop - 1]
            state = _run_layers(recurrent, rows[first : last + 1], stop - start, window)
            hidden = np.maximum(state @ dense_kernel + dense_bias, 0.0)
            out[start:stop] = hidden @ output_kernel + output_bias
    return out


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _run_layers(
    layers: list[tuple[NDArray[np.float64], ...]], rows: NDArray[np.float64], count: int, window: int
) -> NDArray[np.float64]:
    """Last state of the top layer for `count` overlapping windows over `rows`."""
    # Windows overlap, so the first layer's input product is made once per candle, not once per window.
    projected = rows @ layers[0][0] + layers[0][2][0]
    cells = [_Cell(kernel, bias, count) for _, kernel, bias in layers]
    for step in range(window):
        state = cells[0].advance(projected[step : step + count])
        for (kernel, _, bias), cell in zip(layers[1:], cells[1:], strict=True):
            state = cell.advance(state @ kernel + bias[0])
    return state


class _Cell:
    """One GRU layer's state for many windows at once.

    Keras' `reset_after` form (Cho et al. 2014, with the reset gate after the product as in cuDNN):
    z, r = σ(x + hU); c = tanh(x_c + r ∘ hU_c); h ← z ∘ h + (1 − z) ∘ c.
    """

    def __init__(self, kernel: NDArray[np.float64], bias: NDArray[np.float64], count: int) -> None:
        self._kernel, self._bias = kernel, bias[1]
        self._units = kernel.shape[0]
        self._state = np.zeros((count, self._units))
        self._product = np.empty((count, 3 * self._units))
        self._gates = np.empty((count, 2 * self._units))
        self._candidate = np.empty((count, self._units))

    def advance(self, projected: NDArray[np.float64]) -> NDArray[np.float64]:
        units, state, product = self._units, self._state, self._product
        gates, candidate = self._gates, self._candidate
        np.matmul(state, self._kernel, out=product)
        product += self._bias
        np.add(projected[:, : 2 * units], product[:, : 2 * units], out=gates)
        gates *= 0.5  # σ(a) = (1 + tanh(a / 2)) / 2, which cannot overflow
        np.tanh(gates, out=gates)
        gates += 1.0
        gates *= 0.5
        np.multiply(gates[:, units:], product[:, 2 * units :], out=candidate)
        candidate += projected[:, 2 * units :]
        np.tanh(candidate, out=candidate)
        state -= candidate
        state *= gates[:, :units]
        state += candidate
        return state
