"""Settings of the market room: indicators and regime detection."""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.enums import ThresholdSet
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param


@dataclass(frozen=True)
class IndicatorSettings(Settings):
    """Periods of the indicators, in candles."""

    adx_period: int = param(14, 2, 200, doc="Wilder ADX and DI")
    atr_period: int = param(14, 2, 200, doc="Wilder ATR")
    rsi_period: int = param(14, 2, 200, doc="Wilder RSI")
    bollinger_period: int = param(20, 2, 400, doc="Bollinger middle band")
    bollinger_deviations: float = param(2.0, 0.1, 5.0, doc="Bollinger band distance in standard deviations")
    ema_fast: int = param(20, 2, 400, doc="fast trend EMA")
    ema_slow: int = param(50, 3, 400, doc="slow trend EMA")
    donchian_period: int = param(20, 2, 400, doc="breakout channel, the current candle excluded")
    trend_lookbacks: tuple[int, ...] = param(
        tuple, 2, 2000, doc="channels whose majority makes a trend that is held; empty: not read"
    )
    volume_period: int = param(20, 2, 400, doc="mean volume that the volume ratio refers to")
    macd_fast: int = param(12, 2, 200, doc="fast EMA of MACD")
    macd_slow: int = param(26, 3, 400, doc="slow EMA of MACD")
    macd_signal: int = param(9, 2, 200, doc="EMA of MACD that its histogram is measured from")
    sigma_halflife: int = param(36, 5, 500, doc="half-life of the EWMA standard deviation of log returns")
    momentum_period: int = param(20, 1, 400, doc="candles back that momentum looks")
    reference_period: int = param(
        720, 50, 2000, doc="trailing mean that ATR %, Bollinger width, σ and volume are compared with"
    )

    def check(self) -> None:
        if self.ema_fast >= self.ema_slow:
            raise SettingsError(
                f"ema_fast: {self.ema_fast} must be below ema_slow ({self.ema_slow}); lower ema_fast"
            )
        if self.macd_fast >= self.macd_slow:
            raise SettingsError(
                f"macd_fast: {self.macd_fast} must be below macd_slow ({self.macd_slow}); lower macd_fast"
            )


@dataclass(frozen=True)
class RegimeSettings(Settings):
    """Thresholds that turn metrics into one of the five regimes."""

    threshold_set: ThresholdSet = param(
        ThresholdSet.RELATIVE,
        doc="relative: atr_high and width_tight are ratios to their trailing mean; "
        "absolute: ATR % and Bollinger width",
    )
    adx_trend: float = param(25.0, 5.0, 80.0, doc="ADX at which a trend starts")
    adx_flat: float = param(20.0, 5.0, 80.0, doc="ADX below which there is no trend")
    atr_high: float = param(
        1.3, 0.2, 10.0, doc="relative: ATR % over its trailing mean that counts as volatile"
    )
    width_tight: float = param(
        0.7, 0.05, 5.0, doc="relative: Bollinger width over its trailing mean that counts as tight"
    )
    absolute_atr_high_pct: float = param(3.0, 0.01, 50.0, doc="absolute set: ATR % that counts as volatile")
    absolute_width_tight: float = param(
        0.01, 0.0001, 1.0, doc="absolute set: (upper − lower) / middle that is tight"
    )
    momentum_atr: float = param(
        2.0, 0.1, 20.0, doc="move over momentum_period, in ATR, that counts half as directional"
    )
    hysteresis: float = param(
        0.08, 0.0, 0.5, doc="part of a threshold by which a metric must fall back before the state ends"
    )
    min_dwell_candles: int = param(6, 1, 500, doc="candles a new regime must hold before it is reported")

    def check(self) -> None:
        if self.adx_flat > self.adx_trend:
            raise SettingsError(
                f"adx_flat: {self.adx_flat} is above adx_trend ({self.adx_trend}); "
                "lower it or raise adx_trend"
            )
