"""Check: a full backtest of the quarter beside the rules that any strategy has to beat."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.evaluation.strategy.allocation import Account, simulate
from adaptive_pkg.evaluation.strategy.baselines import buy_and_hold, donchian_ensemble
from adaptive_pkg.evaluation.strategy.bootstrap import (
    Difference,
    difference,
    draw_days,
    estimate,
    mean_annual,
)
from adaptive_pkg.evaluation.strategy.evaluate import BASELINE_TIMEFRAME
from adaptive_pkg.evaluation.strategy.panel import make_panel
from adaptive_pkg.evaluation.strategy.performance import Performance, measure, sharpe
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict
from adaptive_pkg.upkeep.quarter import Quarter

NAME = "backtest of the quarter"


def check_benchmark(quarter: Quarter) -> Finding:
    """The settings in force on the quarter's candles, beside buy and hold and the Donchian ensemble.

    Same days, pairs and costs; differences of mean return and Sharpe ratio, days resampled in
    blocks. In a rising market whoever holds less makes less, so the verdict asks for the Sharpe ratio.

    Raises:
        DataError, SettingsError: the backtest cannot be run.
    """
    result = quarter.backtest()
    ours = result.returns
    ours = ours[(ours.index >= quarter.start) & (ours.index < quarter.end)]
    rivals = {account.name: account.returns.reindex(ours.index) for account in _rivals(quarter)}
    draws = draw_days(np.column_stack([ours, *rivals.values()]))
    rows = [_row("the settings in force", measure(ours), str(len(quarter.trades)))]
    figures: dict[str, object] = {
        "start": quarter.start,
        "end": quarter.end,
        "pairs": list(quarter.pairs),
        "ours": {"total": measure(ours).total, "trades": len(quarter.trades)},
    }
    behind = []
    for name, returns in rivals.items():
        less = difference(mean_annual, ours.to_numpy(), returns.to_numpy(), draws)
        ratio = difference(sharpe, ours.to_numpy(), returns.to_numpy(), draws)
        rows.append(_row(name, measure(returns), "", less, ratio))
        figures[name] = {
            "total": measure(returns).total,
            "ours_less_theirs_a_year": [less.value, less.low, less.high],
            "sharpe_ours_less_theirs": [ratio.value, ratio.low, ratio.high],
        }
        if ratio.sign < 0:
            behind.append(name)
    table = FindingTable(
        (
            "account",
            "total",
            "Sharpe",
            "largest drawdown",
            "trades",
            "ours less theirs, % a year",
            "Sharpe, less theirs",
        ),
        tuple(rows),
    )
    total = measure(ours).total
    told = (
        f"{quarter.start:%Y-%m-%d} to {quarter.end - pd.Timedelta(days=1):%Y-%m-%d}, {len(quarter.pairs)} "
        f"pairs, {'with FreqAI' if quarter.conditions.uses_forecast else 'rules only'}: "
        f"{100 * total:+.1f} %, "
        f"{', '.join(f'{name} {100 * measure(returns).total:+.1f} %' for name, returns in rivals.items())}"
    )
    if quarter.without:
        told += f"; without {', '.join(quarter.without)}, whose candles do not reach the end"
    own = estimate(sharpe, ours.to_numpy(), draws)
    figures["sharpe"] = [own.value, own.low, own.high]
    if own.high < 0:
        return Finding(
            NAME,
            Verdict.ACT,
            f"the settings lose by more than luck explains, Sharpe {own.value:.2f} ({own.low:.2f} to "
            f"{own.high:.2f}): {told}",
            "go back to dry run, and judge the settings on years with `adaptive evaluate strategy` before "
            "they trade money again",
            figures,
            table,
        )
    if behind:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"behind {' and '.join(behind)} for the risk taken, by more than luck explains: {told}",
            "one quarter proves little: judge the settings on years with `adaptive evaluate strategy`, and "
            "ask whether the simple rule would not do",
            figures,
            table,
        )
    return Finding(
        NAME,
        Verdict.OK,
        f"{told}; for the risk taken no rival is ahead by more than luck (95 %, blocks of days)",
        "",
        figures,
        table,
    )


def _rivals(quarter: Quarter) -> list[Account]:
    conditions = quarter.conditions
    candles = {
        pair: conditions.store.load(pair, BASELINE_TIMEFRAME, end=quarter.end)[
            ["date", "open", "high", "low", "close"]
        ]
        for pair in quarter.pairs
    }
    panel = make_panel(candles)
    return [
        simulate(panel, rule, [conditions.cost()], start=quarter.start, end=quarter.end)[0]
        for rule in (buy_and_hold(panel, quarter.start), donchian_ensemble(panel))
    ]


def _row(
    name: str,
    found: Performance,
    trades: str,
    less: Difference | None = None,
    ratio: Difference | None = None,
) -> tuple[str, ...]:
    return (
        name,
        f"{100 * found.total:+.1f} %",
        f"{found.sharpe:.2f}" if np.isfinite(found.sharpe) else "–",
        f"{100 * found.max_drawdown:.1f} %",
        trades,
        "" if less is None else f"{100 * less.value:+.0f} ({100 * less.low:+.0f} to {100 * less.high:+.0f})",
        "" if ratio is None else f"{ratio.value:+.1f} ({ratio.low:+.1f} to {ratio.high:+.1f})",
    )
