"""The benchmark `adaptive bench kelly`: sizing beside a plain per-regime one, and what the ledger costs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.bench import kelly_simulation as market
from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.bench.kelly_comparison import GOAL_PCT, GROWTH, Comparison, compare
from adaptive_pkg.enums import Regime
from adaptive_pkg.reports import report_console
from adaptive_pkg.risk.kelly import estimate
from adaptive_pkg.risk.ledger import ClosedTrade, TradeLedger
from adaptive_pkg.settings import KellySettings

SEED = 31
HISTORIES = (15, 30, 60, 120)  # trades per regime on record when the account starts
LEDGER_SIZES = (1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Bounds:
    """What frames a comparison: ours as shipped, growth not matched, and an estimator that knows more."""

    history_trades_per_regime: int
    drawdown_rules: bool
    plain_growth_bp_per_trade: float
    shipped_fraction_of_kelly: float
    shipped_growth_bp_per_trade: float
    shipped_median_drawdown_pct: float
    shipped_p95_drawdown_pct: float
    informed_median_change_pct: float  # against the plain one, at equal mean growth
    informed_p95_change_pct: float
    informed_p95_change_pct_ci95: tuple[float, float]


def bench_kelly(paths: int, json_path: Path | None, edges: market.Edges | None = None) -> int:
    """Simulate `paths` accounts for each length of record; print both drawdowns at equal growth.

    Each path draws its own edges, as `edges` says (default: p − 1/(1 + b) = N(0.02, 0.03), half of that
    variance common to the five regimes and half each regime's own). Plain: f = (b·p − q)/b of the regime's
    own trades, a quarter of it, 1 % below 30 trades, held within [0.5 %, 10 %]. Informed: knows how edges
    are drawn.
    """
    settings, edges = KellySettings(), edges or market.Edges()
    rows, bounds = [], []
    for index, history in enumerate(HISTORIES):
        rng = np.random.default_rng([SEED, index])
        regimes, r = market.simulate(paths, history, rng, edges)
        of_rows, of_bounds = _one_record(regimes, r, history, edges, settings, rng)
        rows += of_rows
        bounds += of_bounds
    cost = ledger_cost(LEDGER_SIZES, settings)
    console = report_console()
    console.print(
        f"edges p − 1/(1 + b): mean {edges.mean:g}, sd {edges.sd:g}, "
        f"{edges.shared:.0%} of the variance common to the regimes"
    )
    _print_comparisons(rows, paths, console)
    _print_bounds(bounds, console)
    console.print(
        "ledger, record + advance + estimate per trade: "
        + ", ".join(f"{n:,} trades {1e6 * s:.1f} µs ({n * s:.3f} s in all)" for n, s in cost.items())
        + f"; {LEDGER_SIZES[-1]:,} cost {cost[LEDGER_SIZES[-1]] / cost[LEDGER_SIZES[0]]:.2f} times as much "
        f"a trade as {LEDGER_SIZES[0]:,}"
    )
    figures = {
        "paths": paths,
        "edges": asdict(edges),
        "horizon_trades": market.HORIZON,
        "goal_change_pct": GOAL_PCT,
        "comparisons": [_finite({**asdict(row), "goal_met": row.goal_met}) for row in rows],
        "bounds": [_finite(asdict(row)) for row in bounds],
        "ledger_seconds_per_trade": {str(n): s for n, s in cost.items()},
        "ledger_time_ratio_to_smallest": {str(n): s / cost[LEDGER_SIZES[0]] for n, s in cost.items()},
    }
    write_figures(figures, json_path)
    return 0


def _one_record(
    regimes: np.ndarray,
    r: np.ndarray,
    history: int,
    edges: market.Edges,
    settings: KellySettings,
    rng: np.random.Generator,
) -> tuple[list[Comparison], list[Bounds]]:
    """All comparisons on one set of paths, without and with the drawdown rules."""
    evidence = market.our_evidence(regimes, r, history, settings)
    means = market.informed_means(regimes, r, history, edges)
    plain, outcome = market.plain_fractions(regimes, r, history), r[:, -market.HORIZON :]
    rows, bounds = [], []
    for rules in (False, True):
        ours, informed = (
            market.run_accounts(fractions_of, plain, outcome, settings, rules)
            for fractions_of in (
                lambda fraction: market.our_fractions(evidence, fraction, settings),
                lambda fraction: market.informed_fractions(means, fraction, settings),
            )
        )
        rows += [compare(history, name, ours, rng) for name in GROWTH]
        best = compare(history, "mean", informed, rng)
        growth, drawdown = market.account(
            market.our_fractions(evidence, settings.fraction, settings),
            outcome,
            (lambda dd: market.throttle(dd, settings)) if rules else None,
        )
        bounds.append(
            Bounds(
                history_trades_per_regime=history,
                drawdown_rules=rules,
                plain_growth_bp_per_trade=best.plain_growth_bp_per_trade,
                shipped_fraction_of_kelly=settings.fraction,
                shipped_growth_bp_per_trade=1e4 * float(growth.mean()),
                shipped_median_drawdown_pct=100.0 * float(np.median(drawdown)),
                shipped_p95_drawdown_pct=100.0 * float(np.quantile(drawdown, 0.95)),
                informed_median_change_pct=best.median_change_pct,
                informed_p95_change_pct=best.p95_change_pct,
                informed_p95_change_pct_ci95=best.p95_change_pct_ci95,
            )
        )
    return rows, bounds


def ledger_cost(sizes: tuple[int, ...], settings: KellySettings, repeats: int = 3) -> dict[int, float]:
    """Seconds a trade costs (recorded, let in, one question asked) in ledgers of these sizes; fastest run."""
    names = list(Regime)
    seconds = dict.fromkeys(sizes, float("inf"))
    outcomes = np.where(np.random.default_rng(SEED).random(max(sizes)) < 0.45, market.PAYOFF, -1.0).tolist()
    trades = [ClosedTrade(i, i, names[i % len(names)], r, r) for i, r in enumerate(outcomes)]
    for size in list(sizes) * repeats:
        ledger = TradeLedger()
        started = time.perf_counter()
        for at, trade in enumerate(trades[:size]):
            ledger.record(trade)
            ledger.advance_to(at + 1)
            estimate(ledger, trade.regime, settings)
        seconds[size] = min(seconds[size], (time.perf_counter() - started) / size)
    return seconds


def _finite(figures: dict) -> dict:
    """NaN is no JSON: null says that growth could not be matched."""

    def clean(value):
        if isinstance(value, tuple):
            return [clean(item) for item in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {name: clean(value) for name, value in figures.items()}


def _print_comparisons(rows: list[Comparison], paths: int, console: Console) -> None:
    table = Table(
        title=f"maximum drawdown over {market.HORIZON} trades at equal growth, {paths} simulated accounts",
        box=box.SIMPLE,
        caption="record: trades per regime at the start; rules: each with its own drawdown rule; equal: "
        f"which growth; [..] 95 % bootstrap interval; goal: both changes at or below {GOAL_PCT:.0f} %; *: "
        "ours grows faster even at the smallest fraction and is compared there, nearly always at its floor",
    )
    for heading in (
        "record", "rules", "equal", "bp/trade", "fraction", "plain median", "ours", "change",
        "plain p95", "ours", "change", "goal",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=heading == "change")
    for row in rows:
        matched = not np.isnan(row.our_fraction_of_kelly)
        table.add_row(
            str(row.history_trades_per_regime),
            "on" if row.drawdown_rules else "off",
            row.growth_statistic,
            f"{row.plain_growth_bp_per_trade:.2f}",
            f"{row.our_fraction_of_kelly:.2f}{'*' * (row.our_fraction_of_kelly == market.FRACTIONS[0])}"
            if matched
            else "-",
            f"{row.plain_median_drawdown_pct:.1f}",
            f"{row.our_median_drawdown_pct:.1f}" if matched else "-",
            _change(row.median_change_pct, row.median_change_pct_ci95) if matched else "-",
            f"{row.plain_p95_drawdown_pct:.1f}",
            f"{row.our_p95_drawdown_pct:.1f}" if matched else "-",
            _change(row.p95_change_pct, row.p95_change_pct_ci95) if matched else "-",
            "met" if row.goal_met else "missed",
        )
    console.print(table)
    for row in rows:
        if np.isnan(row.our_fraction_of_kelly):
            low, high = row.our_growth_range_bp_per_trade
            console.print(
                f"record {row.history_trades_per_regime}, rules {'on' if row.drawdown_rules else 'off'}: our "
                f"{row.growth_statistic} growth is {low:.2f} to {high:.2f} bp over all fractions, the plain "
                f"one's {row.plain_growth_bp_per_trade:.2f}: it cannot be matched"
            )


def _print_bounds(bounds: list[Bounds], console: Console) -> None:
    table = Table(
        title="ours as shipped, growth not matched; at equal mean growth, one that knows how edges are drawn",
        box=box.SIMPLE,
        caption="informed: in proportion to the posterior mean under the very distribution of the edges",
    )
    for heading in (
        "record", "rules", "fraction", "plain bp/trade", "ours", "our median", "our p95",
        "informed median change", "informed p95 change",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for row in bounds:
        table.add_row(
            str(row.history_trades_per_regime),
            "on" if row.drawdown_rules else "off",
            f"{row.shipped_fraction_of_kelly:g}",
            f"{row.plain_growth_bp_per_trade:.2f}",
            f"{row.shipped_growth_bp_per_trade:.2f}",
            f"{row.shipped_median_drawdown_pct:.1f}",
            f"{row.shipped_p95_drawdown_pct:.1f}",
            f"{row.informed_median_change_pct:+.0f}%",
            _change(row.informed_p95_change_pct, row.informed_p95_change_pct_ci95),
        )
    console.print(table)


def _change(value: float, interval: tuple[float, float]) -> str:
    return f"{value:+.0f}% \\[{interval[0]:+.0f},{interval[1]:+.0f}]"
