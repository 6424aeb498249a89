"""What each candidate entry would have become, walked through the candles as the strategy trades it.

Enter at the open after the signal; the stop plan and its life are `risk.stops`; leave at the open after an
exit signal. Candles hide the order of their high and low, so within one the stop is met before the target,
and a target never fills better than its own price.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.levels import nearest_levels
from adaptive_pkg.market.regime import MarketRegimeDetector
from adaptive_pkg.policy.decision import Refusal, decide_entries
from adaptive_pkg.policy.signals import entry_candidates, exit_signals
from adaptive_pkg.risk.stops import StopPlan, advance, fill_price, initial_state, plan_stop
from adaptive_pkg.settings import AdaptiveSettings, ComponentSettings, StopSettings

COOLDOWN_CANDLES = 2  # a pair's rest after a trade, as the strategy's protections have it


class Exit(StrEnum):
    """Why a trade ended. The order is that of `Outcomes.reason`."""

    STOP = "stop"
    TARGET = "target"
    SIGNAL = "signal"
    UNFINISHED = "unfinished"  # the candles ended first: valued at the last close


_STOP, _TARGET, _SIGNAL, _UNFINISHED = range(len(Exit))


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
class Outcomes:
    """What entries became. All arrays (m,); fractions are of the entry price, after fees where said.

    entered_at, exit_at: candle indices. reason: index into `list(Exit)`. profit: fraction, after both fees.
    r: profit over the plan's `loss_fraction`. mae, mfe: worst and best excursion, fractions ≥ 0, no worse
    than the fill; the candle of a stop adds nothing to mfe. stop_fraction: initial stop distance.
    """

    entered_at: np.ndarray
    exit_at: np.ndarray
    reason: np.ndarray
    entry_price: np.ndarray
    exit_price: np.ndarray
    profit: np.ndarray
    r: np.ndarray
    mae: np.ndarray
    mfe: np.ndarray
    stop_fraction: np.ndarray

    def __len__(self) -> int:
        return len(self.r)

    @property
    def finished(self) -> np.ndarray:
        return self.reason != _UNFINISHED

    @property
    def stopped(self) -> np.ndarray:
        return self.reason == _STOP

    @property
    def holding_candles(self) -> np.ndarray:
        """Candles begun after the entry's own; 0: left within the candle of the entry."""
        return self.exit_at - self.entered_at

    def only(self, mask: np.ndarray) -> Outcomes:
        """The outcomes where `mask` holds."""
        return Outcomes(**{name: values[mask] for name, values in vars(self).items()})


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
    frame = compute_indicators(candles, settings.indicators)
    levels = nearest_levels(frame, settings.indicators.reference_period)
    frame = frame.assign(**{name: levels[name] for name in levels})
    regimes = MarketRegimeDetector(settings.regime).detect(frame)
    codes = regimes.tradable_codes
    decisions = decide_entries(frame, codes, regimes.confidence, settings, can_short=can_short)
    presets = {regime: settings.preset(regime) for regime in Regime}
    side = entry_candidates(frame, codes, presets, can_short=can_short).side
    exit_long, exit_short = exit_signals(frame)
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
        & (decisions.refusal != Refusal.THIN_VOLUME)
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


def walk_entries(path: Path, entries: Entries, plans: list[StopPlan]) -> Outcomes:
    """Follow every entry to its end. One plan per entry; entries do not see each other.

    Raises:
        RiskError: numbers of plans and entries differ, or a candle without a price.
    """
    if len(plans) != len(entries):
        raise RiskError(f"{len(plans)} plans for {len(entries)} entries; pass one plan per entry")
    count, n = len(entries), len(path)
    entered = entries.row + 1
    ends = np.where(
        entries.side > 0, _next_true(path.exit_long)[entered], _next_true(path.exit_short)[entered]
    )
    ends = np.minimum(ends + 1, n)  # the candle at whose open a signal closes the trade; n: there is none
    exit_at = np.empty(count, dtype=np.int64)
    exit_price, reason = np.empty(count), np.empty(count, dtype=np.int8)
    candles = tuple(column.tolist() for column in (path.open, path.high, path.low, path.close, path.atr))
    for i, (plan, start, end) in enumerate(zip(plans, entered.tolist(), ends.tolist(), strict=True)):
        if plan.breakeven or plan.trailing:
            found = _moving_stop(plan, candles, start, end)
        else:
            found = _still_stop(plan, path, start, end)
        if found is None and end < n:
            found = end, float(path.open[end]), _SIGNAL
        elif found is None:
            found = n - 1, float(path.close[-1]), _UNFINISHED
        exit_at[i], exit_price[i], reason[i] = found
    return _measured(path, entries, plans, exit_at, exit_price, reason)


def one_at_a_time(outcomes: Outcomes, cooldown: int = COOLDOWN_CANDLES) -> np.ndarray:
    """Bool (m,): which entries one pair can take when it holds one trade at a time and rests after each.

    Entries must be in order of time.
    """
    free = np.zeros(len(outcomes), dtype=bool)
    ready = -1
    for i, (start, end) in enumerate(
        zip(outcomes.entered_at.tolist(), outcomes.exit_at.tolist(), strict=True)
    ):
        if start >= ready:
            free[i] = True
            ready = end + cooldown
    return free


def _moving_stop(plan: StopPlan, candles: tuple, start: int, end: int) -> tuple[int, float, int] | None:
    opens, highs, lows, closes, atrs = candles
    long = plan.side == "long"
    state = initial_state(plan)
    for at in range(start, end):
        price = fill_price(plan, state, opens[at], highs[at], lows[at])
        if price is not None:
            return at, price, _STOP
        if plan.target_reached(highs[at] if long else lows[at]):
            return at, plan.target_price, _TARGET
        state = advance(plan, state, closes[at], atrs[at])
    return None


def _still_stop(plan: StopPlan, path: Path, start: int, end: int) -> tuple[int, float, int] | None:
    """The same for a stop that never moves, without a step per candle."""
    low, high, stop = path.low[start:end], path.high[start:end], plan.initial_stop
    long = plan.side == "long"
    at_stop = _first(low <= stop if long else high >= stop)
    reached = high >= plan.target_price if long else low <= plan.target_price
    at_target = _first(reached) if plan.target else len(low)
    if at_stop == at_target == len(low):
        return None
    if at_target < at_stop:
        return start + at_target, plan.target_price, _TARGET
    at = start + at_stop
    price = fill_price(plan, initial_state(plan), *(float(x[at]) for x in (path.open, path.high, path.low)))
    return at, price, _STOP


def _measured(
    path: Path,
    entries: Entries,
    plans: list[StopPlan],
    exit_at: np.ndarray,
    exit_price: np.ndarray,
    reason: np.ndarray,
) -> Outcomes:
    count = len(plans)
    entry = np.array([plan.entry_price for plan in plans], dtype=float)
    fee = np.array([plan.fee for plan in plans], dtype=float)
    risk = np.array([plan.loss_fraction for plan in plans], dtype=float)
    entered, side = entries.row + 1, entries.side.astype(float)
    ratio = exit_price / entry
    profit = side * (ratio - 1.0) - fee * (1.0 + ratio)
    worst, best = np.minimum(side * exit_price, side * entry), np.maximum(side * exit_price, side * entry)
    for i in range(count):
        start, end = entered[i], exit_at[i]
        # what surely lay before the exit: whole candles; for a target also the low of its candle
        below = end + (reason[i] in (_TARGET, _UNFINISHED))
        above = end + (reason[i] == _UNFINISHED)
        long = side[i] > 0
        if below > start:
            worst[i] = min(worst[i], path.low[start:below].min() if long else -path.high[start:below].max())
        if above > start:
            best[i] = max(best[i], path.high[start:above].max() if long else -path.low[start:above].min())
    return Outcomes(
        entered_at=entered,
        exit_at=exit_at,
        reason=reason,
        entry_price=entry,
        exit_price=exit_price,
        profit=profit,
        r=profit / risk,
        mae=(side * entry - worst) / entry,
        mfe=(best - side * entry) / entry,
        stop_fraction=np.array([plan.stop_fraction for plan in plans], dtype=float),
    )


def _next_true(flags: np.ndarray) -> np.ndarray:
    """Index of the first True at or after each position; the length where there is none."""
    n = len(flags)
    position = np.where(flags, np.arange(n), n)
    return np.minimum.accumulate(position[::-1])[::-1]


def _first(flags: np.ndarray) -> int:
    """Index of the first True; the length where there is none."""
    at = int(flags.argmax()) if flags.size else 0
    return at if flags.size and flags[at] else len(flags)
