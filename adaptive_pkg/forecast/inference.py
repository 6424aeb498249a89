"""The network's forward pass over windows, in NumPy.

A prediction starts from a zero state at the first candle of its own window, and every matrix product has the
same shape: TILE windows. BLAS sums in another order for another number of columns, so only products of one
shape give a window the same bits in a backtest slice, in a live tail and in a whole frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from adaptive_pkg.forecast.blas import hold_one_blas_thread
from adaptive_pkg.forecast.network import GATES, HEAD, PER_LAYER, NetworkShape, Weights
from adaptive_pkg.forecast.windows import consecutive
from adaptive_pkg.settings.forecast import Cell

Array = NDArray[np.float32]
# Applies a function to every item, in order: the builtin `map`, or a thread pool's, to use several cores.
Mapper = Callable[[Callable, Iterable], Iterable]

TILE = 16  # windows in one matrix product: as fast as more, and a single live candle pays for one tile
BLOCK = 16 * TILE  # windows advanced together: hides NumPy's overhead and stays in the cache


def predict_windows(
    weights: Weights,
    shape: NetworkShape,
    rows: NDArray[np.float64],
    ends: NDArray[np.int64],
    window: int,
    mapper: Mapper = map,
) -> NDArray[np.float64]:
    """Network output for the windows that end at `ends`.

    Args:
        weights: in the order of `NetworkShape.weight_shapes`.
        rows: (n, features) scaled, finite in every window asked for.
        ends: (m,) increasing row numbers, each at least window − 1.
        mapper: how to go through the blocks of windows; it changes no bit of the result.

    Returns:
        (m, outputs) float64.
    """
    out = np.empty((len(ends), shape.outputs))
    inputs = np.ascontiguousarray(rows, dtype=np.float32)
    kernels = [_KERNELS[shape.cell](*weights[PER_LAYER * i :][:PER_LAYER]) for i in range(len(shape.units))]
    head = [np.ascontiguousarray(value.T) for value in weights[-HEAD:]]

    def block(bounds: tuple[int, int]) -> None:
        start, stop = bounds
        first = ends[start] - window + 1
        top = _last_state(kernels, shape, inputs[first : ends[stop - 1] + 1], stop - start, window)
        hidden = np.maximum(np.matmul(head[0], top) + head[1][:, None], np.float32(0))
        values = np.matmul(head[2], hidden) + head[3][:, None]
        out[start:stop] = values.transpose(0, 2, 1).reshape(-1, shape.outputs)[: stop - start]

    hold_one_blas_thread()
    for _ in mapper(block, list(consecutive(ends, BLOCK))):
        pass
    return out


def _last_state(
    kernels: list[tuple[Array, ...]], shape: NetworkShape, rows: Array, count: int, window: int
) -> Array:
    """Top layer's state (tiles, units, TILE) after each of `count` overlapping windows over `rows`.

    One buffer per tile, [x, 1, h₁, 1, h₂, 1 …], so that each product finds its inputs, its state and the 1
    that carries its bias side by side.
    """
    tiles = -(-count // TILE)
    columns = np.zeros((shape.features, tiles * TILE + window), dtype=np.float32)
    columns[:, : len(rows)] = rows.T
    offsets = np.cumsum([0, *(width + 1 for width in (shape.features, *shape.units))])
    buffer = np.zeros((tiles, offsets[-1], TILE), dtype=np.float32)
    buffer[:, offsets[1:] - 1] = 1.0
    cells = [
        _STEPS[shape.cell](kernel, buffer, offsets[i], offsets[i + 1], units)
        for i, (kernel, units) in enumerate(zip(kernels, shape.units, strict=True))
    ]
    feature, candle = columns.strides
    # windows[t]: the t-th candle of every window, (tiles, features, TILE), without a copy
    windows = as_strided(
        columns,
        (window, tiles, shape.features, TILE),
        (candle, TILE * candle, feature, candle),
        writeable=False,
    )
    for candles in windows:
        buffer[:, : shape.features] = candles
        for advance in cells:
            advance()
    return buffer[:, offsets[-2] : offsets[-1] - 1]


def _gru_kernels(kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
    """Matrices (rows out, [x, 1, h] in). σ(a) = (1 + tanh(a / 2)) / 2 cannot overflow: halves go in here."""
    (kz, kr, kc), (rz, rr, rc), (iz, ir, ic), (bz, br, bc) = (
        np.split(part, GATES[Cell.GRU], axis=-1) for part in (kernel, recurrent, *bias)
    )
    gates = np.vstack([np.hstack([kz, kr]), np.hstack([iz + bz, ir + br])[None], np.hstack([rz, rr])])
    candidate = np.vstack([kc, ic[None]])
    remembered = np.vstack([rc, bc[None]])
    half = np.float32(0.5)
    return tuple(np.ascontiguousarray(m.T) for m in (half * gates, candidate, half * remembered))


def _gru_step(
    kernels: tuple[Array, ...], buffer: Array, inputs: int, state: int, units: int
) -> Callable[[], None]:
    """Keras' `reset_after` form (Cho et al. 2014, reset gate after the product as in cuDNN).

    z, r = σ(xW + hU); c = tanh(xW_c + r ∘ hU_c); h ← z ∘ h + (1 − z) ∘ c.
    """
    gates_kernel, candidate_kernel, remembered_kernel = kernels
    tiles, half, one = len(buffer), np.float32(0.5), np.float32(1)
    seen, fresh = buffer[:, inputs : state + units], buffer[:, inputs:state]
    h, remembered = buffer[:, state : state + units], buffer[:, state : state + units + 1]
    gates = np.empty((tiles, 2 * units, TILE), np.float32)
    update, reset = gates[:, :units], gates[:, units:]
    c, new = (np.empty((tiles, units, TILE), np.float32) for _ in range(2))

    def advance() -> None:
        np.matmul(gates_kernel, seen, out=gates)
        np.matmul(remembered_kernel, remembered, out=c)
        np.matmul(candidate_kernel, fresh, out=new)
        np.tanh(gates, out=gates)
        np.add(gates, one, out=gates)  # twice the gates; the halves are in the kernels and below
        np.multiply(c, reset, out=c)
        np.add(c, new, out=c)
        np.tanh(c, out=c)
        np.subtract(h, c, out=new)  # not in place: `h` has gaps between the tiles, `new` has none
        np.multiply(new, half, out=new)
        np.multiply(new, update, out=new)
        np.add(new, c, out=h)

    return advance


def _lstm_kernels(kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, ...]:
    """One matrix (candidate and the halves of i, f, o; [x, 1, h] in)."""
    i, f, c, o = np.split(np.vstack([kernel, bias[None], recurrent]), GATES[Cell.LSTM], axis=1)
    half = np.float32(0.5)
    return (np.ascontiguousarray(np.hstack([c, half * i, half * f, half * o]).T),)


def _lstm_step(
    kernels: tuple[Array, ...], buffer: Array, inputs: int, state: int, units: int
) -> Callable[[], None]:
    """i, f, o = σ(xW + hU); c ← f ∘ c + i ∘ tanh(xW_c + hU_c); h = o ∘ tanh(c).

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    (kernel,) = kernels
    tiles, half, one = len(buffer), np.float32(0.5), np.float32(1)
    seen, h = buffer[:, inputs : state + units], buffer[:, state : state + units]
    all_gates = np.empty((tiles, 4 * units, TILE), np.float32)
    gates = all_gates[:, units:]
    candidate, i, f, o = (all_gates[:, k * units : (k + 1) * units] for k in range(4))
    c = np.zeros((tiles, units, TILE), np.float32)

    def advance() -> None:
        np.matmul(kernel, seen, out=all_gates)
        np.tanh(all_gates, out=all_gates)
        np.add(gates, one, out=gates)
        np.multiply(gates, half, out=gates)
        np.multiply(c, f, out=c)
        np.multiply(candidate, i, out=candidate)
        np.add(c, candidate, out=c)
        np.tanh(c, out=candidate)
        np.multiply(candidate, o, out=h)

    return advance


_KERNELS = {Cell.GRU: _gru_kernels, Cell.LSTM: _lstm_kernels}
_STEPS = {Cell.GRU: _gru_step, Cell.LSTM: _lstm_step}
