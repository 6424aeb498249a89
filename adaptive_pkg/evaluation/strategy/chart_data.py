"""A few trades with the candles around them, the regime of each candle, and the levels the trade lived by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY, Conditions
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.regime import MarketRegimeDetector
from adaptive_pkg.settings import load_settings

BEFORE, AFTER = 72, 48  # candles shown around a trade
MOST_CANDLES = 400


def trade_charts(trades: pd.DataFrame, conditions: Conditions) -> list[dict[str, Any]]:
    """Charts of the chosen trades.

    Args:
        trades: closed ones, as `Walk.trades`.

    Returns:
        One each: why it was chosen, the trade (pair, times, rates, levels, reasons), and dates, open, high,
        low, close and regime of its candles. Empty where no trade was closed.
    """
    settings = load_settings(conditions.config)
    detector, frames = MarketRegimeDetector(settings.regime), {}
    charts = []
    for why, trade in chosen_trades(trades).items():
        pair = trade["pair"]
        if pair not in frames:
            candles = conditions.store.load(pair, conditions.timeframe)
            frame = market_frame(candles, settings.indicators)
            frames[pair] = candles.assign(regime=detector.detect(frame).codes)
        charts.append({"why": why, "trade": _told(trade), **_window(frames[pair], trade)})
    return charts


def chosen_trades(trades: pd.DataFrame) -> dict[str, pd.Series]:
    """The most telling trades by why they were chosen, each once, in the order a reader wants them."""
    if not len(trades):
        return {}
    ratio = trades["profit_ratio"]
    hours = trades["close_date"] - trades["open_date"]
    at = {"best": ratio.idxmax(), "worst": ratio.idxmin()}
    at["typical"] = (ratio - ratio.median()).abs().idxmin()
    at["longest"] = hours.idxmax()
    added = trades[trades["orders"] > 2]
    if len(added):
        at["most orders"] = added["orders"].idxmax()
    moved = trades[(trades["final_stop"] > trades["initial_stop"]) & (ratio > 0)]
    if len(moved):
        at["stop moved furthest"] = (moved["final_stop"] / moved["initial_stop"]).idxmax()
    once: dict[str, pd.Series] = {}
    for why, row in at.items():
        if row not in [trade.name for trade in once.values()]:
            once[why] = trades.loc[row]
    return once


def _window(candles: pd.DataFrame, trade: pd.Series) -> dict[str, Any]:
    dates = candles["date"]
    first = max(int(dates.searchsorted(trade["open_date"])) - BEFORE, 0)
    last = min(int(dates.searchsorted(trade["close_date"])) + AFTER, len(dates))
    shown = _joined(candles.iloc[first:last])
    names = np.array([str(Regime.from_code(code)) for code in range(len(Regime))], dtype=object)
    return {
        "dates": [moment.isoformat() for moment in shown["date"]],
        **{name: shown[name].tolist() for name in ("open", "high", "low", "close")},
        "regime": names[shown["regime"].to_numpy()].tolist(),
    }


def _joined(candles: pd.DataFrame) -> pd.DataFrame:
    """At most MOST_CANDLES, a long trade's joined by equal numbers; the regime is that of the last one."""
    many = -(-len(candles) // MOST_CANDLES)
    if many <= 1:
        return candles
    part = np.arange(len(candles)) // many
    return candles.groupby(part).agg(
        {"date": "first", "open": "first", "high": "max", "low": "min", "close": "last", "regime": "last"}
    )


def _told(trade: pd.Series) -> Mapping[str, Any]:
    names = ("pair", "open_date", "close_date", "open_rate", "close_rate", "profit_ratio", "enter_tag")
    names += ("exit_reason", "initial_stop", "final_stop", "target_price", "confidence", "orders")
    return {"strategy": STRATEGY, **{name: trade[name] for name in names}}
