"""What is thought of every candle of a frame: its regime, and the entry decided at its close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.market.regime import MarketRegimeDetector, RegimeFrame
from adaptive_pkg.policy.decision import Decisions, LearnedOpinion, decide_entries
from adaptive_pkg.policy.library import library_vote
from adaptive_pkg.settings import AdaptiveSettings


@dataclass(frozen=True)
class Judgement:
    """Regimes and decisions of one frame, candle by candle."""

    regimes: RegimeFrame
    decisions: Decisions
    library_score: np.ndarray | None = None  # the signal library's vote, −1..1; None: not asked
    learned_effect: np.ndarray | None = None  # of past candidates on the confidence, −1..1; None: not asked

    def columns(self) -> dict[str, np.ndarray]:
        """The columns that freqtrade, the planner and the charts read, each (n,)."""
        asked = {"library_score": self.library_score, "learned_effect": self.learned_effect}
        return {name: values for name, values in asked.items() if values is not None} | {
            "regime": self.regimes.codes,
            "regime_confidence": self.regimes.confidence,
            "confidence": self.decisions.confidence,
            "size_multiplier": self.decisions.size_multiplier,
            "enter_long": (self.decisions.side > 0).astype(np.int8),
            "enter_short": (self.decisions.side < 0).astype(np.int8),
            "enter_tag": self.decisions.tag,
        }


def judge(
    frame: pd.DataFrame,
    settings: AdaptiveSettings,
    *,
    can_short: bool,
    forecast_sigma: np.ndarray | None = None,
    learned: LearnedOpinion | None = None,
) -> Judgement:
    """Judge a `market_frame` with the trends of higher timeframes in it. Arguments as `decide_entries`.

    Raises:
        DataError: a column is missing.
    """
    regimes = MarketRegimeDetector(settings.regime).detect(frame)
    vote = None
    if settings.library.confidence_weight > 0:  # at 0 the library costs nothing
        vote = library_vote(frame, settings.library, regimes.tradable_codes).score
    decisions = decide_entries(
        frame,
        regimes.tradable_codes,
        regimes.confidence,
        settings,
        can_short=can_short,
        forecast_sigma=forecast_sigma,
        library_score=vote,
        learned=learned,
    )
    gain = None
    if learned is not None and decisions.breakdown is not None:
        gain = np.zeros(len(frame))
        gain[decisions.candidates.side != 0] = decisions.breakdown.learned_factor - 1.0
    return Judgement(regimes, decisions, vote, gain)
