"""The decision at each candle: enter or not, which way, how big, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.policy.confidence import Confidence, ConfidenceScorer
from adaptive_pkg.policy.signals import Candidates, Rule, entry_candidates
from adaptive_pkg.settings import AdaptiveSettings, Preset

TAG_SEPARATOR = "."
BASE_VOLUME_RATIO = 0.5  # volume over its mean below which nothing trades, before the preset's multiplier


class Refusal(StrEnum):
    """Why a candidate was not taken. NONE: taken, or nothing was asked."""

    NONE = ""
    PAUSED = "the regime's preset pauses entries"
    THIN_VOLUME = "volume below the regime's filter"
    LOW_CONFIDENCE = "confidence below the regime's threshold"


class LearnedOpinion(Protocol):
    """What was learned from past candidates about new ones."""

    def effect(
        self,
        rows: pd.DataFrame,
        side: np.ndarray,
        regime_codes: np.ndarray,
        regime_confidence: np.ndarray,
        forecast_sigma: np.ndarray | None,
        library_score: np.ndarray | None,
    ) -> np.ndarray:
        """Relative gain of each candidate's confidence, −1..1 (m,). Arguments (m,), as `decide_entries`."""
        ...


@dataclass(frozen=True)
class Decisions:
    """What is decided at each candle's close.

    side: int8 (n,), 1 enter long, -1 enter short, 0 nothing. tag: object (n,), "regime.rule" or None.
    confidence: float (n,), of the candidate there, NaN without one. size_multiplier: float (n,), preset ×
    confidence tier. refusal: object (n,), a Refusal. candidates: what the rules asked for. breakdown: what
    the confidence of each candidate is made of, a row each (m,); None with the confidence switched off.
    """

    side: np.ndarray
    tag: np.ndarray
    confidence: np.ndarray
    size_multiplier: np.ndarray
    refusal: np.ndarray
    candidates: Candidates | None = None
    breakdown: Confidence | None = None

    def refusals(self) -> dict[Refusal, int]:
        """How many candidates were refused, by reason."""
        reasons, counts = np.unique(
            self.refusal[self.refusal != Refusal.NONE].astype(str), return_counts=True
        )
        return {Refusal(reason): int(count) for reason, count in zip(reasons, counts, strict=True)}


def decide_entries(
    frame: pd.DataFrame,
    regime_codes: np.ndarray,
    regime_confidence: np.ndarray,
    settings: AdaptiveSettings,
    *,
    can_short: bool,
    forecast_sigma: np.ndarray | None = None,
    library_score: np.ndarray | None = None,
    learned: LearnedOpinion | None = None,
) -> Decisions:
    """Turn the rules' candidates into decisions, each refusal with its reason.

    Args:
        frame: candles with indicator columns. regime_codes: (n,) `RegimeFrame.tradable_codes`.
        regime_confidence: (n,) from the detector.
        forecast_sigma: (n,) forecast return in σ, NaN where there is none; None without a forecaster.
        library_score: (n,) `Vote.score` of the signal library, −1..1; None: not asked.
        learned: what was learned from past candidates; None: not asked.
    """
    presets = {regime: settings.preset(regime) for regime in Regime}
    candidates = entry_candidates(frame, regime_codes, presets, can_short=can_short)
    n = len(frame)
    wanted = np.flatnonzero(candidates.side)
    rows = frame.iloc[wanted]
    side, codes = candidates.side[wanted], regime_codes[wanted]

    scorer = ConfidenceScorer(settings.confidence)
    if settings.components.confidence:
        forecast = (
            forecast_sigma[wanted] if forecast_sigma is not None and settings.components.forecast else None
        )
        vote = None if library_score is None else library_score[wanted]
        effect = None if vote is None else settings.library.confidence_weight * vote
        sure = regime_confidence[wanted]
        gain = None if learned is None else learned.effect(rows, side, codes, sure, forecast, vote)
        breakdown = scorer.score(rows, side, sure, forecast, effect, gain)
        score = breakdown.score
        tier = scorer.tier_multiplier(score)
    else:
        breakdown = None
        score = tier = np.ones(len(wanted))

    threshold = np.maximum(
        _by_regime(presets, "confidence_threshold")[codes] + settings.confidence.threshold_shift,
        settings.confidence.minimal_tier if settings.components.confidence else 0.0,
    )
    least_volume = (
        BASE_VOLUME_RATIO * settings.confidence.volume_scale * _by_regime(presets, "volume_filter")[codes]
    )
    thin = rows["volume_ratio"].to_numpy() < least_volume
    unsure = score < threshold
    paused = _by_regime(presets, "pause")[codes] > 0
    taken = ~thin & ~unsure & ~paused

    out = Decisions(
        side=np.zeros(n, dtype=np.int8),
        tag=np.full(n, None, dtype=object),
        confidence=np.full(n, np.nan),
        size_multiplier=np.zeros(n),
        refusal=np.full(n, Refusal.NONE, dtype=object),
        candidates=candidates,
        breakdown=breakdown,
    )
    out.confidence[wanted] = score
    out.refusal[wanted[unsure]] = Refusal.LOW_CONFIDENCE
    out.refusal[wanted[thin]] = Refusal.THIN_VOLUME
    out.refusal[wanted[paused]] = Refusal.PAUSED
    chosen = wanted[taken]
    out.side[chosen] = side[taken]
    out.size_multiplier[chosen] = (_by_regime(presets, "size_multiplier")[codes] * tier)[taken]
    out.tag[chosen] = _TAGS[codes[taken], candidates.rule[chosen]]
    return out


def entry_tag(regime: Regime, rule: Rule) -> str:
    """Tag of an entry, e.g. `strong_trend.breakout`: freqtrade's tables then report by regime."""
    return f"{regime}{TAG_SEPARATOR}{rule}"


def regime_of_tag(tag: str | None) -> Regime | None:
    """The regime an entry tag names; None for a tag that is not ours (a forced entry, say)."""
    name = (tag or "").partition(TAG_SEPARATOR)[0]
    return Regime(name) if name in set(Regime) else None


def holds_trend(tag: str | None) -> bool:
    """Whether an entry was made to hold a trend: it then leaves at the trend's end."""
    return (tag or "").endswith(f"{TAG_SEPARATOR}{Rule.TREND}")


def _by_regime(presets: Mapping[Regime, Preset], name: str) -> np.ndarray:
    return np.array([getattr(presets[regime], name) for regime in Regime], dtype=float)


_TAGS = np.array([[entry_tag(regime, rule) for rule in Rule] for regime in Regime], dtype=object)
