"""What the training benchmark measures: candles as training windows, rates, latency, memory."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from adaptive_pkg.errors import DataError
from adaptive_pkg.forecast import LABELS, RecurrentForecaster, TrainingSpan
from adaptive_pkg.forecast.blas import hold_one_blas_thread
from adaptive_pkg.forecast.engine import TrainingEngine
from adaptive_pkg.forecast.inference import Mapper
from adaptive_pkg.forecast.network import NetworkShape, initial_weights
from adaptive_pkg.forecast.targets import future_log_volatility, future_return_sigma
from adaptive_pkg.forecast.windows import Chunks
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.settings import ForecastSettings, IndicatorSettings
from adaptive_pkg.simulator.candles import CandleStore

CANDLES, HORIZON, TIMEFRAME = 4_320, 12, "1h"
WEEK = 168
RATE_SECONDS = 2.0  # how long a rate is tried for


@dataclass(frozen=True)
class Frames:
    """One pair's features, labels and dates, in time order."""

    features: pd.DataFrame
    labels: pd.DataFrame
    dates: pd.Series

    def until(self, stop: int) -> Frames:
        """The CANDLES before row `stop`; labels that look beyond them are unknown."""
        rows = slice(stop - CANDLES, stop)
        labels = self.labels.iloc[rows].copy()
        labels.iloc[-HORIZON:] = np.nan
        return Frames(self.features.iloc[rows], labels, self.dates.iloc[rows])


def load(datadir: Path, pair: str) -> Frames:
    """A pair's features and labels from its candle file. Raises DataError."""
    candles = CandleStore(datadir).load(pair, TIMEFRAME).reset_index(drop=True)
    settings = IndicatorSettings()
    known = compute_indicators(candles, settings)
    close, volume = candles["close"], candles["volume"]
    labels = [
        future_return_sigma(close, known["sigma"], HORIZON, volume),
        future_log_volatility(close, HORIZON, settings.reference_period, volume),
    ]
    return Frames(
        forecast_features(candles, settings),
        pd.DataFrame(np.column_stack(labels), columns=list(LABELS)),
        candles["date"],
    )


def row_of(frames: Frames, stop: str) -> int:
    row = int(frames.dates.searchsorted(pd.Timestamp(stop, tz="UTC")))
    if row < CANDLES + WEEK:
        raise DataError(f"{row} candles before {stop}, {CANDLES + WEEK} are needed; download earlier ones")
    return row


def span_of(frames: Frames, stop: str | int, settings: ForecastSettings) -> TrainingSpan:
    part = frames.until(row_of(frames, stop) if isinstance(stop, str) else stop)
    return TrainingSpan.from_frames(part.features, part.labels, part.dates, settings, HORIZON)


def _best(action: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    seconds = []
    for _ in range(repeats):
        started = clock()
        action()
        seconds.append(clock() - started)
    return min(seconds)


def sgemm_gflops(size: int = 1024) -> float:
    """Rate of a large float32 matrix product on one thread, the fastest of ten."""
    a, b = (np.random.default_rng(i).random((size, size), dtype=np.float32) for i in (0, 1))
    hold_one_blas_thread()
    return 2e-9 * size**3 / _best(lambda: a @ b, 10, time.thread_time)


def training_gflops(settings: ForecastSettings, features: int) -> float:
    """Rate of matrix-product operations in training steps on one thread, the fastest of ten."""
    rng = np.random.default_rng(0)
    shape = NetworkShape(features, len(LABELS), settings.units, cell=settings.cell)
    size = (settings.batch_chunks, settings.chunk_candles)
    batch = Chunks(
        rng.normal(size=(*size, features)).astype(np.float32),
        rng.normal(size=(*size, len(LABELS))).astype(np.float32),
        np.ones(size, np.float32),
    )
    engine = TrainingEngine(shape, initial_weights(shape, 1), 1, settings.learning_rate)
    hold_one_blas_thread()
    seconds = _best(lambda: engine.train(batch), 10, time.thread_time)
    return 3e-9 * shape.flops(size[0] * size[1]) / seconds


def prediction_rates(forecaster: RecurrentForecaster, frame: Frames, threads: int) -> tuple[float, float]:
    """Windows per second and per CPU second through `predict`, the fastest runs within RATE_SECONDS."""
    with ThreadPoolExecutor(threads) as pool:
        mapper: Mapper = pool.map if threads > 1 else map
        wall_rate, cpu_rate, end = 0.0, 0.0, time.perf_counter() + RATE_SECONDS
        while time.perf_counter() < end:
            wall, cpu = time.perf_counter(), time.process_time()
            windows = int(forecaster.predict(frame.features, frame.dates, mapper).valid.sum())
            wall_rate = max(wall_rate, windows / (time.perf_counter() - wall))
            cpu_rate = max(cpu_rate, windows / (time.process_time() - cpu))
    return wall_rate, cpu_rate


def live_milliseconds(forecaster: RecurrentForecaster, frame: Frames, repeats: int) -> float:
    """Median wall time of predicting the last candle of a tail one window long."""
    tail = frame.features.iloc[-forecaster.window :], frame.dates.iloc[-forecaster.window :]
    seconds = [_best(lambda: forecaster.predict(*tail), 1) for _ in range(repeats)]
    return 1e3 * statistics.median(seconds)


def memory_growth(
    frames: Frames,
    settings: ForecastSettings,
    forecaster: RecurrentForecaster,
    stop: str,
    retrains: int,
    live_predictions: int,
) -> dict[str, Any]:
    """Resident memory gained by retraining on a window that moves on, then by predicting single candles."""
    process, last = psutil.Process(), row_of(frames, stop)
    for back in range(3):  # what is allocated once
        RecurrentForecaster.fit(span_of(frames, last - back, settings), settings)
    gc.collect()
    before = process.memory_info().rss
    for count in range(retrains):
        RecurrentForecaster.fit(span_of(frames, last - count % WEEK, settings), settings)
    gc.collect()
    trained = process.memory_info().rss
    live_milliseconds(forecaster, frames.until(last), live_predictions)
    gc.collect()
    after = process.memory_info().rss
    return {
        "retrains_for_memory": retrains,
        "live_predictions_for_memory": live_predictions,
        "memory_growth_retrains_mb": (trained - before) / 2**20,
        "memory_growth_live_predictions_mb": (after - trained) / 2**20,
        "memory_growth_mb": (after - before) / 2**20,
    }
