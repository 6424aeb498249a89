"""A synthetic market of two pairs over a quarter, and the conditions under which its backtests are made."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.evaluation.strategy import backtester
from adaptive_pkg.evaluation.strategy.backtester import run_job
from adaptive_pkg.evaluation.strategy.cache import JobCache
from adaptive_pkg.evaluation.strategy.conditions import Conditions, read_conditions
from adaptive_pkg.evaluation.strategy.jobs import (
    DAILY_COLUMNS,
    TRADE_COLUMNS,
    JobResult,
    StrategyJob,
    trade_table,
)
from adaptive_pkg.evaluation.strategy.runner import Runner
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets

PAIRS = ("BTC/USDT", "SOL/USDT")
START, END = pd.Timestamp("2023-02-06", tz="UTC"), pd.Timestamp("2023-04-10", tz="UTC")


@pytest.fixture(scope="session")
def lab_market() -> dict[str, pd.DataFrame]:
    """Hourly candles from 2023-01-01, 120 days."""
    return simulate_markets(PAIRS, 2880, seed=5)


@pytest.fixture(scope="session")
def lab_datadir(lab_market, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    write_candles(lab_market, folder, "1h", also=HIGHER_TIMEFRAMES)
    return folder


@pytest.fixture(scope="session")
def lab_config(project_root) -> dict:
    """The bundle's configuration with rules only."""
    config = json.loads((project_root / "user_data/config.json").read_text())
    rules = json.loads((project_root / "user_data/config.rules.json").read_text())
    for key, value in rules.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    config["tradable_balance_ratio"] = 1.0
    # many short trades; a held trend has few in a quarter
    config["adaptive"] = {**config.get("adaptive", {}), "approach": "by_regime"}
    return config


@pytest.fixture(scope="session")
def read_lab(lab_config, lab_datadir, project_root, tmp_path_factory) -> Callable[..., Conditions]:
    """`read_lab(config=…, datadir=…, user_data=…, shelf=…, fee=…)`."""
    shelf = tmp_path_factory.mktemp("shelf")

    def read(config=None, datadir=lab_datadir, user_data=project_root / "user_data", **options) -> Conditions:
        chosen = deepcopy(lab_config if config is None else config)
        options = {"shelf": shelf, "user_data": user_data, **options}
        return read_conditions(datadir, chosen, PAIRS, **options)

    return read


@pytest.fixture(scope="session")
def lab(read_lab) -> Conditions:
    return read_lab()


@pytest.fixture(scope="session")
def job() -> Callable[..., StrategyJob]:
    """`job(adaptive, **changes)`: nine weeks of both pairs."""

    def make(adaptive=None, **changes) -> StrategyJob:
        parts = {"pairs": PAIRS, "start": START, "end": END, "adaptive": adaptive or {}}
        return StrategyJob(**{**parts, **changes})

    return make


@pytest.fixture(scope="session")
def default_result(lab, job) -> JobResult:
    return run_job(lab, job())


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


@pytest.fixture
def runner(lab, tmp_path, console) -> Runner:
    """Runs jobs in this process, its cache empty."""
    return Runner(lab, JobCache(tmp_path / "jobs"), console, workers=1)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., JobResult]:
    """`make_result(returns, start=…, trades=…)`: what a backtest with these daily returns leaves behind."""

    def make(returns: Any, start: pd.Timestamp = START, trades: int = 0) -> JobResult:
        equity = 10_000.0 * np.cumprod([1.0, *(1.0 + np.asarray(returns, dtype=float))])
        index = pd.date_range(start, periods=len(equity), freq="D", name="date").as_unit("s")
        daily = pd.DataFrame(dict.fromkeys(DAILY_COLUMNS, 0.0) | {"equity": equity}, index=index)
        moments = start + pd.Timedelta(days=len(equity) - 1) * ((np.arange(trades) + 0.5) / max(trades, 1))
        columns = {name: [np.nan] * trades for name in TRADE_COLUMNS} | {
            "pair": [PAIRS[0]] * trades,
            "open_date": moments,
            "close_date": moments,
            "is_short": [False] * trades,
            "stake_amount": [100.0] * trades,
        }
        return JobResult(trade_table(columns), daily, {})

    return make


@pytest.fixture(scope="session", autouse=True)
def _leave_no_exchange_behind() -> Iterator[None]:
    yield
    backtester._known.clear()


@pytest.fixture
def result_zip(default_result, tmp_path) -> Callable[..., Path]:
    """`result_zip(name=…, change=…, wallet=…)`: a result file as freqtrade writes it, of the default run.

    change: called with the content of its JSON before it is written.
    """

    def make(
        name: str = "backtest-result-2024-01-01_00-00-00", change=None, wallet=True, freqai=None
    ) -> Path:
        daily = default_result.daily
        trades = default_result.trades.rename(
            columns={"initial_stop": "initial_stop_loss_abs", "final_stop": "stop_loss_abs"}
        )
        hours = (trades["close_date"] - trades["open_date"]) / pd.Timedelta(minutes=1)
        records = json.loads(
            trades.assign(trade_duration=hours, is_open=False, funding_fees=0.0)
            .drop(columns=["orders", "turnover", "confidence", "atr", "target_price"])
            .assign(orders=[[] for _ in range(len(trades))])
            .to_json(orient="records", date_format="iso")
        )
        stats = {
            "trades": records,
            "pairlist": list(PAIRS),
            "timeframe": "1h",
            "stake_currency": "USDT",
            "starting_balance": float(daily["equity"].iloc[0]),
            "final_balance": float(daily["equity"].iloc[-1]),
            "backtest_start": "2023-02-06 00:00:00",
            "backtest_end": "2023-04-09 23:00:00",
        }
        content = {"strategy": {"AdaptiveGRU": stats}, "strategy_comparison": []}
        if change:
            change(content)
        half = daily["equity"][:-1].to_numpy() / 2
        cash = pd.DataFrame({"date": daily.index[:-1], "currency": "USDT", "rate": 1.0, "balance": half})
        coins = cash.assign(currency="BTC", rate=2.0, balance=half / 2)
        noted = pd.concat([cash, coins]).sort_values("date", kind="stable")
        market = pd.DataFrame(
            {"date": daily.index, "rel_mean": np.linspace(0.0, 0.2, len(daily)), "count": 2}
        )
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"{name}.json", json.dumps(content))
            file.writestr(f"{name}_config.json", json.dumps({"freqai": freqai or {"enabled": False}}))
            for ending, frame in (("_AdaptiveGRU_wallet", noted), ("_market_change", market)):
                if wallet:
                    with file.open(f"{name}{ending}.feather", "w") as stream:
                        frame.reset_index(drop=True).to_feather(stream)
        return path

    return make
