"""The report's charts as Plotly figures in plain values; a colour such as @ours is the theme's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from adaptive_pkg.enums import Regime
from adaptive_pkg.evaluation.strategy.performance import drawdowns, equity_of

COLOURS = ("@a", "@b", "@c", "@d", "@e", "@f", "@g")
REGIME_COLOURS = {
    Regime.STRONG_TREND: "rgba(46, 160, 67, 0.20)",
    Regime.VOLATILE_TREND: "rgba(219, 109, 40, 0.20)",
    Regime.TIGHT_RANGE: "rgba(56, 139, 253, 0.20)",
    Regime.CHOPPY: "rgba(139, 148, 158, 0.24)",
    Regime.TRANSITIONAL: "rgba(188, 140, 255, 0.20)",
}
_STEPS = [digit * 10.0**power for power in range(-4, 7) for digit in (1, 2, 5)]
_DIGITS = 6  # significant ones; a screen shows fewer


def accounts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Growth of 1, fall from the peak, and our exposure, day by day."""
    days, traces, reached = data["days"], [], []
    exposure = data.get("exposure")
    for at, (name, account) in enumerate(data["accounts"].items()):
        ours = at == 0
        line = {"color": "@ours" if ours else COLOURS[(at - 1) % len(COLOURS)], "width": 2.6 if ours else 1.3}
        shared = {"x": days, "name": name, "legendgroup": name, "mode": "lines", "line": line}
        returns = np.asarray(account["returns"], dtype=float)
        equity = equity_of(returns)
        reached += [equity.min(), equity.max()]
        traces.append({**shared, "y": _short(equity)})
        traces.append({**shared, "y": _short(-100 * drawdowns(returns)), "yaxis": "y2", "showlegend": False})
    traces.append(traces.pop(0))  # ours on top of the others, first in the legend
    traces[-1]["legendrank"] = 1
    layout: dict[str, Any] = {
        "height": 620,
        "hovermode": "x unified",
        "xaxis": {"type": "date", "anchor": "y3" if exposure else "y2"},
        "yaxis": {"type": "log", "domain": [0.46, 1.0], "title": {"text": "growth of 1"}, "nticks": 8},
        "yaxis2": {"domain": [0.19, 0.42] if exposure else [0.0, 0.4], "title": {"text": "% off peak"}},
    }
    if max(reached) > 8 * min(reached):
        # else every digit of a wide axis has its label, and 20 is written as 2
        layout["yaxis"] |= {"tickvals": _STEPS, "ticktext": [f"{step:g}" for step in _STEPS]}
    if exposure:
        shown = [None if value is None else 100 * value for value in exposure]
        traces.append(
            {
                "x": days, "y": _short(shown), "yaxis": "y3", "name": "in positions", "showlegend": False,
                "mode": "lines", "line": {"color": "@ours", "width": 1}, "fill": "tozeroy",
            }
        )  # fmt: skip
        layout["yaxis3"] = {"domain": [0.0, 0.14], "title": {"text": "% in use"}, "rangemode": "tozero"}
    return {"data": traces, "layout": layout}


def forest(
    rows: Sequence[tuple[str, str, Mapping[str, float | None]]], axis: str, scale: float = 1.0
) -> dict[str, Any] | None:
    """Figures with their 95 % intervals beside zero.

    Args:
        rows: (label, kind, figure with value, low, high); one colour a kind.
    """
    rows = [row for row in rows if None not in (row[2]["value"], row[2]["low"], row[2]["high"])]
    if not rows:
        return None
    kinds = list(dict.fromkeys(kind for _, kind, _ in rows))
    labels = list(dict.fromkeys(label for label, _, _ in rows))
    traces = []
    for at, kind in enumerate(kinds):
        mine = [(label, shown) for label, of, shown in rows if of == kind]
        values = [scale * shown["value"] for _, shown in mine]
        above = [scale * shown["high"] - value for (_, shown), value in zip(mine, values, strict=True)]
        below = [value - scale * shown["low"] for (_, shown), value in zip(mine, values, strict=True)]
        error = {"type": "data", "symmetric": False, "array": _short(above), "arrayminus": _short(below)}
        colour = ("@ours", "@a", "@b")[at % 3]
        traces.append(
            {
                "x": _short(values), "y": [label for label, _ in mine], "name": kind, "mode": "markers",
                "orientation": "h", "offsetgroup": kind, "marker": {"size": 9, "color": colour},
                "error_x": {**error, "thickness": 1.6, "width": 4, "color": colour},
            }
        )  # fmt: skip
    layout = {
        "height": 90 + (22 + 13 * len(kinds)) * len(labels),
        "xaxis": {"title": {"text": axis}, "zeroline": True},
        "yaxis": {"autorange": "reversed", "type": "category", "showgrid": False},
        "scattermode": "group",
        "scattergap": 0.4,
        "showlegend": len(kinds) > 1,
        "shapes": [_rule(0.0)],
    }
    return {"data": traces, "layout": layout}


def trade(chart: Mapping[str, Any]) -> dict[str, Any]:
    """One trade on its candles: regimes behind them, entry, exit, stops and target."""
    shown, dates = chart["trade"], chart["dates"]
    opened, closed = shown["open_date"], min(shown["close_date"], dates[-1])
    candles = {name: _short(chart[name]) for name in ("open", "high", "low", "close")}
    traces = [
        {
            "type": "candlestick", "x": dates, **candles, "name": shown["pair"], "showlegend": False,
            "increasing": {"line": {"color": "@good", "width": 1}},
            "decreasing": {"line": {"color": "@bad", "width": 1}},
        }
    ]  # fmt: skip
    inside = [moment for moment in dates if opened <= moment <= closed]
    # where the stop stood at the end; on its way there it is not known
    late = inside[-1 - len(inside) // 6] if inside else opened
    for label, key, dash, colour, since in (
        ("initial stop", "initial_stop", "dot", "@bad", opened),
        ("final stop", "final_stop", "dash", "@bad", late),
        ("target", "target_price", "dash", "@good", opened),
    ):
        level, first = shown.get(key), shown.get("initial_stop")
        if level is not None and not (key == "final_stop" and first and abs(level / first - 1.0) < 0.002):
            traces.append(
                {
                    "x": [since, closed], "y": [level, level], "name": label, "mode": "lines",
                    "line": {"color": colour, "dash": dash, "width": 1.6},
                }
            )  # fmt: skip
    for label, moment, price, symbol in (
        ("entry", opened, shown["open_rate"], "triangle-right"),
        ("exit", shown["close_date"], shown["close_rate"], "triangle-left"),
    ):
        marker = {"symbol": symbol, "size": 14, "color": "@ours", "line": {"color": "@ink", "width": 1}}
        traces.append({"x": [moment], "y": [price], "name": label, "mode": "markers", "marker": marker})
    bands = _bands(dates, chart["regime"])
    for regime in dict.fromkeys(chart["regime"]):
        square = {"symbol": "square", "size": 11, "color": REGIME_COLOURS[Regime(regime)]}
        name = regime.replace("_", " ")
        traces.append({"x": [None], "y": [None], "name": name, "mode": "markers", "marker": square})
    layout = {
        "height": 430,
        # a category or gap-free axis would hide missing candles
        "xaxis": {"type": "date", "rangeslider": {"visible": False}, "showgrid": False},
        "yaxis": {
            "title": {"text": shown["pair"].partition(":")[0].rpartition("/")[2]},
            "tickformat": ".6~g",
        },
        "shapes": bands,
    }
    return {"data": traces, "layout": layout}


def confidence(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Forecast quality of a trade beside what came: win rate and mean profit by tenth of the score."""
    known = [row for row in curve if row["n"] and row["mean_score"] is not None]
    x, won = [row["mean_score"] for row in known], [100 * row["win_rate"] for row in known]
    profit = [100 * row["mean_r"] for row in known]
    bars = {"type": "data", "thickness": 1.4, "width": 4}
    above, below = (
        [abs(100 * _or(row[end], row["win_rate"]) - at) for row, at in zip(known, won, strict=True)]
        for end in ("win_high", "win_low")
    )
    error = {**bars, "symmetric": False, "array": above, "arrayminus": below}
    spread = {**bars, "array": [100 * _or(row["mean_r_error"], 0.0) for row in known]}
    return {
        "data": [
            {
                "x": _short(x), "y": _short(won), "error_y": error, "mode": "lines+markers",
                "name": "win rate, %", "line": {"color": "@ours"},
                "text": [f"{row['n']} trades" for row in known],
            },
            {
                "x": _short(x), "y": _short(profit), "error_y": spread, "mode": "lines+markers",
                "yaxis": "y2",
                "name": "mean profit of a trade, % of the stake", "line": {"color": "@a"},
            },
        ],
        "layout": {
            "height": 480,
            "xaxis": {"title": {"text": "confidence at the entry, tenths of the trades"}, "anchor": "y2"},
            "yaxis": {"domain": [0.55, 1.0], "title": {"text": "won, %"}},
            "yaxis2": {"domain": [0.0, 0.45], "title": {"text": "profit, %"}},
        },
    }  # fmt: skip


def timeline(table: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Profit of each trade by the moment it was closed, and their sum."""
    profit = np.asarray(table["profit_ratio"], dtype=float)
    told = [
        f"{pair}<br>{tag or ''}<br>{reason or ''}"
        for pair, tag, reason in zip(table["pair"], table["enter_tag"], table["exit_reason"], strict=True)
    ]
    traces = []
    for name, here, colour in (("won", profit > 0, "@good"), ("lost", profit <= 0, "@bad")):
        rows = np.flatnonzero(here)
        traces.append(
            {
                "mode": "markers", "name": name, "x": [table["close_date"][at] for at in rows],
                "y": _short(100 * profit[here]), "text": [told[at] for at in rows],
                "marker": {"color": colour, "size": _dot(len(profit)), "opacity": 0.6},
            }
        )  # fmt: skip
    traces.append(
        {
            "mode": "lines", "name": "sum of profits, stake currency", "x": list(table["close_date"]),
            "y": _short(np.cumsum(table["profit_abs"])), "yaxis": "y2",
            "line": {"color": "@ours", "width": 2},
        }
    )  # fmt: skip
    layout = {
        "height": 480,
        "hovermode": "closest",
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"domain": [0.45, 1.0], "title": {"text": "profit, % of stake"}},
        "yaxis2": {"domain": [0.0, 0.38], "title": {"text": "sum"}, "tickformat": "~s"},
    }
    return {"data": traces, "layout": layout}


def excursions(table: Mapping[str, Sequence[Any]], found: Mapping[str, Any]) -> dict[str, Any]:
    """Each trade's worst excursion beside its profit. Rows are in the same order, of closing."""
    profit = np.asarray(table["profit_ratio"], dtype=float)
    against = np.asarray(found["mae"], dtype=float)
    traces = []
    for name, here, colour in (("won", profit > 0, "@good"), ("lost", profit <= 0, "@bad")):
        labels = [table["pair"][at] for at in np.flatnonzero(here)]
        traces.append(
            {
                "mode": "markers", "name": name,
                "x": _short(100 * against[here]), "y": _short(100 * profit[here]), "text": labels,
                "marker": {"color": colour, "size": _dot(len(profit)), "opacity": 0.55},
            }
        )  # fmt: skip
    layout = {
        "height": 420,
        "hovermode": "closest",
        "xaxis": {"title": {"text": "furthest against the trade, % of the entry price"}},
        "yaxis": {"title": {"text": "profit, %"}},
    }
    return {"data": traces, "layout": layout}


def _bands(dates: Sequence[str], regimes: Sequence[str]) -> list[dict[str, Any]]:
    codes = np.array([Regime(name).code for name in regimes])
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "layer": "below", "line": {"width": 0},
            "x0": dates[first], "x1": dates[min(after, len(dates) - 1)], "y0": 0, "y1": 1,
            "fillcolor": REGIME_COLOURS[Regime(regimes[first])],
        }
        for first, after in pairwise(edges)
    ]  # fmt: skip


def _dot(count: int) -> int:
    """Size of a mark among so many."""
    return 5 if count > 200 else 8


def _rule(x: float) -> dict[str, Any]:
    line = {"color": "@soft", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _short(values: Any) -> list[float | None]:
    return [None if value is None else float(f"{value:.{_DIGITS}g}") for value in values]
