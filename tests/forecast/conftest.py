"""Small learnable problems for the forecast room: seconds for the whole suite, not minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.forecast import LABELS, GRUForecaster, TrainingSpan
from adaptive_pkg.settings import ForecastSettings

TINY = ForecastSettings(
    window=8, units=(6, 5), dense_units=4, chunk_candles=32, batch_chunks=8, epochs=6, learning_rate=0.02
)
HORIZON = 3


class Frames(NamedTuple):
    features: pd.DataFrame
    labels: pd.DataFrame
    dates: pd.Series

    def rows(self, rows: slice) -> Frames:
        return Frames(*(part.iloc[rows] for part in self))


@pytest.fixture(scope="session")
def tiny_settings() -> ForecastSettings:
    return TINY


@pytest.fixture(scope="session")
def make_frames() -> Callable[..., Frames]:
    """Features of which the mean of the last five makes the first label; the second is half noise."""

    def make(n: int = 700, seed: int = 3) -> Frames:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, 4))
        memory = pd.Series(x[:, 0]).rolling(5).mean().to_numpy()
        labels = np.column_stack([memory * 2, -memory + rng.normal(size=n) * 0.5])
        labels[-HORIZON:] = np.nan
        dates = pd.Series(pd.date_range("2022-01-01", periods=n, freq="1h", tz="UTC"))
        columns = [f"%-f{i}" for i in range(4)]
        return Frames(pd.DataFrame(x, columns=columns), pd.DataFrame(labels, columns=list(LABELS)), dates)

    return make


@pytest.fixture(scope="session")
def frames(make_frames: Callable[..., Frames]) -> Frames:
    """700 candles to train on; `longer_frames` are the same and 200 more."""
    part = make_frames(900).rows(slice(0, 700))
    labels = part.labels.copy()
    labels.iloc[-HORIZON:] = np.nan
    return part._replace(labels=labels)


@pytest.fixture(scope="session")
def longer_frames(make_frames: Callable[..., Frames]) -> Frames:
    return make_frames(900)


@pytest.fixture(scope="session")
def span(frames: Frames) -> TrainingSpan:
    return TrainingSpan.from_frames(*frames, TINY, HORIZON)


@pytest.fixture(scope="session")
def forecaster(span: TrainingSpan) -> GRUForecaster:
    return GRUForecaster.fit(span, TINY)
