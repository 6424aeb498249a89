"""The report `adaptive kelly`: what the closed trades allow to be put at risk, regime by regime."""

from __future__ import annotations

import json
import math
import sqlite3
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.reports import report_console
from adaptive_pkg.risk.kelly import drawdown_multiplier, estimate
from adaptive_pkg.risk.ledger import ClosedTrade, RunningStats, TradeLedger
from adaptive_pkg.risk.sizing import size_position
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan
from adaptive_pkg.settings import AdaptiveSettings

POOLED = "pooled"
DEFAULT_EQUITY = 1_000.0
STOP_FRACTION = 0.02  # the stop at which the next stake is shown
UNMOVED_TOLERANCE = 5e-4  # of the entry price: what rounding to the exchange's price step may shift a stop by


@dataclass(frozen=True)
class TradeRecord:
    """Closed trades of one source, oldest first, and how their R was found."""

    trades: list[ClosedTrade]
    closed: int  # in the source, usable or not
    left_out: dict[str, int]  # reason → trades
    r_known: int  # trades whose own initial risk is known
    note: str  # "" where it is known of all


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
    full_kelly_fraction: float | None
    fraction_at_risk: float  # of equity, before preset and drawdown
    next_stake: float  # stake currency
    next_stake_risk_fraction: float  # of equity, lost at its stop
    next_stake_limited_by: str
    reason: str


def report_kelly(
    source: Path, settings: AdaptiveSettings, equity: float | None, json_path: Path | None
) -> int:
    """Print the Kelly analysis of a freqtrade trade database or of a backtest result.

    Args:
        source: sqlite file (opened read-only) or backtest result zip.
        equity: of the account, stake currency; None: stakes per 1,000, the drawdown throttle left out.

    Raises:
        DataError: no such file, neither kind of file, or no closed trade in it that can be counted in R.
        RiskError: equity is not a finite number above 0.
    """
    record = read_record(source)
    rows = analyse(record.trades, settings, equity)
    title = f"Kelly from {len(record.trades)} closed trades of {source.name}"
    _print(rows, record, title, settings.kelly.fraction, equity)
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
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def read_record(source: Path) -> TradeRecord:
    """Read either kind of file; which one it is, its first bytes say. Raises DataError."""
    if not source.is_file():
        raise DataError(f"{source}: no such file; give a trade database (sqlite) or a backtest result zip")
    with source.open("rb") as file:
        head = file.read(16)
    if head == b"SQLite format 3\0":
        record = _read_database(source)
    elif zipfile.is_zipfile(source):
        record = _read_backtest(source)
    else:
        raise DataError(f"{source}: neither a sqlite trade database nor a backtest result zip")
    if not record.closed:
        raise DataError(f"{source}: it holds no closed trade yet")
    if not record.trades:
        why = ", ".join(f"{n} {reason}" for reason, n in record.left_out.items())
        raise DataError(f"{source}: none of {record.closed} closed trades can be counted in R: {why}")
    return record


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


def _read_database(path: Path) -> TradeRecord:
    """Not through freqtrade's init_db: that one migrates, so it writes."""
    from freqtrade.persistence import Trade
    from sqlalchemy import create_engine, select
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.orm import Session, lazyload, selectinload

    address = f"{path.resolve().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True))
    query = select(Trade).where(Trade.is_open.is_(False))
    query = query.options(selectinload(Trade.custom_data), lazyload(Trade.orders))
    found, left_out = [], Counter()
    try:
        with Session(engine) as session:
            closed = session.scalars(query).all()
            for trade in closed:
                regime = regime_of_tag(trade.enter_tag)
                if regime is None:
                    left_out["without a regime in their entry tag"] += 1
                    continue
                stored = [item.cd_value for item in trade.custom_data if item.cd_key == PLAN_KEY]
                if not stored:
                    left_out["without a stop plan"] += 1
                    continue
                try:
                    plan, profit = StopPlan.from_dict(json.loads(stored[0])), trade.close_profit_abs
                    r_multiple = plan.r_multiple(profit, trade.stake_amount * (trade.leverage or 1.0))
                    found.append(ClosedTrade(trade.id, trade.close_date_utc, regime, r_multiple, profit))
                except (RiskError, ValueError, TypeError) as error:
                    left_out[f"with an unusable record ({error})"] += 1
    except DatabaseError as error:
        raise DataError(
            f"{path}: cannot be read as a freqtrade trade database ({error.orig}); one of an older release "
            "is migrated when freqtrade starts on it"
        ) from error
    finally:
        engine.dispose()
    found.sort(key=lambda trade: trade.closed_at)
    return TradeRecord(found, len(closed), dict(left_out), len(found), "")


def _read_backtest(path: Path) -> TradeRecord:
    from freqtrade.data.btanalysis import load_backtest_data
    from freqtrade.exceptions import FreqtradeException

    try:
        frame = load_backtest_data(path)
    except (ValueError, KeyError, FreqtradeException) as error:
        raise DataError(f"{path}: cannot be read as a backtest result: {error}") from error
    if frame.empty:
        return TradeRecord([], 0, {}, 0, "")
    return record_of_backtest(frame)


def record_of_backtest(frame: pd.DataFrame) -> TradeRecord:
    """Closed trades of a backtest export. The stop plan is not in it; what its columns tell of 1 R is used.

    A stop that never moved still stands where the plan put it: that trade's 1 R is its distance and both
    fees. Of a trade whose stop moved the export has lost it: its 1 R is the mean of its regime's unmoved
    stops (of all unmoved stops, where the regime has none), and the note says so.
    """
    regimes = np.array([regime_of_tag(tag) for tag in frame["enter_tag"]], dtype=object)
    ours = np.array([regime is not None for regime in regimes], dtype=bool)
    left_out = {"without a regime in their entry tag": int((~ours).sum())} if not ours.all() else {}
    closed, frame, regimes = len(frame), frame[ours], regimes[ours]
    sign = np.where(frame["is_short"].astype(bool), -1.0, 1.0)
    leverage = frame["leverage"].fillna(1.0).to_numpy(float)
    planned = -frame["stop_loss_ratio"].to_numpy(float) / leverage
    stands = sign * (1.0 - frame["stop_loss_abs"].to_numpy(float) / frame["open_rate"].to_numpy(float))
    # freqtrade calls the exit "trailing_stop_loss" once a stop has moved
    unmoved = (frame["exit_reason"] == "stop_loss").to_numpy() | (abs(stands - planned) <= UNMOVED_TOLERANCE)
    unmoved &= planned > 0.0
    if len(frame) and not unmoved.any():
        reason = "whose stop had moved, and not one unmoved stop to measure 1 R by"
        return TradeRecord([], closed, {**left_out, reason: len(frame)}, 0, "")
    one_r = np.where(unmoved, planned + frame["fee_open"].to_numpy(float) * (2.0 - sign * planned), np.nan)
    known = int(unmoved.sum())
    for regime in Regime:
        here = regimes == regime
        if here.any():
            of_regime = one_r[here & unmoved]
            one_r[here & ~unmoved] = (of_regime if len(of_regime) else one_r[unmoved]).mean()
    profit = frame["profit_abs"].to_numpy(float)
    r_multiples = profit / (frame["stake_amount"].to_numpy(float) * leverage * one_r)
    # nanoseconds by way of the export's own whole milliseconds
    closed_at = frame["close_timestamp"].to_numpy(np.int64) * 1_000_000
    trades = [
        ClosedTrade(index, int(closed_at[index]), regimes[index], float(r_multiples[index]), profit[index])
        for index in np.argsort(closed_at, kind="stable").tolist()
    ]
    note = ""
    if known < len(trades):
        note = (
            f"a backtest result does not hold the stop plans. The initial risk is known of {known} of "
            f"{len(trades)} trades (their stop never moved); for the others 1 R is the mean stop-out of "
            "their regime, fees included, so R of single trades is approximate. A database has it exactly."
        )
    return TradeRecord(trades, closed, left_out, known, note)


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
