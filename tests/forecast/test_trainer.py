from __future__ import annotations

import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import psutil
import pytest

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.engine import TrainingEngine
from adaptive_pkg.forecast.network import NetworkShape
from adaptive_pkg.forecast.trainer import Sequences, Training, train
from adaptive_pkg.settings.forecast import Cell, Engine

SHAPE = NetworkShape(features=3, outputs=2, units=(6, 5), dense_units=4)
LEAK_BOUND_MB = 8.0  # over 50 trainings; rebuilding the model would cost about 16 MB each


def sequences(n: int, seed: int = 0) -> Sequences:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    y = np.stack([np.convolve(x[:, 0], np.ones(4) / 2)[:n], x[:, 1]], axis=1).astype(np.float32)
    return Sequences(x, y, np.ones(n, dtype=np.float32), np.array([[0, n]]))


def run(settings, seed: int | None = None, initial=None) -> Training:
    chosen = settings if seed is None else replace(settings, seed=seed)
    return train(sequences(500), sequences(150, seed=1), SHAPE, chosen, initial)


def run_seed(job) -> Training:
    """For a worker process: everything it needs comes with the job."""
    settings, seed = job
    return run(settings, seed)


def bit_equal(a: Training, b: Training) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))


def test_training_learns_and_keeps_the_best_epoch(tiny_settings):
    result = run(replace(tiny_settings, epochs=15))
    losses = [epoch.validation_loss for epoch in result.epochs]
    assert min(losses) < 0.6
    assert result.best_epoch == int(np.argmin(losses)) + 1


def test_the_same_seed_gives_bit_equal_weights_in_any_thread(tiny_settings):
    here = run(tiny_settings)
    np.random.seed(99)  # what others do with the global state must not matter
    with ThreadPoolExecutor(2) as pool:
        there = list(pool.map(lambda _: run(tiny_settings), range(3)))
    assert all(bit_equal(here, other) for other in there)
    assert not bit_equal(here, run(tiny_settings, seed=8))


def test_trainings_at_the_same_time_do_not_mix(tiny_settings):
    alone = [run(tiny_settings, seed=seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: run(tiny_settings, seed=seed), (1, 2)))
    assert bit_equal(alone[0], together[0])
    assert bit_equal(alone[1], together[1])


def test_two_pairs_train_in_parallel_processes_to_the_same_bits(tiny_settings):
    alone = [run(tiny_settings, seed=seed) for seed in (1, 2)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        together = list(pool.map(run_seed, [(tiny_settings, 1), (tiny_settings, 2)]))
    assert bit_equal(alone[0], together[0])
    assert bit_equal(alone[1], together[1])
    assert together[0].epochs == alone[0].epochs


def test_what_other_pairs_trained_before_does_not_matter(tiny_settings):
    first = run(tiny_settings)
    train(sequences(400, seed=5), sequences(150, seed=6), SHAPE, replace(tiny_settings, seed=3))
    train(sequences(400, seed=5), sequences(150, seed=6), replace(SHAPE, cell=Cell.LSTM), tiny_settings)
    assert bit_equal(first, run(tiny_settings))


def test_keras_trains_the_same_network_where_the_settings_ask_for_it(tiny_settings):
    """Without dropout the two engines differ by rounding alone; two Keras trainings at once do not mix."""
    quiet = replace(tiny_settings, epochs=3, patience=3)
    keras = replace(quiet, engine=Engine.KERAS)
    shape = replace(SHAPE, dropout=0.0, dense_dropout=0.0)
    parts = sequences(300), sequences(150, seed=1)
    ours, theirs = train(*parts, shape, quiet), train(*parts, shape, keras)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-3)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: train(*parts, shape, keras), range(2)))
    assert all(bit_equal(theirs, one) for one in both)


def test_an_lstm_learns_through_the_same_trainer(tiny_settings):
    settings = replace(tiny_settings, epochs=15, learning_rate=0.05)
    result = train(sequences(500), sequences(150, seed=1), replace(SHAPE, cell=Cell.LSTM), settings)
    losses = [epoch.validation_loss for epoch in result.epochs]
    assert min(losses) < 0.6
    assert result.best_epoch == int(np.argmin(losses)) + 1


def test_fifty_trainings_leak_no_memory(tiny_settings):
    quick = replace(tiny_settings, epochs=1)
    for _ in range(5):
        run(quick)
    gc.collect()
    before = psutil.Process().memory_info().rss
    for _ in range(50):
        run(quick)
    gc.collect()
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    assert grown < LEAK_BOUND_MB, f"50 trainings grew the process by {grown:.1f} MB"


def test_without_improvement_it_stops_early_at_a_lower_learning_rate(tiny_settings):
    """Labels of pure noise: the first weights, which forecast 0, stay the best or nearly so."""
    rng = np.random.default_rng(3)
    noise = [
        replace(part, labels=rng.normal(size=part.labels.shape).astype(np.float32))
        for part in (sequences(500), sequences(150, seed=1))
    ]
    settings = replace(tiny_settings, epochs=60, patience=6, plateau_patience=2)
    engines = []

    def recorded(*arguments) -> TrainingEngine:
        engines.append(TrainingEngine(*arguments))
        return engines[-1]

    result = train(*noise, SHAPE, settings, engine=recorded)
    assert len(result.epochs) == result.best_epoch + 6
    assert engines[0].learning_rate == result.epochs[-1].learning_rate < tiny_settings.learning_rate


def test_warm_start_begins_where_the_last_training_ended(tiny_settings):
    first = run(replace(tiny_settings, epochs=15))
    cold, warm = (
        run(replace(tiny_settings, epochs=1)),
        run(replace(tiny_settings, epochs=1), None, first.weights),
    )
    assert warm.epochs[0].validation_loss < 0.9 * cold.epochs[0].validation_loss


def test_divergence_is_an_error_that_says_what_to_do(tiny_settings):
    bad = sequences(500)
    bad.features[100] = np.inf
    with pytest.raises(ForecastError, match=r"diverged in epoch 1 .* lower learning_rate \(0.02\)"):
        train(bad, sequences(150), SHAPE, tiny_settings)


def test_a_span_shorter_than_a_window_is_an_error(tiny_settings):
    with pytest.raises(ForecastError, match="validation: no complete window"):
        train(sequences(500), sequences(5), SHAPE, tiny_settings)
    with pytest.raises(ForecastError, match="training: no complete window"):
        train(sequences(5), sequences(150), SHAPE, tiny_settings)


def test_first_weights_that_are_not_finite_are_an_error_and_not_a_forecaster(tiny_settings):
    poisoned = tuple(value * np.nan for value in run(replace(tiny_settings, epochs=1)).weights)
    with pytest.raises(ForecastError, match=r"before the first epoch; start from scratch"):
        run(tiny_settings, initial=poisoned)
