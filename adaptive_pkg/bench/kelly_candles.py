"""`adaptive bench kelly --datadir`: sizing of the trades the rules would have made, in resampled orders.

Nothing is assumed of their edge. Growth is not matched here: a fraction at which two estimators grow alike
is only worth comparing where there is growth, which these trades may not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from arch.bootstrap import StationaryBootstrap
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.entries import plan_entries
from adaptive_pkg.evaluation.outcomes import one_at_a_time, walk_entries
from adaptive_pkg.reports import report_console
from adaptive_pkg.reports.judged_pairs import judged_pairs
from adaptive_pkg.reports.kelly_resampled import MIN_BLOCK, Paired, print_resampled, resample
from adaptive_pkg.risk.ledger import ClosedTrade
from adaptive_pkg.settings import AdaptiveSettings

SEED, RESAMPLES = 53, 500
MIN_TRADES = 30  # fewer give an interval that is too narrow to be shown
ALL = "all"


@dataclass(frozen=True)
class Edge:
    """What one regime's trades were worth; None: no such figure (no win, no loss, too few trades)."""

    regime: str
    trades: int
    win_probability: float | None
    payoff_ratio: float | None  # mean win ÷ mean loss
    edge_probability: float | None  # p − 1/(1 + b), what the simulated accounts' trades are drawn by
    mean_r: float | None
    mean_r_ci95: tuple[float, float] | None


def bench_kelly_on_candles(paths: int, json_path: Path | None, choice: CandleChoice) -> int:
    """Take the rules' entries on the candles in `paths` resampled orders; print edges, growth and drawdown.

    Raises:
        DataError: no candles, or too few trades in them.
    """
    console, settings = report_console(), AdaptiveSettings()
    trades = candle_trades(choice, settings, console)
    edges = [edge_of(ALL, [trade.r_multiple for trade in trades])]
    for regime in Regime:
        edges.append(edge_of(str(regime), [trade.r_multiple for trade in trades if trade.regime is regime]))
    paired = resample(trades, settings.kelly, paths)
    _print_edges(edges, console)
    print_resampled(paired, len(trades), paths, console)
    growth, drawdown = paired
    figures = {
        "pairs": sorted({trade.trade_id[0] for trade in trades}),
        "timeframe": choice.timeframe,
        "trades": len(trades),
        "resampled_orders": paths,
        "edges": [asdict(edge) for edge in edges],
        "log_growth_bp_per_trade": _figures(growth),
        "maximum_drawdown_pct": _figures(drawdown),
    }
    write_figures(figures, json_path)
    return 0


def candle_trades(choice: CandleChoice, settings: AdaptiveSettings, console: Console) -> list[ClosedTrade]:
    """What the policy takes without a forecast, one trade a pair at a time, in the order they closed.

    Raises:
        DataError: no candles, or no entry in them.
    """
    trades = []
    for item in judged_pairs(choice.datadir, choice.pairs, choice.timeframe, settings, console):
        entries = item.entries.only(item.entries.taken)
        outcomes = walk_entries(item.path, entries, plan_entries(item.path, entries, settings))
        for at in np.flatnonzero(one_at_a_time(outcomes) & outcomes.finished).tolist():
            closed_at = item.path.date[outcomes.exit_at[at]].astype("datetime64[ns]").astype(int)
            trades.append(
                ClosedTrade(
                    (item.pair, at),
                    int(closed_at),
                    Regime.from_code(int(entries.regime[at])),
                    float(outcomes.r[at]),
                    float(outcomes.profit[at]),
                )
            )
    if not trades:
        raise DataError(
            f"{choice.datadir}: the rules took no trade in its {choice.timeframe} candles; give more candles"
        )
    return sorted(trades, key=lambda trade: trade.closed_at)


def edge_of(regime: str, r: Sequence[float]) -> Edge:
    """Edge of trades in order of time, `r` in R, the mean's interval by stationary block bootstrap."""
    values = np.asarray(r, dtype=float)
    if not len(values):
        return Edge(regime, 0, None, None, None, None, None)
    won = values > 0.0
    p, b = float(won.mean()), None
    if won.any() and values[~won].sum() < 0.0:
        b = float(values[won].mean() / -values[~won].mean())
    interval = None
    if len(values) >= MIN_TRADES:
        bootstrap = StationaryBootstrap(MIN_BLOCK, values, seed=np.random.default_rng(SEED))
        means = [drawn.mean() for (drawn,), _ in bootstrap.bootstrap(RESAMPLES)]
        low, high = np.quantile(means, (0.025, 0.975))
        interval = float(low), float(high)
    return Edge(
        regime,
        len(values),
        p,
        b,
        None if b is None else p - 1.0 / (1.0 + b),
        float(values.mean()),
        interval,
    )


def _figures(row: Paired) -> dict:
    return {name: value for name, value in asdict(row).items() if name != "figure"}


def _print_edges(edges: list[Edge], console: Console) -> None:
    table = Table(
        title="edges of the rules' trades on these candles, after fees",
        box=box.SIMPLE,
        caption="p − 1/(1 + b) is what the simulated accounts draw; \\[..] 95 % block-bootstrap interval",
    )
    for heading in ("regime", "trades", "p", "b", "p − 1/(1 + b)", "mean R"):
        table.add_column(heading, justify="left" if heading == "regime" else "right")
    for edge in edges:
        mean = _cell(edge.mean_r, "+.3f")
        if edge.mean_r_ci95 is not None:
            mean += f" \\[{edge.mean_r_ci95[0]:+.3f},{edge.mean_r_ci95[1]:+.3f}]"
        table.add_row(
            edge.regime,
            str(edge.trades),
            _cell(edge.win_probability, ".3f"),
            _cell(edge.payoff_ratio, ".2f"),
            _cell(edge.edge_probability, "+.3f"),
            mean,
        )
    console.print(table)


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"
