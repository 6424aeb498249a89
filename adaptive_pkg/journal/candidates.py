"""The journal's rows of a judged frame: one per candidate entry, with context, score and decision.

A rule that asks at every candle of a trend asks one question, not hundreds: of a stretch of candles on which
the same rule asks for the same side, the first is a row, and the first that the policy would take.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.context import CONTEXT, candidate_context
from adaptive_pkg.policy.decision import Refusal, entry_tag
from adaptive_pkg.policy.judgement import Judgement
from adaptive_pkg.policy.signals import Rule
from adaptive_pkg.settings.policy import CONFIDENCE_WEIGHTS

PARTS = tuple(f"part_{name}" for name in CONFIDENCE_WEIGHTS)
FACTORS = ("forecast_factor", "regime_factor", "library_factor", "learned_factor")
NUMBERS = ("price", *CONTEXT, *PARTS, *FACTORS, "confidence", "size_multiplier")
TEXTS = ("pair", "timeframe", "regime", "rule", "tag", "decision", "decided_by", "reason")
COLUMNS = (*TEXTS, "closed_ms", "side", *NUMBERS)

_REGIMES = np.array([str(regime) for regime in Regime], dtype=object)
_RULES = np.array([str(rule) for rule in Rule], dtype=object)
_TAGS = np.array([[entry_tag(regime, rule) for rule in Rule] for regime in Regime], dtype=object)


class Decision(StrEnum):
    """What became of a candidate's question."""

    TAKEN = "taken"
    REFUSED = "refused"


class DecidedBy(StrEnum):
    """Who had the last word. Guards and limits have names of their own: see `DecisionJournal.answer`."""

    RULES = "rules"  # nobody else was asked: no slot free, the pair held already, the candle too old
    CONFIRMED = "confirmed"  # the entry's order went out
    SIZING = "sizing"
    LIMITS = "limits"
    ERROR = "error"


def closing_times(frame: pd.DataFrame, timeframe_seconds: int) -> np.ndarray:
    """When each candle closed, in whole milliseconds since 1970: the moment a candidate was known."""
    starts = frame["date"].astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    return starts + timeframe_seconds * 1000


def asked_at(judgement: Judgement) -> np.ndarray:
    """Candles (indices) that are rows: see the module. Raises DataError for decisions without candidates."""
    candidates = _candidates(judgement)
    side, rule = candidates.side, candidates.rule
    first = np.ones(len(side), dtype=bool)
    first[1:] = (side[1:] != side[:-1]) | (rule[1:] != rule[:-1])
    stretch = np.cumsum(first)
    taken = np.flatnonzero(judgement.decisions.side != 0)
    _, first_taken = np.unique(stretch[taken], return_index=True)
    first[taken[first_taken]] = True
    return np.flatnonzero(first & (side != 0))


def candidate_rows(
    pair: str,
    timeframe: str,
    timeframe_seconds: int,
    frame: pd.DataFrame,
    judgement: Judgement,
    at: np.ndarray | None = None,
) -> pd.DataFrame:
    """The rows of COLUMNS, in order of time.

    Args:
        frame: the judged candles, with `forecast_strength` where there is a forecast.
        at: candles with a candidate (indices, rising); None: all that `asked_at` names.

    Raises:
        DataError: a column is missing, or a candle has no candidate.
    """
    candidates, decisions = _candidates(judgement), judgement.decisions
    at = asked_at(judgement) if at is None else np.asarray(at, dtype=np.int64)
    if (without := at[candidates.side[at] == 0]).size:
        raise DataError(f"{pair}: candle {without[0]} has no candidate entry; ask for those that have")
    rows, codes = frame.iloc[at], judgement.regimes.tradable_codes[at]
    rule, taken = candidates.rule[at], decisions.side[at] != 0
    library = None if judgement.library_score is None else judgement.library_score[at]
    forecast = rows["forecast_strength"].to_numpy(float) if "forecast_strength" in rows else None
    refusal = decisions.refusal[at].astype(str)
    columns = {
        "pair": pair,
        "timeframe": timeframe,
        "regime": _REGIMES[codes],
        "rule": _RULES[rule],
        "tag": _TAGS[codes, rule],
        "decision": np.where(taken, str(Decision.TAKEN), str(Decision.REFUSED)).astype(object),
        "decided_by": str(DecidedBy.RULES),
        "reason": np.where(taken, str(Refusal.NONE), refusal).astype(object),
        "closed_ms": closing_times(rows, timeframe_seconds),
        "side": candidates.side[at].astype(np.int64),
        "price": rows["close"].to_numpy(float),
        **candidate_context(rows, judgement.regimes.confidence[at], forecast, library),
        **_breakdown(judgement, at),
        "confidence": decisions.confidence[at],
        "size_multiplier": decisions.size_multiplier[at],
    }
    return pd.DataFrame(columns, columns=COLUMNS)


def _breakdown(judgement: Judgement, at: np.ndarray) -> dict[str, np.ndarray]:
    """What the confidence is made of; NaN where it is switched off."""
    scored = judgement.decisions.breakdown
    if scored is None:
        return dict.fromkeys((*PARTS, *FACTORS), np.full(len(at), np.nan))
    row = (np.cumsum(_candidates(judgement).side != 0) - 1)[at]
    parts = {f"part_{name}": scored.parts[name][row] for name in CONFIDENCE_WEIGHTS}
    return parts | {name: getattr(scored, name)[row] for name in FACTORS}


def _candidates(judgement: Judgement):
    if judgement.decisions.candidates is None:
        raise DataError("these decisions do not say what the rules asked for; judge the frame anew")
    return judgement.decisions.candidates
