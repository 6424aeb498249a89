"""The network in training: loss, gradients and Adam, in NumPy.

At this size a framework spends most of its time between the operations. Here a candle costs one product and
about ten passes over small arrays, nothing is compiled, nothing is kept when the training ends, and each
training has its own state, so trainings in several threads or processes do not meet. `graph` is the same
network in Keras; tests hold the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.network import HEAD, PER_LAYER, NetworkShape, Weights
from adaptive_pkg.forecast.sweeps import SWEEPS, Array
from adaptive_pkg.forecast.windows import Chunks

CLIP_NORM = 1.0  # of all gradients together
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Adam (Kingma & Ba 2015), Keras' defaults


class TrainingEngine:
    """Weights, Adam's moments and dropout of one training. Call `hold_one_blas_thread` before."""

    def __init__(self, shape: NetworkShape, weights: Weights, seed: int, learning_rate: float) -> None:
        expected = shape.weight_shapes()
        if [value.shape for value in weights] != expected:
            raise ForecastError(
                f"weights: shapes {[v.shape for v in weights]} do not fit {expected}; train from scratch"
            )
        self.shape, self.learning_rate = shape, learning_rate
        self._flat = np.concatenate([np.ravel(value) for value in weights]).astype(np.float32)
        self._gradient = np.zeros_like(self._flat)
        self._moments = np.zeros((2, self._flat.size), np.float32)
        self._parameters, self._gradients = (_views(flat, expected) for flat in (self._flat, self._gradient))
        self._step = 0
        self._rng = np.random.default_rng([seed, 0xD0])
        self._scratch: dict[tuple[Any, ...], Array] = {}

    def weights(self) -> Weights:
        """A copy of the network's weights."""
        return tuple(value.copy() for value in self._parameters)

    def train(self, batch: Chunks) -> float:
        """One Adam step. Returns the weighted mean squared error before it, averaged over outputs."""
        x, y, w = _time_major(batch)
        rate, layers, masks, flow = self.shape.dropout, [], [], x
        for layer, sweep in enumerate(self._sweeps()):
            states = sweep.forward(flow)[1:]
            masks.append(self._dropout(rate, states.shape))
            dropped = self._array(layer, "dropped", *states.shape)
            flow = states if masks[-1] is None else np.multiply(states, masks[-1], out=dropped)
            layers.append(sweep)
        dense, dense_bias, output, output_bias = self._parameters[-HEAD:]
        first = _first_target(w)
        top, weight = _flat(flow[first:]), _flat(w[first:]) / w.sum()
        hidden = np.maximum(top @ dense + dense_bias, np.float32(0))
        mask = self._dropout(self.shape.dense_dropout, hidden.shape)
        kept = hidden if mask is None else hidden * mask
        errors = kept @ output + output_bias - _flat(y[first:])
        weighted = errors * weight
        loss = float((weighted * errors).sum()) / self.shape.outputs

        gradients = self._gradients
        by_output = weighted * np.float32(2 / self.shape.outputs)
        gradients[-2][...], gradients[-1][...] = kept.T @ by_output, by_output.sum(axis=0)
        by_hidden = by_output @ output.T
        by_hidden *= hidden > 0
        if mask is not None:
            by_hidden *= mask
        gradients[-4][...], gradients[-3][...] = top.T @ by_hidden, by_hidden.sum(axis=0)
        outer = self._array("outer", "", *flow.shape)
        outer[:first] = 0
        np.matmul(by_hidden, dense.T, out=_flat(outer[first:]))
        for layer in range(len(layers) - 1, -1, -1):
            if masks[layer] is not None:
                outer *= masks[layer]
            values, outer = layers[layer].backward(outer, need_input=layer > 0)
            for target, value in zip(gradients[PER_LAYER * layer :], values, strict=False):
                target[...] = value
        self._descend()
        return loss

    def mean_squared_errors(self, chunks: Chunks) -> NDArray[np.float64]:
        """Weighted mean squared error of each output, shape (outputs,), without dropout."""
        flow, y, w = _time_major(chunks)
        for sweep in self._sweeps():
            flow = sweep.forward(flow)[1:]
        dense, dense_bias, output, output_bias = self._parameters[-HEAD:]
        first = _first_target(w)
        hidden = np.maximum(_flat(flow[first:]) @ dense + dense_bias, np.float32(0))
        errors = hidden @ output + output_bias - _flat(y[first:])
        return (errors * errors * _flat(w[first:])).sum(axis=0, dtype=np.float64) / w.sum(dtype=np.float64)

    def _sweeps(self):
        for layer in range(len(self.shape.units)):
            weights = self._parameters[PER_LAYER * layer : PER_LAYER * (layer + 1)]
            yield SWEEPS[self.shape.cell](*weights, lambda *key, layer=layer: self._array(layer, *key))

    def _array(self, *key: Any) -> Array:
        """The scratch array (layer, name, *shape): fresh megabytes would cost a page fault each time."""
        if key not in self._scratch:
            self._scratch[key] = np.empty(key[2:], np.float32)
        return self._scratch[key]

    def _dropout(self, rate: float, size: tuple[int, ...]) -> Array | None:
        """0 with probability `rate`, else 1 / (1 − rate)."""
        if not rate:
            return None
        mask = (self._rng.random(size, dtype=np.float32) >= rate).astype(np.float32)
        mask *= np.float32(1 / (1 - rate))
        return mask

    def _descend(self) -> None:
        gradient, (mean, square) = self._gradient, self._moments
        norm = float(np.sqrt(np.dot(gradient, gradient)))
        if norm > CLIP_NORM:
            gradient *= np.float32(CLIP_NORM / norm)
        self._step += 1
        mean += np.float32(1 - BETA_1) * (gradient - mean)
        square += np.float32(1 - BETA_2) * (gradient * gradient - square)
        rate = self.learning_rate * np.sqrt(1 - BETA_2**self._step) / (1 - BETA_1**self._step)
        self._flat -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(EPSILON))


def _views(flat: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    stops = np.cumsum([np.prod(size) for size in shapes])
    return [part.reshape(size) for part, size in zip(np.split(flat, stops[:-1]), shapes, strict=True)]


def _time_major(chunks: Chunks) -> tuple[Array, Array, Array]:
    """(candles, chunks, values) of features, labels and weights."""
    parts = (chunks.features, chunks.labels, chunks.weights[..., None])
    return tuple(np.ascontiguousarray(part.transpose(1, 0, 2)) for part in parts)


def _first_target(weights: Array) -> int:
    """The first candle any chunk has a target at; those before only warm the state up."""
    return int(np.argmax(weights.any(axis=(1, 2))))


def _flat(values: Array) -> Array:
    """(candles, chunks, values) as (candles · chunks, values)."""
    return values.reshape(-1, values.shape[-1])
