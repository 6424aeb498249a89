"""A frame of quiet indicator columns that a scenario bends to its need."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def quiet_frame():
    """`quiet_frame(n)`: close 100, everything neutral, no rule fires."""

    def make(n=10, **columns):
        base = {
            "open": 100.0, "high": 100.2, "low": 99.9, "close": 100.1, "volume": 10.0,
            "ema_fast": 99.0, "ema_slow": 99.0, "plus_di": 20.0, "minus_di": 20.0,
            "donchian_high": 105.0, "donchian_low": 95.0,
            "bb_upper": 104.0, "bb_middle": 100.0, "bb_lower": 96.0,
            "rsi": 50.0, "macd_hist": 0.0, "volume_ratio": 1.2, "momentum_pct": 0.0,
            "support_atr": 2.0, "resistance_atr": 2.0, "trend_4h": np.nan, "trend_1d": np.nan,
        }  # fmt: skip
        frame = pd.DataFrame({name: np.full(n, value) for name, value in base.items()})
        for name, values in columns.items():
            frame[name] = values
        return frame

    return make
