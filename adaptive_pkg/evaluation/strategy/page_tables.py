"""The report's tables as HTML, read from an evaluation's data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from adaptive_pkg.evaluation.strategy.ablation import Kind, spoken
from adaptive_pkg.evaluation.strategy.tables import interval, number, percent, unless_same

_GOOD = {"helps", "supported", "better", "helps, less than claimed", "passed", "gains"}
_BAD = {"harms", "refuted", "worse", "failed", "loses"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: Collection[int] = (),
    first: str = "",
    name: str = "",
) -> str:
    """A table that scrolls by itself where it is too wide; nothing where it has no rows.

    Args:
        rows: cells as HTML. words: columns of sentences; on a phone each row of such a table is a card.
            first: class of the first row. name: of the table.
    """
    if not rows:
        return ""
    top = "".join(
        f'<th class="{"text" if at in words else ""}">{escape(head)}</th>' for at, head in enumerate(heads)
    )
    body = []
    for row_at, row in enumerate(rows):
        kind = first if row_at == 0 else ""
        cells = "".join(
            f'<td class="{" ".join(filter(None, ("words" if at in words else "", kind)))}"'
            f"{_headed(heads[at]) if words else ''}>{cell}</td>"
            for at, cell in enumerate(row)
        )
        body.append(f"<tr>{cells}</tr>")
    names = " ".join(filter(None, (name, "cards" if words else "")))
    opened = f'<table class="{names}">' if names else "<table>"
    inside = f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="scroll">{opened}{inside}</table></div>'


def _headed(head: str) -> str:
    return f' data-head="{escape(head)}"' if head else ""


def word(text: str) -> str:
    """A verdict in its colour."""
    kind = "good" if text in _GOOD else "bad" if text in _BAD else "soft"
    return f'<span class="{kind}">{escape(text)}</span>'


def signed(value: float | None, digits: int = 1) -> str:
    """A fraction in %, with its sign, coloured; – where there is none."""
    if value is None:
        return "–"
    kind = "good" if value > 0 else "bad" if value < 0 else "soft"
    return f'<span class="{kind}">{100 * value:+.{digits}f} %</span>'


def accounts(data: Mapping[str, Any]) -> str:
    rows = []
    for name, account in data["accounts"].items():
        figures, beside = account["performance"], data["beside"].get(name)
        rows.append(
            [
                escape(name),
                signed(figures["total"]),
                interval(account["sharpe"]),
                percent(figures["max_drawdown"]),
                _judged(beside["sharpe"]) if beside else "",
                interval(beside["sharpe"]) if beside else "",
                interval(beside["growth_at_equal_tail"]["difference"], 100) if beside else "",
                interval(account["return_a_year"], 100),
                percent(figures["volatility"]),
                number(figures["sortino"]),
                _count(figures["longest_drawdown_days"]),
                percent(figures["worst_day"]),
            ]
        )
    heads = (
        "account", "total", "Sharpe ratio", "max drawdown", "ours is", "Sharpe: ours less theirs",
        "growth at equal tail loss, %", "return a year, %", "volatility", "Sortino", "days below a peak",
        "worst day",
    )  # fmt: skip
    return table(heads, rows, first="ours")


def costs(data: Mapping[str, Any]) -> str:
    found = data["costs"]
    multiples = sorted({row["multiple"] for row in found})
    side = {row["multiple"]: row["cost"] for row in found}
    heads = ["account", *(f"{at:g} × costs ({100 * side[at]:.2f} % a side)" for at in multiples)]
    rows = []
    for name in dict.fromkeys(row["account"] for row in found):
        mine = {row["multiple"]: row["performance"] for row in found if row["account"] == name}
        rows.append(
            [
                escape(name),
                *(f"{signed(mine[at]['total'])}, Sharpe {number(mine[at]['sharpe'])}" for at in multiples
                  if at in mine),
            ]
        )  # fmt: skip
    return table(heads, rows, first="ours")


def ablation(data: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(spoken(effect["component"])),
            word(effect["verdict"]),
            Kind(effect["kind"]).words,
            *unless_same(
                effect,
                interval(effect["growth"]["difference"], 100),
                interval(effect["mean_return"], 100),
                interval(effect["sharpe"]),
                number(effect["p"]),
            ),
            ", ".join(f"{count:,}" for count in effect["trades"]),
        ]
        for effect in data["ablation"]
    ]
    heads = (
        "component", "verdict", "judged", "growth at equal tail loss, % a year", "return, % a year",
        "Sharpe ratio", "p (Holm)", "trades with, without",
    )  # fmt: skip
    return table(heads, rows)


def claims(data: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(row["claim"]["name"]),
            word(row["verdict"]),
            escape(row["claim"]["claimed"]),
            escape(row["measured"]),
            f"{escape(row['claim']['test'])}<br><small>because {escape(row['claim']['why'])}</small>",
            escape(row["result"]),
        ]
        for row in data["claims"]
    ]
    heads = ("claim", "verdict", "claimed", "measured", "the test that luck does not pass", "its result")
    return table(heads, rows, words={1, 2, 3, 4, 5}, name="narrow")


def groups(found: Sequence[Mapping[str, Any]], by: str) -> str:
    """One attribution."""
    largest = max((abs(group["account"]) for group in found), default=0.0) or 1.0
    rows = [
        [
            escape(group["name"]),
            f"{group['trades']:,}",
            _range(group["win_rate"], group["win_low"], group["win_high"]),
            _range(group["mean"], group["mean_low"], group["mean_high"], 2),
            number(group["profit_factor"]),
            f"{signed(group['account'])}{_bar(group['account'] / largest)}",
            f"{group['mean_hours']:.0f} h",
            {1: word("gains"), -1: word("loses")}.get(group["verdict"], word("no evidence")),
        ]
        for group in found
    ]
    heads = (by, "trades", "won", "mean trade", "profit factor", "of the balance", "held", "verdict")
    return table(heads, rows)


def drawdowns(data: Mapping[str, Any]) -> str:
    rows = []
    for cause in data["drawdowns"]:
        episode = cause["episode"]
        back = episode["end"][:10] if episode["end"] else "not over"
        rows.append(
            [
                f"−{percent(episode['depth'])}",
                episode["start"][:10],
                episode["trough"][:10],
                back,
                _count(episode["days"]),
                signed(cause["market"], 0),
                f"{cause['losing']} of {cause['trades']}",
                _amounts(cause["pairs"]),
                _amounts(cause["regimes"]),
                _amounts(cause["exits"]),
            ]
        )
    heads = ("depth", "peak", "lowest", "back", "days", "market", "trades lost", "pairs", "regimes", "exits")
    return table(heads, rows, words={7, 8, 9}, name="narrow")


def months(days: Sequence[str], returns: Sequence[float]) -> str:
    """Return of each calendar month, a year a row."""
    made: dict[tuple[str, int], float] = {}
    for (year, month), part in groupby(
        zip(days, returns, strict=True), key=lambda at: (at[0][:4], int(at[0][5:7]))
    ):
        value = 1.0
        for _, change in part:
            value *= 1.0 + change
        made[year, month] = value - 1.0
    rows = []
    for year in dict.fromkeys(year for year, _ in made):
        total = 1.0
        for month in range(1, 13):
            total *= 1.0 + made.get((year, month), 0.0)
        shown = [signed(made[year, at]) if (year, at) in made else "" for at in range(1, 13)]
        rows.append([year, *shown, f"<b>{signed(total - 1.0)}</b>"])
    return table(("", *_MONTHS, "year"), rows, name="month")


def spans(data: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{span['test'][0]} – {span['test'][1]}",
            f"{span['train'][0]} – {span['train'][1]}" if span["train"] else "fixed settings",
            signed(span["performance"]["total"]),
            number(span["performance"]["sharpe"]),
            percent(span["performance"]["max_drawdown"]),
            escape(_settings(span["settings"])),
        ]
        for span in data["spans"]
    ]
    return table(("traded", "settings chosen on", "total", "Sharpe", "max drawdown", "chosen"), rows, {5})


def _settings(settings: Any, before: str = "") -> str:
    if not isinstance(settings, Mapping):
        return f"{before} {settings:.6g}" if isinstance(settings, float) else f"{before} {settings}"
    parts = (_settings(value, f"{before}.{name}" if before else name) for name, value in settings.items())
    return ", ".join(parts) or "–"


def _judged(shown: Mapping[str, float | None]) -> str:
    if shown["low"] is None or shown["high"] is None:
        return "–"
    return word("better" if shown["low"] > 0 else "worse" if shown["high"] < 0 else "no evidence")


def _amounts(causes: Sequence[Sequence[Any]]) -> str:
    return ", ".join(f"{escape(str(name))} {amount:+,.0f}" for name, amount in causes if amount < 0) or "–"


def _range(value: float, low: float | None, high: float | None, digits: int = 0) -> str:
    shown = f"{100 * value:.{digits}f} %"
    if low is None or high is None:
        return shown
    return f"{shown} <small>[{100 * low:.{digits}f}, {100 * high:.{digits}f}]</small>"


def _bar(part: float) -> str:
    width, colour = 50 * min(abs(part), 1.0), "good" if part > 0 else "bad"
    left = 50.0 if part > 0 else 50.0 - width
    return (
        f'<span class="bar"><i style="left:{left:.1f}%;width:{width:.1f}%;background:var(--{colour})">'
        "</i></span>"
    )


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
