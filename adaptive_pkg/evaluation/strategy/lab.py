"""The commands `adaptive evaluate strategy` and `adaptive compare`: run, judge, keep, print."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.accounts import trials
from adaptive_pkg.evaluation.strategy.bootstrap import difference, draw_days, estimate, mean_annual
from adaptive_pkg.evaluation.strategy.cache import told, write_whole
from adaptive_pkg.evaluation.strategy.evaluate import Request, evaluate
from adaptive_pkg.evaluation.strategy.findings import find
from adaptive_pkg.evaluation.strategy.ledger import Trial, TrialLedger, read_trials
from adaptive_pkg.evaluation.strategy.matching import drawdown_at_equal_growth, growth_at_equal_tail
from adaptive_pkg.evaluation.strategy.page import write_page
from adaptive_pkg.evaluation.strategy.performance import LEAST_DAYS, measure, sharpe
from adaptive_pkg.evaluation.strategy.report_data import (
    plain,
    read_report_data,
    report_data,
    returns_of,
    write_report_data,
)
from adaptive_pkg.evaluation.strategy.result_file import is_result, read_result
from adaptive_pkg.evaluation.strategy.tables import interval, number, percent, show

DATA_FILE = "strategy.json"
LEDGER_FILE = "trials.jsonl"


def evaluate_strategy(
    request: Request,
    console: Console,
    json_path: Path | None = None,
    ledger_path: Path | None = None,
    clock: Any = lambda: datetime.now(UTC),
) -> int:
    """Run an evaluation, print its tables, keep its data and its page in `out`/strategy.json and .html.

    Args:
        ledger_path: where tries are counted; default `out`/trials.jsonl. Use one for all evaluations on the
            same candles, or the luck in them is told too small.

    Returns:
        0, or 130 if interrupted; finished backtests are kept either way.

    Raises:
        DataError, SettingsError: see `evaluate`.
    """
    ledger = TrialLedger(ledger_path or request.out / LEDGER_FILE)
    ledger.trials()  # one that cannot be read is better told before hours of work
    others, unknown = _elsewhere(request.trials)
    try:
        evaluation = evaluate(request, console)
    except KeyboardInterrupt:
        console.print(
            f"interrupted; finished backtests are kept in {request.out / 'jobs'}, the same command goes on "
            "from there",
            highlight=False,
        )
        return 130
    console.print(
        f"{evaluation.made} backtests made, {evaluation.jobs} kept in {request.out / 'jobs'}", highlight=False
    )
    with console.status("judging"):
        at = clock()
        ledger.add([*others, *trials(evaluation, at)])
        plan = evaluation.plan
        tried = ledger.sharpes(str(plan.start.date()), str(plan.end.date()))
        data = report_data(evaluation, find(evaluation, tried, unknown), at)
    target = request.out / DATA_FILE
    write_report_data(data, target)
    if json_path and json_path != target:
        write_report_data(data, json_path)
    page = write_page(data, target.with_suffix(".html"))
    show(data, console)
    console.print(f"written: {target}, {page}", highlight=False)
    return 0


def _elsewhere(text: str) -> tuple[list[Trial], int]:
    """Tries made outside of the ledger: those of a file, or a number of them. Raises DataError."""
    if re.fullmatch(r"\d+", text):
        return [], int(text)
    return (read_trials(Path(text)), 0) if text else ([], 0)


def compare(first: Path, second: Path, console: Console, json_path: Path | None = None) -> int:
    """Compare the strategy's account of two evaluations or backtest results on the days that both have.

    Returns:
        0.

    Raises:
        DataError: a file is neither of the two, or they have fewer than 30 days in common.
    """
    found = comparison(_account(first), _account(second))
    data = plain({"first": str(first), "second": str(second), **found})
    days = f"{data['start']} – {data['end']}, {data['days']} days"
    console.print(f"{first} (A) beside {second} (B), {days}; B less A, paired days, 95 %", highlight=False)
    for name, key in (("A", "first_account"), ("B", "second_account")):
        figures = data[key]["performance"]
        console.print(
            f"{name}: {percent(figures['total'])}, Sharpe ratio {interval(data[key]['sharpe'])}, largest "
            f"drawdown {percent(figures['max_drawdown'])}",
            highlight=False,
        )
    console.print(f"return a year, %: {interval(data['mean_return'], 100)}", highlight=False)
    console.print(f"Sharpe ratio: {interval(data['sharpe'])}", highlight=False)
    growth = data["growth_at_equal_tail"]
    console.print(
        f"growth a year at equal tail loss, %: {interval(growth['difference'], 100)} "
        f"(A staked {number(growth['scale'])} times as much)",
        highlight=False,
    )
    console.print(data["answer"], highlight=False)
    if json_path:
        with told(json_path):
            write_whole(json_path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())
    return 0


def comparison(first: pd.Series, second: pd.Series) -> dict[str, Any]:
    """Second less first, on their common days. Raises DataError: fewer than 30 of them."""
    days = first.index.intersection(second.index)
    if len(days) < LEAST_DAYS:
        raise DataError(
            f"the two results have {len(days)} days in common ({_span(first)} and {_span(second)}); at least "
            f"{LEAST_DAYS} are needed: evaluate both over the same span"
        )
    a, b = first[days].to_numpy(), second[days].to_numpy()
    draws = draw_days(np.column_stack([a, b]))
    growth, ratio = growth_at_equal_tail(b, a, draws), difference(sharpe, b, a, draws)
    same = bool((a == b).all())
    better = {1: "B is better", -1: "A is better", 0: "No evidence that one is better"}
    return {
        "start": days[0].date(),
        "end": days[-1].date(),
        "days": len(days),
        "first_account": {"performance": measure(first[days]), "sharpe": estimate(sharpe, a, draws)},
        "second_account": {"performance": measure(second[days]), "sharpe": estimate(sharpe, b, draws)},
        "mean_return": difference(mean_annual, b, a, draws),
        "sharpe": ratio,
        "growth_at_equal_tail": growth,
        "drawdown_at_equal_growth": drawdown_at_equal_growth(b, a, draws),
        "answer": "The two are the same, day by day."
        if same
        else f"{better[ratio.sign]}, by the Sharpe ratio of the same days.",
    }


def _account(path: Path) -> pd.Series:
    """Daily returns of an evaluation's strategy, or of a freqtrade backtest result."""
    return read_result(path).returns if is_result(path) else returns_of(read_report_data(path))


def _span(returns: pd.Series) -> str:
    return f"{returns.index[0]:%Y-%m-%d} – {returns.index[-1]:%Y-%m-%d}"
