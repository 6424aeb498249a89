"""A market and a network small enough to be tuned in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.evaluation.forecast.folds import Schedule
from adaptive_pkg.evaluation.forecast.runner import Plan
from adaptive_pkg.evaluation.tuning.space import SearchSpace
from adaptive_pkg.evaluation.tuning.task import FoldScore, TuningTask
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.simulator.candles import write_candles

TINY = ForecastSettings(window=8, units=(6,), dense_units=4, chunk_candles=32, batch_chunks=8, epochs=2)
SPACE = SearchSpace(
    layers=(1, 2),
    units=(4, 8),
    window=(4, 12),
    window_step=4,
    dropout=(0.0, 0.2),
    learning_rate=(1e-3, 3e-2),
)
INDICATORS = IndicatorSettings(reference_period=72)
PAIRS = ("AAA/USDT", "BBB/USDT")


def candles(seed: int, days: int = 130) -> pd.DataFrame:
    """Hourly noise whose size swells and shrinks over four days."""
    rng = np.random.default_rng(seed)
    n = 24 * days
    sigma = 0.006 * np.exp(0.8 * np.sin(np.arange(n) * 2 * np.pi / 96))
    close = 100 * np.exp(np.cumsum(sigma * rng.normal(size=n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.3, (2, n))) * sigma
    return pd.DataFrame(
        {
            "date": pd.date_range("2022-01-01", periods=n, freq="1h", tz="UTC"),
            "open": open_,
            "high": np.maximum(open_, close) * (1 + wick[0]),
            "low": np.minimum(open_, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(3, 0.5, n),
        }
    )


@pytest.fixture(scope="session")
def datadir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("candles")
    write_candles({pair: candles(seed) for seed, pair in enumerate(PAIRS)}, folder, "1h")
    return folder


@pytest.fixture(scope="session")
def make_task(datadir):
    """A task of four search folds and two held-out ones; keyword arguments replace its parts."""

    def make(pairs=PAIRS, days=72, seed=3, space=SPACE, held_out_share=1 / 3, **changes) -> TuningTask:
        start = pd.Timestamp("2022-02-20", tz="UTC")
        schedule = Schedule(start, start + pd.Timedelta(days=days), 30, 12, 5)
        parts = {"forecaster": TINY, "indicators": INDICATORS, **changes}
        plan = Plan(datadir, tuple(pairs), "1h", 6, schedule, **parts)
        return TuningTask(plan, space, seed, held_out_share)

    return make


@pytest.fixture
def options(datadir, tmp_path):
    """What `tune` is called with: the same search as `make_task`."""
    return {
        "pairs": list(PAIRS),
        "timeframe": "1h",
        "trials": 3,
        "workers": 1,
        "storage": tmp_path / "study.db",
        "out": tmp_path / "block.json",
        "json_path": tmp_path / "tune.json",
        "timerange": "20220220-20220503",
        "seed": 3,
        "console": Console(quiet=True),
        "horizon": 6,
        "train_days": 30,
        "fold_days": 12,
        "embargo_candles": 5,
        "held_out_seeds": 2,
        "forecaster": TINY,
        "indicators": INDICATORS,
        "space": SPACE,
        "datadir": datadir,
    }


@pytest.fixture
def made_up_scores(monkeypatch):
    """Replace every fit by `loss(settings, fold number, pair)`; returns the list of calls made."""

    def install(loss):
        calls = []

        def score(self, pair, fold, settings):
            calls.append((fold.number, pair, settings))
            value = loss(settings, fold.number, pair)
            return FoldScore(pair, fold.number, 100, value, value)

        monkeypatch.setattr(TuningTask, "score", score)
        return calls

    return install
