"""Check: which regimes the market was in, beside all stretches of the same length before."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.regime import MarketRegimeDetector, RegimeFrame
from adaptive_pkg.market.statistics import pooled_statistics
from adaptive_pkg.reports.regimes import HORIZON_HOURS
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection

NAME = "market regimes"
LEAST_PAST = 200  # stretches before; with fewer, one in two hundred cannot be told
RARE = 0.005  # part of the past with such a share, on one side: of five regimes one in twenty weeks has one


def check_regimes(seen: Inspection) -> Finding:
    """Shares of the regimes in the span, all pairs together, and how rare each was in the past.

    "Rare" is counted, not modelled: the rank of the share among all earlier stretches of the same length,
    laid end to end.
    """
    try:
        series, missing = regimes_of(seen)
    except DataError as error:
        return unmeasured(NAME, str(error), "download candles, or name their folder with --datadir")
    if not series:
        return unmeasured(
            NAME,
            f"no pair has candles up to {seen.start:%Y-%m-%d} in {seen.datadir}",
            f"freqtrade download-data --timeframes {seen.timeframe} --days 720",
        )
    shares = shares_by_stretch(series, seen.now, seen.period.days)
    now, past = shares[0], shares[1:]
    hours = pd.Timedelta(hours=1)
    horizon = max(1, round(HORIZON_HOURS * hours / seen.candle))
    before = pooled_statistics([_cut(item, None, seen.start) for item in series.values()], horizon)
    here = [_cut(item, seen.start, None) for item in series.values()]
    switches = pooled_statistics([item for item in here if len(item[0]) >= 2], 1).switches_per_year
    rows, figures, rare = [], {}, []
    for regime in Regime:
        of_past, share = past[:, regime.code], now[regime.code]
        above, below = (of_past >= share).mean(), (of_past <= share).mean()
        if len(past) >= LEAST_PAST and min(above, below) <= RARE:
            rare.append(f"{regime} {100 * share:.0f} %, seldom so {'much' if above < below else 'little'}")
        long_run = before.regimes[regime.code]
        rows.append(
            (
                str(regime),
                f"{100 * share:.1f} %",
                f"{100 * long_run.share:.1f} %",
                f"{100 * above:.0f} % had as much",
                f"{long_run.forward_volatility_pct:.2f} %",
            )
        )
        figures[str(regime)] = {
            "share": share,
            "long_run_share": long_run.share,
            "past_stretches_with_as_much": above,
            "past_stretches_with_as_little": below,
        }
    table = FindingTable(
        (
            "regime",
            f"this {seen.period.noun}",
            "long run",
            f"of {len(past)} {seen.period.noun}s before",
            "its usual volatility a candle",
        ),
        tuple(rows),
    )
    main = max(Regime, key=lambda regime: now[regime.code])
    told = (
        f"mostly {main} ({100 * now[main.code]:.0f} %); {switches:.0f} switches a year and pair, "
        f"{before.switches_per_year:.0f} in the long run"
    )
    if missing:
        told += f"; without candles: {', '.join(missing)}"
    found = {"regimes": figures, "stretches_before": len(past), "switches_per_year": switches}
    found["long_run_switches_per_year"] = before.switches_per_year
    if rare:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"an unusual {seen.period.noun}: {'; '.join(rare)}; {told}",
            "nothing by itself: read the other findings with it in mind, and keep the thresholds",
            found,
            table,
        )
    if len(past) < LEAST_PAST:
        told += f"; only {len(past)} {seen.period.noun}s before, too few to call one unusual"
    return Finding(NAME, Verdict.OK, told, "", found, table)


def regimes_of(
    seen: Inspection,
) -> tuple[dict[str, tuple[pd.DataFrame, RegimeFrame]], tuple[str, ...]]:
    """Date, close and regimes of every pair whose candles reach into the span; the pairs without.

    Raises:
        DataError: no folder of candles, or unusable ones.
    """
    detector = MarketRegimeDetector(seen.settings.regime)
    candles, without = seen.all_candles()
    found, missing = {}, list(without)
    for pair, frame in candles.items():
        enough = len(frame) > startup_candles(seen.settings.indicators)
        if not enough or frame["date"].iloc[-1] < seen.now - pd.Timedelta(days=seen.period.days / 2):
            missing.append(pair)
            continue
        regimes = detector.detect(compute_indicators(frame, seen.settings.indicators))
        found[pair] = frame[["date", "close"]], regimes
    return found, tuple(missing)


def shares_by_stretch(
    series: dict[str, tuple[pd.DataFrame, RegimeFrame]], now: pd.Timestamp, days: int
) -> np.ndarray:
    """Shares of the regimes, (stretches, 5), all pairs together; the newest stretch, which ends now, first.

    Stretches that no candle with metrics falls into are left out.
    """
    length = pd.Timedelta(days=days)
    counts: dict[int, np.ndarray] = {}
    for frame, regimes in series.values():
        age = ((now - frame["date"] - pd.Timedelta(1)) // length).to_numpy()  # a candle is of where it ends
        for number in np.unique(age[regimes.valid]):
            codes = regimes.codes[regimes.valid & (age == number)]
            counts.setdefault(int(number), np.zeros(len(Regime)))
            counts[int(number)] += np.bincount(codes, minlength=len(Regime))
    ordered = np.array([counts[number] for number in sorted(counts)])
    return ordered / ordered.sum(axis=1, keepdims=True)


def _cut(
    item: tuple[pd.DataFrame, RegimeFrame], start: pd.Timestamp | None, end: pd.Timestamp | None
) -> tuple[pd.DataFrame, RegimeFrame]:
    frame, regimes = item
    first = 0 if start is None else int(frame["date"].searchsorted(start))
    after = len(frame) if end is None else int(frame["date"].searchsorted(end))
    part = slice(first, after)
    cut = RegimeFrame(regimes.codes[part], regimes.confidence[part], regimes.raw[part], regimes.valid[part])
    return frame.iloc[part], cut
