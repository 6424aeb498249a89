"""The report `adaptive signals`: what followed each rule of the library, and what it knew beyond price."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.evaluation.signal_skill import BLOCK_DAYS, FAMILY_LEVEL, Figures, signal_skill
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.reports.signal_series import (
    ALWAYS_LONG,
    BASELINES,
    LEARNED,
    PAST_MOVE,
    PLACEBO,
    VOTE,
    SignalSeries,
    read_signals,
)
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.settings.library import LibrarySettings

HORIZON_HOURS = (1.0, 4.0, 24.0, 72.0)
MAIN_HORIZON = 2  # of HORIZON_HOURS: the one whose every figure is printed


@dataclass(frozen=True)
class SignalReport:
    """Every figure. horizons: in candles. figures: by signal, in the order of the horizons."""

    timeframe: str
    pairs: list[str]
    first: str
    last: str
    horizons: list[int]
    fee: float
    figures: dict[str, list[Figures]]
    series: SignalSeries

    def verdict(self, signal: str) -> str:
        """Noise, or not, in a few words."""
        rows = self.figures[signal]
        adds = [row for row in rows if row.adds > 0]
        against = [row for row in rows if row.adds < 0]
        pays = [row for row in rows if row.pays and row.excess_sigma.sign > 0]
        words = []
        if adds:
            words.append(f"knows something ({self._hours(adds)})")
        if against:
            words.append(f"points the wrong way ({self._hours(against)})")
        if not words:
            words.append("noise")
        words.append(f"beats fees ({self._hours(pays)})" if pays else "below fees")
        return ", ".join(words)

    def _hours(self, rows: list[Figures]) -> str:
        return ", ".join(f"{row.horizon * self.series.step_hours:g} h" for row in rows)

    @property
    def reading(self) -> list[str]:
        """Plain words on what the tables say."""
        asked = [row for name, rows in self.figures.items() if name not in BASELINES for row in rows]
        known = [row for row in asked if row.added_ic is not None]
        alone = [row for row in known if row.added_ic.sign > 0]
        adds = sorted({row.signal for row in known if row.adds > 0})
        against = sorted({row.signal for row in known if row.adds < 0})
        pays = sorted({row.signal for row in asked if row.pays and row.excess_sigma.sign > 0})
        if not known:
            return ["No added IC: the controls need a year of candles before the first one that is judged."]
        lines = [
            f"{len(known)} tests of added IC; intervals above 0: {len(alone)}, where luck alone gives about "
            f"{0.025 * len(known):.1f}. After Holm's correction for their number "
            + (f"these hold: {', '.join(adds)}." if adds else "none holds: no rule earns a weight.")
        ]
        if against:
            lines.append(f"The other way round than they point, after the correction: {', '.join(against)}.")
        made = f"these made money (not corrected for their number): {', '.join(pays)}"
        lines.append(
            f"After fees of {200 * self.fee:.2g} % a round trip and beyond the pairs' own drift, "
            f"{made if pays else 'no rule made money'}."
        )
        vote = self.figures[VOTE][self._main]
        lines.append(
            f"The vote speaks on {vote.fired_share:.0%} of candles; added IC × 100 at {self._hours([vote])}: "
            f"{_interval(vote.added_ic, 100)}. With weights learned from {self.series.trades:,} trades: "
            f"{_interval(self.figures[LEARNED][self._main].added_ic, 100)}."
        )
        if not adds:
            lines.append("So the vote's weight in the confidence belongs at 0, where it is by default.")
        return lines

    @property
    def _main(self) -> int:
        return min(MAIN_HORIZON, len(self.horizons) - 1)


def report_signals(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    library: LibrarySettings,
    json_path: Path | None,
    console: Console,
    timerange: str | None = None,
    html_path: Path | None = None,
) -> int:
    """Print what followed each rule on the candles on disk; write it as JSON and HTML if asked. Returns 0.

    Args:
        pairs: None means every pair of that timeframe found. timerange: freqtrade's form, of the candles
            judged; earlier ones train the controls.

    Raises:
        DataError: no candles, unusable ones, or too few.
    """
    series = read_signals(datadir, pairs, timeframe, settings, library, console, timerange)
    report = build_report(series, timeframe, settings.sizing.fee)
    render(report, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}")
    if html_path is not None:
        from adaptive_pkg.reports.signals_page import write_page

        console.print(f"written: {write_page(report, html_path)}")
    return 0


def build_report(series: SignalSeries, timeframe: str, fee: float) -> SignalReport:
    """Compute every figure. Raises DataError."""
    horizons = sorted({max(1, round(hours / series.step_hours)) for hours in HORIZON_HOURS})
    found = signal_skill(series.pairs, horizons, fee, BASELINES)
    figures: dict[str, list[Figures]] = {}
    for row in found:
        figures.setdefault(row.signal, []).append(row)
    judged = [pair.date[pair.judged] for pair in series.pairs if pair.judged.any()]
    first, last = min(dates[0] for dates in judged), max(dates[-1] for dates in judged)
    names = [pair.pair for pair in series.pairs]
    days = (str(moment.astype("datetime64[D]")) for moment in (first, last))
    return SignalReport(timeframe, names, *days, horizons, fee, figures, series)


def render(report: SignalReport, console: Console) -> None:
    """Print three tables and the reading."""
    hours = [f"{horizon * report.series.step_hours:g} h" for horizon in report.horizons]
    console.print(
        f"[bold]Signal library[/bold], {', '.join(report.pairs)}, {report.timeframe}, {report.first} – "
        f"{report.last}. Entered at the open after a signal, left at the close so many hours later. In "
        f"brackets: 95 %, blocks of {BLOCK_DAYS} days, all pairs together, drawn with replacement.",
        highlight=False,
    )
    _table(
        console, report, hours, "added IC × 100", lambda row: _interval(row.added_ic, 100),
        "Added IC: rank correlation with the forward return in σ of what past returns (1 to 168 candles) and "
        "volatility do not explain, fitted on the past alone. 100 would be perfect foresight.",
    )  # fmt: skip
    _table(
        console, report, hours, "mean % after fees", lambda row: _interval(row.net_pct),
        f"Mean return of a trade the way the signal points, less {200 * report.fee:.2g} % for both fees.",
    )  # fmt: skip
    main = report._main
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in (
        f"at {hours[main]}",
        "fires %",
        "long %",
        "mean σ",
        "mean σ less drift",
        "gross %",
        "IC × 100",
    ):
        table.add_column(heading, justify="left" if heading.startswith("at ") else "right", no_wrap=True)
    for name, rows in report.figures.items():
        row = rows[main]
        table.add_row(
            name,
            f"{100 * row.fired_share:.1f}",
            f"{100 * row.long_share:.0f}" if row.fired else "–",
            f"{row.mean_sigma.value:+.3f}" if row.mean_sigma else "–",
            _interval(row.excess_sigma, form="+.3f"),
            f"{row.gross_pct.value:+.3f}" if row.gross_pct else "–",
            _interval(row.rank_ic, 100),
        )
    console.print(table)
    verdicts = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    verdicts.add_column("rule", no_wrap=True)
    verdicts.add_column("last learned weight", justify="right")
    verdicts.add_column(f"reading (added IC at {FAMILY_LEVEL:.0%} for all tests together)")
    for name in report.figures:
        if name not in BASELINES:
            multiple = report.series.multiples.get(name)
            verdicts.add_row(name, "–" if multiple is None else f"× {multiple:.2f}", report.verdict(name))
    console.print(verdicts)
    for line in report.reading:
        console.print(line, highlight=False)
    console.print(
        f"Baselines: {PAST_MOVE}: the way of the last 24 h, which the controls hold, so its added IC should "
        f"be 0; {PLACEBO}: the vote of six weeks before; {ALWAYS_LONG}: every candle bought.",
        highlight=False,
    )
    for pair, words in report.series.filters.items():
        console.print(f"Filters, {pair}: {words}.", highlight=False)
    console.print(
        f"All rules took {report.series.rules_time_ratio:.1f} × the CPU time of the market frame "
        f"({report.series.candles:,} candles).",
        highlight=False,
    )


def _table(
    console: Console,
    report: SignalReport,
    hours: list[str],
    title: str,
    cell: Callable[[Figures], str],
    note: str,
) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(title, no_wrap=True)
    for heading in hours:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, rows in report.figures.items():
        table.add_row(name, *map(cell, rows))
    console.print(f"\n{note}", highlight=False)
    console.print(table)


def _interval(estimate: Estimate | None, scale: float = 1.0, form: str = "+.2f") -> str:
    if estimate is None:
        return "–"
    low, high = scale * estimate.low, scale * estimate.high
    return f"{scale * estimate.value:{form}} ({low:{form}} to {high:{form}})"


def as_json(report: SignalReport) -> dict[str, Any]:
    """All figures."""
    return {
        "reading": report.reading,
        "timeframe": report.timeframe,
        "pairs": report.pairs,
        "first": report.first,
        "last": report.last,
        "horizons_candles": report.horizons,
        "fee_one_side": report.fee,
        "interval": f"95 %, blocks of {BLOCK_DAYS} days, all pairs together",
        "filters": report.series.filters,
        "trades_learned_from": report.series.trades,
        "learned_multiples": report.series.multiples,
        "rules_time_ratio_to_market_frame": report.series.rules_time_ratio,
        "candles": report.series.candles,
        "signals": {
            name: {
                "baseline": name in BASELINES,
                "verdict": None if name in BASELINES else report.verdict(name),
                "horizons": [_finite(asdict(row)) for row in rows],
            }
            for name, rows in report.figures.items()
        },
    }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """The same with None for what is not a number, which JSON does not know."""
    return {
        key: _finite(value) if isinstance(value, dict) else None if value != value else value
        for key, value in values.items()
    }
