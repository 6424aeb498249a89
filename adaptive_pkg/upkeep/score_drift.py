"""Check: does the confidence at the entry still mean what it meant?"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.policy.calibration import (
    Estimate,
    ReliabilityBin,
    decile_edges,
    reliability,
)
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection
from adaptive_pkg.upkeep.trade_book import days_of
from adaptive_pkg.upkeep.usual import usual

NAME = "calibration of the confidence"
LEAST = 20  # trades in the span, below which nothing is judged
LEAST_RECORD = 60
QUARTERS = 4  # bins, equally filled by the whole record
CAUTION = 0.99


def check_scores(seen: Inspection) -> Finding:
    """Win rate and mean R by confidence, the span against before; is a higher score a better trade at all?

    The drift is the win rate less what the scores led to expect, beside spans drawn from the record.
    """
    closed = seen.closed
    known = closed[closed["score"].notna() & closed["r"].notna()]
    if known.empty:
        return unmeasured(
            NAME,
            "no closed trade has a stored confidence (a bot stores it when an entry fills; backtests do not)",
        )
    recent = seen.recent(known)
    score, r, days = known["score"].to_numpy(), known["r"].to_numpy(), days_of(known)
    edges = decile_edges(score, QUARTERS)
    if len(edges) < 2:
        return unmeasured(NAME, "all entries have the same confidence, so nothing can be ranked by it")
    rows = []
    bins: dict[str, list[ReliabilityBin]] = {}
    for name, chosen in (("recent", recent), ("before", ~recent)):
        bins[name] = reliability(score[chosen], r[chosen], days[chosen], edges) if chosen.any() else []
    for at in range(len(edges) - 1):
        cells = [_cells(bins[name][at]) if bins[name] else ("0", "–", "–") for name in ("recent", "before")]
        rows.append((f"{edges[at]:.2f} – {edges[at + 1]:.2f}", *cells[0], *cells[1]))
    span = f"this {seen.period.noun}"
    table = FindingTable(
        ("confidence", span, "win rate (95 %)", "mean R", "before", "win rate (95 %)", "mean R"), tuple(rows)
    )
    figures: dict[str, object] = {
        "recent": int(recent.sum()),
        "before": int((~recent).sum()),
        "edges": edges.tolist(),
        "bins": {
            name: [{"n": item.n, "win_rate": item.win_rate, "mean_r": item.mean_r} for item in found]
            for name, found in bins.items()
        },
    }
    told = f"{recent.sum()} trades this {seen.period.noun}, {(~recent).sum()} before"
    if len(known) < LEAST_RECORD:
        return Finding(NAME, Verdict.OK, f"{told}; too few to judge", "", figures, table)
    order = _rank_correlation(score, r, days)
    figures["rank_correlation"] = [order.value, order.low, order.high]
    told += (
        f"; rank correlation of score and R over all {order.value:+.2f} ({order.low:+.2f} to "
        f"{order.high:+.2f}, 99 %)"
    )
    if order.sign < 0:
        return Finding(
            NAME,
            Verdict.ACT,
            f"a higher confidence has meant a worse trade: {told}",
            "run `adaptive calibration` on fresh candles; where that says the same, switch it off "
            "(adaptive.components.confidence: false)",
            figures,
            table,
        )
    if recent.sum() < LEAST or (~recent).sum() < LEAST_RECORD:
        return Finding(
            NAME, Verdict.OK, f"{told}; too few this {seen.period.noun} to compare", "", figures, table
        )
    # what the score led to expect, from the record, is taken off each trade's outcome
    won = (r > 0).astype(float)
    group = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
    expected = np.bincount(group, weights=won) / np.maximum(np.bincount(group), 1)
    place = usual(won - expected[group], recent, days)
    figures["win_rate_less_expected"] = place.to_list()
    words = (
        f"{100 * place.value:+.0f} points of win rate against what the scores led to expect (usual "
        f"{100 * place.low:+.0f} to {100 * place.high:+.0f})"
    )
    if place.is_low:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"{words}; {told}",
            f"one {seen.period.noun} in forty is this bad by luck alone; if the next one is too, run "
            "`adaptive calibration` and raise adaptive.confidence.threshold_shift",
            figures,
            table,
        )
    return Finding(NAME, Verdict.OK, f"{words}; {told}", "", figures, table)


def _rank_correlation(score: np.ndarray, r: np.ndarray, days: np.ndarray) -> Estimate:
    """Spearman's, with a 99 % interval (it is looked at every month), days resampled, ranks held fixed."""
    x, y = rankdata(score), rankdata(r)
    x, y = x - x.mean(), y - y.mean()

    def correlation(sums: np.ndarray) -> np.ndarray:
        n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
        return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))

    terms = np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])
    return estimate_by_block(terms, days, correlation, level=CAUTION)


def _cells(item: ReliabilityBin) -> tuple[str, str, str]:
    if not item.n:
        return "0", "–", "–"
    rate = f"{item.win_rate:.0%} ({item.win_low:.0%} to {item.win_high:.0%})"
    return str(item.n), rate, f"{item.mean_r:+.2f}"
