"""How sure an entry is: a weighted score in 0..1 of six confirmations, moved by forecast and regime."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.market.higher_trend import TREND_COLUMNS
from adaptive_pkg.settings import ConfidenceSettings

TIER_MULTIPLIERS = (1.0, 0.6, 0.3, 0.0)  # full, reduced, minimal, skip


@dataclass(frozen=True)
class Confidence:
    """Score of each candle and what it is made of.

    score: float (n,) in 0..1. parts: float (n,) in 0..1 by component, before weighting.
    forecast_factor, regime_factor, library_factor, learned_factor: float (n,), what the score was
    multiplied by.
    """

    score: np.ndarray
    parts: dict[str, np.ndarray]
    forecast_factor: np.ndarray
    regime_factor: np.ndarray
    library_factor: np.ndarray
    learned_factor: np.ndarray


class ConfidenceScorer:
    """Score candidates from indicator columns. Vectorised; NaN indicators score 0."""

    def __init__(self, settings: ConfidenceSettings) -> None:
        self.settings = settings

    def score(
        self,
        frame: pd.DataFrame,
        side: np.ndarray,
        regime_confidence: np.ndarray,
        forecast_sigma: np.ndarray | None = None,
        library_effect: np.ndarray | None = None,
        learned_effect: np.ndarray | None = None,
    ) -> Confidence:
        """Score every candle for the side that is wanted there.

        Args:
            frame: candles with indicator columns and TREND_COLUMNS (a higher trend may be NaN).
            side: int (n,), 1 long, -1 short; 0 is scored as long.
            regime_confidence: float (n,) in 0..1.
            forecast_sigma: float (n,), forecast return in σ, NaN where there is none; None: no forecast.
            library_effect: float (n,) in −1..1, relative gain of a long by the signal library's vote (a
                short's loss); None: not asked.
            learned_effect: float (n,) in −1..1, relative gain of the wanted side by what became of past
                candidates; None: not asked.
        """
        direction = np.where(side < 0, -1.0, 1.0)
        parts = {
            "rsi": _rsi_room(frame["rsi"].to_numpy(), direction),
            "macd": _macd_agreement(frame["macd_hist"].to_numpy(), direction),
            "volume": _volume(frame["volume_ratio"].to_numpy()),
            "trend_alignment": _alignment(frame, direction),
            "support_resistance": _room(frame, direction),
            "sentiment": _mood(frame, direction, self.settings.sentiment_effect),
        }
        base = sum(weight * np.nan_to_num(parts[name]) for name, weight in self.settings.weights.items())
        forecast_factor = self._forecast_factor(forecast_sigma, direction)
        regime_factor = 1.0 + self.settings.regime_effect * (2.0 * regime_confidence - 1.0)
        library_factor = np.ones(len(frame)) if library_effect is None else 1.0 + direction * library_effect
        learned_factor = np.ones(len(frame)) if learned_effect is None else 1.0 + learned_effect
        score = np.clip(base * forecast_factor * regime_factor * library_factor * learned_factor, 0.0, 1.0)
        return Confidence(score, parts, forecast_factor, regime_factor, library_factor, learned_factor)

    def tier_multiplier(self, score: np.ndarray | float) -> np.ndarray:
        """Size multiplier of each score: 1.0, 0.6, 0.3, or 0 below the lowest tier."""
        tiers = (self.settings.full_tier, self.settings.reduced_tier, self.settings.minimal_tier)
        value = np.asarray(score, dtype=float)
        return np.select([value >= tier for tier in tiers], TIER_MULTIPLIERS[:3], TIER_MULTIPLIERS[3])

    def _forecast_factor(self, forecast: np.ndarray | None, direction: np.ndarray) -> np.ndarray:
        if forecast is None:
            return np.ones(len(direction))
        agreement = np.nan_to_num(direction * forecast / self.settings.forecast_full_sigma)
        strength = np.clip(agreement, -1.0, 1.0)
        gain, loss = self.settings.forecast_agree, self.settings.forecast_disagree
        return 1.0 + np.where(strength > 0, gain, loss) * strength


def _rsi_room(rsi: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Room before RSI 70 (long) or 30 (short), over 70."""
    return np.clip(np.where(direction > 0, 70.0 - rsi, rsi - 30.0) / 70.0, 0.0, 1.0)


def _mood(frame: pd.DataFrame, direction: np.ndarray, effect: float) -> np.ndarray:
    """0.5 is neutral, as where nothing is known of the market's mood."""
    if effect == 0.0 or "sentiment" not in frame:
        return np.full(len(frame), 0.5)
    return 0.5 + 0.5 * effect * direction * np.nan_to_num(frame["sentiment"].to_numpy(dtype=float))


def _macd_agreement(histogram: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return np.where(direction * histogram > 0, 1.0, 0.3)


def _volume(ratio: np.ndarray) -> np.ndarray:
    return np.select([ratio > 1.5, ratio > 1.0], [1.0, 0.7], 0.3)


def _alignment(frame: pd.DataFrame, direction: np.ndarray) -> np.ndarray:
    """Mean agreement, 0..1, of this timeframe and the higher ones; one without a reading is left out."""
    agreements = [_own_alignment(frame, direction)]
    agreements += [(1.0 + direction * frame[name].to_numpy()) / 2.0 for name in TREND_COLUMNS]
    known = [~np.isnan(agreement) for agreement in agreements]
    return sum(np.where(k, a, 0.0) for k, a in zip(known, agreements, strict=True)) / sum(known)


def _own_alignment(frame: pd.DataFrame, direction: np.ndarray) -> np.ndarray:
    """Share of four trend readings, fast to slow, that point the same way."""
    close, slow = frame["close"].to_numpy(), frame["ema_slow"].to_numpy()
    readings = (
        close - frame["ema_fast"].to_numpy(),
        close - slow,
        frame["ema_fast"].to_numpy() - slow,
        frame["momentum_pct"].to_numpy(),
    )
    return sum((direction * reading > 0).astype(float) for reading in readings) / len(readings)


def _room(frame: pd.DataFrame, direction: np.ndarray) -> np.ndarray:
    """Part of the way between support and resistance that lies ahead of the trade."""
    support, resistance = frame["support_atr"].to_numpy(), frame["resistance_atr"].to_numpy()
    ahead = np.where(direction > 0, resistance, support)
    total = support + resistance
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, ahead / total, 0.5)
