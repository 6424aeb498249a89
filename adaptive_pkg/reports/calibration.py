"""The report `adaptive calibration`: whether a higher confidence score has meant a better trade."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.entries import JudgedPair, plan_entries
from adaptive_pkg.evaluation.outcomes import walk_entries
from adaptive_pkg.policy.calibration import (
    Estimate,
    ReliabilityBin,
    WalkForward,
    brier,
    decile_edges,
    mean_difference,
    mean_difference_within,
    monotonicity,
    reliability,
    walk_forward_isotonic,
)
from adaptive_pkg.reports.judged_pairs import judged_pairs
from adaptive_pkg.settings import AdaptiveSettings

SEED = 20  # of the bootstraps
WEAK = 0.1  # a rank correlation below which "better" deserves the word "weakly"


@dataclass(frozen=True)
class ScoredTrades:
    """Every candidate of every pair with what it became, in order of time. Arrays (n,).

    day: of the entry, all pairs together: the block that intervals take as independent.
    """

    pair: np.ndarray
    score: np.ndarray
    regime: np.ndarray
    taken: np.ndarray
    r: np.ndarray
    decided_at: np.ndarray
    known_at: np.ndarray

    @property
    def day(self) -> np.ndarray:
        return self.decided_at.astype("datetime64[D]")


@dataclass(frozen=True)
class RegimeSummary:
    """One regime's candidates."""

    regime: str
    n: int
    taken: int
    whole: ReliabilityBin
    spearman: Estimate


@dataclass(frozen=True)
class CalibrationReport:
    """Everything the report says. `forward` is None with too little history for a fit on the past."""

    timeframe: str
    pairs: list[str]
    first: str
    last: str
    n: int
    taken: int
    base_rate: float
    brier_score: float
    brier_base_rate: float
    deciles: list[ReliabilityBin]
    tiers: list[ReliabilityBin]
    regimes: list[RegimeSummary]
    spearman: Estimate
    spearman_by_week: Estimate
    taken_less_refused_r: Estimate | None
    taken_less_refused_r_at_equal_regime: Estimate | None
    forward: WalkForward | None

    @property
    def answer(self) -> str:
        """One plain sentence: has a higher score meant a better trade?"""
        verdict = {
            1: "A higher score has meant a better trade",
            0: "A higher score has not reliably meant a better trade",
            -1: "A higher score has meant a worse trade",
        }[self.spearman.sign]
        if self.spearman.sign and abs(self.spearman.value) < WEAK:
            verdict = verdict.replace("has meant", "has, but only weakly, meant")
        filled = [row for row in self.deciles if row.n]
        sentence = (
            f"{verdict}: rank correlation {_interval(self.spearman, '+.3f')}; the lowest tenth of scores "
            f"made {filled[0].mean_r:+.2f} R a trade, the highest {filled[-1].mean_r:+.2f} R after fees"
        )
        if max(row.mean_r for row in filled) <= 0:
            sentence += ", and no tenth earned its fees"
        return sentence + "."


def report_calibration(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    json_path: Path | None,
    console: Console,
    timerange: str | None = None,
) -> int:
    """Print the reliability of the confidence score on the candles on disk, and write it as JSON. Returns 0.

    Judged: every candidate that was taken or refused for its confidence alone, without a forecast, each as
    if it were the only trade.

    Args:
        pairs: None means every pair of that timeframe found. timerange: freqtrade's form, of the entries.

    Raises:
        DataError: no candles, unusable ones, or no candidate in them.
        SettingsError: the confidence component is off, so there is no score.
    """
    if not settings.components.confidence:
        raise SettingsError("components.confidence is off: every score is 1; switch it on to judge the score")
    judged = judged_pairs(datadir, pairs, timeframe, settings, console, timerange)
    report = build_report(scored_trades(judged, settings), timeframe, settings)
    render(report, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}")
    return 0


def scored_trades(judged: list[JudgedPair], settings: AdaptiveSettings) -> ScoredTrades:
    """Walk every candidate to its end; those that the candles cut short are left out."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ScoredTrades.__dataclass_fields__}
    for item in judged:
        outcomes = walk_entries(item.path, item.entries, plan_entries(item.path, item.entries, settings))
        done = outcomes.finished
        entries, outcomes = item.entries.only(done), outcomes.only(done)
        step = item.path.date[1] - item.path.date[0]
        columns["pair"].append(np.full(len(entries), item.pair, dtype=object))
        columns["score"].append(entries.score)
        columns["regime"].append(entries.regime)
        columns["taken"].append(entries.taken)
        columns["r"].append(outcomes.r)
        columns["decided_at"].append(item.path.date[entries.row] + step)
        columns["known_at"].append(item.path.date[outcomes.exit_at] + step)
    pooled = {name: np.concatenate(parts) for name, parts in columns.items()}
    order = np.argsort(pooled["decided_at"], kind="stable")
    return ScoredTrades(**{name: values[order] for name, values in pooled.items()})


def build_report(trades: ScoredTrades, timeframe: str, settings: AdaptiveSettings) -> CalibrationReport:
    """Compute every figure from the trades. Raises DataError."""
    rng = np.random.default_rng(SEED)
    score, r, day = trades.score, trades.r, trades.day
    won = (r > 0).astype(float)
    limits = settings.confidence
    tiers = np.array([0.0, limits.minimal_tier, limits.reduced_tier, limits.full_tier, 1.0])
    week = (day.astype(np.int64) + 3) // 7  # day 0 was a Thursday
    try:
        forward = walk_forward_isotonic(score, r, trades.decided_at, trades.known_at, day, rng)
    except DataError:
        forward = None  # the report then says so
    both = 0 < trades.taken.sum() < len(r)
    return CalibrationReport(
        timeframe=timeframe,
        pairs=sorted(set(trades.pair)),
        first=str(day.min()),
        last=str(day.max()),
        n=len(r),
        taken=int(trades.taken.sum()),
        base_rate=float(won.mean()),
        brier_score=brier(score, won),
        brier_base_rate=float(won.var()),
        deciles=reliability(score, r, day, decile_edges(score)),
        tiers=reliability(score, r, day, np.unique(tiers)),
        regimes=[
            _regime(regime, trades, trades.regime == regime.code, rng)
            for regime in Regime
            if (trades.regime == regime.code).any()
        ],
        spearman=monotonicity(score, r, day, rng),
        spearman_by_week=monotonicity(score, r, week, rng),
        taken_less_refused_r=mean_difference(r, trades.taken, day, rng) if both else None,
        taken_less_refused_r_at_equal_regime=(
            mean_difference_within(r, trades.taken, trades.regime, day, rng) if both else None
        ),
        forward=forward,
    )


def _regime(
    regime: Regime, trades: ScoredTrades, where: np.ndarray, rng: np.random.Generator
) -> RegimeSummary:
    score, r, day = trades.score[where], trades.r[where], trades.day[where]
    whole = reliability(score, r, day, np.array([0.0, 1.0]))[0]
    return RegimeSummary(
        str(regime), len(r), int(trades.taken[where].sum()), whole, monotonicity(score, r, day, rng)
    )


def render(report: CalibrationReport, console: Console) -> None:
    """Print the tables and the answer."""
    console.print(
        f"[bold]Confidence score[/bold], {', '.join(report.pairs)}, {report.timeframe}, {report.first} – "
        f"{report.last}: {report.n:,} candidates, {report.taken:,} of them taken. Each is walked to its end "
        "as if it were the only trade; R is its profit after fees over its initial risk. Intervals are 95 % "
        "and take days, not trades, as independent: trades overlap and coins move together.",
        highlight=False,
    )
    console.print(_bins_table("by tenth of the score", report.deciles))
    console.print(_bins_table("by tier of size (below the first: refused)", report.tiers))
    table = Table(title="by regime", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("regime", no_wrap=True)
    for heading in ("n", "taken", "win rate %", "mean R", "score ↔ R"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in report.regimes:
        table.add_row(
            row.regime,
            str(row.n),
            str(row.taken),
            f"{100 * row.whole.win_rate:.1f}",
            f"{row.whole.mean_r:+.3f} ± {row.whole.mean_r_error:.3f}",
            _interval(row.spearman, "+.3f"),
        )
    console.print(table)
    for line in (report.answer, _selection(report), _probability(report)):
        console.print(line, highlight=False)


def _bins_table(title: str, rows: list[ReliabilityBin]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("score", "n", "mean score", "win rate % (95 %)", "mean R"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cells = ["–"] * 3
        if row.n:
            cells = [
                f"{row.mean_score:.3f}",
                f"{100 * row.win_rate:.1f} ({100 * row.win_low:.1f}–{100 * row.win_high:.1f})",
                f"{row.mean_r:+.3f}"
                + (f" ± {row.mean_r_error:.3f}" if np.isfinite(row.mean_r_error) else ""),
            ]
        table.add_row(f"{row.low:.3f}–{row.high:.3f}", str(row.n), *cells)
    return table


def _selection(report: CalibrationReport) -> str:
    gap, within = report.taken_less_refused_r, report.taken_less_refused_r_at_equal_regime
    if gap is None or within is None:
        return "The thresholds took all candidates or none: there is nothing to compare."
    verdict = {1: "chose better trades", 0: "made no reliable difference", -1: "chose worse trades"}[gap.sign]
    whose = ": the difference is between regimes, not the score's" if gap.sign and not within.sign else ""
    return (
        f"The thresholds {verdict}: taken less refused {_interval(gap, '+.3f')} R a trade; within one "
        f"regime, so by the score alone, {_interval(within, '+.3f')}{whose}."
    )


def _probability(report: CalibrationReport) -> str:
    start = (
        f"Read as a win probability, the raw score has a Brier score of {report.brier_score:.4f}; always "
        f"saying the base rate ({100 * report.base_rate:.1f} %) has {report.brier_base_rate:.4f}."
    )
    forward = report.forward
    if forward is None:
        return start + " Too few past outcomes for an isotonic fit by month."
    verdict = {1: "better than", 0: "no different from", -1: "worse than"}[forward.gain_on_base_rate.sign]
    return (
        f"{start} Isotonic on the past alone, {forward.n:,} candidates in {forward.months} months out of "
        f"sample: {forward.brier_isotonic:.4f}, beside {forward.brier_score:.4f} of the raw score and "
        f"{forward.brier_base_rate:.4f} of the past win rate: {verdict} the win rate "
        f"(gain {_interval(forward.gain_on_base_rate, '+.5f')})."
    )


def _interval(estimate: Estimate, form: str) -> str:
    if not np.isfinite(estimate.low):
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


def as_json(report: CalibrationReport) -> dict[str, Any]:
    """Return all figures; one that does not exist is null."""
    figures = asdict(report)
    if report.forward is not None:
        del figures["forward"]["probability"]
    return {"answer": report.answer, "interval": "95 %, blocks are days", **_jsonable(figures)}


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if np.isfinite(value) else None
    return value
