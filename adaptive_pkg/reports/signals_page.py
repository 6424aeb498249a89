"""The signal report as one HTML page that needs no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

import plotly.graph_objects as go

from adaptive_pkg.policy.calibration import Estimate
from adaptive_pkg.reports.signal_series import BASELINES
from adaptive_pkg.reports.signals import SignalReport

PALETTE = ("#76b7b2", "#4e79a7", "#e15759", "#59a14f", "#f28e2b", "#b07aa1")


def write_page(report: SignalReport, path: Path) -> Path:
    """Write the page (plotly.js inside it, once) and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(report), encoding="utf-8")
    return path


def render_page(report: SignalReport) -> str:
    """The page as text."""
    charts = (
        ("What each rule knows beyond past returns and volatility", "added_ic", 100.0, "added IC × 100"),
        ("Mean return of a trade after fees", "net_pct", 1.0, "% after fees"),
        ("Mean return in σ, less the pair's own drift", "excess_sigma", 1.0, "σ"),
    )
    sections = []
    for heading, figure, scale, axis in charts:
        body = _dots(report, figure, scale, axis).to_html(
            full_html=False, include_plotlyjs=not sections, config={"displaylogo": False, "responsive": True}
        )
        sections.append(f"<section><h2>{escape(heading)}</h2>{body}</section>")
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{100 * found[0].fired_share:.1f} %</td>"
        f"<td>{'baseline' if name in BASELINES else escape(report.verdict(name))}</td></tr>"
        for name, found in report.figures.items()
    )
    what = f"{', '.join(report.pairs)}, {report.timeframe}, {report.first} – {report.last}. Bars: 95 %."
    return _PAGE.format(
        what=escape(what),
        reading="".join(f"<li>{escape(line)}</li>" for line in report.reading),
        rows=rows,
        filters="".join(
            f"<li>{escape(pair)}: {escape(words)}</li>" for pair, words in report.series.filters.items()
        ),
        sections="\n".join(sections),
    )


def _dots(report: SignalReport, name: str, scale: float, axis: str) -> go.Figure:
    figure = go.Figure()
    for number, horizon in enumerate(report.horizons):
        known: list[tuple[str, Estimate]] = []
        for signal, rows in report.figures.items():
            estimate = getattr(rows[number], name)
            if estimate is not None and estimate.high > estimate.low:
                known.append((signal, estimate))
        figure.add_scatter(
            x=[signal for signal, _ in known],
            y=[scale * estimate.value for _, estimate in known],
            name=f"{horizon * report.series.step_hours:g} h",
            mode="markers",
            marker={"size": 8, "color": PALETTE[number % len(PALETTE)]},
            offsetgroup=str(horizon),
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [scale * (estimate.high - estimate.value) for _, estimate in known],
                "arrayminus": [scale * (estimate.value - estimate.low) for _, estimate in known],
                "thickness": 1.2,
                "width": 3,
            },
        )
    figure.add_hline(y=0, line={"color": "#333", "width": 1, "dash": "dot"})
    return figure.update_layout(
        template="plotly_white",
        scattermode="group",
        scattergap=0.25,
        height=420,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        yaxis_title=axis,
        legend={"orientation": "h", "y": -0.3},
        font={"family": "system-ui, sans-serif", "size": 13},
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signal library</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1d2733; background: #fff; max-width: 1100px;
  margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; margin-bottom: .2rem; }} h2 {{ font-size: 1.15rem; margin: 2.2rem 0 .2rem; }}
p {{ margin: .2rem 0 .6rem; color: #4a5866; }} li {{ margin: .3rem 0; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: left; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid #e3e8ee; font-variant-numeric: tabular-nums; }}
</style></head><body>
<h1>Signal library</h1><p>{what}</p>
<ul>{reading}</ul>
<table><tr><th>rule</th><th>fires</th><th>reading</th></tr>{rows}</table>
{sections}
<h2>Filters</h2><ul>{filters}</ul>
</body></html>
"""
