"""Closed trades in units of risk, read from a freqtrade trade database or a backtest result."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.risk.ledger import ClosedTrade
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan

UNMOVED_TOLERANCE = 5e-4  # of the entry price: what rounding to the exchange's price step may shift a stop by


@dataclass(frozen=True)
class TradeRecord:
    """Closed trades of one source, oldest first, and how their R was found."""

    trades: list[ClosedTrade]
    closed: int  # in the source, usable or not
    left_out: dict[str, int]  # reason → trades
    r_known: int  # trades whose own initial risk is known
    note: str  # "" where it is known of all


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
