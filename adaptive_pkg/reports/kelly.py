"""The report `adaptive kelly`: what the closed trades allow to be put at risk, regime by regime."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.reports import report_console
from adaptive_pkg.reports.trade_record import TradeRecord, read_record
from adaptive_pkg.risk.kelly import drawdown_multiplier, estimate
from adaptive_pkg.risk.ledger import ClosedTrade, RunningStats, TradeLedger
from adaptive_pkg.risk.sizing import size_position
from adaptive_pkg.settings import AdaptiveSettings

POOLED = "pooled"
DEFAULT_EQUITY = 1_000.0
STOP_FRACTION = 0.02  # the stop at which the next stake is shown


@dataclass(frozen=True)
class KellyRow:
    """One regime's figures; `regime` is POOLED for all trades together. None: no such figure yet.

    "own" is the regime's record alone; "used" is what sizing takes: that record blended with the pooled one.
    """

    regime: str
    trades: int
    own_win_probability: float | None
    own_payoff_ratio: float | None  # mean win ÷ mean loss, in R
    own_mean_r: float | None
    used_win_probability: float | None
    used_payoff_ratio: float | None
    used_mean_r: float
    used_mean_r_ci95_low: float
    used_mean_r_ci95_high: float
    own_record_weight: float
    trust: float  # weight of the used record against start_fraction
    full_kelly_fraction: float | None
    fraction_at_risk: float  # of equity, before preset and drawdown
    next_stake: float  # stake currency
    next_stake_risk_fraction: float  # of equity, lost at its stop
    next_stake_limited_by: str
    reason: str


def report_kelly(
    source: Path,
    settings: AdaptiveSettings,
    equity: float | None,
    json_path: Path | None,
    resamples: int | None = None,
) -> int:
    """Print the Kelly analysis of a freqtrade trade database or of a backtest result.

    Args:
        source: sqlite file (opened read-only) or backtest result zip.
        equity: of the account, stake currency; None: stakes per 1,000, the drawdown throttle left out.
        resamples: also take the trades in this many resampled orders, beside a plain per-regime estimator.

    Raises:
        DataError: no such file, neither kind of file, no closed trade in it that can be counted in R, or too
            few to resample.
        RiskError: equity is not a finite number above 0.
    """
    record = read_record(source)
    rows = analyse(record.trades, settings, equity)
    title = f"Kelly from {len(record.trades)} closed trades of {source.name}"
    _print(rows, record, title, settings.kelly.fraction, equity)
    resampled = None
    if resamples is not None:
        from adaptive_pkg.reports import kelly_resampled

        paired = kelly_resampled.resample(record.trades, settings.kelly, resamples)
        kelly_resampled.print_resampled(paired, len(record.trades), resamples, report_console())
        resampled = kelly_resampled.as_figures(paired, resamples)
    if json_path:
        figures = {
            "source": str(source),
            "closed_trades": record.closed,
            "used_trades": len(record.trades),
            "left_out_trades": record.left_out,
            "trades_with_known_initial_risk": record.r_known,
            "note": record.note,
            "equity": DEFAULT_EQUITY if equity is None else equity,
            "drawdown_throttle_applied": equity is not None,
            "next_stake_stop_fraction": STOP_FRACTION,
            "part_of_full_kelly": settings.kelly.fraction,
            "rows": [asdict(row) for row in rows],
            "resampled": resampled,
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def analyse(trades: list[ClosedTrade], settings: AdaptiveSettings, equity: float | None) -> list[KellyRow]:
    """One row per regime, then the pooled record. `trades` oldest first; equity as in `report_kelly`."""
    ledger, together = TradeLedger(), TradeLedger()
    one = Regime.STRONG_TREND  # a record of one regime is not blended with anything: the pooled figures
    for trade in trades:
        ledger.add(trade)
        together.add(ClosedTrade(trade.trade_id, trade.closed_at, one, trade.r_multiple, trade.profit_abs))
    throttle = 1.0
    if equity is not None:
        throttle = drawdown_multiplier(ledger.drawdown(equity), settings.kelly, settings.components)
    sized = DEFAULT_EQUITY if equity is None else equity
    rows = [
        _row(str(regime), ledger, regime, settings, sized, throttle * settings.preset(regime).size_multiplier)
        for regime in Regime
    ]
    return [*rows, _row(POOLED, together, one, settings, sized, throttle)]


def _row(
    name: str, ledger: TradeLedger, regime: Regime, settings: AdaptiveSettings, equity: float, scale: float
) -> KellyRow:
    """`scale`: the preset's multiplier times the drawdown's."""
    kelly = estimate(ledger, regime, settings.kelly, settings.components)
    own = ledger.by_regime[regime]
    size = size_position(
        equity=equity,
        loss_fraction=STOP_FRACTION + settings.sizing.fee * (2.0 - STOP_FRACTION),  # of a long, fees included
        fraction=kelly.fraction,
        cap=settings.kelly.cap,
        settings=settings.sizing,
        size_multiplier=scale,
    )
    estimated = kelly.b > 0.0
    half_width = 1.96 * (kelly.standard_error if estimated else _standard_error(ledger.pooled))
    return KellyRow(
        regime=name,
        trades=own.n,
        own_win_probability=own.wins / own.n if own.n else None,
        own_payoff_ratio=_payoff(own),
        own_mean_r=own.mean if own.n else None,
        used_win_probability=kelly.p if estimated else None,
        used_payoff_ratio=kelly.b if estimated else None,
        used_mean_r=kelly.mean_r,
        used_mean_r_ci95_low=kelly.mean_r - half_width,
        used_mean_r_ci95_high=kelly.mean_r + half_width,
        # alone, a record weighs all, whatever `estimate` calls the part that is not blended
        own_record_weight=1.0 if name == POOLED else kelly.regime_weight,
        trust=kelly.trust,
        full_kelly_fraction=kelly.full_fraction if estimated else None,
        fraction_at_risk=kelly.fraction,
        next_stake=size.stake,
        next_stake_risk_fraction=size.risk_fraction,
        next_stake_limited_by=size.capped_by,
        reason=kelly.reason,
    )


def _payoff(stats: RunningStats) -> float | None:
    if not stats.wins or not stats.losses or stats.loss_sum <= 0.0:
        return None
    return (stats.win_sum / stats.wins) / (stats.loss_sum / stats.losses)


def _standard_error(stats: RunningStats) -> float:
    return math.sqrt(max(stats.square_sum / stats.n - stats.mean**2, 0.0) / stats.n) if stats.n else 0.0


def _print(
    rows: list[KellyRow], record: TradeRecord, title: str, fraction: float, equity: float | None
) -> None:
    console, per = report_console(), DEFAULT_EQUITY if equity is None else equity
    table = Table(
        title=title,
        box=box.SIMPLE,
        caption="p, b: of the regime's own trades→as used: blended with the pooled record by the own weight",
    )
    table.add_column("regime", no_wrap=True)
    for heading in (
        "trades", "p", "b", "own weight", "mean R, 95 %", "full Kelly", "at risk", f"stake of {per:,.0f}",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=heading in ("p", "b", "mean R, 95 %"))
    for row in rows:
        table.add_row(
            row.regime,
            str(row.trades),
            f"{_figure(row.own_win_probability, '.3f')}→{_figure(row.used_win_probability, '.3f')}",
            f"{_figure(row.own_payoff_ratio, '.2f')}→{_figure(row.used_payoff_ratio, '.2f')}",
            f"{row.own_record_weight:.0%}",
            f"{row.used_mean_r:+.3f} [{row.used_mean_r_ci95_low:+.3f},{row.used_mean_r_ci95_high:+.3f}]",
            _figure(row.full_kelly_fraction, "+.2%"),
            f"{row.fraction_at_risk:.2%}",
            f"{row.next_stake:,.2f}",
        )
    console.print(table)
    drawdown = "with" if equity is not None else "without (give the equity)"
    console.print(
        f"at risk: {fraction:g} of full Kelly within its bounds, fraction of equity lost at "
        f"the stop. Stake: the next one, its stop {STOP_FRACTION:.0%} away, full confidence, the regime's "
        f"preset, {drawdown} the drawdown throttle."
    )
    for row in rows[:-1]:
        console.print(f"{row.regime}: {row.reason.rpartition('; ')[2]}")
    if record.left_out:
        left_out = ", ".join(f"{n} {reason}" for reason, n in record.left_out.items())
        console.print(f"left out of {record.closed} closed trades: {left_out}")
    if record.note:
        console.print(f"note: {record.note}")


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
