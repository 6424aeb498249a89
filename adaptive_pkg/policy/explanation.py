"""Why an entry was taken, in numbers and in one line of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.confidence import ConfidenceScorer
from adaptive_pkg.settings import AdaptiveSettings

# Where a trade's custom data holds it; no "_" or "%": freqtrade looks keys up with SQL wildcards.
ENTRY_KEY = "adaptive entry"


@dataclass(frozen=True)
class EntryExplanation:
    """A score and what it is made of.

    parts: each confirmation in 0..1, before its weight. …_factor: what the weighted sum was multiplied by.
    tier: part of full size that the score earns.
    """

    tag: str
    score: float
    tier: float
    parts: Mapping[str, float]
    weights: Mapping[str, float]
    forecast_factor: float
    regime_factor: float
    library_factor: float = 1.0
    learned_factor: float = 1.0

    @property
    def text(self) -> str:
        """One line, the heaviest confirmations first."""
        order = sorted(self.parts, key=lambda name: -self.weights[name] * self.parts[name])
        listed = ", ".join(
            f"{name.replace('_', ' ')} {self.parts[name]:.2f}×{self.weights[name]:.2f}" for name in order
        )
        seldom = {"signal library": self.library_factor, "past candidates": self.learned_factor}
        more = "".join(f" × {name} {factor:.2f}" for name, factor in seldom.items() if factor != 1.0)
        return (
            f"{self.tag}: confidence {self.score:.2f} = ({listed}) × forecast {self.forecast_factor:.2f} × "
            f"regime {self.regime_factor:.2f}{more}; {self.tier:g} of full size"
        )

    def to_dict(self) -> dict[str, str | float]:
        """For a trade's custom data: the line, and every number under its own name."""
        return {
            "why": self.text,
            "score": self.score,
            "tier": self.tier,
            "forecast_factor": self.forecast_factor,
            "regime_factor": self.regime_factor,
            "library_factor": self.library_factor,
            "learned_factor": self.learned_factor,
            **{f"part_{name}": value for name, value in self.parts.items()},
        }


def explain_entry(row: pd.DataFrame, tag: str, side: int, settings: AdaptiveSettings) -> EntryExplanation:
    """Explain the score of one candle, exactly as it was scored in the frame.

    Args:
        row: the candle, one row with the columns of a judged frame (`forecast_strength` may be absent).
        side: 1 long, -1 short.

    Raises:
        DataError: not exactly one row, or a column is missing.
    """
    if len(row) != 1:
        raise DataError(f"{len(row)} candles to explain; hand over the one that gave the signal")
    if missing := [name for name in ("regime_confidence", "close", "rsi") if name not in row]:
        raise DataError(f"column {missing[0]!r} is missing; judge the frame first")
    scorer = ConfidenceScorer(settings.confidence)
    use_forecast = settings.components.forecast and "forecast_strength" in row
    effect = None
    if settings.library.confidence_weight > 0 and "library_score" in row:
        effect = settings.library.confidence_weight * row["library_score"].to_numpy()
    confidence = scorer.score(
        row,
        np.array([side]),
        row["regime_confidence"].to_numpy(),
        row["forecast_strength"].to_numpy() if use_forecast else None,
        effect,
        row["learned_effect"].to_numpy() if "learned_effect" in row else None,
    )
    score = float(confidence.score[0]) if settings.components.confidence else 1.0
    return EntryExplanation(
        tag=tag,
        score=score,
        tier=float(scorer.tier_multiplier(score)) if settings.components.confidence else 1.0,
        parts={name: float(np.nan_to_num(values[0])) for name, values in confidence.parts.items()},
        weights=settings.confidence.weights,
        forecast_factor=float(confidence.forecast_factor[0]),
        regime_factor=float(confidence.regime_factor[0]),
        library_factor=float(confidence.library_factor[0]),
        learned_factor=float(confidence.learned_factor[0]),
    )
