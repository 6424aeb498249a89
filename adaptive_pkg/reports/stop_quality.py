"""The report `adaptive stops`: the dynamic stop beside one that never moves and a fixed percentage."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.entries import JudgedPair
from adaptive_pkg.evaluation.stop_rules import (
    DYNAMIC,
    FIXED,
    FIXED_MEAN,
    INITIAL_ONLY,
    QUANTILES,
    TAIL,
    WHIPSAW_CANDLES,
    Difference,
    RuleFigures,
    cvar,
    difference,
    figures,
    fraction_at_equal_tail,
    run_rule,
    taken_entries,
)
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.reports.judged_pairs import judged_pairs
from adaptive_pkg.settings import AdaptiveSettings

SEED = 21  # of the bootstrap
BLOCK_DAYS = 7  # entries of one week, all pairs together, are drawn as one


@dataclass(frozen=True)
class StopReport:
    """Everything the report says.

    fixed_pct: the percentage at which CVaR 5 % equals the dynamic stop's. capped_pct: share of the entries
    whose initial stop lies at stops.max_fraction; above 5 % the tail is that cap and little else.
    """

    timeframe: str
    pairs: list[str]
    first: str
    last: str
    fixed_pct: float
    capped_pct: float
    rules: list[RuleFigures]
    differences: list[Difference]

    @property
    def answer(self) -> str:
        """Plain words on which stop was better than the fixed percentage at equal tail loss."""
        fixed = next(item for item in self.differences if item.other == FIXED)
        rules = {row.rule: row for row in self.rules}
        whipsaws = rules[DYNAMIC].whipsaws_per_100, rules[FIXED].whipsaws_per_100
        change = 100 * (whipsaws[0] / whipsaws[1] - 1) if whipsaws[1] else float("nan")
        profit = {
            1: "and earned more",
            0: "and earned no reliably different profit",
            -1: "and earned less",
        }[fixed.mean_profit_pct.sign]
        shaken = {1: "more", 0: "not reliably more or fewer", -1: "fewer"}[fixed.whipsaws_per_100.sign]
        text = (
            f"At equal tail loss the dynamic stop had {shaken} whipsaws than a fixed {self.fixed_pct:.2f} % "
            f"({whipsaws[0]:.1f} against {whipsaws[1]:.1f} per 100 trades, {change:+.0f} %) {profit} "
            f"({fixed.mean_profit_pct.value:+.3f} % a trade, 95 % {fixed.mean_profit_pct.low:+.3f} to "
            f"{fixed.mean_profit_pct.high:+.3f})."
        )
        still = next(item for item in self.differences if item.other == INITIAL_ONLY)
        moved = {1: "added profit", 0: "changed profit by nothing reliable", -1: "cost profit"}[
            still.mean_profit_pct.sign
        ]
        return (
            f"{text} Moving the stop to breakeven and trailing it {moved} "
            f"({still.mean_profit_pct.value:+.3f} % a trade, {still.mean_profit_pct.low:+.3f} to "
            f"{still.mean_profit_pct.high:+.3f}) beside the same initial stop left alone."
        )


def report_stop_quality(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    json_path: Path | None,
    console: Console,
    timerange: str | None = None,
) -> int:
    """Print what the stop does to the strategy's entries on the candles on disk, and write it as JSON.

    Returns 0. Judged: the entries the policy takes without a forecast, one trade a pair at a time, no limit
    across pairs. All rules get exactly the same entries, so differences are paired.

    Args:
        pairs: None means every pair of that timeframe found. timerange: freqtrade's form, of the entries.

    Raises:
        DataError: no candles, unusable ones, or too few trades to speak of a tail.
        SettingsError: dynamic stops are off, so there is nothing to compare.
    """
    if not settings.components.dynamic_stops:
        raise SettingsError(
            "components.dynamic_stops is off: the stop is a fixed one; switch it on to judge it"
        )
    judged = judged_pairs(datadir, pairs, timeframe, settings, console, timerange)
    report = build_report(judged, timeframe, settings)
    render(report, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}")
    return 0


def build_report(judged: list[JudgedPair], timeframe: str, settings: AdaptiveSettings) -> StopReport:
    """Compute every figure. Raises DataError with fewer than 100 trades."""
    taken = [kept for item in judged if len((kept := taken_entries(item, settings)).entries)]
    count = sum(len(item.entries) for item in taken)
    if count < 100:
        raise DataError(f"stops: {count} trades; a tail of 5 % needs at least 100, so give more candles")
    dynamic = run_rule(taken, settings, DYNAMIC)
    fraction = fraction_at_equal_tail(taken, settings, cvar(dynamic.profit))
    trades = {
        DYNAMIC: dynamic,
        INITIAL_ONLY: run_rule(taken, settings, INITIAL_ONLY),
        FIXED: run_rule(taken, settings, FIXED, fraction),
        FIXED_MEAN: run_rule(taken, settings, FIXED_MEAN, float(dynamic.stop_fraction.mean())),
    }
    capped = dynamic.stop_fraction >= settings.stops.max_fraction - 1e-9
    moments = np.concatenate([item.path.date[item.entries.row] for item in taken])
    blocks = (moments.astype("datetime64[D]").astype(np.int64) + 3) // BLOCK_DAYS  # day 0 was a Thursday
    return StopReport(
        timeframe=timeframe,
        pairs=[item.pair for item in taken],
        first=str(moments.min().astype("datetime64[D]")),
        last=str(moments.max().astype("datetime64[D]")),
        fixed_pct=100 * fraction,
        capped_pct=100 * float(capped.mean()),
        rules=[figures(rule, rows) for rule, rows in trades.items()],
        differences=[
            difference(dynamic, trades[other], other, blocks, np.random.default_rng(SEED))
            for other in (INITIAL_ONLY, FIXED, FIXED_MEAN)
        ],
    )


def render(report: StopReport, console: Console) -> None:
    """Print the tables and the answer."""
    total = report.rules[0].trades
    console.print(
        f"[bold]Stops[/bold], {', '.join(report.pairs)}, {report.timeframe}, {report.first} – {report.last}: "
        f"the same {total:,} entries under each rule, same targets and exit signals, after fees. The fixed "
        "stops are (tail) the percentage with the dynamic stop's CVaR 5 % (mean of the worst 5 % of "
        "trades), found in hindsight on these trades, and (mean) its mean initial distance. A whipsaw: "
        f"stopped out, then within {WHIPSAW_CANDLES} candles better than the exit by the dynamic stop's "
        "initial distance. R is a rule's own initial risk.",
        highlight=False,
    )
    rules = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    rules.add_column("rule", no_wrap=True)
    headings = (
        "stop %", "stopped\nper 100", "whipsaws\nper 100", "win rate\n%", "mean\nprofit %", "CVaR 5 %\n%",
        "mean R", "CVaR 5 %\nR",
    )  # fmt: skip
    for heading in headings:
        rules.add_column(heading, justify="right", no_wrap=True)
    excursions = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    excursions.add_column(f"excursion, quantiles {', '.join(f'{q:.0%}' for q in QUANTILES)}", no_wrap=True)
    for heading in ("MAE %", "MFE %", "MAE R", "MFE R"):
        excursions.add_column(heading, justify="right", no_wrap=True)
    for row in report.rules:
        rules.add_row(
            row.rule,
            f"{row.mean_stop_pct:.2f}",
            f"{row.stopped_per_100:.1f}",
            f"{row.whipsaws_per_100:.1f}",
            f"{row.win_rate_pct:.1f}",
            f"{row.mean_profit_pct:+.3f}",
            f"{row.cvar5_pct:.2f}",
            f"{row.mean_r:+.3f}",
            f"{row.cvar5_r:.2f}",
        )
        groups = (row.mae_pct, row.mfe_pct, row.mae_r, row.mfe_r)
        excursions.add_row(row.rule, *(" ".join(f"{value:.2f}" for value in group) for group in groups))
    console.print(rules)
    console.print(excursions)
    gaps = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    gaps.add_column("dynamic less", no_wrap=True)
    for heading in ("whipsaws per 100", "mean profit %", "CVaR 5 % %", "mean R"):
        gaps.add_column(heading, justify="right", no_wrap=True)
    for gap in report.differences:
        gaps.add_row(
            gap.other,
            _interval(gap.whipsaws_per_100, "+.1f"),
            _interval(gap.mean_profit_pct, "+.3f"),
            _interval(gap.cvar5_pct, "+.2f"),
            _interval(gap.mean_r, "+.3f"),
        )
    console.print(gaps)
    console.print("In brackets: 95 %, weeks drawn with replacement, the same for both rules.")
    if report.capped_pct > 100 * TAIL:
        console.print(
            f"{report.capped_pct:.0f} % of the initial stops lie at the cap stops.max_fraction: the tail is "
            "that cap, so equal tail loss means a fixed stop at the cap.",
            highlight=False,
        )
    console.print(report.answer, highlight=False)


def _interval(estimate: Estimate, form: str) -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


def as_json(report: StopReport) -> dict[str, Any]:
    """Return all figures."""
    return {
        "answer": report.answer,
        "quantiles": list(QUANTILES),
        "interval": f"95 %, blocks of {BLOCK_DAYS} days",
        **asdict(report),
    }
