"""Two ways to size one record of closed trades, on the same resampled orders of them: growth and drawdown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.bench import kelly_simulation as plain_rule
from adaptive_pkg.errors import DataError
from adaptive_pkg.risk.kelly import drawdown_multiplier, estimate, kelly_fraction
from adaptive_pkg.risk.ledger import ClosedTrade, RunningStats, TradeLedger
from adaptive_pkg.settings import KellySettings

SEED = 47
MIN_BLOCK = 5.0  # trades; those of several pairs close together


@dataclass(frozen=True)
class Paired:
    """One figure over the resamples: medians, that of ours − plain with its 95 % percentile interval."""

    figure: str
    ours: float
    plain: float
    difference: float
    difference_ci95: tuple[float, float]


def resample(trades: list[ClosedTrade], settings: KellySettings, resamples: int) -> list[Paired]:
    """Stationary block bootstrap (Politis & Romano 1994) of (regime, R); both estimators on each resample.

    Each resample is an account that starts without a record and takes its trades one after the other. Ours:
    `estimate` and `drawdown_multiplier`. Plain: settings.fraction of the Kelly fraction of the regime's own
    record, with the bounds, the start and the drawdown cliff of `adaptive bench kelly`. Presets, position
    limits and overlapping trades are left out of both.

    Raises:
        DataError: too few trades or resamples, or a loss that would cost more than the account.
    """
    if len(trades) <= 2 * settings.min_trades or resamples < 20:
        raise DataError(
            f"{len(trades)} closed trades, {resamples} resamples: resampling needs more than "
            f"{2 * settings.min_trades} trades (twice kelly.min_trades) and at least 20 resamples"
        )
    r = np.array([trade.r_multiple for trade in trades])
    block = max(MIN_BLOCK, float(optimal_block_length(r)["stationary"].iloc[0]))  # NaN if R is constant
    bootstrap = StationaryBootstrap(block, np.arange(len(trades)), seed=np.random.default_rng(SEED))
    rows = []
    for (order,), _ in bootstrap.bootstrap(resamples):
        drawn = [trades[at] for at in order.tolist()]
        rows.append((account(drawn, *_ours(settings)), account(drawn, *_plain(settings))))
    found = np.array(rows)  # (resamples, ours or plain, growth or drawdown)
    figures = {
        "log growth, bp a trade": 1e4 * found[:, :, 0] / len(trades),
        "maximum drawdown, %": 100.0 * found[:, :, 1],
    }
    return [_paired(name, values) for name, values in figures.items()]


Sizer = Callable[[TradeLedger, ClosedTrade], float]


def account(trades: list[ClosedTrade], size: Sizer, rule: Callable[[float], float]) -> tuple[float, float]:
    """Log growth in all and maximum drawdown of `trades` in turn; `rule`: drawdown → multiplier on size."""
    ledger, level, peak, deepest = TradeLedger(), 0.0, 0.0, 0.0
    for number, trade in enumerate(trades):
        drawdown = 1.0 - math.exp(level - peak)
        outcome = size(ledger, trade) * rule(drawdown) * trade.r_multiple
        if outcome <= -1.0:
            raise DataError(
                f"trade {trade.trade_id!r}: {trade.r_multiple:.1f} R would cost more than the account; "
                "lower kelly.cap or look into that trade"
            )
        level += math.log1p(outcome)
        peak = max(peak, level)
        deepest = max(deepest, 1.0 - math.exp(level - peak))
        ledger.add(ClosedTrade(number, number, trade.regime, trade.r_multiple, trade.profit_abs))
    return level, deepest


def plain_fraction(own: RunningStats, fraction: float) -> float:
    """The per-regime estimate: `fraction` of (b·p − q)/b of the regime's own record, within its bounds."""
    if own.n < plain_rule.PLAIN_MIN_TRADES or not own.wins or own.loss_sum <= 0.0:
        return plain_rule.PLAIN_START
    full = kelly_fraction(own.wins / own.n, (own.win_sum / own.wins) / (own.loss_sum / own.losses))
    return min(max(fraction * full, plain_rule.PLAIN_FLOOR), plain_rule.PLAIN_CAP)


def print_resampled(rows: list[Paired], trades: int, resamples: int, console: Console) -> None:
    """One line per figure."""
    table = Table(
        title=f"{trades} trades in {resamples} resampled orders: ours beside a plain per-regime estimator",
        box=box.SIMPLE,
        caption="medians; the same orders for both, each with its own drawdown rule; \\[..] 95 % of orders",
    )
    for heading in ("", "ours", "plain", "ours − plain"):
        table.add_column(heading, justify="right")
    for row in rows:
        low, high = row.difference_ci95
        difference = f"{row.difference:+.2f} \\[{low:+.2f},{high:+.2f}]"
        table.add_row(row.figure, f"{row.ours:.2f}", f"{row.plain:.2f}", difference)
    console.print(table)


def as_figures(rows: list[Paired], resamples: int) -> dict:
    """For the report's JSON."""
    return {"resamples": resamples, "figures": [asdict(row) for row in rows]}


def _ours(settings: KellySettings) -> tuple[Sizer, Callable[[float], float]]:
    return (
        lambda ledger, trade: estimate(ledger, trade.regime, settings).fraction,
        lambda drawdown: drawdown_multiplier(drawdown, settings),
    )


def _plain(settings: KellySettings) -> tuple[Sizer, Callable[[float], float]]:
    return (
        lambda ledger, trade: plain_fraction(ledger.by_regime[trade.regime], settings.fraction),
        lambda drawdown: plain_rule.PLAIN_CLIFF_FACTOR if drawdown >= plain_rule.PLAIN_CLIFF else 1.0,
    )


def _paired(name: str, values: np.ndarray) -> Paired:
    """`values`: (resamples, 2), ours and plain."""
    difference = values[:, 0] - values[:, 1]
    low, high = np.quantile(difference, (0.025, 0.975))
    ours, plain = np.median(values, axis=0)
    return Paired(name, float(ours), float(plain), float(np.median(difference)), (float(low), float(high)))
