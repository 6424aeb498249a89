"""A random market, judged: some hundred candidates, some taken, some refused."""

from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.settings import load_settings


@pytest.fixture
def settings():
    return load_settings({"adaptive": {"approach": "by_regime"}})


@pytest.fixture
def judged(random_candles, settings):
    """`judged(n=2500)`: the frame and its judgement, with a forecast."""

    def make(n=2500, chosen=settings, **judging):
        candles = random_candles(n=3500, seed=3).head(n)
        frame = market_frame(add_higher_trends(candles, chosen.indicators), chosen.indicators)
        frame["forecast_strength"] = np.sin(np.arange(n) / 7.0)
        judgement = judge(
            frame, chosen, can_short=True, forecast_sigma=frame["forecast_strength"].to_numpy(), **judging
        )
        return frame, judgement

    return make


@pytest.fixture
def rules(settings):
    return rules_fingerprint(settings)
