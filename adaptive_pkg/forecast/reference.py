"""The usual Keras recipe for a sequence model in FreqAI, kept to be measured against.

A fresh model for each training, one window per sample, batches of 32, Adam at 0.01, early stopping with
patience 5 that restores the best weights, at most 20 epochs.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.forecaster import network_shape, training_parts
from adaptive_pkg.forecast.graph import build_model, load_tensorflow
from adaptive_pkg.forecast.network import Weights, initial_weights
from adaptive_pkg.forecast.scaling import fit_features, fit_labels
from adaptive_pkg.settings.forecast import ForecastSettings

BATCH, LEARNING_RATE, PATIENCE, EPOCHS = 32, 0.01, 5, 20


@dataclass(frozen=True)
class ReferenceFit:
    """Best weights, in the order of `NetworkShape.weight_shapes`, and the epochs they took."""

    weights: Weights
    epochs: int


def fit_reference(span: TrainingSpan, settings: ForecastSettings) -> ReferenceFit:
    """Train the recipe on a span: same data, split, scaling, layers and first weights as the forecaster's.

    Args:
        settings: `units`, `cell`, dropout, `window` and `seed` are used; the recipe fixes the rest.
    """
    tf = load_tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    shape = network_shape(span, settings)
    training, validation = training_parts(span, fit_features(span).features(span.features), fit_labels(span))
    with tf.device("CPU:0"):
        model = build_model(keras, shape, last_only=True)
        for variable, value in zip(
            model.trainable_variables, initial_weights(shape, settings.seed), strict=True
        ):
            variable.assign(value)
        model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")
        stop = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
        x, y, w = _windows(training, settings.window)
        held_x, held_y, held_w = _windows(validation, settings.window)
        history = model.fit(
            x, y, sample_weight=w, validation_data=(held_x, held_y, held_w),
            batch_size=BATCH, epochs=EPOCHS, callbacks=[stop], verbose=0,
        )  # fmt: skip
    weights = tuple(np.array(variable.numpy()) for variable in model.trainable_variables)
    del model
    gc.collect()
    return ReferenceFit(weights, len(history.history["loss"]))


def _windows(part, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m, window, features), (m, labels) and (m,) weights of a part's targets."""
    rows = np.flatnonzero(part.weights)
    windows = sliding_window_view(part.features, window, axis=0)[rows - window + 1]
    return np.ascontiguousarray(windows.transpose(0, 2, 1)), part.labels[rows], part.weights[rows]
