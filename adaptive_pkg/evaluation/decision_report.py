"""The report `adaptive evaluate decisions`: can what became of past candidates tell good ones from bad?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.decision_skill import TRIED_WEIGHT, DecisionReport, judge_learning
from adaptive_pkg.learning.labels import label_candidates
from adaptive_pkg.learning.lesson import learn_shown
from adaptive_pkg.learning.rehearsed import rehearse
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.reports.judged_pairs import timerange_bounds
from adaptive_pkg.reports.regimes import find_candle_files, read_candles
from adaptive_pkg.settings import AdaptiveSettings

_NAMES = {
    "win": "win probability",
    "r": "R",
    "holding": "holding time, log(1 + candles)",
    "excursion": "adverse excursion, in stops",
}


def evaluate_decisions(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    json_path: Path | None,
    console: Console,
    timerange: str | None = None,
) -> int:
    """Learn walk-forward from the candidates of the candles on disk, print how well, write JSON. Returns 0.

    Args:
        pairs: None means every pair of that timeframe found. timerange: freqtrade's form, of the candidates.

    Raises:
        DataError: no candles, unusable ones, or too few candidates to learn from.
    """
    labelled = labelled_candidates(datadir, pairs, timeframe, settings, console, timerange)
    sample, learned = learn_shown(labelled, settings, console)
    report = judge_learning(labelled, sample, learned, settings, timeframe)
    render(report, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(_jsonable(asdict(report)), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}")
    return 0


def labelled_candidates(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    console: Console,
    timerange: str | None = None,
) -> pd.DataFrame:
    """Every candidate of the candles on disk with what it became, in order of time. Raises DataError."""
    start, stop = timerange_bounds(timerange)
    seconds = round(timeframe_hours(timeframe) * 3600)
    parts = []
    files = find_candle_files(datadir, pairs, timeframe)
    for pair, source in track(list(files.items()), "judging candles", console=console, transient=True):
        candles = read_candles(source)
        try:
            rows = rehearse(pair, timeframe, seconds, candles, settings, start=start, stop=stop)
            parts.append(label_candidates(rows, candles, seconds, settings))
        except DataError as error:
            raise DataError(f"{source.name}: {error}") from None
    labelled = pd.concat(parts, ignore_index=True)
    if labelled.empty:
        raise DataError(f"no candidate entry in {', '.join(files)} ({timeframe}); give more candles")
    return labelled.sort_values("closed_ms", kind="stable", ignore_index=True)


def render(report: DecisionReport, console: Console) -> None:
    """Print the tables and what they say."""
    console.print(
        f"[bold]Learning from decisions[/bold], {report.approach}, {', '.join(report.pairs)}, "
        f"{report.timeframe}, {report.first} – {report.last}: {report.candidates:,} candidates, taken or "
        f"refused, each walked to its end on its own; {report.n:,} of them, from {report.judged_from} on, "
        f"judged by models that had seen only what was known before ({len(report.earned)} trainings). "
        f"Intervals are 95 %: blocks of {report.block_days} days, all pairs together, drawn anew.",
        highlight=False,
    )
    _models(report, console)
    _calibration(report, console)
    _earned(report, console)
    _sides(report, console)
    for line in sentences(report):
        console.print(line, highlight=False)


def sentences(report: DecisionReport) -> list[str]:
    """What the tables say, in words."""
    good = [
        _NAMES[model.target]
        for model in report.models
        if model.skill.sign > 0 and model.skill_within.sign > 0
    ]
    lines = [
        "Beyond the past mean, and each regime's own, these could be forecast: "
        + (", ".join(good) or "none")
        + "."
    ]
    both = report.sides[-1]
    if both.difference is not None:
        verdict = {1: "better than", 0: "no different from", -1: "worse than"}[both.difference.sign]
        lines.append(
            f"Candidates the models spoke for were {verdict} those they spoke against: "
            f"{_interval(both.difference, '+.3f')} R."
        )
    ever = [one.valid_from for one in report.earned if any(one.weight.values())]
    lines.append(
        f"A weight was earned at {len(ever)} of {len(report.earned)} trainings"
        + (f" ({ever[0]} … {ever[-1]})." if ever else ".")
    )
    change = report.changes[0]
    if ever:
        verdict = {1: "more", 0: "neither more nor less", -1: "less"}[change.difference.sign]
        lines.append(
            f"With these weights and confidence_weight {TRIED_WEIGHT:g} the trades taken would have made "
            f"{verdict} per unit of size: {_interval(change.difference, '+.4f')} R."
        )
    return lines


def _models(report: DecisionReport, console: Console) -> None:
    table = _table("out of sample", "model")
    for heading in ("mean", "skill over the past mean", "over the regime's past mean", "rank correlation"):
        table.add_column(heading, justify="right")
    for model in report.models:
        table.add_row(
            _NAMES[model.target],
            f"{model.mean:.3f}",
            _interval(model.skill, "+.4f"),
            _interval(model.skill_within, "+.4f"),
            _interval(model.rank_ic, "+.3f"),
        )
    console.print(table)


def _calibration(report: DecisionReport, console: Console) -> None:
    table = _table("win probability: said and seen", "said")
    for heading in ("n", "mean said %", "won % (95 %)", "mean R"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in report.calibration:
        table.add_row(
            f"{row.low:.3f}–{row.high:.3f}",
            str(row.n),
            f"{100 * row.mean_score:.1f}",
            f"{100 * row.win_rate:.1f} ({100 * row.win_low:.1f}–{100 * row.win_high:.1f})",
            f"{row.mean_r:+.3f} ± {row.mean_r_error:.3f}",
        )
    console.print(table)


def _earned(report: DecisionReport, console: Console) -> None:
    for target in ("win", "r"):
        table = _table(f"weight earned by {_NAMES[target]}, by training", "from")
        for heading in ("candidates", "skill so far", "R per unit of effect so far", "weight"):
            table.add_column(heading, justify="right", no_wrap=True)
        for one in report.earned:
            figures = [_interval(found[target], "+.4f") for found in (one.skill, one.worth)]
            table.add_row(one.valid_from, str(one.candidates), *figures, f"{one.weight[target]:.2f}")
        console.print(table)


def _sides(report: DecisionReport, console: Console) -> None:
    table = _table("mean R of candidates the models speak for and against", "by")
    for heading in ("for", "against", "R for", "R against", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for side in report.sides:
        table.add_row(
            side.by,
            str(side.above),
            str(side.below),
            f"{side.r_above:+.3f}",
            f"{side.r_below:+.3f}",
            "–" if side.difference is None else _interval(side.difference, "+.3f"),
        )
    console.print(table)
    table = _table(f"the decision at confidence_weight {TRIED_WEIGHT:g}", "weights")
    for heading in (
        "taken",
        "then",
        "dropped, their R",
        "added, their R",
        "R per size",
        "then",
        "difference",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for change in report.changes:
        table.add_row(
            change.weights,
            str(change.taken_before),
            str(change.taken_after),
            _group(change.dropped, change.r_dropped),
            _group(change.added, change.r_added),
            f"{change.r_before:+.4f}",
            f"{change.r_after:+.4f}",
            _interval(change.difference, "+.4f"),
        )
    console.print(table)


def _group(count: int, mean_r: float) -> str:
    return f"{count}, {mean_r:+.3f}" if count else "0"


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    return table


def _interval(estimate: Estimate, form: str) -> str:
    if not np.isfinite(estimate.value):
        return "–"
    if not np.isfinite(estimate.low):
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if np.isfinite(value) else None
    return value
