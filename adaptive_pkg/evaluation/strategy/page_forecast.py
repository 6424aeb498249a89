"""The report's section on forecasts: beside what came, price errors, and confidence beside the trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from adaptive_pkg.evaluation.strategy import page_charts as charts
from adaptive_pkg.evaluation.strategy.accounts import WITHOUT_FORECAST
from adaptive_pkg.evaluation.strategy.evaluate import FORECAST_OFF
from adaptive_pkg.evaluation.strategy.page_tables import table
from adaptive_pkg.evaluation.strategy.tables import interval

Chart = Callable[[Mapping[str, Any] | None, str], str]


def forecast(data: Mapping[str, Any], chart: Chart) -> str:
    """HTML; nothing where neither a price nor a trade's quality was forecast.

    Args:
        data: with `forecast` (`judge_forecast`) where predictions were scored.
        chart: makes a place for a figure, given what it shows.
    """
    parts = []
    if scores := data.get("forecast"):
        parts += [_outcome(scores, chart), _prices(scores, chart)]
    elif data["conditions"].get("forecast") is False:
        parts.append(f'<p class="soft">{escape(FORECAST_OFF)}</p>')
    elif data["conditions"].get("forecast"):
        parts.append('<p class="soft">Not measured; the notes under “Conditions” say why.</p>')
    if (beside := data["beside"].get(WITHOUT_FORECAST)) is not None:
        parts.append(f"<h3>What it does to the account</h3><p>{escape(_account(beside))}</p>")
    if curve := data["attribution"].get("confidence_curve"):
        parts.append(
            "<h3>Confidence and trades</h3><p>The confidence at the entry is what the strategy thought of a "
            "trade; were it worth something, both lines would rise.</p>"
            + chart(charts.confidence(curve), "Win rate and profit by confidence")
        )
    return "".join(parts)


def _account(beside: Mapping[str, Any]) -> str:
    sharpe = beside["sharpe"]
    if sharpe["value"] == sharpe["low"] == sharpe["high"] == 0.0:
        return "Nothing: the account of the rules alone is the same, day by day."
    return (
        "The account with the forecast less the account of the rules alone: Sharpe ratio "
        f"{interval(sharpe)}, growth at equal tail loss "
        f"{interval(beside['growth_at_equal_tail']['difference'], 100)} % a year."
    )


def _outcome(scores: Mapping[str, Any], chart: Chart) -> str:
    kinds = (
        ("return", "forecast return, σ of the horizon", "what came, σ"),
        ("volatility", "forecast volatility, log of its usual level", "what came, log"),
    )
    shown = [
        chart(_calibration(scores["bins"][kind], heading, came), f"Mean outcome by tenth of the {heading}")
        for kind, heading, came in kinds
        if scores["bins"][kind]
    ]
    silent = (
        f" {100 * scores['silent']:.0f} % of the return forecasts say “no change” and stand in no point."
        if scores["silent"] > 0
        else ""
    )
    words = (
        "Tenths of all forecasts by size, and the mean of what followed them, with its 95 % interval. A "
        "forecast that is right lies on the dashed line; one that knows nothing, on a level one." + silent
    )
    return (
        f"<p>{escape(scores['answer'])}</p><h3>Forecast against outcome</h3><p>{escape(words)}</p>"
        + "".join(shown)
    )


def _calibration(bins: Sequence[Mapping[str, Any]], heading: str, came: str) -> dict[str, Any]:
    x, y = [part["forecast"] for part in bins], [part["actual"]["value"] for part in bins]
    ends = [x[0], x[-1]]
    error = {
        "type": "data", "symmetric": False, "thickness": 1.4, "width": 4, "color": "@ours",
        "array": [_gap(part["actual"], "high") for part in bins],
        "arrayminus": [_gap(part["actual"], "low") for part in bins],
    }  # fmt: skip
    line = {"color": "@soft", "dash": "dash", "width": 1.4}
    return {
        "data": [
            {"x": ends, "y": ends, "mode": "lines", "name": "as forecast", "line": line},
            {
                "x": x, "y": y, "error_y": error, "mode": "markers", "name": "what came",
                "marker": {"color": "@ours", "size": 8},
                "text": [f"{part['rows']:,} forecasts" for part in bins],
            },
        ],
        "layout": {
            "height": 340,
            "hovermode": "closest",
            "xaxis": {"title": {"text": heading}, "zeroline": True},
            "yaxis": {"title": {"text": came}, "zeroline": True},
        },
    }  # fmt: skip


def _gap(actual: Mapping[str, float | None], end: str) -> float:
    return 0.0 if actual[end] is None else abs(actual[end] - actual["value"])


def _prices(scores: Mapping[str, Any], chart: Chart) -> str:
    named = (
        ("return", "return_mae_ratio"),
        ("price", "price_mape_ratio"),
        ("volatility", "volatility_mae_ratio"),
    )
    # less 1, so that 0 is "as good as persistence"
    shown = [
        (row["pair"], kind, {end: row[key][end] - 1.0 for end in ("value", "low", "high")})
        for kind, key in named
        for row in scores["pairs"]
        if None not in (row[key]["value"], row[key]["low"], row[key]["high"])
    ]
    rows = [_row(row) for row in scores["pairs"]]
    if len(rows) > 1:
        rows.append(_row({"pair": "all, a day one row", **scores["pooled"]}))
    heads = (
        "pair", "predictions", "return: error ÷ persistence", "rank correlation", "price: MAPE",
        "MAPE of “the price stays”", "MAPE ÷ that", "direction right", "volatility: error ÷ persistence",
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


def _row(row: Mapping[str, Any]) -> list[str]:
    direction, volatility, rank = row.get("direction"), row.get("volatility_mae_ratio"), row["rank_ic"]
    return [
        escape(row["pair"]),
        f"{row['predictions']:,}",
        interval(row["return_mae_ratio"], digits=3),
        interval(rank, digits=3) if rank else "–",
        f"{row['price_mape_pct']:.3f} %",
        f"{row['persistence_mape_pct']:.3f} %",
        interval(row["price_mape_ratio"], digits=3),
        interval(direction, 100) + " %" if direction else "–",
        interval(volatility, digits=3) if volatility else "–",
    ]
