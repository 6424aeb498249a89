"""Check: how many trades ended at their stop, in which stage, and whether the stops lost what was planned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.enums import StopStage
from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.policy.calibration import wilson_interval
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection
from adaptive_pkg.upkeep.trade_book import days_of
from adaptive_pkg.upkeep.usual import LEAST, LEAST_BEFORE, usual

NAME = "stop-outs"
STOPS = frozenset({"stop_loss", "trailing_stop_loss", "stoploss_on_exchange"})
FORCED = frozenset({"liquidation", "emergency_exit"})
LEAST_STOPS = 10  # initial stop-outs, below which their loss is not judged
OVERRUN = -1.1  # mean R of initial stop-outs below which stops lose more than they were meant to


def check_stop_outs(seen: Inspection) -> Finding:
    """Stop-out rate of the span against before, by stage of the stop; and what initial stops lost in R."""
    closed = seen.closed
    if closed.empty:
        return unmeasured(NAME, "no closed trade yet")
    recent = seen.recent(closed)
    reason = closed["exit_reason"].fillna("unknown")
    stopped = reason.isin(STOPS).to_numpy()
    kind = pd.Series(np.where(stopped, _stage_names(closed), reason), index=closed.index)
    order = [*(f"stop, {stage}" for stage in StopStage), *sorted(set(kind) - _STAGE_NAMES)]
    rows = tuple(
        (name, *_share(kind[recent] == name), *_share(kind[~recent] == name))
        for name in order
        if (kind == name).any()
    )
    table = FindingTable(("exit", f"this {seen.period.noun}", "share (95 %)", "before", "share (95 %)"), rows)
    figures: dict[str, object] = {
        "recent": {"trades": int(recent.sum()), "stopped": int(stopped[recent].sum())},
        "before": {"trades": int((~recent).sum()), "stopped": int(stopped[~recent].sum())},
        "exits_recent": kind[recent].value_counts().to_dict(),
        "exits_before": kind[~recent].value_counts().to_dict(),
    }
    told = f"{stopped[recent].sum()} of {recent.sum()} trades ended at a stop this {seen.period.noun}"
    if (~recent).any():
        told += f", {stopped[~recent].mean():.0%} of {(~recent).sum()} before"
    forced = closed[recent & reason.isin(FORCED).to_numpy()]
    if len(forced):
        pairs = ", ".join(sorted(set(forced["pair"])))
        return Finding(
            NAME,
            Verdict.ACT,
            f"{len(forced)} trades ended by liquidation or an emergency exit ({pairs}); {told}",
            "read the log around these exits; lower the leverage, or let the stop rest on the exchange",
            figures,
            table,
        )
    initial = (kind == f"stop, {StopStage.INITIAL}").to_numpy() & closed["r"].notna().to_numpy()
    lost = closed[initial]
    if len(lost) >= LEAST_STOPS:
        terms = np.column_stack([np.ones(len(lost)), lost["r"]])
        mean = estimate_by_block(terms, days_of(lost), lambda sums: sums[..., 1] / sums[..., 0])
        figures["initial_stop_mean_r"] = [mean.value, mean.low, mean.high]
        told += f"; a stop that had not moved lost {mean.value:+.2f} R on average (planned: −1 at most)"
        if mean.high < OVERRUN:
            return Finding(
                NAME,
                Verdict.ACT,
                f"stops lose more than planned ({mean.low:+.2f} to {mean.high:+.2f} R): {told}",
                "gaps and slippage are larger than the sizing assumes: set adaptive.kelly.fraction lower by "
                "that factor, or let the stop rest on the exchange (order_types.stoploss_on_exchange)",
                figures,
                table,
            )
    if recent.sum() < LEAST or (~recent).sum() < LEAST_BEFORE:
        return Finding(NAME, Verdict.OK, f"{told}; too few to compare", "", figures, table)
    place = usual(stopped.astype(float), recent, days_of(closed))
    figures["usual_share"] = place.to_list()
    words = f"usual for such a {seen.period.noun} are {place.low:.0%} to {place.high:.0%}"
    if place.is_high:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"more stop-outs than usual: {told}; {words}",
            "look at `adaptive stops` on fresh candles before you widen one: wider stops also size smaller",
            figures,
            table,
        )
    return Finding(NAME, Verdict.OK, f"{told}; {words}", "", figures, table)


_STAGE_NAMES = frozenset(f"stop, {stage}" for stage in StopStage)


def _stage_names(closed: pd.DataFrame) -> np.ndarray:
    return np.array(
        ["stop, stage unknown" if stage is None else f"stop, {stage}" for stage in closed["stage"]],
        dtype=object,
    )


def _share(member: pd.Series) -> tuple[str, str]:
    n, k = len(member), int(member.sum())
    if not n:
        return "0", "–"
    low, high = wilson_interval(k, n)
    return str(k), f"{k / n:.0%} ({low:.0%} to {high:.0%})"
