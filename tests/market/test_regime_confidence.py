"""Regime confidence: between 0 and 1, and higher for more confirming evidence, never lower."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.market import regime_confidence as module
from adaptive_pkg.market.regime_confidence import RegimeThresholds, regime_confidence
from adaptive_pkg.settings.market import RegimeSettings

LIMITS = RegimeThresholds.of(RegimeSettings())
TRENDS = (Regime.STRONG_TREND, Regime.VOLATILE_TREND)
RANGES = (Regime.TIGHT_RANGE, Regime.CHOPPY)


def confidence(regime: Regime, age: int = 10, **metrics: float) -> float:
    values = {
        "adx": 22.5,
        "volatility": 1.0,
        "width": 1.0,
        "volume_ratio": 1.0,
        "momentum_pct": 1.0,
        "atr_pct": 1.0,
    } | metrics
    arrays = {name: np.array([float(value)]) for name, value in values.items()}
    return float(regime_confidence(np.array([regime.code]), np.array([age]), arrays, LIMITS)[0])


def test_the_parts_sum_to_one():
    parts = [value for name, value in vars(module).items() if name.endswith("_WEIGHT")]
    assert len(parts) == 5
    assert sum(parts) == pytest.approx(1.0)


@given(
    regime=st.sampled_from(Regime),
    age=st.integers(1, 10_000),
    adx=st.floats(0, 100),
    volatility=st.floats(0, 50),
    width=st.floats(0, 50),
    volume_ratio=st.floats(0, 1e4),
    momentum_pct=st.floats(-100, 100),
    atr_pct=st.floats(0, 50),
)
def test_always_between_zero_and_one(regime, age, **metrics):
    assert 0 <= confidence(regime, age, **metrics) <= 1


@pytest.mark.parametrize(
    ("regimes", "metric", "rising"),
    [
        (TRENDS, "adx", True),
        (RANGES, "adx", False),
        ((Regime.VOLATILE_TREND,), "volatility", True),
        ((Regime.STRONG_TREND,), "volatility", False),
        ((Regime.CHOPPY,), "width", True),
        ((Regime.TIGHT_RANGE,), "width", False),
        (TRENDS, "volume_ratio", True),
        ((Regime.TIGHT_RANGE,), "volume_ratio", False),
        (TRENDS, "momentum_pct", True),
        (RANGES, "momentum_pct", False),
    ],
)
def test_more_confirming_evidence_never_lowers_it(regimes, metric, rising):
    grid = np.linspace(0, 60, 200) if metric == "adx" else np.linspace(0, 6, 200)
    for regime in regimes:
        steps = np.diff([confidence(regime, **{metric: value}) for value in grid])
        assert (steps > 0).all() if rising else (steps < 0).all()


def test_loud_volume_confirms_a_trend_whatever_else_holds():
    for adx in (20, 25, 30, 50):
        assert confidence(Regime.STRONG_TREND, adx=adx, volume_ratio=2) > confidence(
            Regime.STRONG_TREND, adx=adx, volume_ratio=1
        )


def test_momentum_counts_by_size_not_by_direction():
    down, up = (confidence(Regime.STRONG_TREND, momentum_pct=value) for value in (-4, 4))
    assert down == up


def test_a_regime_gains_confidence_as_it_lasts():
    steps = np.diff([confidence(Regime.CHOPPY, age=age) for age in range(1, 100)])
    assert (steps > 0).all()


def test_transitional_is_surest_half_way_between_the_thresholds():
    middle = confidence(Regime.TRANSITIONAL, adx=22.2)
    assert middle > confidence(Regime.TRANSITIONAL, adx=20.2)
    assert middle > confidence(Regime.TRANSITIONAL, adx=24.8)


def test_it_has_no_jump():
    for regime in Regime:
        values = [confidence(regime, adx=adx) for adx in np.linspace(10, 40, 3001)]
        assert np.max(np.abs(np.diff(values))) < 0.002


def test_the_formula_is_the_documented_one():
    got = confidence(
        Regime.STRONG_TREND, age=6, adx=31.25, volatility=1.3, volume_ratio=3, momentum_pct=2, atr_pct=1
    )
    assert got == pytest.approx(0.40 * 0.75 + 0.25 * 0.5 + 0.10 * 0.75 + 0.10 * 0.5 + 0.15 * 0.5)
