"""A market in which every rule is silent, to be bent candle by candle."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.library import LibrarySettings

QUIET = {
    "open": 100.0, "high": 100.5, "low": 99.5, "close": 100.0, "volume": 10.0, "adx": 30.0, "atr": 1.0,
    "rsi": 50.0, "ema_fast": 100.0, "ema_slow": 100.0, "bb_upper": 104.0, "bb_lower": 96.0, "bb_width": 0.08,
    "donchian_high": 105.0, "donchian_low": 95.0, "volume_ratio": 1.0, "atr_ratio": 1.0,
}  # fmt: skip


@pytest.fixture(scope="session")
def quiet():
    """`quiet(n, changes)`: changes maps a candle (from the end where negative) to its new columns."""

    def make(n=60, changes=None, **columns):
        frame = pd.DataFrame({name: np.full(n, value) for name, value in (QUIET | columns).items()})
        for candle, values in (changes or {}).items():
            for name, value in values.items():
                frame.loc[candle % n, name] = value
        return frame

    return make


@pytest.fixture(scope="session")
def library():
    return LibrarySettings()


@pytest.fixture
def market(random_candles):
    """`market(n, seed)`: a market frame of random candles."""

    def make(n=3000, seed=1):
        return market_frame(random_candles(n, seed=seed), IndicatorSettings())

    return make
