"""Recurrent layers over whole training chunks, forward and backward through time, in NumPy.

Arrays run (candles, chunks, values): a candle of all chunks is one block of rows, so each step is one matrix
product and a few passes over small arrays, and everything that does not depend on the state is one product
over all candles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.settings.forecast import Cell

Array = NDArray[np.float32]
# Gives a scratch array of this name and shape, the same one each time.
Scratch = Callable[..., Array]

HALF, ONE = np.float32(0.5), np.float32(1)
CACHED = 16  # candles whose derivatives are prepared together, so that they are still in the cache when used


class GRUSweep:
    """One GRU layer in Keras' `reset_after` form, see `inference`. Columns of the gates: c, z, r."""

    def __init__(self, kernel: Array, recurrent: Array, bias: Array, scratch: Scratch) -> None:
        units = recurrent.shape[0]
        self.units, self._scratch = units, scratch
        order = np.r_[2 * units : 3 * units, : 2 * units]  # c, z, r
        scale = np.repeat([ONE, HALF], [units, 2 * units])  # σ(a) = (1 + tanh(a / 2)) / 2
        summed = bias[0].copy()
        summed[: 2 * units] += bias[1, : 2 * units]
        self._into, self._into_bias = kernel[:, order] * scale, summed[order] * scale
        self._within = recurrent * np.repeat([HALF, ONE], [2 * units, units])
        self._candidate_bias = bias[1, 2 * units :]
        self._into_back = kernel[:, order].T.copy()
        self._within_back = recurrent.T.copy()

    def forward(self, x: Array) -> Array:
        """States (candles + 1, chunks, units), the first one 0, for inputs (candles, chunks, features)."""
        units, (steps, chunks, _) = self.units, x.shape
        gates = self._scratch("gates", steps, chunks, 3 * units)
        np.matmul(_flat(x), self._into, out=_flat(gates))
        gates += self._into_bias
        product = self._scratch("product", steps, chunks, 3 * units)
        states = self._scratch("states", steps + 1, chunks, units)
        states[0] = 0
        within, bias = self._within, np.tile(self._candidate_bias, (chunks, 1))
        spare = np.empty((chunks, units), np.float32)
        for gate, a, h, new in zip(gates, product, states[:-1], states[1:], strict=True):
            np.matmul(h, within, out=a)
            c, zr, q = gate[:, :units], gate[:, units:], a[:, 2 * units :]
            np.add(zr, a[:, : 2 * units], out=zr)
            np.tanh(zr, out=zr)
            np.add(zr, ONE, out=zr)
            np.multiply(zr, HALF, out=zr)
            np.add(q, bias, out=q)
            np.multiply(q, zr[:, units:], out=spare)
            np.add(c, spare, out=c)
            np.tanh(c, out=c)
            np.subtract(h, c, out=new)
            np.multiply(new, zr[:, :units], out=new)
            np.add(new, c, out=new)
        self._kept = x, gates, product, states
        return states

    def backward(self, outer: Array, need_input: bool) -> tuple[list[Array], Array | None]:
        """Gradients of kernel, recurrent kernel and bias, and of the inputs if asked for.

        Args:
            outer: (candles, chunks, units), the loss' gradient by each state, without its later effects.
        """
        x, gates, product, states = self._kept
        units, (steps, chunks, _) = self.units, x.shape
        delta = self._scratch("delta", steps, chunks, 4, units)  # by the inputs of c, z, r, q
        gradient, spare = np.zeros((chunks, units), np.float32), np.empty((chunks, units), np.float32)
        first, second = (np.empty((CACHED, chunks, 2, units), np.float32) for _ in range(2))
        within_back = self._within_back
        for start in range((steps - 1) // CACHED * CACHED, -1, -CACHED):
            rows = slice(start, min(start + CACHED, steps))
            c, z, r = (gates[rows, :, k * units : (k + 1) * units] for k in range(3))
            # of the inputs of c and z by the state's gradient, and of those of r and q by the one of c
            by_state, by_candidate = first[: len(c)], second[: len(c)]
            np.subtract(ONE, z, out=by_state[:, :, 0])
            np.subtract(states[rows], c, out=by_state[:, :, 1])
            by_state[:, :, 1] *= z
            by_state[:, :, 1] *= by_state[:, :, 0]
            by_state[:, :, 0] *= ONE - c * c
            np.subtract(ONE, r, out=by_candidate[:, :, 0])
            by_candidate[:, :, 0] *= r
            by_candidate[:, :, 0] *= product[rows, :, 2 * units :]
            by_candidate[:, :, 1] = r
            for k in range(len(c) - 1, -1, -1):
                step = delta[start + k]
                np.add(gradient, outer[start + k], out=gradient)
                np.multiply(gradient[:, None], by_state[k], out=step[:, :2])
                np.multiply(step[:, :1], by_candidate[k], out=step[:, 2:])
                np.matmul(step.reshape(chunks, -1)[:, units:], within_back, out=spare)
                np.multiply(gradient, z[k], out=gradient)
                np.add(gradient, spare, out=gradient)
        flat = delta.reshape(-1, 4 * units)
        into, within = flat[:, : 3 * units], flat[:, units:]
        sums = flat.sum(axis=0)
        gradients = [
            np.roll(_flat(x).T @ into, -units, axis=1),
            _flat(states[:-1]).T @ within,
            np.stack([np.roll(sums[: 3 * units], -units), sums[units:]]),
        ]
        return gradients, (into @ self._into_back).reshape(x.shape) if need_input else None


class LSTMSweep:
    """One LSTM layer, see `inference`. Columns of the gates: candidate, i, f, o."""

    def __init__(self, kernel: Array, recurrent: Array, bias: Array, scratch: Scratch) -> None:
        units = recurrent.shape[0]
        self.units, self._scratch = units, scratch
        order = np.r_[2 * units : 3 * units, : 2 * units, 3 * units : 4 * units]  # candidate, i, f, o
        scale = np.repeat([ONE, HALF], [units, 3 * units])
        self._into, self._into_bias = kernel[:, order] * scale, bias[order] * scale
        self._within = recurrent[:, order] * scale
        self._into_back, self._within_back = kernel[:, order].T.copy(), recurrent[:, order].T.copy()
        self._back_to_keras = np.argsort(order)

    def forward(self, x: Array) -> Array:
        """States (candles + 1, chunks, units), the first one 0, for inputs (candles, chunks, features)."""
        units, (steps, chunks, _) = self.units, x.shape
        gates = self._scratch("gates", steps, chunks, 4 * units)
        np.matmul(_flat(x), self._into, out=_flat(gates))
        gates += self._into_bias
        states = self._scratch("states", steps + 1, chunks, units)
        cells = self._scratch("cells", steps + 1, chunks, units)
        shown = self._scratch("shown", steps, chunks, units)
        states[0] = cells[0] = 0
        within, product = self._within, np.empty((chunks, 4 * units), np.float32)
        spare = np.empty((chunks, units), np.float32)
        for t in range(steps):
            gate, cell = gates[t], cells[t + 1]
            np.matmul(states[t], within, out=product)
            np.add(gate, product, out=gate)
            np.tanh(gate, out=gate)
            sigmoids = gate[:, units:]
            np.add(sigmoids, ONE, out=sigmoids)
            np.multiply(sigmoids, HALF, out=sigmoids)
            np.multiply(cells[t], gate[:, 2 * units : 3 * units], out=cell)
            np.multiply(gate[:, :units], gate[:, units : 2 * units], out=spare)
            np.add(cell, spare, out=cell)
            np.tanh(cell, out=shown[t])
            np.multiply(shown[t], gate[:, 3 * units :], out=states[t + 1])
        self._kept = x, gates, states, cells, shown
        return states

    def backward(self, outer: Array, need_input: bool) -> tuple[list[Array], Array | None]:
        """As `GRUSweep.backward`."""
        x, gates, states, cells, shown = self._kept
        units, (steps, chunks, _) = self.units, x.shape
        delta = self._scratch("delta", steps, chunks, 4, units)
        gradient, cell_gradient, spare = (np.zeros((chunks, units), np.float32) for _ in range(3))
        by_cell = np.empty((CACHED, chunks, 3, units), np.float32)  # of the inputs of candidate, i and f
        within_back = self._within_back
        for start in range((steps - 1) // CACHED * CACHED, -1, -CACHED):
            rows = slice(start, min(start + CACHED, steps))
            candidate, i, f, o = (gates[rows, :, k * units : (k + 1) * units] for k in range(4))
            seen = shown[rows]
            to_output, to_cell = seen * o * (ONE - o), o * (ONE - seen * seen)
            by_cell[: len(seen), :, 0] = i * (ONE - candidate * candidate)
            by_cell[: len(seen), :, 1] = candidate * i * (ONE - i)
            by_cell[: len(seen), :, 2] = cells[rows] * f * (ONE - f)
            for k in range(len(seen) - 1, -1, -1):
                step = delta[start + k]
                np.add(gradient, outer[start + k], out=gradient)
                np.multiply(gradient, to_output[k], out=step[:, 3])
                np.multiply(gradient, to_cell[k], out=spare)
                np.add(cell_gradient, spare, out=cell_gradient)
                np.multiply(cell_gradient[:, None], by_cell[k], out=step[:, :3])
                np.multiply(cell_gradient, f[k], out=cell_gradient)
                np.matmul(step.reshape(chunks, -1), within_back, out=gradient)
        flat, keras = delta.reshape(-1, 4 * units), self._back_to_keras
        gradients = [
            (_flat(x).T @ flat)[:, keras],
            (_flat(states[:-1]).T @ flat)[:, keras],
            flat.sum(axis=0)[keras],
        ]
        return gradients, (flat @ self._into_back).reshape(x.shape) if need_input else None


def _flat(values: Array) -> Array:
    """(candles, chunks, values) as (candles · chunks, values)."""
    return values.reshape(-1, values.shape[-1])


SWEEPS = {Cell.GRU: GRUSweep, Cell.LSTM: LSTMSweep}
