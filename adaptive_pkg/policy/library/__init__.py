"""The signal library: eleven rules, filters, their weighted vote, and weights that closed trades may move.

rules: the rules at every candle. filters: what blocks a side. vote: the weighted sum. learned_weights:
weights from closed trades. trend, reversion, flow, profile: how each rule is computed.
"""

from adaptive_pkg.policy.library.filters import FilterReading, alt_breadth, read_filters
from adaptive_pkg.policy.library.learned_weights import TradeVotes, learned_multiples, learned_weights
from adaptive_pkg.policy.library.rules import (
    LibraryRule,
    Readings,
    RuleReading,
    library_startup_candles,
    read_rules,
)
from adaptive_pkg.policy.library.vote import Vote, cast_votes, library_vote

__all__ = [
    "FilterReading",
    "LibraryRule",
    "Readings",
    "RuleReading",
    "TradeVotes",
    "Vote",
    "alt_breadth",
    "cast_votes",
    "learned_multiples",
    "learned_weights",
    "library_startup_candles",
    "library_vote",
    "read_filters",
    "read_rules",
]
