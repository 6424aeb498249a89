"""The evaluation as one HTML page that needs no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from adaptive_pkg.evaluation.forecast.tables import ordered

PALETTE = (
    "#9aa5b1", "#6b7785", "#b8a98a", "#2f4b7c", "#f28e2b", "#59a14f", "#edc948", "#b6992d", "#e15759",
    "#b07aa1", "#4e79a7", "#76b7b2",
)  # fmt: skip


def write_page(result: dict[str, Any], path: Path) -> Path:
    """Write the page (plotly.js inside it, once) and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(result), encoding="utf-8")
    return path


def render_page(result: dict[str, Any]) -> str:
    """The page as text."""
    parts = []
    for heading, note, figure in _figures(result):
        first = not parts
        body = figure.to_html(
            full_html=False, include_plotlyjs=first, config={"displaylogo": False, "responsive": True}
        )
        parts.append(f"<section><h2>{escape(heading)}</h2><p>{escape(note)}</p>{body}</section>")
    reading = "".join(f"<li>{escape(line)}</li>" for line in result["reading"])
    what = (
        f"{result['horizon_candles']} candles of {result['timeframe']} ahead, "
        f"{result['start']} – {result['end']}, fitted on {result['train_days']} days every "
        f"{result['refit_days']} days, {result['features']} features; {result['purge_candles']} labels "
        f"purged and {result['embargo_candles']} embargoed before each fold; {result['seeds']} seeds. "
        f"Intervals: {result['interval']}."
    )
    return _PAGE.format(what=escape(what), reading=reading, aims=_aims(result), sections="\n".join(parts))


def _figures(result: dict[str, Any]) -> list[tuple[str, str, go.Figure]]:
    return [
        (
            "Return: MAE beside persistence",
            "Below 1 is better than 'the price stays where it is'. Bars are 95 % intervals.",
            _dots(result, "returns", "mae_over_reference", 1.0, "MAE ÷ persistence"),
        ),
        (
            "Return: direction forecast rightly",
            "Of the tenth of the forecasts that claim most. A coin scores 50 %.",
            _dots(result, "returns", "direction_top_decile", 50.0, "% right, top decile", 100.0),
        ),
        (
            "Return: rank correlation with what came",
            "Above 0 with its whole interval would be an edge.",
            _dots(result, "returns", "rank_ic", 0.0, "rank IC"),
        ),
        (
            "Volatility: QLIKE beside HAR",
            "Below 1 is better than a linear regression on the volatility of the last hours, day and week.",
            _dots(result, "volatility", "qlike_over_har", 1.0, "QLIKE ÷ HAR"),
        ),
        (
            "Volatility: mean squared error beside persistence",
            "Below 1 is better than 'volatility stays what it was'.",
            _dots(result, "volatility", "mse_over_reference", 1.0, "MSE ÷ persistence"),
        ),
        (
            "Earned weight of the return forecast, fold by fold",
            "What its past out-of-sample errors justify; 0 means the decision ignores it.",
            _earned(result),
        ),
        (
            "What the ensemble is made of",
            "Mean weights over folds and seeds, from errors on the validation part of each training span.",
            _weights(result),
        ),
    ]


def _dots(
    result: dict[str, Any], target: str, key: str, mark: float, axis: str, scale: float = 1.0
) -> go.Figure:
    figure = go.Figure()
    pairs = result["pairs"]
    models = ordered({model for item in pairs.values() for model in item[target]})
    ends = [mark]
    for number, model in enumerate(models):
        known = [
            (pair, item[target][model][key])
            for pair, item in pairs.items()
            if item[target].get(model, {}).get(key)
        ]
        # a reference beside itself has no interval and nothing to show
        known = [(pair, skill) for pair, skill in known if skill["high"] > skill["low"]]
        if not known:
            continue
        ends += [scale * skill[end] for _, skill in known for end in ("low", "high")]
        values = [scale * skill["value"] for _, skill in known]
        figure.add_scatter(
            x=[pair for pair, _ in known],
            y=values,
            name=model,
            mode="markers",
            marker={"size": 9, "color": PALETTE[number % len(PALETTE)]},
            offsetgroup=model,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [scale * skill["high"] - v for (_, skill), v in zip(known, values, strict=True)],
                "arrayminus": [v - scale * skill["low"] for (_, skill), v in zip(known, values, strict=True)],
                "thickness": 1.2,
                "width": 3,
            },
        )
    figure.add_hline(y=mark, line={"color": "#333", "width": 1, "dash": "dot"})
    figure.update_layout(scattermode="group", scattergap=0.25)
    margin = 0.05 * (max(ends) - min(ends)) or 0.05  # grouped points would pull the axis down to 0
    figure.update_yaxes(range=[min(ends) - margin, max(ends) + margin])
    return _styled(figure, axis)


def _earned(result: dict[str, Any]) -> go.Figure:
    figure = go.Figure()
    for number, model in enumerate(("ridge", "gru", "lstm", "ensemble")):
        for pair, item in result["pairs"].items():
            earned = item["returns"].get(model, {}).get("earned_weight")
            if earned:
                weights = [*earned["by_fold"], earned["final"]]
                figure.add_scatter(
                    x=list(range(1, len(weights) + 1)),
                    y=weights,
                    name=f"{model}, {pair}",
                    mode="lines+markers",
                    line={"color": PALETTE[(4, 8, 9, 10)[number]], "width": 1.5},
                )
    figure.update_yaxes(range=[-0.05, 1.05])
    figure.update_xaxes(title="folds behind it")
    return _styled(figure, "weight")


def _weights(result: dict[str, Any]) -> go.Figure:
    figure = go.Figure()
    rows = {
        f"{pair} {'return' if 'return' in label else 'volatility'}": shares
        for pair, item in result["pairs"].items()
        for label, shares in item["ensemble_weights"].items()
    }
    for number, member in enumerate(ordered({name for shares in rows.values() for name in shares})):
        figure.add_bar(
            x=list(rows),
            y=[shares.get(member, 0.0) for shares in rows.values()],
            name=member,
            marker={"color": PALETTE[::-1][number % len(PALETTE)]},
        )
    figure.update_layout(barmode="stack")
    return _styled(figure, "weight")


def _styled(figure: go.Figure, axis: str) -> go.Figure:
    return figure.update_layout(
        template="plotly_white",
        height=420,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        yaxis_title=axis,
        legend={"orientation": "h", "y": -0.18},
        font={"family": "system-ui, sans-serif", "size": 13},
    )


def _aims(result: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(row['model'])}</td><td>{escape(row['aim'])}</td>"
        f"<td>{len(row['pairs_met'])} of {row['pairs']}</td><td>{'yes' if row['reached'] else 'no'}</td></tr>"
        for row in result["aims"]
    )
    return f"<table><tr><th>model</th><th>aim</th><th>pairs</th><th>reached</th></tr>{rows}</table>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Forecasts, out of sample</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1d2733; background: #fff; max-width: 1100px;
  margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; margin-bottom: .2rem; }} h2 {{ font-size: 1.15rem; margin: 2.2rem 0 .2rem; }}
p {{ margin: .2rem 0 .6rem; color: #4a5866; }} li {{ margin: .3rem 0; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: left; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid #e3e8ee; font-variant-numeric: tabular-nums; }}
</style></head><body>
<h1>Forecasts, out of sample</h1><p>{what}</p>
<ul>{reading}</ul>
{aims}
{sections}
</body></html>
"""
