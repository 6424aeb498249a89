"""The report of an evaluation as one HTML file: no network, light or dark as its reader has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from adaptive_pkg.evaluation.strategy import page_charts as charts
from adaptive_pkg.evaluation.strategy import page_tables as tables
from adaptive_pkg.evaluation.strategy.ablation import Kind, spoken
from adaptive_pkg.evaluation.strategy.cache import told, write_whole
from adaptive_pkg.evaluation.strategy.page_forecast import forecast
from adaptive_pkg.evaluation.strategy.page_luck import luck
from adaptive_pkg.evaluation.strategy.page_style import FRAME, SCRIPT, STYLE
from adaptive_pkg.evaluation.strategy.page_trades import trades
from adaptive_pkg.evaluation.strategy.tables import number, percent

_OPEN = ("regime", "rule", "exit reason", "pair")  # attributions that are unfolded
_NAMES = {"rule": "entry rule", "confidence": "confidence, tenths"}


def write_page(data: Mapping[str, Any], path: Path) -> Path:
    """Write the page whole and return its path. Raises DataError where it cannot be written."""
    with told(path):
        write_whole(path, render_page(data).encode())
    return path


def render_page(data: Mapping[str, Any]) -> str:
    """The page as text.

    Args:
        data: as `report_data` makes it, or a part of it: a section without figures is left out.
    """
    page = _Page()
    sections = [
        ("Account", _account(data, page)),
        ("Baselines", _baselines(data, page)),
        ("Costs", _costs(data)),
        ("Components", _components(data, page)),
        ("Claims", _claims(data)),
        ("Luck", luck(data)),
        ("Trades", trades(data, page.chart)),
        ("Attribution", _attribution(data)),
        ("Forecast and outcome", forecast(data, page.chart)),
        ("Drawdowns", _drawdowns(data)),
        ("Spans", _spans(data)),
        ("Conditions", _conditions(data)),
    ]
    known = [(heading, body) for heading, body in sections if body]
    links = "".join(f'<a href="#{_id(heading)}">{escape(heading)}</a>' for heading, _ in known)
    body = _head(data) + f"<nav>{links}</nav>"
    body += "".join(
        f'<section id="{_id(heading)}"><h2>{escape(heading)}</h2>{part}</section>' for heading, part in known
    )
    title = f"{next(iter(data['accounts']))}, {data['conditions']['start']} – {data['conditions']['end']}"
    return FRAME.format(
        title=escape(title), style=STYLE, body=body, plotly=get_plotlyjs(), script=SCRIPT
    )  # fmt: skip


class _Page:
    """Numbers the charts of a page."""

    def __init__(self) -> None:
        self._count = 0

    def chart(self, figure: Mapping[str, Any] | None, what: str) -> str:
        """A place for a chart and its figures; nothing without any."""
        if figure is None:
            return ""
        self._count += 1
        name = f"figure-{self._count}"
        height = figure["layout"]["height"]
        text = json.dumps(figure, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
        return (
            f'<script type="application/json" id="{name}">{text}</script>'
            f'<div class="chart" data-figure="{name}" role="img" aria-label="{escape(what)}" '
            f'style="min-height:{min(height, 380)}px"></div>'
        )


def _head(data: Mapping[str, Any]) -> str:
    conditions, name = data["conditions"], next(iter(data["accounts"]))
    lines = data["verdict"]
    rest = "".join(f"<li>{escape(line)}</li>" for line in lines[2:])
    top = "".join(f"<p>{escape(line)}</p>" for line in lines[:2])
    what = (
        f"{', '.join(conditions['pairs'])}; {conditions['timeframe']} candles, {conditions['start']} – "
        f"{conditions['end']}. Intervals in brackets are 95 %. Made {data['made_at'][:16].replace('T', ' ')} "
        f"UTC by release {data['package']}."
    )
    return (
        f'<h1>{escape(name)}: does it help, and how sure is that?</h1><p class="soft">{escape(what)}</p>'
        f'<div class="verdict">{top}<ul>{rest}</ul></div>{_tiles(data)}'
    )


def _tiles(data: Mapping[str, Any]) -> str:
    ours, traded = next(iter(data["accounts"].values())), data["trades"].get("figures")
    figures, judged = ours["performance"], data["luck"].get("sharpe")
    shown = [
        ("total, after costs", tables.signed(figures["total"]), f"{percent(figures['cagr'])} a year"),
        ("Sharpe ratio", number(figures["sharpe"]), _bounds(ours["sharpe"])),
        ("largest drawdown", percent(figures["max_drawdown"]), f"worst day {percent(figures['worst_day'])}"),
    ]
    if judged:
        name = "probabilistic" if judged["trials"] == 1 else "deflated"
        tries = "as the only try" if judged["trials"] == 1 else f"{judged['trials']:,.0f} tries"
        shown.append((f"{name} Sharpe ratio", number(judged[name]), f"0.95 asked; {tries}"))
    if traded:
        mean, fees = traded["expectancy"], percent(traded["fees"])
        shown += [
            ("trades", f"{traded['trades']:,}", f"{traded['mean_hours']:.0f} h each"),
            ("won", percent(traded["win_rate"]["value"]), _bounds(traded["win_rate"], 100)),
            ("profit factor", number(traded["profit_factor"]["value"]), _bounds(traded["profit_factor"])),
            ("mean trade", tables.signed(mean["value"], 2), _bounds(mean, 100)),
            ("account at work", percent(traded["exposure"]), f"in the market {percent(traded['in_market'])}"),
            ("turnover a year", f"{traded['turnover']:.0f} ×", f"fees {fees} of the start"),
        ]  # fmt: skip
    tiles = "".join(
        f'<div class="tile"><small>{escape(label)}</small><b>{value}</b>'
        f'<small class="soft">{escape(note)}</small></div>'
        for label, value, note in shown
    )
    return f'<div class="tiles">{tiles}</div>'


def _account(data: Mapping[str, Any], page: _Page) -> str:
    ours = next(iter(data["accounts"].values()))
    return (
        "<p>After costs, positions at the market; drawdowns on daily values. Tap a name to hide its line.</p>"
        + page.chart(charts.accounts(data), "Growth of each account, its drawdown, and our exposure")
        + "<h3>Return of each month</h3>"
        + tables.months(data["days"], ours["returns"])
    )


def _baselines(data: Mapping[str, Any], page: _Page) -> str:
    if len(data["accounts"]) < 2:
        return ""
    rows = [(name, "95 %", account["sharpe"]) for name, account in data["accounts"].items()]
    return (
        "<p>The same days, pairs and costs. A difference counts where its interval leaves out 0.</p>"
        + page.chart(charts.forest(rows, "Sharpe ratio"), "Sharpe ratio of each account with its interval")
        + tables.accounts(data)
    )


def _costs(data: Mapping[str, Any]) -> str:
    shown = tables.costs(data)
    return shown and "<p>What is left when fee and slippage are higher than assumed.</p>" + shown


def _components(data: Mapping[str, Any], page: _Page) -> str:
    if not data["ablation"]:
        return ""
    rows = [
        (spoken(effect["component"]),
         Kind(effect["kind"]).words, effect["growth"]["difference"])
        for effect in data["ablation"] if not effect["same"]
    ]  # fmt: skip
    return (
        "<p>With the component less without it, on the same days, after the stake of one is scaled so that "
        "both lose as much on their worst days. Right of 0 the component helps; the other approach stands "
        "in place of ours. What changes not a single trade is not in use with these settings.</p>"
        + page.chart(
            charts.forest(rows, "growth at equal tail loss, % a year", 100.0),
            "Growth that each component adds, with its interval",
        )
        + tables.ablation(data)
    )


def _claims(data: Mapping[str, Any]) -> str:
    shown = tables.claims(data)
    return shown and "<p>What is said of such bots, and a test that luck does not pass.</p>" + shown


def _attribution(data: Mapping[str, Any]) -> str:
    parts = []
    for key, found in data["attribution"].items():
        if key == "confidence_curve" or (key == "side" and len(found) < 2):
            continue
        name = _NAMES.get(key, key)
        opened = " open" if key in _OPEN else ""
        parts.append(
            f"<details{opened}><summary>By {escape(name)}</summary>{tables.groups(found, name)}</details>"
        )
    if not parts:
        return ""
    return (
        "<p>Closed trades after fees. Many groups stand here and some look good by chance: a verdict counts "
        "all groups of its table. An exit reason is known only afterwards: winners leave by a target or a "
        "trailed stop.</p>" + "".join(parts)
    )


def _drawdowns(data: Mapping[str, Any]) -> str:
    shown = tables.drawdowns(data)
    return shown and (
        "<p>The deepest falls and the trades closed on the way down; amounts in the stake currency.</p>"
        + shown
    )


def _spans(data: Mapping[str, Any]) -> str:
    return tables.spans(data) if len(data["spans"]) > 1 else ""


def _conditions(data: Mapping[str, Any]) -> str:
    names = {
        "fee": "fee, one side", "slippage": "slippage, one side", "starting_balance": "starting balance",
        "hyperopt": "settings tried in each span", "train_days": "days settings are chosen on",
        "test_days": "days of a span", "purge_days": "days purged", "digest": "fingerprint",
        "exchange": "exchange", "source": "read from",
    }  # fmt: skip
    rows = [
        [escape(label), escape(_plain(data["conditions"][key]))]
        for key, label in names.items()
        if data["conditions"].get(key) is not None
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in data["notes"])
    return f"<ul>{notes}</ul>{tables.table(('condition', 'value'), rows)}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _bounds(shown: Mapping[str, float | None], scale: float = 1.0) -> str:
    if shown["low"] is None or shown["high"] is None:
        return ""
    digits = 2 if scale == 1.0 or abs(shown["high"]) < 0.1 else 1
    unit = " %" if scale == 100 else ""
    return f"{scale * shown['low']:.{digits}f} to {scale * shown['high']:.{digits}f}{unit}"


def _id(heading: str) -> str:
    return heading.lower().replace(" ", "-")
