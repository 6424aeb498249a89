"""The real freqtrade around the real strategy: its config loading, resolver and backtesting, offline."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from freqtrade.commands.optimize_commands import setup_optimize_configuration
from freqtrade.enums import CandleType, RunMode
from freqtrade.misc import deep_merge_dicts
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import (
    CustomDataWrapper,
    LocalTrade,
    Trade,
    disable_database_use,
    enable_database_use,
)
from freqtrade.resolvers import ExchangeResolver, StrategyResolver

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.risk.stops import StopPlan
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.venue import loopback_venue

CANDLES = 2_500  # 837 of them are the strategy's startup
SPOT = ["BTC/USDT", "SOL/USDT"]
PERPETUAL = ["BTC/USDT:USDT", "SOL/USDT:USDT"]
PRICES = ("open", "high", "low", "close")
DECIMALS = {"BTC": 2, "SOL": 3}
RULES_ONLY = {"freqai": {"enabled": False}}
# many short trades, with targets and ladders; a held trend has its own tests
STYLES = {**RULES_ONLY, "adaptive": {"approach": "by_regime"}}
SPOT_CONFIG = {**STYLES, "exchange": {"pair_whitelist": SPOT}}
FUTURES_CONFIG = {
    **STYLES,
    "exchange": {"pair_whitelist": PERPETUAL},
    "trading_mode": "futures",
    "margin_mode": "isolated",
}


class CandleProvider:
    """Stands for freqtrade's DataProvider where a test analyses candles of its own, without a backtest.

    Longer candles are joined from the very candles under test: none of them knows more than those.
    """

    def __init__(self, runmode: RunMode) -> None:
        self.runmode = runmode
        self.candles = pd.DataFrame()

    def market(self, pair: str) -> dict[str, str]:
        base, _, quote = pair.partition("/")
        return {"base": base, "quote": quote.partition(":")[0]}

    def get_pair_dataframe(self, pair: str, timeframe: str, candle_type: Any) -> pd.DataFrame:
        return resample(self.candles, timeframe)


@dataclass
class BacktestRun:
    """What a backtest left behind. `trades` are copies of freqtrade's own, oldest close first."""

    strategy: Any
    results: dict[str, Any]
    trades: list[LocalTrade]
    plans: dict[int, StopPlan]  # by trade id, as stored with the trade

    @property
    def decisions(self) -> list[tuple]:
        """What a user would see differ: entry, size, stop and exit of every trade."""
        return [
            (t.pair, t.open_date, t.enter_tag, t.stake_amount, t.stop_loss, t.close_date, t.exit_reason)
            for t in self.trades
        ]


@pytest.fixture(autouse=True, scope="session")
def _only_the_files_configure() -> Iterator[None]:
    """freqtrade lays FREQTRADE__… variables over every config."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FREQTRADE__")]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """A backtest switches freqtrade's database and log filters off for the whole process."""
    yield
    Backtesting.cleanup()
    enable_database_use()


@pytest.fixture(scope="session")
def strategy_dir(project_root: Path, tmp_path_factory) -> Path:
    """A copy without the AdaptiveGRU.json that a user's hyperopt may have left beside the original."""
    folder = tmp_path_factory.mktemp("strategies")
    shutil.copy(project_root / "user_data" / "strategies" / "AdaptiveGRU.py", folder)
    return folder


@pytest.fixture(scope="session")
def market() -> dict[str, pd.DataFrame]:
    """Candles on a price grid, as an exchange's are: freqtrade takes the tick from them."""
    frames = simulate_markets([*SPOT, *PERPETUAL], CANDLES, seed=3)
    return {pair: frame.round(dict.fromkeys(PRICES, DECIMALS[pair[:3]])) for pair, frame in frames.items()}


@pytest.fixture(scope="session")
def datadir(market, tmp_path_factory) -> Path:
    """Spot and perpetual candles, with the mark prices and the funding that futures need."""
    folder = tmp_path_factory.mktemp("candles")
    write_candles(market, folder, "1h", also=HIGHER_TIMEFRAMES)
    _add_futures_extras(market, folder)
    return folder


@pytest.fixture(scope="session")
def add_futures_extras() -> Callable[[Mapping[str, pd.DataFrame], Path], None]:
    return _add_futures_extras


def _add_futures_extras(market: Mapping[str, pd.DataFrame], folder: Path) -> None:
    for pair, frame in market.items():
        if ":" in pair:
            stem = pair.replace("/", "_").replace(":", "_")
            kept = frame.drop(columns="regime", errors="ignore")
            kept.to_feather(folder / "futures" / f"{stem}-1h-mark.feather")
            funding = kept.iloc[::8].assign(open=1e-4, high=0.0, low=0.0, close=0.0, volume=0.0)
            funding.reset_index(drop=True).to_feather(folder / "futures" / f"{stem}-1h-funding_rate.feather")


@pytest.fixture(scope="session")
def venue(datadir):
    with loopback_venue(datadir) as venue:
        yield venue


@pytest.fixture(scope="session")
def make_config(
    project_root, strategy_dir, datadir, venue, tmp_path_factory
) -> Callable[..., dict[str, Any]]:
    """`make_config(overlay, …)`: what `freqtrade -c user_data/config.json -c overlay` would read."""
    folder = tmp_path_factory.mktemp("user_data")

    def make(*overlays: Mapping[str, Any], datadir: Path = datadir) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for overlay in (SPOT_CONFIG, *overlays):
            merged = deep_merge_dicts(deepcopy(dict(overlay)), merged)
        merged = deep_merge_dicts(venue.overlay(merged), merged)
        path = folder / "overlay.json"
        path.write_text(json.dumps(merged))
        level = logging.getLogger().level
        config = setup_optimize_configuration(
            {
                "config": [str(project_root / "user_data" / "config.json"), str(path)],
                "user_data_dir": str(folder),
                "datadir": str(datadir),
                "strategy_path": str(strategy_dir),
                "export": "none",
                "backtest_cache": "none",
                "verbosity": 0,
            },
            RunMode.BACKTEST,
        )
        logging.getLogger().setLevel(level)
        return config

    return make


@pytest.fixture(scope="session")
def futures_config() -> dict[str, Any]:
    return FUTURES_CONFIG


@pytest.fixture(scope="session")
def load_strategy() -> Callable[[dict[str, Any]], Any]:
    """`load_strategy(config)`: freqtrade's own loading, then a provider of the candles under test."""

    def load(config: dict[str, Any]) -> Any:
        config.setdefault("candle_type_def", CandleType.SPOT)  # freqtrade's set-up of a real run does
        strategy = StrategyResolver.load_strategy(config)
        strategy.dp = CandleProvider(RunMode.BACKTEST)
        return strategy

    return load


@pytest.fixture(scope="session")
def exchange_of() -> Callable[[dict[str, Any]], Any]:
    """The venue's client for a config; loading its markets takes a second, so one per kind of market."""
    known: dict[str, Any] = {}

    def get(config: dict[str, Any]) -> Any:
        key = (config["trading_mode"], str(config["datadir"]))
        if key not in known:
            known[key] = ExchangeResolver.load_exchange(deepcopy(config), load_leverage_tiers=True)
        return known[key]

    return get


@pytest.fixture(scope="session")
def run_backtest(exchange_of) -> Callable[..., BacktestRun]:
    """`run_backtest(config, prepare, repeats)`: freqtrade's own; `prepare(strategy)` may watch or bend it."""

    def run(
        config: dict[str, Any],
        prepare: Callable[[Any], None] = lambda strategy: None,
        repeats: int = 1,
        plans: bool = True,
    ) -> BacktestRun | list[BacktestRun]:
        backtesting = Backtesting(deepcopy(config), exchange=exchange_of(config))
        prepare(backtesting.strategylist[0])
        runs = [once(backtesting, plans) for _ in range(repeats)]
        return runs[0] if repeats == 1 else runs

    def once(backtesting: Backtesting, stored: bool) -> BacktestRun:
        data, timerange = backtesting.load_bt_data()
        backtesting.backtest_one_strategy(backtesting.strategylist[0], data, timerange)
        trades = list(Trade.get_trades_proxy(is_open=False))
        kept = trades if stored else []
        plans = {trade.id: StopPlan.from_dict(trade.get_custom_data("adaptive plan")) for trade in kept}
        content = backtesting.all_bt_content["AdaptiveGRU"]
        return BacktestRun(backtesting.strategylist[0], content, trades, plans)

    return run


@pytest.fixture(scope="session")
def default_run(make_config, run_backtest) -> BacktestRun:
    """The shipped config, rules only, on the synthetic spot market."""
    return run_backtest(make_config())


@pytest.fixture(scope="session")
def plain_run(make_config, run_backtest) -> BacktestRun:
    """The same with one entry and one exit a trade: the plan of the entry is the plan of its whole life."""
    return run_backtest(make_config({"adaptive": {"components": {"ladder": False}}}))


@pytest.fixture(scope="session")
def analyse() -> Callable[..., pd.DataFrame]:
    """`analyse(strategy, candles, pair)`: what the three populate_* methods make of candles, in order."""

    def run(strategy: Any, candles: pd.DataFrame, pair: str = SPOT[0]) -> pd.DataFrame:
        frame = candles[["date", "open", "high", "low", "close", "volume"]].copy()
        strategy.dp.candles = frame
        frame = strategy.advise_indicators(frame, {"pair": pair})
        frame = strategy.advise_entry(frame, {"pair": pair})
        return strategy.advise_exit(frame, {"pair": pair})

    return run


@pytest.fixture
def trader(make_config, load_strategy, market, analyse) -> Iterator[Any]:
    """A strategy with one analysed pair, 9,900 USDT and no history, as before a backtest's first trade."""
    disable_database_use("1h")
    Trade.reset_trades()
    CustomDataWrapper.reset_custom_data()
    strategy = load_strategy(make_config())
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: 9_900.0)
    strategy.ft_bot_start()
    strategy.frame = analyse(strategy, market[SPOT[0]])
    yield strategy
    Trade.reset_trades()
    CustomDataWrapper.reset_custom_data()


@pytest.fixture
def make_trade() -> Callable[..., LocalTrade]:
    """`make_trade(**fields)`: an open long of 0.1 BTC at 30,000, as freqtrade keeps one in a backtest."""

    def make(**fields: Any) -> LocalTrade:
        values = {
            "id": 1, "pair": SPOT[0], "open_rate": 30_000.0, "amount": 0.1, "stake_amount": 3_000.0,
            "open_date": pd.Timestamp("2023-02-20 10:00", tz="UTC").to_pydatetime(), "leverage": 1.0,
            "fee_open": 0.001, "fee_close": 0.001, "is_open": True, "is_short": False,
            "enter_tag": "strong_trend.breakout", "exchange": "binance",
        }  # fmt: skip
        return LocalTrade(**{**values, **fields})

    return make
