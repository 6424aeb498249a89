"""Trade databases as freqtrade writes them: row by row, or by its backtester on a synthetic market."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from freqtrade.commands.optimize_commands import setup_optimize_configuration
from freqtrade.enums import RunMode
from freqtrade.misc import deep_merge_dicts
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import CustomDataWrapper, Trade, enable_database_use
from freqtrade.persistence.base import ModelBase
from freqtrade.persistence.custom_data import _CustomData
from freqtrade.resolvers import ExchangeResolver
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.policy.explanation import ENTRY_KEY
from adaptive_pkg.risk.ladder_plan import LADDER_KEY
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.venue import loopback_venue
from adaptive_pkg.upkeep.inspection import Inspection, Period, inspect

NOW = pd.Timestamp("2024-06-03 12:00", tz="UTC")
PLAN = StopPlan(
    side="long", entry_price=100.0, atr=1.0, fee=0.001, initial_stop=98.0, breakeven_stop=100.2,
    target_price=103.0, breakeven_trigger=0.015, trail_trigger=0.025, trail_atr=1.5, market_gap=0.1,
    breakeven=True, trailing=True, target=True,
)  # fmt: skip
ONE_R = 100.0 * PLAN.loss_fraction  # of a stake of 100
PAIRS = ["BTC/USDT", "SOL/USDT"]
PRICES = ("open", "high", "low", "close")
CANDLES = 4_700  # 196 days: 35 of warm-up, 60 of burn-in, 91 of the quarter


@dataclass(frozen=True)
class Row:
    """One trade to be written. `hours`: before NOW that it closed, or opened where `open` is true."""

    hours: float
    r: float = 0.0
    open: bool = False
    tag: str = "strong_trend.breakout"
    reason: str = "stop_loss"
    stop: float = 98.0
    score: float | None = None
    pair: str = "BTC/USDT"
    plan: Any = PLAN
    ladder: Any = None
    open_hours: float = 3.0


def _trade(row: Row) -> Trade:
    moment = (NOW - timedelta(hours=row.hours)).to_pydatetime().replace(tzinfo=None)
    done = {} if row.open else {
        "close_date": moment, "close_rate": 100.0 + row.r, "close_profit_abs": row.r * ONE_R,
        "close_profit": row.r * ONE_R / 100.0, "exit_reason": row.reason,
    }  # fmt: skip
    return Trade(
        pair=row.pair, exchange="binance", stake_amount=100.0, amount=1.0, open_rate=100.0, fee_open=0.001,
        fee_close=0.001, is_open=row.open, is_short=False, leverage=1.0, enter_tag=row.tag,
        open_date=moment if row.open else moment - timedelta(hours=row.open_hours),
        stop_loss=row.stop, **done,
    )  # fmt: skip


def write_book(rows: Sequence[Row], path: Path) -> Path:
    """A database with freqtrade's own tables, in place of one that is there."""
    path.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    ModelBase.metadata.create_all(engine)
    with Session(engine) as session:
        for row in rows:
            trade = _trade(row)
            session.add(trade)
            session.flush()
            stored: dict[str, Any] = {}
            if row.plan is not None:
                stored[PLAN_KEY] = row.plan.to_dict() if isinstance(row.plan, StopPlan) else row.plan
            if row.ladder is not None:
                stored[LADDER_KEY] = row.ladder.to_dict()
            if row.score is not None:
                stored[ENTRY_KEY] = {"score": row.score, "tier": 1.0}
            for key, value in stored.items():
                session.add(
                    _CustomData(ft_trade_id=trade.id, cd_key=key, cd_type="dict", cd_value=json.dumps(value))
                )
        session.commit()
    engine.dispose()
    return path


@pytest.fixture
def book(tmp_path: Path) -> Callable[[Sequence[Row]], Path]:
    """`book(rows)`: the database's file."""
    return lambda rows: write_book(rows, tmp_path / "trades v3.sqlite")


@pytest.fixture
def seen(book, tmp_path: Path) -> Callable[..., Inspection]:
    """`seen(rows, period, **config)`: the bot as the checks see it; no candles if no folder is given."""

    def make(
        rows: Sequence[Row] = (), period: Period = Period.WEEKLY, datadir: Path | None = None, **config: Any
    ) -> Inspection:
        folder = datadir or tmp_path / "candles"
        folder.mkdir(exist_ok=True)
        return inspect(
            {"exchange": {"name": "binance", "pair_whitelist": PAIRS}, "timeframe": "1h", **config},
            period,
            NOW,
            database=book(rows),
            datadir=folder,
            user_data=tmp_path / "user_data",
        )

    return make


@pytest.fixture(scope="session")
def market() -> dict[str, pd.DataFrame]:
    """Two pairs' candles, the last of which closes at NOW."""
    frames = simulate_markets(PAIRS, CANDLES, seed=5)
    dates = pd.date_range(end=NOW - pd.Timedelta(hours=1), periods=CANDLES, freq="1h")
    decimals = {"BTC": 2, "SOL": 3}
    return {
        pair: frame.assign(date=dates).round(
            dict.fromkeys(("open", "high", "low", "close"), decimals[pair[:3]])
        )
        for pair, frame in frames.items()
    }


@pytest.fixture(scope="session")
def datadir(market, tmp_path_factory) -> Path:
    """Their files."""
    folder = tmp_path_factory.mktemp("candles")
    write_candles(market, folder, "1h", also=HIGHER_TIMEFRAMES)
    return folder


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """A backtest switches freqtrade's database off for the whole process."""
    yield
    Backtesting.cleanup()
    enable_database_use()


@pytest.fixture(scope="session")
def bot(project_root: Path, datadir: Path, tmp_path_factory) -> SimpleNamespace:
    """What a bot left behind: its database, made by freqtrade's own backtest of the last 100 days.

    Trades that the backtest closed because its candles ended are open. With the config it ran on.
    """
    folder = tmp_path_factory.mktemp("bot")
    user_data = folder / "user_data"
    (user_data / "strategies").mkdir(parents=True)
    shutil.copy(project_root / "user_data" / "strategies" / "AdaptiveGRU.py", user_data / "strategies")
    config = json.loads((project_root / "user_data" / "config.json").read_text())
    config |= {"freqai": {**config["freqai"], "enabled": False}, "adaptive": {"approach": "by_regime"}}
    config["exchange"] |= {"pair_whitelist": PAIRS}
    with pytest.MonkeyPatch.context() as patch, loopback_venue(datadir) as venue:
        for name in [name for name in os.environ if name.startswith("FREQTRADE__")]:
            patch.delenv(name)
        merged = deep_merge_dicts(venue.overlay(config), deepcopy(config))
        (folder / "merged.json").write_text(json.dumps(merged))
        level = logging.getLogger().level
        whole = setup_optimize_configuration(
            {
                "config": [str(folder / "merged.json")],
                "user_data_dir": str(user_data),
                "datadir": str(datadir),
                "strategy_path": str(user_data / "strategies"),
                "export": "none",
                "backtest_cache": "none",
                "timerange": f"{int((NOW - pd.Timedelta(days=100)).timestamp())}-",
                "verbosity": 0,
            },
            RunMode.BACKTEST,
        )
        logging.getLogger().setLevel(level)
        exchange = ExchangeResolver.load_exchange(deepcopy(whole), load_leverage_tiers=True)
        backtesting = Backtesting(whole, exchange=exchange)
        strategy = backtesting.strategylist[0]
        candles, timerange = backtesting.load_bt_data()
        backtesting.backtest_one_strategy(strategy, candles, timerange)
        _store(list(Trade.get_trades_proxy()), list(CustomDataWrapper.custom_data), folder / "trades.sqlite")
        Trade.reset_trades()
        CustomDataWrapper.reset_custom_data()
        Backtesting.cleanup()
        enable_database_use()
    return SimpleNamespace(database=folder / "trades.sqlite", config=config, user_data=user_data)


def _store(trades: list[Any], custom: list[Any], path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    ModelBase.metadata.create_all(engine)
    with Session(engine) as session:
        for trade in trades:
            row = Trade.from_json(json.dumps(trade.to_json(), default=_text))
            if trade.exit_reason == "force_exit":
                row.is_open, row.close_date, row.close_rate, row.exit_reason = True, None, None, None
                row.close_profit = row.close_profit_abs = None
                row.orders = row.orders[:-1]
            session.add(row)
            session.flush()
            for item in custom:
                if item.ft_trade_id == trade.id:
                    session.add(
                        _CustomData(
                            ft_trade_id=row.id,
                            cd_key=item.cd_key,
                            cd_type=item.cd_type,
                            cd_value=item.cd_value,
                        )
                    )
        session.commit()
    engine.dispose()


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
