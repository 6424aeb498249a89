from __future__ import annotations

from dataclasses import replace

import numpy as np

from adaptive_pkg.forecast import reference
from adaptive_pkg.forecast.forecaster import network_shape, training_parts
from adaptive_pkg.forecast.inference import predict_windows
from adaptive_pkg.forecast.reference import fit_reference
from adaptive_pkg.forecast.scaling import fit_features, fit_labels


def test_the_recipe_learns_and_its_weights_are_in_our_order(span, tiny_settings, monkeypatch):
    monkeypatch.setattr(reference, "EPOCHS", 4)
    settings = replace(tiny_settings, units=(6,))
    fit = fit_reference(span, settings)
    assert [value.shape for value in fit.weights] == network_shape(span, settings).weight_shapes()
    assert 1 <= fit.epochs <= 4
    rows, x = np.flatnonzero(span.validation), fit_features(span).features(span.features)
    actual = fit_labels(span).apply(span.labels[rows])
    forecast = predict_windows(fit.weights, network_shape(span, settings), x, rows, span.window)
    assert ((forecast - actual) ** 2).mean() < 0.8 * (actual**2).mean()


def test_it_trains_on_exactly_the_rows_and_windows_of_the_span(span, tiny_settings):
    scaled = fit_features(span).features(span.features)
    training, validation = training_parts(span, scaled, fit_labels(span))
    for part, mask in ((training, span.train), (validation, span.validation)):
        windows, labels, weights = reference._windows(part, span.window)
        rows = np.flatnonzero(mask)
        assert len(windows) == len(labels) == len(weights) == len(rows)
        np.testing.assert_array_equal(windows[5], scaled[rows[5] - span.window + 1 : rows[5] + 1])
        np.testing.assert_allclose(labels[5], fit_labels(span).apply(span.labels[rows[5]]), rtol=1e-6)
