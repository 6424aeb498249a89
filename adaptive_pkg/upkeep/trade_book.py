"""The trade database as tables: read-only, in one moment, whether the bot is writing or not."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from adaptive_pkg.enums import StopStage
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.policy.explanation import ENTRY_KEY
from adaptive_pkg.risk.ladder_plan import LADDER_KEY, LadderPlan
from adaptive_pkg.risk.ledger import ClosedTrade
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan

WAIT_SECONDS = 20.0  # for the bot to finish a write
SAME_PRICE = 5e-4  # relative: what the exchange's price step may move a stop by
_KEYS = (PLAN_KEY, LADDER_KEY, ENTRY_KEY)
_COLUMNS = (
    *("id", "pair", "is_open", "is_short", "open_date", "close_date", "open_rate", "close_rate", "amount"),
    *("stake_amount", "leverage", "close_profit", "close_profit_abs", "enter_tag", "exit_reason"),
    *("stop_loss", "fee_open", "fee_close"),
)


@dataclass(frozen=True)
class TradeBook:
    """A bot's trades.

    Attributes:
        file: the database. changed: when the file was last written, UTC.
        trades: one row a trade, by id: freqtrade's columns, times in UTC; and regime (of its tag), plan
            (StopPlan), score (confidence at the entry), stage (of its stop, as it stands or stood), r (profit
            over what the plan would have lost), each None or NaN where unknown; problem: why a stored plan
            cannot be used, "" otherwise.
        open_orders: orders that wait: trade_id, pair, side, order_date.
    """

    file: Path
    changed: pd.Timestamp
    trades: pd.DataFrame
    open_orders: pd.DataFrame

    def closed_trades(self, before: pd.Timestamp) -> list[ClosedTrade]:
        """Trades closed before a moment that can be counted in R, oldest first, for the ledger."""
        found = self.trades
        found = found[(found["close_date"] < before) & found["r"].notna() & found["regime"].notna()]
        found = found.sort_values("close_date", kind="stable")
        return [
            ClosedTrade(row.id, row.close_date.to_pydatetime(), row.regime, row.r, row.close_profit_abs)
            for row in found.itertuples()
        ]


def read_only(file: Path) -> sqlite3.Connection:
    """Open an SQLite file that a bot may be writing to; nothing can be changed through it.

    Raises:
        DataError: no such file.
    """
    if not file.is_file():
        raise DataError(f"{file}: no trade database there; name it with --db, or start the bot once")
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    database = sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)
    try:
        database.execute("select 1 from sqlite_master")
    except sqlite3.OperationalError:
        database.close()
        if file.with_name(f"{file.name}-wal").exists() or os.access(file.parent, os.W_OK):
            raise
        # SQLite keeps notes beside a file in WAL mode; in a folder where it may not, nobody writes either
        database = sqlite3.connect(f"{address}&immutable=1", uri=True)
    return database


def read_trade_book(file: Path) -> TradeBook:
    """Read a freqtrade database. Raises DataError: no such file, or not one of this release of freqtrade."""
    try:
        with closing(read_only(file)) as database:
            database.execute("begin")  # one moment for all three tables
            trades = pd.read_sql(f"select {', '.join(_COLUMNS)} from trades order by id", database)
            orders = pd.read_sql(
                "select ft_trade_id as trade_id, ft_pair as pair, ft_order_side as side, order_date "
                "from orders where ft_is_open",
                database,
            )
            keys = ", ".join("?" * len(_KEYS))
            stored = database.execute(
                f"select ft_trade_id, cd_key, cd_value from trade_custom_data where cd_key in ({keys})", _KEYS
            ).fetchall()
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise DataError(
            f"{file}: cannot be read as a freqtrade trade database ({error}); one of an older release is "
            "migrated when freqtrade starts on it, one left by a bot that was killed is repaired then"
        ) from None
    for name in ("open_date", "close_date"):
        trades[name] = pd.to_datetime(trades[name], utc=True, format="ISO8601")
    orders["order_date"] = pd.to_datetime(orders["order_date"], utc=True, format="ISO8601")
    for name in ("is_open", "is_short"):
        trades[name] = trades[name].fillna(0).astype(bool)
    trades["leverage"] = trades["leverage"].fillna(1.0).astype(float)
    for name in ("close_profit", "close_profit_abs", "close_rate", "stop_loss"):
        trades[name] = trades[name].astype(float)
    log = file.with_name(f"{file.name}-wal")  # where new rows wait in SQLite's WAL mode
    written = max(path.stat().st_mtime for path in (file, log) if path.exists())
    changed = pd.Timestamp(written, unit="s", tz="UTC")
    return TradeBook(file, changed, _with_plans(trades, stored), orders)


def _with_plans(trades: pd.DataFrame, stored: list[tuple[int, str, str]]) -> pd.DataFrame:
    texts: dict[int, dict[str, str]] = {}
    for trade_id, key, text in stored:
        texts.setdefault(trade_id, {})[key] = text
    known = [_known(row, texts.get(row.id, {})) for row in trades.itertuples()]
    columns = ("plan", "score", "stage", "r", "problem")
    for name in columns:
        values = [item[name] for item in known]
        kind = float if name in ("score", "r") else object
        trades[name] = pd.Series(values, index=trades.index, dtype=kind)
    trades["regime"] = pd.Series(
        [regime_of_tag(tag) for tag in trades["enter_tag"]], index=trades.index, dtype=object
    )
    return trades


def _known(row: Any, texts: dict[str, str]) -> dict[str, Any]:
    """What the strategy stored with one trade, and what follows from it."""
    found: dict[str, Any] = {"plan": None, "score": np.nan, "stage": None, "r": np.nan, "problem": ""}
    try:
        if ENTRY_KEY in texts:
            found["score"] = float(json.loads(texts[ENTRY_KEY]).get("score", np.nan))
        if PLAN_KEY not in texts:
            found["problem"] = "no stop plan is stored with it"
            return found
        plan = found["plan"] = StopPlan.from_dict(json.loads(texts[PLAN_KEY]))
        found["stage"] = stage_of(plan, row.stop_loss)
        ladder = LadderPlan.from_dict(json.loads(texts[LADDER_KEY])) if LADDER_KEY in texts else None
        if not row.is_open and np.isfinite(row.close_profit_abs):
            if ladder is not None:
                found["r"] = row.close_profit_abs / ladder.risk_money(row.leverage)
            else:
                found["r"] = plan.r_multiple(row.close_profit_abs, row.stake_amount * row.leverage)
    except (RiskError, ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        found["problem"] = f"its stored plan is unusable ({error})"
    return found


def days_of(trades: pd.DataFrame) -> np.ndarray:
    """(n,) UTC days of the entries: trades of one day, all pairs together, are not independent."""
    return trades["open_date"].dt.tz_localize(None).to_numpy().astype("datetime64[D]")


def stage_of(plan: StopPlan, stop: float) -> StopStage | None:
    """Which stage a stop price belongs to; None for no stop."""
    if not np.isfinite(stop) or stop <= 0:
        return None
    sign = 1.0 if plan.side == "long" else -1.0
    if sign * (stop - plan.initial_stop) <= SAME_PRICE * plan.entry_price:
        return StopStage.INITIAL
    if abs(stop - plan.breakeven_stop) <= SAME_PRICE * plan.entry_price:
        return StopStage.BREAKEVEN
    return StopStage.TRAILING
