"""The report's section on trades: some on their candles, how far they went, and beside chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from adaptive_pkg.evaluation.strategy import page_charts as charts
from adaptive_pkg.evaluation.strategy.tables import interval, percent

Chart = Callable[[Mapping[str, Any], str], str]


def trades(data: Mapping[str, Any], chart: Chart) -> str:
    """HTML; nothing where no trade was closed.

    Args:
        chart: makes a place for a figure, given what it shows.
    """
    found = data["trades"]
    parts = [_one(shown, chart) for shown in data["charts"]]
    if (table := found.get("table")) and table["pair"]:
        place = chart(
            charts.timeline(table), "Profit of each trade by the moment it was closed, and their sum"
        )
        parts.append(f"<h3>All of them</h3>{place}")
    if moved := found.get("excursions"):
        parts.append(
            f"<h3>How far trades went against their owner</h3><p>{escape(_moved(moved))}</p>"
            + chart(charts.excursions(found["table"], moved), "Worst excursion and profit of each trade")
        )
    if lines := _beside_chance(found):
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        parts.append(f"<h3>Entries and stops beside chance</h3><ul>{items}</ul>")
    return "".join(parts)


def _one(shown: Mapping[str, Any], chart: Chart) -> str:
    trade, why = shown["trade"], shown["why"]
    score = trade.get("confidence")
    sure = "" if score is None else f", confidence {score:.2f}"
    told = (
        f"{trade['pair']}, {trade['enter_tag'] or 'no tag'}{sure}: in {_minute(trade['open_date'])} at "
        f"{trade['open_rate']:.6g}, out {_minute(trade['close_date'])} at {trade['close_rate']:.6g} by "
        f"{trade['exit_reason']}, {100 * trade['profit_ratio']:+.2f} % of the stake."
    )
    place = chart(charts.trade(shown), f"Candles and regimes around the trade: {why}")
    return f"<h3>{escape(why.capitalize())}</h3><p>{escape(told)}</p>{place}"


def _moved(moved: Mapping[str, Any]) -> str:
    lines = []
    if moved["winners_mae_90"] is not None:
        lines.append(
            f"Nine in ten winners never went further against than {percent(moved['winners_mae_90'])}."
        )
    if moved["capture_median"] is not None:
        share = percent(moved["capture_median"])
        lines.append(f"The median trade ended with {share} of the best it could have had on the way.")
    if moved["premature"] is not None:
        lines.append(
            f"{percent(moved['premature'])} of {moved['stopped']} stops were premature: the price came back "
            "by one ATR within 72 candles."
        )
    return " ".join(lines)


def _beside_chance(found: Mapping[str, Any]) -> list[str]:
    lines = []
    if quality := found.get("entry_quality"):
        lines.append(
            f"False entries (one ATR lost before one was won): {percent(quality['false'])}; entering at any "
            f"candle of the same pairs and months: {percent(quality['base'])}. Relative to that: "
            f"{interval(quality['relative'], 100)} %."
        )
    stops = found.get("stops") or ()
    for stop, what in zip(stops, ("as far away", "as costly in its worst trades"), strict=False):
        lines.append(
            f"Premature stops: {percent(stop['premature'][0])} of trades; a fixed stop of "
            f"{percent(stop['fixed'])}, {what}: {percent(stop['premature'][1])}. Relative: "
            f"{interval(stop['relative'], 100)} %."
        )
    return lines


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
