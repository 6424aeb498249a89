"""The evaluation's figures as tables in the terminal, read from its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.evaluation.strategy.ablation import spoken


def show(data: Mapping[str, Any], console: Console) -> None:
    """Print the verdict and the tables."""
    for line in data["verdict"]:
        console.print(line, highlight=False)
    for table in (_accounts(data), _costs(data), _ablation(data), _forecast(data), _claims(data)):
        if table.row_count:
            console.print(table)
    for gate in data["luck"].values():
        if gate.get("answer"):
            console.print(gate["answer"], highlight=False)
    for cause in data["drawdowns"]:
        console.print(cause["answer"], highlight=False)
    for note in data["notes"]:
        console.print(note, highlight=False)


def _accounts(data: Mapping[str, Any]) -> Table:
    conditions = data["conditions"]
    table = _table(
        f"{conditions['start']} – {conditions['end']}, {len(conditions['pairs'])} pairs, after costs; "
        "difference: ours less theirs, paired days, 95 %",
        "account", "total", "Sharpe", "max drawdown", "worst day", "Sharpe difference",
        "growth at equal tail",
    )  # fmt: skip
    for name, account in data["accounts"].items():
        figures, beside = account["performance"], data["beside"].get(name)
        table.add_row(
            name,
            percent(figures["total"]),
            interval(account["sharpe"]),
            percent(figures["max_drawdown"]),
            percent(figures["worst_day"]),
            interval(beside["sharpe"]) if beside else "",
            interval(beside["growth_at_equal_tail"]["difference"], 100) if beside else "",
        )
    return table


def _costs(data: Mapping[str, Any]) -> Table:
    rows = data["costs"]
    multiples = sorted({row["multiple"] for row in rows})
    heads = [f"{multiple:g} × costs" for multiple in multiples]
    table = _table("total return and Sharpe ratio at higher costs", "account", *heads)
    for name in dict.fromkeys(row["account"] for row in rows):
        found = {row["multiple"]: row["performance"] for row in rows if row["account"] == name}
        table.add_row(
            name,
            *(f"{percent(found[m]['total'])}, {number(found[m]['sharpe'])}" for m in multiples if m in found),
        )
    return table


def _ablation(data: Mapping[str, Any]) -> Table:
    table = _table(
        "what each component is worth; % a year, 95 %; p after Holm's correction",
        "component", "judged", "return", "growth at equal tail", "Sharpe", "p", "trades with, without",
        "verdict",
    )  # fmt: skip
    for effect in data["ablation"]:
        table.add_row(
            spoken(effect["component"]),
            effect["kind"],
            *unless_same(
                effect,
                interval(effect["mean_return"], 100),
                interval(effect["growth"]["difference"], 100),
                interval(effect["sharpe"]),
                number(effect["p"]),
            ),
            ", ".join(str(count) for count in effect["trades"]),
            effect["verdict"],
        )
    return table


def _forecast(data: Mapping[str, Any]) -> Table:
    scores = data.get("forecast") or {"pairs": []}
    table = _table(
        "forecast beside persistence, “the price stays where it is”; below 1 is better, 95 %",
        "pair", "predictions", "return MAE ÷", "rank correlation", "price MAPE", "its", "MAPE ÷",
        "volatility MAE ÷",
    )  # fmt: skip
    pooled = [{"pair": "all", **scores["pooled"]}] if len(scores["pairs"]) > 1 else []
    for row in [*scores["pairs"], *pooled]:
        volatility = row.get("volatility_mae_ratio")
        table.add_row(
            row["pair"],
            f"{row['predictions']:,}",
            interval(row["return_mae_ratio"], digits=3),
            interval(row["rank_ic"], digits=3) if row["rank_ic"] else "–",
            f"{row['price_mape_pct']:.3f} %",
            f"{row['persistence_mape_pct']:.3f} %",
            interval(row["price_mape_ratio"], digits=3),
            interval(volatility, digits=3) if volatility else "",
        )
    return table


def _claims(data: Mapping[str, Any]) -> Table:
    table = _table(
        "what is claimed of such a bot", "claim", "claimed", "measured", "the test", "result", "verdict"
    )
    for row in data["claims"]:
        claim = row["claim"]
        table.add_row(
            claim["name"], claim["claimed"], row["measured"], claim["test"], row["result"], row["verdict"]
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at == 0 else "right", overflow="fold")
    return table


def unless_same(effect: Mapping[str, Any], *cells: str) -> tuple[str, ...]:
    """Cells of an ablation's row; – where the component is not in use."""
    return ("–",) * len(cells) if effect["same"] else cells


def number(value: float | None, digits: int = 2) -> str:
    """A number, – where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A fraction in %."""
    return "–" if value is None else f"{100 * value:.1f} %"


def interval(shown: Mapping[str, float | None], scale: float = 1.0, digits: int | None = None) -> str:
    """A figure with its interval: 0.50 [−0.10, 1.10]."""
    digits = digits if digits is not None else 1 if scale == 100 else 2
    value, low, high = (shown[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    if low is None or high is None:
        return number(scale * value, digits)
    return f"{scale * value:.{digits}f} [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"
