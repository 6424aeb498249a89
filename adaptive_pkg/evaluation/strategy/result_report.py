"""The command `adaptive report`: the trading part of the report, from any freqtrade backtest result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from adaptive_pkg import __version__
from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.evaluation.strategy.accounts import figures_of, paired
from adaptive_pkg.evaluation.strategy.allocation import simulate
from adaptive_pkg.evaluation.strategy.attribution import KEYS, UNKNOWN, attribute
from adaptive_pkg.evaluation.strategy.baselines import baselines
from adaptive_pkg.evaluation.strategy.bootstrap import draw_days
from adaptive_pkg.evaluation.strategy.chart_data import trade_charts
from adaptive_pkg.evaluation.strategy.drawdown_causes import drawdown_causes
from adaptive_pkg.evaluation.strategy.excursions import entry_quality, excursions, winners_mae
from adaptive_pkg.evaluation.strategy.forecast_outcome import judge_forecast
from adaptive_pkg.evaluation.strategy.luck import ACCEPTED, Luck, judge_luck
from adaptive_pkg.evaluation.strategy.page import write_page
from adaptive_pkg.evaluation.strategy.panel import make_panel
from adaptive_pkg.evaluation.strategy.performance import LEAST_DAYS, episodes
from adaptive_pkg.evaluation.strategy.report_data import plain, read_report_data, write_report_data
from adaptive_pkg.evaluation.strategy.result_file import ResultFile, is_result, read_result
from adaptive_pkg.evaluation.strategy.tables import show
from adaptive_pkg.evaluation.strategy.trade_order import reorder
from adaptive_pkg.evaluation.strategy.trading import account_gains, trade_figures
from adaptive_pkg.evaluation.strategy.verdict import beside_words
from adaptive_pkg.market.timeframes import resample, timeframe_hours
from adaptive_pkg.settings import load_settings
from adaptive_pkg.simulator.candles import CandleStore

KIND, FORMAT = "report of a freqtrade backtest", 1
MARKET = "the market, equal parts, no costs"
BASELINE_TIMEFRAME = "4h"
MOST_DRAWDOWNS = 5
SEED = 1


@dataclass(frozen=True)
class _Source:
    """What `trade_charts` reads of an evaluation's conditions."""

    store: CandleStore
    timeframe: str
    config: dict[str, Any]


def report_result(
    path: Path,
    console: Console,
    out: Path | None = None,
    datadir: Path | None = None,
    json_path: Path | None = None,
    strategy: str | None = None,
    config: dict[str, Any] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Write the page of a backtest result, and print its tables; of an evaluation, write its page again.

    Args:
        path: a result's zip file, or the folder or strategy.json of an evaluation.
        out: default: beside the result, `.html`. datadir: candles it was made of, for baselines, charts and
            excursions. config: for the regimes drawn behind the charts.

    Returns:
        0.

    Raises:
        DataError: see `read_result` and `read_report_data`; candles are missing; fewer than 30 days; a file
            cannot be written.
    """
    if is_result(path):
        result = read_result(path, strategy)
        with console.status("judging"):
            data = result_data(result, clock(), datadir, config or {})
    else:
        data = read_report_data(path)
        path = Path(path) / "strategy.json" if Path(path).is_dir() else path
    target = write_page(data, out or Path(path).with_suffix(".html"))
    if json_path:
        write_report_data(data, json_path)
    show(data, console)
    console.print(f"written: {target}", highlight=False)
    return 0


def result_data(
    result: ResultFile, at: datetime, datadir: Path | None = None, config: dict[str, Any] | None = None
) -> dict[str, Any]:
    """All figures of a result: what `report_data` tells of an evaluation, as far as a result has it.

    Raises:
        DataError: as `report_result`.
    """
    notes = list(result.notes)
    candles = _candles(result, datadir) if datadir else {}
    accounts = {result.strategy: result.returns} | _others(result, datadir, notes)
    if len(result.returns) < LEAST_DAYS:
        raise DataError(
            f"{result.path.name}: {len(result.returns)} days of {result.strategy}; intervals need at least "
            f"{LEAST_DAYS}, so backtest a longer --timerange"
        )
    draws = draw_days(pd.DataFrame(accounts).to_numpy())
    figures = {name: figures_of(series, draws) for name, series in accounts.items()}
    beside = {
        name: paired(result.returns, series, draws)
        for name, series in accounts.items()
        if name != result.strategy
    }
    luck = {"sharpe": judge_luck(result.returns.to_numpy(), [])}
    traded = _traded(result, candles, luck, notes)
    notes.append("How many settings were tried before this result is not in it, so luck is not counted.")
    market = accounts.get("buy and hold", result.market)
    ours = figures[result.strategy]
    return plain(
        {
            "kind": KIND,
            "format": FORMAT,
            "package": __version__,
            "made_at": at.isoformat(timespec="seconds"),
            "conditions": {
                "pairs": result.pairs,
                "timeframe": result.timeframe,
                "start": result.start.date(),
                "end": result.end.date(),
                "fee": result.fee,
                "starting_balance": result.starting_balance,
                "forecast": None if result.freqai is None else bool(result.freqai),
                "source": result.path.name,
            },
            "days": [day.date() for day in result.returns.index],
            "accounts": {
                name: {
                    "returns": account.returns.to_numpy(),
                    "performance": account.performance,
                    "sharpe": account.sharpe,
                    "return_a_year": account.mean,
                }
                for name, account in figures.items()
            },
            "exposure": [] if result.exposure is None else result.exposure.to_numpy(),
            "beside": beside,
            "trades": traded,
            "forecast": _forecast(result, datadir, config or {}, notes),
            "charts": trade_charts(
                _shown(result.trades), _Source(CandleStore(datadir), result.timeframe, config or {})
            )
            if datadir and len(result.trades)
            else [],
            "luck": {**luck, "sharpe": {**plain(luck["sharpe"]), "answer": _luck_words(luck["sharpe"])}},
            "attribution": _attribution(result),
            "drawdowns": drawdown_causes(episodes(result.returns)[:MOST_DRAWDOWNS], result.trades, market)
            if len(result.trades)
            else [],
            "spans": [],
            "costs": [],
            "ablation": [],
            "claims": [],
            "notes": notes,
            "verdict": [
                f"{result.strategy} on {len(result.pairs)} pairs, {result.start:%Y-%m-%d} – "
                f"{result.end:%Y-%m-%d}: {ours.performance.total:+.1%} after costs, Sharpe ratio "
                f"{ours.performance.sharpe:.2f} ({ours.sharpe.low:.2f} to {ours.sharpe.high:.2f}), largest "
                f"drawdown {ours.performance.max_drawdown:.1%}.",
                _luck_words(luck["sharpe"]),
                *(f"Beside {name}: {beside_words(shown['sharpe'])}." for name, shown in beside.items()),
            ],
        }
    )


def _candles(result: ResultFile, datadir: Path) -> dict[str, pd.DataFrame]:
    store = CandleStore(datadir)
    for pair in result.pairs:
        store.require(pair, result.timeframe)
    return {pair: store.load(pair, result.timeframe) for pair in result.pairs}


def _others(result: ResultFile, datadir: Path | None, notes: list[str]) -> dict[str, pd.Series]:
    """Accounts to stand beside: the rules to beat where there are candles, else the market itself."""
    if datadir and timeframe_hours(result.timeframe) <= timeframe_hours(BASELINE_TIMEFRAME):
        store, found = CandleStore(datadir), {}
        panel = make_panel(
            {
                pair: resample(store.load(pair, result.timeframe, end=result.end), BASELINE_TIMEFRAME)
                for pair in result.pairs
            }
        )
        for rule in baselines(panel, result.start):
            (account,) = simulate(panel, rule, (result.fee,), start=result.start, end=result.end)
            returns = account.returns.reindex(result.returns.index)
            if not np.isfinite(returns.to_numpy()).all():
                raise DataError(
                    f"{datadir}: its candles do not cover {result.start:%Y-%m-%d} – {result.end:%Y-%m-%d}; "
                    "give those that the backtest ran on"
                )
            found[rule.name] = returns
        notes.append("Baselines pay the result's own fee; slippage is in neither.")
        return found
    notes.append("Name the candles with --datadir for baselines, charts of trades, and how far they went.")
    return {} if result.market is None else {MARKET: result.market}


def _forecast(
    result: ResultFile, datadir: Path | None, config: dict[str, Any], notes: list[str]
) -> dict[str, Any] | None:
    """Scores of what FreqAI stored while the backtest ran, where it still is."""
    if not datadir or not result.freqai:
        return None
    try:
        return judge_forecast(
            Path(config.get("user_data_dir", "user_data")) / "models" / result.freqai["identifier"],
            datadir,
            result.pairs,
            result.timeframe,
            horizon=int(result.freqai["feature_parameters"]["label_period_candles"]),
            start=result.start,
            end=result.end,
            indicators=load_settings(config).indicators,
        )
    except (DataError, ForecastError, KeyError) as error:  # another model stores other columns
        notes.append(f"The forecast is not judged: {error}")
        return None


def _traded(
    result: ResultFile, candles: dict[str, pd.DataFrame], luck: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"figures": None, "excursions": {}, "entry_quality": None, "stops": None}
    if not len(result.trades):
        notes.append("The strategy closed no trade: there is nothing to attribute.")
        return found
    trades = result.trades
    found["figures"] = trade_figures(trades, result.starting_balance, result.start, result.end)
    found["table"] = {
        name: trades[name]
        for name in (
            "pair",
            "open_date",
            "close_date",
            "profit_ratio",
            "profit_abs",
            "enter_tag",
            "exit_reason",
        )
    }
    try:
        luck["trade_order"] = reorder(account_gains(trades, result.starting_balance), seed=SEED)
    except DataError as error:
        notes.append(str(error))
    if candles:
        moved = excursions(trades, candles)
        stopped = moved[moved["stopped"]]
        found["excursions"] = {
            "mae": moved["mae"],
            "mfe": moved["mfe"],
            "winners_mae_90": winners_mae(moved),
            "capture_median": float(moved["capture"].median()),
            "stopped": len(stopped),
            "premature": float(stopped["premature"].mean()) if len(stopped) else float("nan"),
        }
        found["entry_quality"] = entry_quality(moved, candles)
        notes.append(
            "The initial stop in the charts is freqtrade's own; a stop that the strategy planned is not in a "
            "result."
        )
    return found


def _attribution(result: ResultFile) -> dict[str, Any]:
    if not len(result.trades):
        return {}
    found = {key: attribute(result.trades, key, result.starting_balance) for key in KEYS}
    # the regime stands in our own strategy's tags only
    return {key: rows for key, rows in found.items() if {row.name for row in rows} != {UNKNOWN}}


def _shown(trades: pd.DataFrame) -> pd.DataFrame:
    """The columns that charts of trades read."""
    filled = [len(orders) if isinstance(orders, list) else 2 for orders in trades["orders"]]
    return trades.assign(
        initial_stop=trades["initial_stop_loss_abs"].astype(float),
        final_stop=trades["stop_loss_abs"].astype(float),
        target_price=np.nan,
        confidence=np.nan,
        orders=filled,
    )


def _luck_words(luck: Luck) -> str:
    sure = f"with a probability of {luck.probabilistic:.0%}, and {ACCEPTED:.0%} is asked for"
    if luck.passed:
        return f"As a first and only try this would be more than luck: a true Sharpe ratio above 0 {sure}."
    return f"No evidence of skill, even as a first and only try: a true Sharpe ratio above 0 {sure}."
