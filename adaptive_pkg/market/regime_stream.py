"""The regime detector fed one candle at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from adaptive_pkg.enums import Regime
from adaptive_pkg.market.regime import RegimeReading, raw_codes
from adaptive_pkg.market.regime_confidence import regime_confidence

if TYPE_CHECKING:
    from adaptive_pkg.market.regime import MarketRegimeDetector


class RegimeStream:
    """Labels candles as they close. Exactly equal to `MarketRegimeDetector.detect` at every candle.

    Call `update` once per closed candle, in order; it counts candles by its calls.
    """

    def __init__(self, detector: MarketRegimeDetector) -> None:
        self._detector = detector
        self._trend = self._flat = self._volatile = self._tight = False
        self._raw = self._reported = Regime.TRANSITIONAL.code
        self._raw_age = self._reported_age = 0

    def update(self, metrics_row: Mapping[str, float]) -> RegimeReading:
        """Take the metrics of the next candle and say which regime is reported there.

        Raises:
            DataError: a metric is missing or is not a number.
        """
        detector = self._detector
        metrics = detector._metrics({name: np.atleast_1d(value) for name, value in metrics_row.items()})
        limits = detector.thresholds
        adx, volatility, width = (float(metrics[name][0]) for name in ("adx", "volatility", "width"))
        valid = not np.isnan(sum(metrics.values())[0])
        self._trend = _latch(self._trend, adx > limits.trend_enter, adx < limits.trend_leave)
        self._flat = _latch(self._flat, adx < limits.flat_enter, adx > limits.flat_leave)
        self._volatile = _latch(
            self._volatile, volatility >= limits.volatile_enter, volatility < limits.volatile_leave
        )
        self._tight = _latch(self._tight, width < limits.tight_enter, width >= limits.tight_leave)
        states = (self._trend, self._flat, self._volatile, self._tight, valid)
        raw = int(raw_codes(*(np.array([state]) for state in states))[0])
        self._raw_age = self._raw_age + 1 if raw == self._raw else 1
        self._raw = raw
        confirmed = self._raw_age >= detector.settings.min_dwell_candles
        reported = raw if confirmed else self._reported
        self._reported_age = self._reported_age + 1 if reported == self._reported else 1
        self._reported = reported
        confidence = regime_confidence(np.array([reported]), np.array([self._reported_age]), metrics, limits)[
            0
        ]
        return RegimeReading(
            regime=Regime.from_code(reported),
            confidence=float(confidence) if valid else 0.0,
            raw=Regime.from_code(raw),
            age_candles=self._reported_age,
        )


def _latch(state: bool, enter: bool, leave: bool) -> bool:
    return (state or enter) and not leave
