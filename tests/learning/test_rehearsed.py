"""Candidates found in candles are those a bot would have met, whatever came after."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.learning.labels import label_candidates
from adaptive_pkg.learning.rehearsed import rehearse
from adaptive_pkg.settings import load_settings


@pytest.mark.real_data
@pytest.mark.parametrize("approach", ["by_regime", "hold_trend"])
def test_later_candles_change_no_row_of_real_candles(real_candles, approach):
    settings = load_settings({"adaptive": {"approach": approach}})
    candles = real_candles("BTC/USDT").tail(26_000).reset_index(drop=True)
    cut = 14_000
    early = rehearse("BTC/USDT", "1h", 3600, candles.head(cut), settings)
    whole = rehearse("BTC/USDT", "1h", 3600, candles, settings)
    assert len(early) > 15
    pd.testing.assert_frame_equal(whole.iloc[: len(early)], early)
    labelled = label_candidates(whole, candles, 3600, settings)
    assert labelled["r"].between(-3, 100).all()
    assert (labelled["known_ms"] > labelled["closed_ms"]).all()


def test_only_the_asked_span_is_judged_after_the_warm_up(random_candles):
    settings = load_settings({"adaptive": {"approach": "by_regime"}})
    candles = random_candles(n=2600, seed=3)
    whole = rehearse("A/B", "1h", 3600, candles, settings)
    start, stop = np.datetime64("2022-03-01"), np.datetime64("2022-04-01")
    part = rehearse("A/B", "1h", 3600, candles, settings, start=start, stop=stop)
    opened = pd.to_datetime(whole["closed_ms"], unit="ms") - pd.Timedelta(hours=1)
    pd.testing.assert_frame_equal(
        part.reset_index(drop=True), whole[(opened >= start) & (opened < stop)].reset_index(drop=True)
    )
    with pytest.raises(DataError, match="the indicators need more than"):
        rehearse("A/B", "1h", 3600, candles.head(300), settings)
