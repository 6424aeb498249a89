"""The same entries under different stop rules: whipsaws, excursions, tail loss, paired differences."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.entries import JudgedPair, plan_entries
from adaptive_pkg.evaluation.outcomes import Exit, Outcomes, one_at_a_time, walk_entries
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.settings import AdaptiveSettings

RESAMPLES = 1000
TAIL = 0.05  # part of the trades in the tail
WHIPSAW_CANDLES = 72
QUANTILES = (0.10, 0.50, 0.90)
DYNAMIC, INITIAL_ONLY, FIXED, FIXED_MEAN = "dynamic", "initial only", "fixed, tail", "fixed, mean"


@dataclass(frozen=True)
class StopTrades:
    """The same entries under one stop rule. Arrays (n,), one order for all rules.

    profit: fraction of the position after fees (equal positions). r: profit over the rule's own initial
    risk (equal risk). whipsaw: stopped out, then the price was better than the exit by the distance of the
    dynamic rule's initial stop within WHIPSAW_CANDLES: one yardstick, so no rule gains by its own width.
    """

    profit: np.ndarray
    r: np.ndarray
    mae: np.ndarray
    mfe: np.ndarray
    stop_fraction: np.ndarray
    whipsaw: np.ndarray
    reason: np.ndarray


@dataclass(frozen=True)
class RuleFigures:
    """One stop rule over all entries. `_pct` is of the position; quantiles are those of QUANTILES."""

    rule: str
    trades: int
    mean_stop_pct: float
    stopped_per_100: float
    whipsaws_per_100: float
    win_rate_pct: float
    mean_profit_pct: float
    cvar5_pct: float  # mean of the worst 5 % of trades
    mean_r: float
    cvar5_r: float
    mae_pct: tuple[float, ...]
    mfe_pct: tuple[float, ...]
    mae_r: tuple[float, ...]
    mfe_r: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """The dynamic stop less another, trade by trade, with 95 % intervals of a block bootstrap."""

    other: str
    whipsaws_per_100: Estimate
    mean_profit_pct: Estimate
    cvar5_pct: Estimate
    mean_r: Estimate


def run_rule(
    taken: list[JudgedPair], settings: AdaptiveSettings, rule: str, fraction: float | None = None
) -> StopTrades:
    """Walk the same entries under one rule; `fraction` is the fixed rule's distance."""
    stops, components = settings.stops, settings.components
    if rule == INITIAL_ONLY:
        components = replace(components, breakeven=False, trailing=False)
    elif rule in (FIXED, FIXED_MEAN):
        components = replace(components, dynamic_stops=False)
        stops = replace(stops, fixed_fraction=fraction)
    parts = []
    for item in taken:
        yardstick = plan_entries(item.path, item.entries, settings)
        plans = plan_entries(item.path, item.entries, settings, stops=stops, components=components)
        outcomes = walk_entries(item.path, item.entries, plans)
        yards = np.array([abs(plan.entry_price - plan.initial_stop) for plan in yardstick])
        parts.append((outcomes, whipsaws(item, outcomes, yards)))

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(outcomes, name) for outcomes, _ in parts])

    return StopTrades(
        **{name: column(name) for name in ("profit", "r", "mae", "mfe", "stop_fraction", "reason")},
        whipsaw=np.concatenate([flags for _, flags in parts]),
    )


def whipsaws(item: JudgedPair, outcomes: Outcomes, yards: np.ndarray) -> np.ndarray:
    """Bool (m,): stopped out, then better than the exit by `yards` within WHIPSAW_CANDLES."""
    flags = np.zeros(len(outcomes), dtype=bool)
    for i in np.flatnonzero(outcomes.stopped):
        after = slice(outcomes.exit_at[i] + 1, outcomes.exit_at[i] + 1 + WHIPSAW_CANDLES)
        price, yard = outcomes.exit_price[i], yards[i]
        if item.entries.side[i] > 0:
            flags[i] = (item.path.high[after] >= price + yard).any()
        else:
            flags[i] = (item.path.low[after] <= price - yard).any()
    return flags


def cvar(values: np.ndarray, tail: float = TAIL) -> float:
    """Mean of the worst `tail` of values (at least one)."""
    count = max(1, round(tail * len(values)))
    return float(np.partition(values, count - 1)[:count].mean())


def fraction_at_equal_tail(taken: list[JudgedPair], settings: AdaptiveSettings, target: float) -> float:
    """The fixed stop's distance whose CVaR 5 % of profit equals `target`, by bisection.

    Found on the trades that it is then judged on, which favours the fixed stop a little.

    Raises:
        DataError: no distance from 0.2 % to 30 % has that tail loss.
    """
    near, far = 0.002, 0.30

    def tail(fraction: float) -> float:
        return cvar(run_rule(taken, settings, FIXED, fraction).profit)

    if not tail(far) <= target <= tail(near):
        raise DataError(f"stops: no fixed stop of {near:.1%} to {far:.0%} has a CVaR 5 % of {target:.4f}")
    for _ in range(14):  # to 0.002 % of the price
        middle = 0.5 * (near + far)
        near, far = (middle, far) if tail(middle) > target else (near, middle)
    return 0.5 * (near + far)


def figures(rule: str, trades: StopTrades) -> RuleFigures:
    """Sum one rule up."""
    stopped = trades.reason == list(Exit).index(Exit.STOP)

    def quantiles(values: np.ndarray) -> tuple[float, ...]:
        return tuple(float(value) for value in np.quantile(values, QUANTILES))

    return RuleFigures(
        rule=rule,
        trades=len(trades.r),
        mean_stop_pct=100 * float(trades.stop_fraction.mean()),
        stopped_per_100=100 * float(stopped.mean()),
        whipsaws_per_100=100 * float(trades.whipsaw.mean()),
        win_rate_pct=100 * float((trades.profit > 0).mean()),
        mean_profit_pct=100 * float(trades.profit.mean()),
        cvar5_pct=100 * cvar(trades.profit),
        mean_r=float(trades.r.mean()),
        cvar5_r=cvar(trades.r),
        mae_pct=quantiles(100 * trades.mae),
        mfe_pct=quantiles(100 * trades.mfe),
        mae_r=quantiles(trades.mae / trades.stop_fraction),
        mfe_r=quantiles(trades.mfe / trades.stop_fraction),
    )


def difference(
    dynamic: StopTrades, other: StopTrades, name: str, blocks: np.ndarray, rng: np.random.Generator
) -> Difference:
    """Paired differences, dynamic less other: the same drawn weeks under both rules."""
    rows = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(np.diff(blocks[rows], prepend=blocks[rows[0]] - 1))
    members = np.split(rows, starts[1:])
    draws = [np.concatenate([members[b] for b in drawn]) for drawn in _draws(len(members), rng)]

    def paired(statistic, scale: float, column: str) -> Estimate:
        ours, theirs = (scale * getattr(side, column).astype(float) for side in (dynamic, other))
        drawn = [statistic(ours[at]) - statistic(theirs[at]) for at in draws]
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Estimate(float(statistic(ours) - statistic(theirs)), float(low), float(high))

    return Difference(
        other=name,
        whipsaws_per_100=paired(np.mean, 100, "whipsaw"),
        mean_profit_pct=paired(np.mean, 100, "profit"),
        cvar5_pct=paired(cvar, 100, "profit"),
        mean_r=paired(np.mean, 1, "r"),
    )


def _draws(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, count, size=(RESAMPLES, count))


def taken_entries(item: JudgedPair, settings: AdaptiveSettings) -> JudgedPair:
    """The entries one pair really enters under the dynamic stop, the finished ones."""
    entries = item.entries.only(item.entries.taken)
    outcomes = walk_entries(item.path, entries, plan_entries(item.path, entries, settings))
    # the same entries under every rule: leave out the last days, where a slower rule may not finish
    early = entries.row + 1 + WHIPSAW_CANDLES < len(item.path)
    kept = one_at_a_time(outcomes) & outcomes.finished & early
    return replace(item, entries=entries.only(kept))
