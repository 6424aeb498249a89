"""The weighted vote of the rules: which way, by how much, and who said so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.library.filters import FilterReading, read_filters
from adaptive_pkg.policy.library.rules import FAMILIES, Family, LibraryRule, Readings, read_rules
from adaptive_pkg.settings.library import LibrarySettings

TREND_REGIMES = (Regime.STRONG_TREND.code, Regime.VOLATILE_TREND.code)
FLAT_REGIMES = (Regime.TIGHT_RANGE.code, Regime.CHOPPY.code)
RUNAWAY_ADX = 40.0  # in a trend above it, nothing is faded at the VWAP bands
DEAD_ADX = 12.0  # in a flat market below it, a squeeze is no news


@dataclass(frozen=True)
class Vote:
    """The vote at each candle.

    direction: int8 (n,), 1 or −1 where a side has `least_votes`, leads, and is not blocked; else 0.
    score: float (n,), −1..1, the lead over `full_votes`; 0 where the leading side is blocked.
    long_votes, short_votes: float (n,) ≥ 0, sums of strength × weight. counted: float (n, rules), signed.
    """

    direction: np.ndarray
    score: np.ndarray
    long_votes: np.ndarray
    short_votes: np.ndarray
    counted: np.ndarray

    def reason(self, candle: int) -> str:
        """One line: the sides' votes and the rules that gave them, largest first."""
        row = self.counted[candle]
        said = sorted(
            ((value, rule) for rule, value in zip(LibraryRule, row, strict=True) if value), key=_size
        )
        words = ", ".join(f"{rule} {value:+.2f}" for value, rule in said) or "no rule speaks"
        return f"long {self.long_votes[candle]:.2f}, short {self.short_votes[candle]:.2f} votes: {words}"


def cast_votes(
    readings: Readings,
    settings: LibrarySettings,
    *,
    adx: np.ndarray | None = None,
    regime_codes: np.ndarray | None = None,
    filters: FilterReading | None = None,
    weights: np.ndarray | None = None,
) -> Vote:
    """Add up strength × weight by side.

    A rule counts `regime_bonus` more in the regime of its family. With ADX, VWAP bands are not faded in a
    runaway trend and a squeeze does not count in a dead market.

    Args:
        adx: (n,); None leaves those two exceptions out. regime_codes: (n,), Regime.code or −1; None: unknown.
        filters: None: nothing is blocked and breadth does not vote.
        weights: (rules,) or (n, rules); None: as set. See `learned_weights`.

    Raises:
        DataError: a weight is negative or not a number, or lengths differ.
    """
    n = len(readings)
    used = readings.weights if weights is None else np.asarray(weights, dtype=float)
    if used.shape not in ((len(LibraryRule),), (n, len(LibraryRule))) or not (used >= 0).all():
        raise DataError(
            f"weights: shape {used.shape}, least {used.min(initial=np.inf):g}; pass numbers of 0 or "
            f"more, one per rule ({len(LibraryRule)}) or one row of them per candle ({n})"
        )
    counted = readings.signed * used
    if regime_codes is not None:
        codes = _of_length(regime_codes, n, "regime_codes")
        counted *= _regime_factors(codes, settings.regime_bonus)
        if adx is not None:
            _leave_out(counted, codes, _of_length(adx, n, "adx"))
    long_votes = np.where(counted > 0, counted, 0.0).sum(axis=1)
    short_votes = np.where(counted < 0, -counted, 0.0).sum(axis=1)
    if filters is not None:
        lean = settings.filters.breadth_strength * settings.filters.breadth_weight
        breadth = lean * _of_length(filters.breadth, n, "filters")
        long_votes += np.maximum(breadth, 0.0)
        short_votes += np.maximum(-breadth, 0.0)
    lead = long_votes - short_votes
    score = np.clip(lead / settings.full_votes, -1.0, 1.0)
    if filters is not None:
        score = np.where(np.where(score > 0, filters.long_allowed, filters.short_allowed), score, 0.0)
    enough = np.maximum(long_votes, short_votes) >= settings.least_votes
    return Vote((np.sign(score) * enough).astype(np.int8), score, long_votes, short_votes, counted)


def library_vote(
    frame: pd.DataFrame,
    settings: LibrarySettings,
    regime_codes: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Vote:
    """Ask every rule and filter on a `market_frame` and add up the votes. Arguments as `cast_votes`.

    Raises:
        DataError: a column is missing, or a filter's holds what it cannot be.
    """
    return cast_votes(
        read_rules(frame, settings),
        settings,
        adx=frame["adx"].to_numpy(),
        regime_codes=regime_codes,
        filters=read_filters(frame, settings.filters),
        weights=weights,
    )


def _regime_factors(codes: np.ndarray, bonus: float) -> np.ndarray:
    """(n, rules): 1, or 1 + bonus where a rule's family is at home."""
    home = {
        Family.TREND: np.isin(codes, TREND_REGIMES),
        Family.RANGE: np.isin(codes, FLAT_REGIMES),
        Family.EITHER: np.zeros(len(codes), dtype=bool),
    }
    return 1.0 + bonus * np.column_stack([home[FAMILIES[rule]] for rule in LibraryRule])


def _leave_out(counted: np.ndarray, codes: np.ndarray, adx: np.ndarray) -> None:
    rules = list(LibraryRule)
    runaway = np.isin(codes, TREND_REGIMES) & (adx > RUNAWAY_ADX)
    dead = np.isin(codes, FLAT_REGIMES) & (adx < DEAD_ADX)
    counted[runaway, rules.index(LibraryRule.VWAP_BANDS_MR)] = 0.0
    counted[dead, rules.index(LibraryRule.BB_SQUEEZE)] = 0.0


def _of_length(values: np.ndarray, n: int, name: str) -> np.ndarray:
    if len(values) != n:
        raise DataError(f"{name}: {len(values)} values for {n} candles; pass one per candle")
    return np.asarray(values)


def _size(item: tuple[float, LibraryRule]) -> float:
    return -abs(item[0])
