"""What each candidate would have become, taken or not: its own stop plan walked through the candles."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.entries import Entries, Path, plan_entries
from adaptive_pkg.evaluation.outcomes import walk_entries
from adaptive_pkg.journal.candidates import closing_times
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.policy.signals import exit_signals
from adaptive_pkg.settings import AdaptiveSettings

LABELS = ("won", "r", "holding_candles", "mae_r", "known_ms", "ended_ms")
NEVER_MS = np.iinfo(np.int64).max


def label_candidates(
    rows: pd.DataFrame, candles: pd.DataFrame, timeframe_seconds: int, settings: AdaptiveSettings
) -> pd.DataFrame:
    """One pair's candidates with the columns of LABELS.

    won: r > 0, after fees. r: profit over the initial risk. mae_r: worst excursion in initial stop distances.
    known_ms: when the candle of the exit had closed; NEVER_MS where the candles end before the trade does.
    ended_ms: when the last candle had closed. Left out: candidates whose candle is not there, and those that
    could not have been entered: an exit signal on the same candle, no candle after it, or an open too far
    from its close.

    Args:
        candles: the pair's, without gaps. rows: of the journal, in order of time.

    Raises:
        DataError: unusable candles.
    """
    frame = market_frame(candles, settings.indicators)
    exit_long, exit_short = exit_signals(frame, settings.approach)
    prices = {name: frame[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close", "atr")}
    path = Path(
        frame["date"].dt.tz_convert(None).to_numpy(), **prices, exit_long=exit_long, exit_short=exit_short
    )
    closed = closing_times(frame, timeframe_seconds)
    row = np.searchsorted(closed, rows["closed_ms"].to_numpy())
    side = rows["side"].to_numpy()
    there = row < len(path) - 1
    at = np.where(there, row, 0)
    there &= closed[at] == rows["closed_ms"].to_numpy()
    gap = np.abs(path.open[np.minimum(at + 1, len(path) - 1)] - path.close[at])
    there &= ~np.where(side > 0, exit_long[at], exit_short[at])
    there &= gap <= settings.sizing.max_entry_gap_atr * path.atr[at]
    return _walked(rows[there], path, row[there], closed, settings)


def _walked(
    rows: pd.DataFrame, path: Path, row: np.ndarray, closed: np.ndarray, settings: AdaptiveSettings
) -> pd.DataFrame:
    codes = {str(regime): regime.code for regime in Regime}
    try:
        regime = rows["regime"].map(codes).to_numpy(dtype=np.int64)
    except (ValueError, TypeError):
        unknown = sorted(set(rows["regime"]) - set(codes))
        raise DataError(f"journal: unknown regime {unknown[0]!r}") from None
    entries = Entries(
        row=row,
        side=rows["side"].to_numpy(),
        regime=regime,
        score=rows["confidence"].to_numpy(),
        taken=(rows["decision"] == "taken").to_numpy(),
        atr_pct=rows["atr_pct"].to_numpy(),
        atr_ratio=rows["atr_ratio"].to_numpy(),
    )
    outcomes = walk_entries(path, entries, plan_entries(path, entries, settings))
    return rows.assign(
        won=outcomes.r > 0,
        r=outcomes.r,
        holding_candles=outcomes.holding_candles,
        mae_r=outcomes.mae / outcomes.stop_fraction,
        known_ms=np.where(outcomes.finished, closed[outcomes.exit_at], NEVER_MS),
        ended_ms=closed[-1],
    )
