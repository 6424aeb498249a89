"""Check: what the closed trades made, beside what Kelly's estimate had expected before them."""

from __future__ import annotations

import numpy as np

from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.policy.calibration import Estimate, wilson_interval
from adaptive_pkg.reports.kelly import KellyRow, analyse
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection
from adaptive_pkg.upkeep.trade_book import days_of
from adaptive_pkg.upkeep.usual import LEAST, LEAST_BEFORE, usual

NAME = "Kelly against realised"
LEAST_RECORD = 60  # trades in all before the whole record is judged: with fewer, a late big winner is missing
CAUTION = 0.99  # level of the interval that calls for action: it is looked at every week


def check_kelly(seen: Inspection) -> Finding:
    """Win rate, payoff and mean R of the span beside the estimate made of all trades before it.

    Intervals: Wilson for a rate, days of entry resampled for means (trades of one day move together). Whether
    the span is worse than usual, its place among spans drawn from the record says.
    """
    closed = seen.closed
    usable = closed[closed["r"].notna() & closed["regime"].notna()]
    left_out = len(closed) - len(usable)
    if usable.empty:
        why = f"{len(closed)} closed trades" if len(closed) else "no closed trade yet"
        return unmeasured(NAME, f"{why}, none with a stored plan" if len(closed) else why)
    recent, r = seen.recent(usable), usable["r"].to_numpy()
    days = days_of(usable)
    before = (
        analyse(seen.book.closed_trades(seen.start), seen.settings, None)[-1] if not all(recent) else None
    )
    whole = _mean(r, days, CAUTION)
    table = FindingTable(
        ("", "trades", "win rate", "mean win ÷ mean loss", "mean R (95 %)"),
        (
            _row(f"this {seen.period.noun}", r[recent], days[recent]),
            _row("before", r[~recent], days[~recent]),
            *(_estimated(before)),
        ),
    )
    figures = {
        "recent": _figures(r[recent], days[recent]),
        "before": _figures(r[~recent], days[~recent]),
        "estimate_before": None
        if before is None
        else {
            "win_probability": before.used_win_probability,
            "payoff_ratio": before.used_payoff_ratio,
            "mean_r": before.used_mean_r,
            "full_kelly": before.full_kelly_fraction,
            "at_risk": before.fraction_at_risk,
        },
        "all_trades_mean_r_99": [whole.value, whole.low, whole.high],
        "left_out": left_out,
    }
    told = f"{recent.sum()} trades closed this {seen.period.noun}"
    if recent.any():
        told += f", {r[recent].mean():+.2f} R each on average; {(r[recent] > 0).mean():.0%} won"
    told += f"; {len(r)} on record, {whole.value:+.3f} R each"
    if np.isfinite(whole.low):
        told += f" ({whole.low:+.3f} to {whole.high:+.3f}, 99 %)"
    if left_out:
        told += f"; {left_out} without a usable plan or a regime in the tag are left out"
    if len(r) >= LEAST_RECORD and whole.high < 0.0:
        return Finding(
            NAME,
            Verdict.ACT,
            f"the whole record loses more than luck explains: {told}",
            "stop entries (/stopentry) or go back to dry run; then `adaptive maintain quarterly`, and change "
            "what it points at before trading on",
            figures,
            table,
        )
    if recent.sum() < LEAST or (~recent).sum() < LEAST_BEFORE:
        return Finding(NAME, Verdict.OK, f"{told}; too few to compare", "", figures, table)
    place = usual(r, recent, days)
    figures["usual_mean_r"] = place.to_list()
    words = f"such a {seen.period.noun} usually brings {place.low:+.2f} to {place.high:+.2f} R a trade"
    if place.is_low:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"worse than usual: {told}; {words}",
            f"one {seen.period.noun} in forty is this bad by luck alone: look at the stop-outs and regimes, "
            "change nothing yet; Kelly's estimate shrinks the size by itself",
            figures,
            table,
        )
    return Finding(NAME, Verdict.OK, f"{told}; {words}", "", figures, table)


def _mean(r: np.ndarray, days: np.ndarray, level: float = 0.95) -> Estimate:
    return estimate_by_block(
        np.column_stack([np.ones(len(r)), r]), days, lambda sums: sums[..., 1] / sums[..., 0], level=level
    )


def _figures(r: np.ndarray, days: np.ndarray) -> dict[str, object]:
    if not len(r):
        return {"trades": 0}
    mean, won = _mean(r, days), int((r > 0).sum())
    return {
        "trades": len(r),
        "win_rate": won / len(r),
        "win_rate_95": wilson_interval(won, len(r)),
        "payoff": _payoff(r),
        "mean_r": mean.value,
        "mean_r_95": [mean.low, mean.high],
    }


def _payoff(r: np.ndarray) -> float:
    wins, losses = r[r > 0], -r[r < 0]
    return float(wins.mean() / losses.mean()) if len(wins) and len(losses) else float("nan")


def _row(name: str, r: np.ndarray, days: np.ndarray) -> tuple[str, ...]:
    if not len(r):
        return (name, "0", "–", "–", "–")
    found = _figures(r, days)
    low, high = found["win_rate_95"]
    mean = f"{found['mean_r']:+.3f}"
    if np.isfinite(found["mean_r_95"][0]):
        mean += f" ({found['mean_r_95'][0]:+.3f} to {found['mean_r_95'][1]:+.3f})"
    payoff = "–" if np.isnan(found["payoff"]) else f"{found['payoff']:.2f}"
    return (name, str(len(r)), f"{found['win_rate']:.0%} ({low:.0%} to {high:.0%})", payoff, mean)


def _estimated(before: KellyRow | None) -> tuple[tuple[str, ...], ...]:
    """What sizing took before the span began, all regimes together."""
    if before is None:
        return ()
    if before.used_win_probability is None or before.used_payoff_ratio is None:
        return (("Kelly's estimate before", str(before.trades), "–", "–", before.reason),)
    return (
        (
            "Kelly's estimate before",
            str(before.trades),
            f"{before.used_win_probability:.0%}",
            f"{before.used_payoff_ratio:.2f}",
            f"{before.used_mean_r:+.3f} ({before.used_mean_r_ci95_low:+.3f} to "
            f"{before.used_mean_r_ci95_high:+.3f}); {before.fraction_at_risk:.2%} at risk",
        ),
    )
