"""The report's section on forecasts: prices beside what came, and the confidence beside the trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from adaptive_pkg.evaluation.strategy import page_charts as charts
from adaptive_pkg.evaluation.strategy.accounts import WITHOUT_FORECAST
from adaptive_pkg.evaluation.strategy.page_tables import table
from adaptive_pkg.evaluation.strategy.tables import interval

Chart = Callable[[Mapping[str, Any] | None, str], str]


def forecast(data: Mapping[str, Any], chart: Chart) -> str:
    """HTML; nothing where neither a price nor a trade's quality was forecast.

    Args:
        data: with `forecast` (`ForecastScores.as_json`) where predictions were scored.
        chart: makes a place for a figure, given what it shows.
    """
    parts = []
    if scores := data.get("forecast"):
        parts.append(_prices(scores, chart))
    elif data["conditions"].get("forecast") is False:
        parts.append('<p class="soft">No price forecast was used in this run, so none is judged here.</p>')
    if (beside := data["beside"].get(WITHOUT_FORECAST)) is not None:
        parts.append(
            f"<p>The account with the forecast less the account of the rules alone: Sharpe ratio "
            f"{interval(beside['sharpe'])}, growth at equal tail loss "
            f"{interval(beside['growth_at_equal_tail']['difference'], 100)} % a year.</p>"
        )
    if curve := data["attribution"].get("confidence_curve"):
        parts.append(
            "<h3>Confidence and trades</h3><p>The confidence at the entry is what the strategy thought of a "
            "trade; were it worth something, both lines would rise.</p>"
            + chart(charts.confidence(curve), "Win rate and profit by confidence")
        )
    return "".join(parts)


def _prices(scores: Mapping[str, Any], chart: Chart) -> str:
    named = (("return", "return_mae_ratio"), ("volatility", "volatility_mae_ratio"))
    # less 1, so that 0 is "as good as persistence"
    shown = [
        (row["pair"], kind, {end: row[key][end] - 1.0 for end in ("value", "low", "high")})
        for kind, key in named
        for row in scores["pairs"]
        if None not in (row[key]["value"], row[key]["low"], row[key]["high"])
    ]
    rows = [
        [
            escape(row["pair"]),
            f"{row['predictions']:,}",
            interval(row["return_mae_ratio"]),
            f"{row['price_mape_pct']:.3f} %",
            f"{row['persistence_mape_pct']:.3f} %",
            interval(row["direction"], 100) + " %" if row["direction"] else "–",
            interval(row["volatility_mae_ratio"]),
        ]
        for row in scores["pairs"]
    ]
    heads = (
        "pair", "predictions", "return: error ÷ persistence", "price: MAPE", "MAPE of “the price stays”",
        "direction right", "volatility: error ÷ persistence",
    )  # fmt: skip
    return (
        f"<h3>Forecast and price</h3><p>{scores['horizon_candles']} candles of {escape(scores['timeframe'])} "
        "ahead, by models fitted on earlier candles only. Left of 0 the forecast errs less than “nothing "
        "changes”.</p>"
        + chart(
            charts.forest(shown, "error beside persistence, %", 100.0), "Error of the forecast by pair"
        )
        + table(heads, rows)
    )  # fmt: skip
