"""A market whose volatility has memory, small enough to be evaluated in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.evaluation.forecast.folds import Schedule
from adaptive_pkg.evaluation.forecast.models import Family
from adaptive_pkg.evaluation.forecast.runner import Plan
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.simulator.candles import write_candles

INDICATORS = IndicatorSettings(reference_period=72)
TINY = ForecastSettings(window=8, units=(6,), dense_units=4, chunk_candles=32, batch_chunks=8, epochs=2)


@pytest.fixture(scope="session")
def clustered_candles():
    """Hourly candles: returns are noise, their size a slow AR(1). `clustered_candles(days, seed)`."""

    def make(days: int = 130, seed: int = 1) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        n = 24 * days
        log_sigma = np.zeros(n)
        shocks = rng.normal(0, 0.12, n)
        for i in range(1, n):
            log_sigma[i] = 0.98 * log_sigma[i - 1] + shocks[i]
        close = 100 * np.exp(np.cumsum(0.004 * np.exp(log_sigma) * rng.normal(size=n)))
        open_ = np.concatenate([[100.0], close[:-1]])
        wick = np.abs(rng.normal(0, 0.002, (2, n))) * np.exp(log_sigma)
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

    return make


@pytest.fixture(scope="session")
def datadir(tmp_path_factory, clustered_candles) -> Path:
    folder = tmp_path_factory.mktemp("candles")
    frames = {"AAA/USDT": clustered_candles(seed=1), "BBB/USDT": clustered_candles(seed=2)}
    write_candles(frames, folder, "1h")
    return folder


@pytest.fixture(scope="session")
def make_plan(datadir):
    """A plan of two folds on the reference models; keyword arguments replace its parts."""

    def make(**changes) -> Plan:
        start = pd.Timestamp("2022-03-12", tz="UTC")
        parts = {
            "datadir": datadir,
            "pairs": ("AAA/USDT", "BBB/USDT"),
            "timeframe": "1h",
            "horizon": 6,
            "schedule": Schedule(start, start + pd.Timedelta(days=56), 40, 28, 5),
            "forecaster": TINY,
            "indicators": INDICATORS,
            "families": (Family.REFERENCE,),
            "seeds": (1, 2),
        }
        return Plan(**{**parts, **changes})

    return make
