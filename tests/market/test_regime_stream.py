"""The streaming detector says at every candle what the vectorised one says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.regime import METRIC_COLUMNS, MarketRegimeDetector
from adaptive_pkg.settings.market import RegimeSettings

HIGHEST = {
    "adx": 50,
    "atr_pct": 5,
    "atr_ratio": 2.5,
    "bb_width": 0.05,
    "width_ratio": 2,
    "volume_ratio": 4,
    "momentum_pct": 6,
}


def random_metrics(seed: int, n: int, persistence: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.uniform(0, high, n) for name, high in HIGHEST.items()})
    changes = rng.random(n) >= persistence
    frame = frame.iloc[np.maximum.accumulate(np.where(changes, np.arange(n), 0))].reset_index(drop=True)
    return frame.mask(rng.random(frame.shape) < 0.01)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    persistence=st.sampled_from([0.0, 0.6, 0.9]),
    dwell=st.integers(1, 8),
    threshold_set=st.sampled_from(["relative", "absolute"]),
)
def test_equal_to_the_vectorised_detector_at_every_candle(seed, persistence, dwell, threshold_set):
    chosen = RegimeSettings(min_dwell_candles=dwell, threshold_set=threshold_set)
    detector = MarketRegimeDetector(chosen)
    frame = random_metrics(seed, 120, persistence)
    whole = detector.detect(frame)
    stream = detector.stream()
    for row, values in enumerate(frame.to_dict("records")):
        reading = stream.update(values)
        assert (reading.regime.code, reading.raw.code) == (whole.codes[row], whole.raw[row])
        assert reading.confidence == whole.confidence[row]


def test_age_counts_the_candles_of_the_reported_regime():
    stream = MarketRegimeDetector(RegimeSettings(min_dwell_candles=3)).stream()
    row = dict.fromkeys(METRIC_COLUMNS, 1.0) | {"adx": 30.0}
    assert [stream.update(row).age_candles for _ in range(5)] == [1, 2, 1, 2, 3]


def test_two_streams_of_one_detector_do_not_share_a_memory():
    detector = MarketRegimeDetector(RegimeSettings(min_dwell_candles=1))
    trending, ranging = detector.stream(), detector.stream()
    row = dict.fromkeys(METRIC_COLUMNS, 1.0)
    for _ in range(3):
        first = trending.update(row | {"adx": 40.0})
        second = ranging.update(row | {"adx": 10.0})
    assert first.regime is not second.regime


def test_a_missing_metric_is_named():
    with pytest.raises(DataError, match="no column 'width_ratio'"):
        MarketRegimeDetector(RegimeSettings()).stream().update(dict.fromkeys(METRIC_COLUMNS[:4], 1.0))
