"""The recurrent network's shape and its first weights, in Keras' order of arrays and gates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.settings.forecast import Cell

Weights = tuple[NDArray[np.float32], ...]

GATES = {Cell.GRU: 3, Cell.LSTM: 4}  # Keras' order of columns: z, r, candidate; and i, f, candidate, o
PER_LAYER = 3  # arrays of a recurrent layer: kernel, recurrent kernel, bias
HEAD = 4  # arrays after the recurrent layers: dense kernel and bias, output kernel and bias


@dataclass(frozen=True)
class NetworkShape:
    """Layers of the network: recurrent ones, one dense one with ReLU, a linear output."""

    features: int
    outputs: int
    units: tuple[int, ...] = (100, 100)
    dropout: float = 0.2
    dense_units: int = 50
    dense_dropout: float = 0.1
    cell: Cell = Cell.GRU

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shapes in Keras order: per layer kernel, recurrent kernel, bias (a GRU has two); dense; output."""
        gates = GATES[self.cell]
        shapes: list[tuple[int, ...]] = []
        width = self.features
        for units in self.units:
            bias = (2, gates * units) if self.cell is Cell.GRU else (gates * units,)
            shapes += [(width, gates * units), (units, gates * units), bias]
            width = units
        return [
            *shapes,
            (width, self.dense_units),
            (self.dense_units,),
            (self.dense_units, self.outputs),
            (self.outputs,),
        ]

    def flops(self, steps: int) -> int:
        """Floating-point operations of the matrix products of a forward pass over `steps` candles."""
        gates = GATES[self.cell]
        widths = [self.features, *self.units]
        layers = sum(2 * (a + b) * gates * b for a, b in zip(widths, self.units, strict=False))
        return steps * (layers + 2 * self.dense_units * (self.units[-1] + self.outputs))


def initial_weights(shape: NetworkShape, seed: int) -> Weights:
    """First weights: Glorot uniform kernels, orthogonal recurrent kernels, zero biases (Keras' defaults).

    An LSTM's forget bias is 1 (Jozefowicz et al. 2015). The output kernel starts at zero, so an untrained
    network is the zero forecast. Each array has its own generator from (seed, position): no global random
    state is read or written.
    """
    weights = []
    sizes = shape.weight_shapes()
    recurrent_arrays = PER_LAYER * len(shape.units)
    for position, size in enumerate(sizes):
        rng = np.random.default_rng([seed, position])
        role = position % PER_LAYER if position < recurrent_arrays else -1
        if role == 2 or len(size) == 1 or position == len(sizes) - 2:
            value = np.zeros(size)
            if role == 2 and shape.cell is Cell.LSTM:
                value[size[0] // 4 : size[0] // 2] = 1.0
        elif role == 1:
            q, r = np.linalg.qr(rng.normal(size=(size[1], size[0])))
            value = (q * np.sign(np.diag(r))).T
        else:
            limit = np.sqrt(6.0 / (size[0] + size[1]))
            value = rng.uniform(-limit, limit, size)
        weights.append(value.astype(np.float32))
    return tuple(weights)
