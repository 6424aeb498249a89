"""freqtrade's own Backtesting in this process: one exchange for all jobs, candles prepared once per span."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.errors import AdaptiveError, DataError
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY, Conditions
from adaptive_pkg.evaluation.strategy.jobs import TRADE_COLUMNS, JobResult, StrategyJob, trade_table
from adaptive_pkg.evaluation.strategy.quick_drawdown import quick_protections
from adaptive_pkg.evaluation.strategy.quiet import quiet, silence
from adaptive_pkg.evaluation.strategy.wallet import daily_wallet
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE, fingerprint
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.risk.stop_plan import PLAN_KEY
from adaptive_pkg.settings import load_settings
from adaptive_pkg.simulator.venue import LoopbackVenue

KEPT_SPANS = 3  # prepared candles kept; eight pairs over three years are about 150 MB
_COUNTS = (
    *("rejected_signals", "timedout_entry_orders", "timedout_exit_orders", "canceled_trade_entries"),
    *("canceled_entry_orders", "replaced_entry_orders"),
)
_known: dict[tuple[str, Path, Path | None], Backtester] = {}
WRITTEN_SECONDS = 5  # after which a file is not being written any more
_FEATHER_END = b"ARROW1"  # a feather file's last bytes
_alone = threading.Lock()  # freqtrade's trades are the process's: one backtest at a time


def run_job(conditions: Conditions, job: StrategyJob) -> JobResult:
    """Run one job in this process, whose exchange and prepared candles serve the next one.

    Raises:
        DataError: freqtrade cannot run it; names the job.
    """
    from freqtrade.exceptions import FreqtradeException

    with _alone, quiet() as warnings:
        try:
            # the digest holds no candles and no folders
            stored = conditions.predictions if conditions.uses_forecast else None
            here = (conditions.digest, conditions.datadir, stored)
            if here not in _known:
                _known.clear()  # evaluations come one after the other
                _known[here] = Backtester(conditions)
            result = _known[here].run(job)
        except (FreqtradeException, AdaptiveError) as error:
            span = f"{job.start:%Y-%m-%d} – {job.end:%Y-%m-%d}"
            raise DataError(f"{job.strategy}, {', '.join(job.pairs)}, {span}: {error}") from None
    result.counts["warnings"] = dict(sorted(warnings.items()))
    return result


@dataclass(frozen=True)
class _Prepared:
    """A span's candles with indicators, and what freqtrade derives from them."""

    frames: Mapping[str, pd.DataFrame]
    timerange: Any
    price_steps: Mapping[str, pd.Series]
    pairs: list[str]


class Backtester:
    """Runs jobs under the same conditions, one after the other. Start it with `run_job`."""

    def __init__(self, conditions: Conditions) -> None:
        from freqtrade.commands.optimize_commands import setup_optimize_configuration
        from freqtrade.enums import RunMode
        from freqtrade.misc import deep_merge_dicts
        from freqtrade.resolvers import ExchangeResolver

        self._conditions = conditions
        self._prepared: OrderedDict[str, _Prepared] = OrderedDict()
        self._folder = tempfile.TemporaryDirectory(prefix="adaptive-lab-")
        folder = Path(self._folder.name)
        for kind, sources in (("strategies", conditions.sources), ("freqaimodels", conditions.models)):
            (folder / kind).mkdir()
            for name, source in sources.items():
                (folder / kind / f"{name}.py").write_text(source)
        if conditions.uses_forecast:
            conditions.predictions.mkdir(parents=True, exist_ok=True)
            (folder / "models").symlink_to(conditions.predictions)  # where FreqAI keeps them
        pairs = conditions.store.pairs
        with LoopbackVenue(conditions.store, pairs) as venue, silence():
            merged = deepcopy(dict(conditions.config))
            merged = deep_merge_dicts({"pairlists": [{"method": "StaticPairList"}]}, merged)
            merged = deep_merge_dicts(venue.overlay(merged), merged)
            merged["exchange"]["pair_whitelist"] = list(pairs)
            merged.setdefault("timeframe", conditions.timeframe)
            path = folder / "config.json"
            path.write_text(json.dumps(merged))
            self._config = setup_optimize_configuration(
                {
                    "config": [str(path)],
                    "user_data_dir": str(folder),
                    "datadir": str(conditions.datadir),
                    "strategy_path": str(folder / "strategies"),
                    "freqaimodel_path": str(folder / "freqaimodels"),
                    "strategy": STRATEGY,
                    "export": "none",
                    "backtest_cache": "none",
                    "enable_protections": True,
                    "timerange": "20200101-20200201",  # FreqAI wants one; each job has its own
                },
                RunMode.BACKTEST,
            )
            # its markets are read here; a backtest asks for nothing else
            self._exchange = ExchangeResolver.load_exchange(deepcopy(self._config), load_leverage_tiers=True)

    def run(self, job: StrategyJob) -> JobResult:
        """Raises DataError, FreqtradeException."""
        from freqtrade.optimize.backtesting import Backtesting
        from freqtrade.persistence import CustomDataWrapper, Trade

        config = self._job_config(job)
        if self._conditions.uses_forecast:
            _drop_unfinished(self._conditions.predictions / job.forecast_id(self._conditions))
        try:
            backtesting = Backtesting(config, exchange=self._exchange)
            strategy = backtesting.strategylist[0]
            backtesting._set_strategy(strategy)
            prepared = self._prepare(job, backtesting, strategy)
            backtesting.timerange = deepcopy(prepared.timerange)
            backtesting.price_pair_prec = dict(prepared.price_steps)
            backtesting.available_pairs = list(prepared.pairs)
            # copy on write: a job that writes into a frame writes into its own
            frames = {pair: frame.copy(deep=False) for pair, frame in prepared.frames.items()}
            with quick_protections():
                outcome = backtesting.backtest(
                    processed=frames,
                    start_date=job.start.to_pydatetime(),
                    end_date=(job.end - self._candle).to_pydatetime(),
                )
            trades = _trades(Trade.get_trades_proxy(is_open=False), frames)
            balances = (backtesting.starting_balance, float(outcome["final_balance"]))
            daily = daily_wallet(backtesting.wallet_captures, job.start, job.end, *balances)
            return JobResult(trades, daily, {name: int(outcome[name]) for name in _COUNTS})
        finally:
            Trade.reset_trades()
            CustomDataWrapper.reset_custom_data()
            Backtesting.cleanup()

    @property
    def _candle(self) -> pd.Timedelta:
        return pd.Timedelta(hours=timeframe_hours(self._conditions.timeframe))

    def _job_config(self, job: StrategyJob) -> dict[str, Any]:
        config = deepcopy(self._config)
        config["strategy"] = job.strategy
        config["fee"] = self._conditions.cost(job.cost_multiple)
        config["exchange"]["pair_whitelist"] = config["pairs"] = list(job.pairs)
        last = job.end - self._candle  # freqtrade's ranges include their end
        config["timerange"] = f"{int(job.start.timestamp())}-{int(last.timestamp())}"
        config["adaptive"] = job.laid_over(self._conditions)
        load_settings(config)
        if job.strategy != STRATEGY:
            config["freqai"] = {**config["freqai"], "enabled": False}
            config.pop("enable_protections", None)
        elif self._conditions.uses_forecast:
            # FreqAI tells its predictions apart by this name and the dates alone
            config["freqai"] = {**config["freqai"], "identifier": job.forecast_id(self._conditions)}
        return config

    def _prepare(self, job: StrategyJob, backtesting: Any, strategy: Any) -> _Prepared:
        """Candles with indicators; the settings of no other part are read to make them."""
        settings = asdict(load_settings(backtesting.config).indicators)
        candles = {pair: self._conditions.candles_digest(pair, job.end) for pair in job.pairs}
        reads = {"strategy": job.strategy, "candles": candles, "span": [str(job.start), str(job.end)]}
        key = fingerprint({**reads, "indicators": settings if job.strategy == STRATEGY else {}})
        if key not in self._prepared:
            self._require_history(job, backtesting.required_startup)
            data, timerange = backtesting.load_bt_data()
            if absent := [pair for pair in job.pairs if pair not in data]:
                raise DataError(f"{', '.join(absent)}: no candles in the span; take them off the list")
            frames = strategy.advise_all_indicators(data)
            found = _Prepared(
                frames, timerange, backtesting.price_pair_prec, list(backtesting.available_pairs)
            )
            self._prepared[key] = found
            if len(self._prepared) > KEPT_SPANS:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(key)
        return self._prepared[key]

    def _require_history(self, job: StrategyJob, startup: int) -> None:
        """freqtrade starts later, in silence, where the indicators' candles are missing; here that is told.

        A pair that is listed later joins later, but one has to be there from the first day on.
        """
        warm_up, spans = startup * self._candle, {}
        for pair in job.pairs:
            dates = self._conditions.store.load(pair, self._conditions.timeframe, end=job.end)["date"]
            usable = len(dates) and dates.iloc[0] + warm_up < job.end and dates.iloc[-1] >= job.start
            if not usable:
                known = f" (its first is of {dates.iloc[0]:%Y-%m-%d})" if len(dates) else ""
                raise DataError(
                    f"{pair}: no candles to trade on in the span, with {startup} of "
                    f"{self._conditions.timeframe} before them to warm up{known}; take the pair off the "
                    "list, or choose another span"
                )
            if dates.iloc[-1] < job.end - pd.Timedelta(days=3):
                raise DataError(
                    f"{pair}: its candles end on {dates.iloc[-1]:%Y-%m-%d}, before the span does; end the "
                    "span there, download newer ones, or take the pair off the list"
                )
            spans[pair] = dates.iloc[0] + warm_up
        first = min(spans.values())
        if first > job.start:
            raise DataError(
                f"the first candles are of {first - warm_up:%Y-%m-%d} and the indicators need {startup} of "
                f"them; start on {first.ceil('D'):%Y-%m-%d} or later, or get earlier candles"
            )


def _drop_unfinished(folder: Path) -> None:
    """Delete predictions that a crash cut short: FreqAI takes any file for a whole one, and fails on it."""
    mark = folder / FINGERPRINT_FILE
    if mark.is_file() and time.time() - mark.stat().st_mtime > WRITTEN_SECONDS:
        try:
            json.loads(mark.read_text())
        except ValueError:
            shutil.rmtree(folder)  # nobody knows what made them
    for path in (folder / "backtesting_predictions").glob("*.feather"):
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) >= len(_FEATHER_END):
                file.seek(-len(_FEATHER_END), os.SEEK_END)
            whole = file.read() == _FEATHER_END
        if not whole:
            path.unlink()


def _trades(closed: list, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """freqtrade's closed trades as `TRADE_COLUMNS`, by close date."""
    from freqtrade.persistence import CustomDataWrapper

    # freqtrade looks through all of them for each trade
    stored = CustomDataWrapper.custom_data
    plans = {entry.ft_trade_id: entry.value for entry in stored if entry.cd_key == PLAN_KEY}
    rows = []
    for trade in closed:
        row = trade.to_json(minified=True)
        # the candle whose close decided the entry is the one before the candle of the entry
        plan = plans.get(trade.id, {})
        filled = [order for order in trade.orders if order.safe_filled]
        rows.append(
            {
                **{name: row.get(name) for name in TRADE_COLUMNS},
                "open_date": trade.open_date_utc,
                "close_date": trade.close_date_utc,
                "orders": len(filled),
                "turnover": sum(order.safe_filled * order.safe_price for order in filled),
                "confidence": np.nan,
                "atr": plan.get("atr", np.nan),
                "initial_stop": plan.get("initial_stop", np.nan),
                "final_stop": trade.stop_loss,
                "target_price": plan.get("target_price", np.nan) if plan.get("target", True) else np.nan,
            }
        )
    table = trade_table({name: [row[name] for row in rows] for name in TRADE_COLUMNS})
    for pair, frame in frames.items():
        of_pair = table["pair"] == pair
        if "confidence" in frame and of_pair.any():
            at = frame["date"].searchsorted(table.loc[of_pair, "open_date"], side="left") - 1
            table.loc[of_pair, "confidence"] = frame["confidence"].to_numpy()[np.maximum(at, 0)]
    return table.sort_values(["close_date", "open_date", "pair"], kind="stable").reset_index(drop=True)
