"""What an evaluation's accounts and trades say: beside each other, beside luck, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.evaluation.strategy import evidence
from adaptive_pkg.evaluation.strategy.ablation import FULL, NOTHING, Effect, distinct, effects
from adaptive_pkg.evaluation.strategy.accounts import (
    AccountFigures,
    account_returns,
    cost_table,
    daily_exposure,
    figures_of,
    paired,
)
from adaptive_pkg.evaluation.strategy.attribution import KEYS, attribute, confidence_curve
from adaptive_pkg.evaluation.strategy.bootstrap import Draws, draw_days
from adaptive_pkg.evaluation.strategy.claims import ClaimRow, judge_claims
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY
from adaptive_pkg.evaluation.strategy.drawdown_causes import Cause, drawdown_causes
from adaptive_pkg.evaluation.strategy.evaluate import Evaluation
from adaptive_pkg.evaluation.strategy.excursions import EntryQuality, entry_quality, excursions, winners_mae
from adaptive_pkg.evaluation.strategy.forecast_outcome import judge_forecast
from adaptive_pkg.evaluation.strategy.jobs import StrategyJob
from adaptive_pkg.evaluation.strategy.luck import Luck, judge_luck
from adaptive_pkg.evaluation.strategy.matching import drawdown_at_equal_growth
from adaptive_pkg.evaluation.strategy.overfitting import overfitting
from adaptive_pkg.evaluation.strategy.performance import episodes, max_drawdown
from adaptive_pkg.evaluation.strategy.snooping import superiority
from adaptive_pkg.evaluation.strategy.stop_comparison import StopComparison, compare_stops
from adaptive_pkg.evaluation.strategy.trade_order import reorder
from adaptive_pkg.evaluation.strategy.trading import TradeFigures, account_gains, trade_figures
from adaptive_pkg.evaluation.strategy.verdict import verdict
from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.settings import load_settings

BENCHMARK, MARKET = "Donchian ensemble", "buy and hold"
MOST_DRAWDOWNS = 5


@dataclass(frozen=True)
class Findings:
    """Everything that is reported. accounts: ours first. beside: ours less each of the others.

    costs: rows of cost multiple, account, performance. stops: beside fixed ones as far away, and as costly.
    luck: gates by name. ablation: empty where it was not asked for. forecast: `judge_forecast`, None where
    there is none. notes: what could not be judged.
    """

    accounts: Mapping[str, AccountFigures]
    exposure: pd.Series
    beside: Mapping[str, Mapping[str, Any]]
    costs: list[dict[str, Any]]
    starting_balance: float
    trade_figures: TradeFigures | None
    excursions: Mapping[str, Any]
    stops: tuple[StopComparison, StopComparison] | None
    entry_quality: EntryQuality | None
    luck: Mapping[str, Any]
    attribution: Mapping[str, Any]
    drawdowns: list[Cause]
    ablation: list[Effect]
    forecast: Mapping[str, Any] | None
    claims: list[ClaimRow]
    verdict: list[str]
    notes: list[str] = field(default_factory=list)


def find(evaluation: Evaluation, earlier_sharpes: np.ndarray, uncounted: int = 0) -> Findings:
    """Judge an evaluation.

    Args:
        earlier_sharpes: annual Sharpe ratio of every try so far on these days, this evaluation's included.
        uncounted: further tries of which only the number is known.

    Raises:
        DataError: too few days for an interval.
    """
    notes: list[str] = []
    returns = account_returns(evaluation)
    table = pd.DataFrame(returns)
    draws = draw_days(table.to_numpy())
    ours = returns[STRATEGY]
    if uncounted:
        notes.append(f"Luck counts {uncounted:,} tries made elsewhere, of which only their number is known.")
    accounts = {name: figures_of(series, draws) for name, series in returns.items()}
    beside = {name: paired(ours, series, draws) for name, series in returns.items() if name != STRATEGY}
    luck = judge_luck(ours, earlier_sharpes, uncounted=uncounted)
    trades, balance = evaluation.walk.trades, float(evaluation.walk.results[0].equity.iloc[0])
    candles = {
        pair: evaluation.conditions.store.load(pair, evaluation.conditions.timeframe)
        for pair in evaluation.pairs
    }
    traded = _of_trades(evaluation, trades, balance, candles, notes)
    causes = drawdown_causes(
        episodes(ours)[:MOST_DRAWDOWNS], traded["trades"], returns.get(MARKET)
    ) if len(trades) else []  # fmt: skip
    forecast = _forecast(evaluation, notes)
    measured = _measured(evaluation, accounts, beside, luck, traded, draws)
    if forecast:
        pooled = forecast["pooled"]
        ratio = Estimate(*(pooled["price_mape_ratio"][name] for name in ("value", "low", "high")))
        errors = (pooled[name] / 100 for name in ("price_mape_pct", "persistence_mape_pct"))
        measured["mape"] = evidence.mape(*errors, ratio)
    found = Findings(
        accounts=accounts,
        exposure=daily_exposure(evaluation),
        beside=beside,
        costs=cost_table(evaluation),
        starting_balance=balance,
        trade_figures=traded["figures"],
        excursions=traded["excursions"],
        stops=traded.get("stops"),
        entry_quality=traded["entry_quality"],
        luck=_luck(evaluation, table, luck, traded, notes),
        attribution=traded["attribution"],
        drawdowns=causes,
        ablation=effects(evaluation.runs) if len(evaluation.runs) > 1 else [],
        forecast=forecast,
        claims=judge_claims(measured),
        verdict=[],
        notes=notes,
    )
    found.verdict.extend(verdict(found, evaluation))
    return found


def _of_trades(
    evaluation: Evaluation,
    trades: pd.DataFrame,
    balance: float,
    candles: Mapping[str, pd.DataFrame],
    notes: list[str],
) -> dict[str, Any]:
    """Figures of the closed trades; what too few of them cannot give is left out and noted."""
    found: dict[str, Any] = {"trades": trades, "figures": None, "excursions": {}, "entry_quality": None}
    found["attribution"] = {}
    if not len(trades):
        notes.append("The strategy closed no trade: there is nothing to attribute.")
        return found
    plan = evaluation.plan
    found["figures"] = trade_figures(trades, balance, plan.start, plan.end)
    moved = excursions(trades, candles)
    stopped = moved[moved["stopped"]]
    found["trades"] = moved
    found["excursions"] = {
        "mae": moved["mae"],
        "mfe": moved["mfe"],
        "winners_mae_90": winners_mae(moved),
        "capture_median": float(moved["capture"].median()),
        "stopped": len(stopped),
        "premature": float(stopped["premature"].mean()) if len(stopped) else float("nan"),
    }
    found["entry_quality"] = entry_quality(moved, candles)
    fixed = {at: result.trades for at, result in evaluation.fixed_stops.items()}
    found["stops"] = compare_stops(moved, fixed, candles) if fixed else None
    found["attribution"] = {key: attribute(trades, key, balance) for key in KEYS}
    try:
        found["attribution"]["confidence"] = attribute(trades, "confidence", balance)
        found["attribution"]["confidence_curve"] = confidence_curve(trades)
    except DataError as error:
        notes.append(str(error))
    return found


def _forecast(evaluation: Evaluation, notes: list[str]) -> dict[str, Any] | None:
    """What FreqAI left of the run over the whole span, where it was on."""
    conditions, plan = evaluation.conditions, evaluation.plan
    if not conditions.uses_forecast:
        return None
    job = StrategyJob(evaluation.pairs, plan.start, plan.end)
    try:
        return judge_forecast(
            conditions.predictions / job.forecast_id(conditions),
            conditions.datadir,
            evaluation.pairs,
            conditions.timeframe,
            horizon=int(conditions.config["freqai"]["feature_parameters"]["label_period_candles"]),
            start=plan.start,
            end=plan.end,
            indicators=load_settings(conditions.config).indicators,
        )
    except (DataError, ForecastError, KeyError) as error:  # another model stores other columns
        notes.append(f"The forecast is not judged: {error}")
        return None


def _luck(
    evaluation: Evaluation, table: pd.DataFrame, luck: Luck, traded: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"sharpe": luck}
    tried = {name: result.returns for name, result in distinct(evaluation.runs).items()}
    try:
        if len(tried) > 1:
            found["overfitting"] = overfitting(pd.DataFrame(tried).to_numpy())
        variants = pd.DataFrame({STRATEGY: table[STRATEGY], **tried}).drop(columns=[NOTHING], errors="ignore")
        found["beside_cash"] = superiority(variants)
        found[f"beside {BENCHMARK}"] = superiority(variants, table[BENCHMARK])
        found[f"beside {MARKET}"] = superiority(variants, table[MARKET])
    except DataError as error:
        notes.append(str(error))
    try:
        gains = account_gains(evaluation.walk.trades, traded_balance(evaluation))
        found["trade_order"] = reorder(gains, seed=evaluation.request.seed)
    except DataError as error:
        notes.append(str(error))
    return found


def traded_balance(evaluation: Evaluation) -> float:
    """Money that the first span started with."""
    return float(evaluation.walk.results[0].equity.iloc[0])


def _measured(
    evaluation: Evaluation,
    accounts: Mapping[str, AccountFigures],
    beside: Mapping[str, Mapping[str, Any]],
    luck: Luck,
    traded: Mapping[str, Any],
    draws: Draws,
) -> dict[str, Any]:
    """What the table of claims is filled with; a claim that nothing here measures stays empty."""
    ours, trend = accounts[STRATEGY], beside[BENCHMARK]
    found = {
        "sharpe": evidence.sharpe_ratio(ours.sharpe, trend["sharpe"], luck),
        "drawdown": evidence.drawdown(ours.performance, trend["drawdown_at_equal_growth"]),
    }
    if traded["figures"]:
        found["win_rate"] = evidence.win_rate(traded["figures"])
        found["profit_factor"] = evidence.profit_factor(traded["figures"])
        found["single_loss"] = evidence.single_loss(traded["figures"], ours.performance)
        found["false_signals"] = evidence.false_signals(traded["entry_quality"])
    if traded.get("stops"):
        as_far, as_costly = traded["stops"]
        found["premature_stops"] = evidence.premature_stops(as_far.relative, as_costly.relative)
    constant = distinct(evaluation.runs).get("without kelly")
    if constant is not None:  # and has changed something: else there is nothing to judge
        with_kelly, without = evaluation.runs[FULL].returns.to_numpy(), constant.returns.to_numpy()
        fell = float(max_drawdown(without))
        raw = float(max_drawdown(with_kelly)) / fell - 1.0 if fell > 0 else float("nan")
        matched = drawdown_at_equal_growth(with_kelly, without, draws)
        found["kelly_drawdown"] = evidence.kelly_drawdown(raw, matched)
    return found
