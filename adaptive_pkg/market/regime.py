"""The market regime: which of five kinds of market it is, candle by candle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime, ThresholdSet
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.regime_confidence import RegimeThresholds, regime_confidence
from adaptive_pkg.settings.market import RegimeSettings

if TYPE_CHECKING:
    from adaptive_pkg.market.regime_stream import RegimeStream

METRIC_COLUMNS = (
    "adx",
    "atr_pct",
    "atr_ratio",
    "bb_width",
    "width_ratio",
    "volume_ratio",
    "momentum_pct",
)

_STRONG, _VOLATILE, _TIGHT, _CHOPPY, _TRANSITIONAL = (regime.code for regime in Regime)


@dataclass(frozen=True)
class RegimeFrame:
    """What the detector says about each candle. All arrays have one value per candle."""

    codes: np.ndarray  # int8, the reported regime (`Regime.code`)
    confidence: np.ndarray  # float64 in 0..1; 0 where the metrics are not all there
    raw: np.ndarray  # int8, what the metrics of this candle alone say, before the dwell rule
    valid: np.ndarray  # bool, all metrics are there

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def tradable_codes(self) -> np.ndarray:
        """`codes`, with −1 (no regime) where a metric is missing: a warm-up is nothing to trade in."""
        return np.where(self.valid, self.codes, np.int8(-1))


@dataclass(frozen=True)
class RegimeReading:
    """What the detector says about the newest candle."""

    regime: Regime
    confidence: float
    raw: Regime
    age_candles: int  # candles since `regime` was first reported, this one included


class Run(NamedTuple):
    """Candles `start` to `stop` (exclusive) that share one code."""

    start: int
    stop: int
    code: int


class MarketRegimeDetector:
    """Five regimes from ADX, volatility and Bollinger width, steadied twice.

    Trend (ADX above `adx_trend`): VOLATILE_TREND if volatile, else STRONG_TREND. Flat (ADX below
    `adx_flat`): TIGHT_RANGE if the bands are tight, else CHOPPY. Otherwise, and while a metric is
    missing: TRANSITIONAL.

    Hysteresis: a state entered at its threshold ends only when the metric has come back past it by the
    part `hysteresis` (ADX: never beyond the opposite threshold, so trend and flat exclude each other).

    Dwell: the regime that the metrics say must hold for `min_dwell_candles` candles in a row before it
    is reported; until then the last confirmed regime stays reported, and its confidence falls as the
    metrics leave it. So no reported regime lasts shorter than `min_dwell_candles`, except at the two
    ends of the series. Before the first confirmation TRANSITIONAL is reported.

    Candles are counted, not calls, and a candle's label never changes when candles are appended.
    """

    def __init__(self, settings: RegimeSettings) -> None:
        self.settings = settings
        self.thresholds = RegimeThresholds.of(settings)
        relative = settings.threshold_set is ThresholdSet.RELATIVE
        self.volatility_column = "atr_ratio" if relative else "atr_pct"
        self.width_column = "width_ratio" if relative else "bb_width"

    def detect(self, frame: pd.DataFrame | Mapping[str, np.ndarray]) -> RegimeFrame:
        """Label every candle of a frame that holds `METRIC_COLUMNS`.

        Raises:
            DataError: a metric column is missing or does not hold numbers.
        """
        metrics = self._metrics(frame)
        limits = self.thresholds
        adx, volatility, width = metrics["adx"], metrics["volatility"], metrics["width"]
        valid = ~np.isnan(sum(metrics.values()))
        trend = _latched(adx > limits.trend_enter, adx < limits.trend_leave)
        flat = _latched(adx < limits.flat_enter, adx > limits.flat_leave)
        volatile = _latched(volatility >= limits.volatile_enter, volatility < limits.volatile_leave)
        tight = _latched(width < limits.tight_enter, width >= limits.tight_leave)
        raw = raw_codes(trend, flat, volatile, tight, valid)
        codes = _confirmed(raw, self.settings.min_dwell_candles)
        confidence = regime_confidence(codes, _ages(codes), metrics, limits)
        confidence[~valid] = 0.0
        return RegimeFrame(codes, confidence, raw, valid)

    def stream(self) -> RegimeStream:
        """Start a stream that labels one candle at a time, equal to `detect` at every candle."""
        from adaptive_pkg.market.regime_stream import RegimeStream

        return RegimeStream(self)

    def _metrics(self, frame: pd.DataFrame | Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for name in METRIC_COLUMNS:
            if name not in frame:
                raise DataError(
                    f"regime metrics have no column {name!r}; needed: {', '.join(METRIC_COLUMNS)}. "
                    "Run compute_indicators on the candles first"
                )
            try:
                arrays[name] = np.asarray(frame[name], dtype=np.float64)
            except (TypeError, ValueError):
                raise DataError(f"regime metrics: column {name!r} does not hold numbers") from None
        return {
            "adx": arrays["adx"],
            "volatility": arrays[self.volatility_column],
            "width": arrays[self.width_column],
            "volume_ratio": arrays["volume_ratio"],
            "momentum_pct": arrays["momentum_pct"],
            "atr_pct": arrays["atr_pct"],
        }


def raw_codes(
    trend: np.ndarray, flat: np.ndarray, volatile: np.ndarray, tight: np.ndarray, valid: np.ndarray
) -> np.ndarray:
    """Regime codes (int8) from the four states."""
    in_trend = np.where(volatile, np.int8(_VOLATILE), np.int8(_STRONG))
    in_range = np.where(tight, np.int8(_TIGHT), np.int8(_CHOPPY))
    codes = np.where(trend, in_trend, np.where(flat, in_range, np.int8(_TRANSITIONAL)))
    codes[~valid] = _TRANSITIONAL
    return codes


def runs(codes: np.ndarray) -> list[Run]:
    """Cut codes into stretches of equal code, in order."""
    codes = np.asarray(codes)
    if codes.size == 0:
        return []
    edges = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    starts = np.concatenate([[0], edges])
    stops = np.concatenate([edges, [codes.size]])
    return [Run(*row) for row in zip(starts.tolist(), stops.tolist(), codes[starts].tolist(), strict=True)]


def _latched(enter: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """True from a candle that enters until one that leaves; NaN metrics do neither, so the state holds."""
    event = enter.astype(np.int8) - leave.astype(np.int8)
    last = np.where(event != 0, np.arange(len(event), dtype=np.int32), np.int32(0))
    return event[np.maximum.accumulate(last)] > 0 if len(event) else enter


def _ages(codes: np.ndarray) -> np.ndarray:
    """Candles since the code last changed, this one included (1, 2, 3 …)."""
    position = np.arange(len(codes), dtype=np.int32)
    start = position.copy()
    start[1:][codes[1:] == codes[:-1]] = 0
    return position - np.maximum.accumulate(start) + 1


def _confirmed(raw: np.ndarray, min_dwell: int) -> np.ndarray:
    """The last code that held for `min_dwell` candles in a row; TRANSITIONAL before the first."""
    held = _ages(raw) >= min_dwell
    last = np.where(held, np.arange(len(raw), dtype=np.int32), np.int32(-1))
    last = np.maximum.accumulate(last)
    codes = raw[last]
    codes[last < 0] = _TRANSITIONAL
    return codes
