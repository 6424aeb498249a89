"""Candidate entries: where the strategy's rules would have entered, and the stop plan of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.policy.decision import Refusal
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.policy.signals import entry_candidates, exit_signals
from adaptive_pkg.risk.stops import StopPlan, plan_stop
from adaptive_pkg.settings import AdaptiveSettings, ComponentSettings, StopSettings


@dataclass(frozen=True)
class Path:
    """One pair's candles, as arrays (n,): prices, ATR in price, and where each side's exit is signalled."""

    date: np.ndarray  # datetime64, start of the candle
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    atr: np.ndarray
    exit_long: np.ndarray
    exit_short: np.ndarray

    def __len__(self) -> int:
        return len(self.close)


@dataclass(frozen=True)
class Entries:
    """Candidate entries, in order of time. All arrays (m,).

    row: candle whose close gave the signal. side: 1 or −1. regime: `Regime.code`. score: confidence 0..1.
    taken: whether the policy takes it; the others were refused for their confidence alone.
    atr_pct, atr_ratio: what the stop's distance is read from.
    """

    row: np.ndarray
    side: np.ndarray
    regime: np.ndarray
    score: np.ndarray
    taken: np.ndarray
    atr_pct: np.ndarray
    atr_ratio: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def only(self, mask: np.ndarray) -> Entries:
        """The entries where `mask` holds."""
        return Entries(**{name: values[mask] for name, values in vars(self).items()})


@dataclass(frozen=True)
class JudgedPair:
    """One pair's candles and the entries that came up in them."""

    pair: str
    path: Path
    entries: Entries


def candidate_entries(
    candles: pd.DataFrame, settings: AdaptiveSettings, *, can_short: bool = False
) -> tuple[Path, Entries]:
    """Judge candles as the strategy does without a forecast; keep what was taken or refused by confidence.

    Left out, as the strategy or freqtrade leaves them out: the warm-up, thin volume, an exit signal on the
    same candle, no candle after the signal, and an open too far from the signal's close.

    Args:
        candles: date, open, high, low, close, volume; no gaps.

    Raises:
        DataError: unusable candles.
    """
    need = startup_candles(settings.indicators)
    if len(candles) <= need:
        raise DataError(f"{len(candles)} candles; the indicators need more than {need}")
    frame = market_frame(add_higher_trends(candles, settings.indicators), settings.indicators)
    judgement = judge(frame, settings, can_short=can_short)
    codes, decisions = judgement.regimes.tradable_codes, judgement.decisions
    presets = {regime: settings.preset(regime) for regime in Regime}
    side = entry_candidates(frame, codes, presets, can_short=can_short).side
    exit_long, exit_short = exit_signals(frame, settings.approach)
    path = Path(
        date=frame["date"].dt.tz_convert(None).to_numpy(),
        **{name: frame[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close", "atr")},
        exit_long=exit_long,
        exit_short=exit_short,
    )
    following = np.append(path.open[1:], np.nan)
    gap = np.abs(following - path.close)  # NaN at the last candle, which is thereby left out
    wanted = (
        (side != 0)
        & np.isin(decisions.refusal, (Refusal.NONE, Refusal.LOW_CONFIDENCE))
        & ~np.where(side > 0, exit_long, exit_short)
        & (gap <= settings.sizing.max_entry_gap_atr * path.atr)
    )
    wanted[:need] = False
    row = np.flatnonzero(wanted)
    entries = Entries(
        row=row,
        side=side[row],
        regime=codes[row],
        score=decisions.confidence[row],
        taken=decisions.side[row] != 0,
        atr_pct=frame["atr_pct"].to_numpy()[row],
        atr_ratio=frame["atr_ratio"].to_numpy()[row],
    )
    return path, entries


def plan_entries(
    path: Path,
    entries: Entries,
    settings: AdaptiveSettings,
    *,
    stops: StopSettings | None = None,
    components: ComponentSettings | None = None,
) -> list[StopPlan]:
    """The stop plan of every entry at the open after its signal. Raises RiskError naming the candle.

    Args:
        stops, components: other ones than those of `settings`, to compare stops on the same entries.
    """
    presets = {regime.code: settings.preset(regime) for regime in Regime}
    opens, atrs = path.open, path.atr
    columns = zip(
        entries.row.tolist(),
        entries.side.tolist(),
        entries.regime.tolist(),
        entries.atr_pct.tolist(),
        entries.atr_ratio.tolist(),
        strict=True,
    )
    plans = []
    for row, side, regime, atr_pct, atr_ratio in columns:
        try:
            plan = plan_stop(
                "long" if side > 0 else "short",
                float(opens[row + 1]),
                float(atrs[row]),
                atr_pct,
                atr_ratio,
                presets[regime],
                stops or settings.stops,
                components or settings.components,
                settings.sizing.fee,
            )
        except RiskError as error:
            raise RiskError(f"candle of {path.date[row]}: {error}") from None
        plans.append(plan)
    return plans
