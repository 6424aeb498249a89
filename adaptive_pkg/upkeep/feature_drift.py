"""Check: do the forecaster's features still lie where they lay when it learned them?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from adaptive_pkg.doctor.findings import block
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.features import FORECAST_FEATURES, forecast_features
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection

NAME = "feature drift"
BINS = 10
# the industry's rule of thumb (Siddiqi 2006, Credit Risk Scorecards, ch. 9)
SHIFTED, MOVED = 0.25, 0.1
SPAN_DAYS = 30  # compared with the days before it, in every period: the past has more months than quarters
REFERENCE_DAYS = 180  # before the span, where the config names no training period
LEAST_ROWS = 200
ALARMS = 0.05  # part of the months that may alarm by luck
LEAST_PAST = 12  # earlier spans needed to say what is usual


def population_stability(reference: ArrayLike, sample: ArrayLike, bins: int = BINS) -> float:
    """PSI = Σ (s − r) · ln(s / r) over bins that the reference fills equally (Siddiqi 2006).

    Depends on the bins: ten of equal filling, the outer ones open; an empty bin counts as half a row. Of two
    samples of one distribution it is about (bins − 1)(1/n + 1/m) where rows are independent, more where
    they follow each other (candles do).

    Args:
        reference, sample: (n,), (m,); what is not finite is left out.

    Raises:
        DataError: fewer than `bins` finite rows in either.
    """
    old, new = (np.asarray(values, dtype=float) for values in (reference, sample))
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    if min(len(old), len(new)) < bins:
        raise DataError(f"stability: {len(old)} and {len(new)} rows; at least {bins} of both are needed")
    edges = np.unique(np.quantile(old, np.linspace(0, 1, bins + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        for values in (old, new)
    ]
    r, s = (np.maximum(count, 0.5) / max(count.sum(), 1) for count in counts)
    return float(((s - r) * np.log(s / r)).sum())


def check_features(seen: Inspection) -> Finding:
    """PSI of each of the twelve features, pairs together: the last 30 days against the training span before.

    Candles follow each other, so a month of them differs from the months before it more than a thumb rule
    for independent rows expects. The same comparison made at earlier months says what is usual here; only
    what is both above the rule and unusual is a finding.
    """
    days = int(block(seen.config, "freqai").get("train_period_days") or 0) or REFERENCE_DAYS
    try:
        candles, missing = seen.all_candles()
    except DataError as error:
        return unmeasured(NAME, str(error), "download candles, or name their folder with --datadir")
    features = {
        pair: forecast_features(frame, seen.settings.indicators).assign(date=frame["date"])
        for pair, frame in candles.items()
        if len(frame)
    }
    rows = pd.concat(features.values(), ignore_index=True).dropna() if features else pd.DataFrame()
    ends = _ends(rows, seen, days)
    now = _drift(rows, seen.now, SPAN_DAYS, days) if len(ends) else None
    if now is None:
        return unmeasured(
            NAME,
            f"fewer than {LEAST_ROWS} candles in the last {SPAN_DAYS} days or the {days} before",
            f"freqtrade download-data --timeframes {seen.timeframe} --days {2 * days}",
        )
    earlier = [_drift(rows, end, SPAN_DAYS, days) for end in ends[1:]]
    past = np.array([found for found in earlier if found is not None]).reshape(-1, len(FORECAST_FEATURES))
    lines, shifted, moved, figures = [], [], [], {}
    unusual = _unusual(now, past)
    for at, name in enumerate(FORECAST_FEATURES):
        value, before = now[at], past[:, at]
        rank = float((before < value).mean()) if len(before) >= LEAST_PAST else float("nan")
        if unusual[at] and value > MOVED:
            (shifted if value > SHIFTED else moved).append(name)
        rule = "shifted" if value > SHIFTED else "moved" if value > MOVED else "stable"
        usual = f"{np.median(before):.2f}" if len(before) else "–"
        told = "–" if np.isnan(rank) else f"{100 * rank:.0f} %"
        lines.append((name, f"{value:.3f}", rule, usual, told))
        figures[name] = {
            "psi": value,
            "past_median": np.median(before) if len(before) else None,
            "rank": rank,
        }
    table = FindingTable(
        ("feature", "PSI", f"rule ({MOVED:g}, {SHIFTED:g})", "usual", f"of {len(past)} months before, less"),
        tuple(lines),
    )
    worst = int(np.argmax(now))
    told = (
        f"largest PSI {now[worst]:.2f} ({FORECAST_FEATURES[worst]}), {SPAN_DAYS} days against the {days} "
        f"before, {BINS} bins; the thumb rule calls {sum(now > SHIFTED)} of {len(now)} shifted, but candles "
        "follow each other: “usual” is the median of the same comparison in the past"
    )
    if len(past) < LEAST_PAST:
        told += f"; {len(past)} comparisons before are too few to say what is usual"
    if missing:
        told += f"; without candles: {', '.join(missing)}"
    found = {"days": SPAN_DAYS, "reference_days": days, "bins": BINS, "features": figures}
    if not uses_forecast(seen):
        return Finding(NAME, Verdict.OK, f"FreqAI is off, so they decide nothing: {told}", "", found, table)
    if shifted:
        return Finding(
            NAME,
            Verdict.ACT,
            f"{', '.join(shifted)} shifted, more than is usual: {told}",
            "let the models train on the newest candles (freqai.live_retrain_hours), and see their skill",
            found,
            table,
        )
    if moved:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"{', '.join(moved)} moved, more than is usual: {told}",
            "see whether the next training brings the model's skill back",
            found,
            table,
        )
    return Finding(NAME, Verdict.OK, told, "", found, table)


def _unusual(now: np.ndarray, past: np.ndarray) -> np.ndarray:
    """(12,) which features have drifted as hardly any of the twelve ever did.

    Each drift is taken in units of its feature's median. Some feature of the twelve is always at its worst,
    so each is held against the largest of every earlier month: by luck one month in twenty has an alarm.
    """
    if len(past) < LEAST_PAST:
        return np.zeros(len(now), dtype=bool)
    middle = np.median(np.vstack([past, now]), axis=0)
    largest = np.sort((past / middle).max(axis=1))[::-1]
    allowed = max(int(ALARMS * (len(past) + 1)), 1)
    return now / middle > largest[allowed - 1]


def uses_forecast(seen: Inspection) -> bool:
    """Whether the bot reads the features at all."""
    return bool(block(seen.config, "freqai").get("enabled"))


def _ends(rows: pd.DataFrame, seen: Inspection, days: int) -> list[pd.Timestamp]:
    """Ends of the spans compared, the newest first: month by month back through the candles."""
    if rows.empty:
        return []
    step = pd.Timedelta(days=SPAN_DAYS)
    first = rows["date"].min() + pd.Timedelta(days=days) + step
    count = max(int((seen.now - first) / step) + 1, 1)
    return [seen.now - number * step for number in range(count)]


def _drift(rows: pd.DataFrame, end: pd.Timestamp, span: int, days: int) -> np.ndarray | None:
    """(12,) PSI of the span that ends there against the days before it; None with too few rows."""
    start = end - pd.Timedelta(days=span)
    inside = (rows["date"] >= start) & (rows["date"] < end)
    before = (rows["date"] >= start - pd.Timedelta(days=days)) & (rows["date"] < start)
    if inside.sum() < LEAST_ROWS or before.sum() < LEAST_ROWS:
        return None
    old, new = rows.loc[before, list(FORECAST_FEATURES)], rows.loc[inside, list(FORECAST_FEATURES)]
    return np.array([population_stability(old[name], new[name]) for name in FORECAST_FEATURES])
