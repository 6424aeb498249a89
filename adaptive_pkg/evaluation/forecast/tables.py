"""The evaluation's figures as tables in the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

ORDER = (
    "zero", "persistence", "drift", "har", "har_clock", "ridge", "lightgbm", "ensemble.ridge",
    "ensemble.boosting", "gru", "lstm", "ensemble",
)  # fmt: skip


def show(result: dict[str, Any], console: Console) -> None:
    """Print the tables, the aims and the reading."""
    console.print(
        f"[bold]Forecasts {result['horizon_candles']} candles of {result['timeframe']} ahead[/bold], "
        f"{result['start']} – {result['end']}, all out of sample: {result['features']} features, fitted on "
        f"{result['train_days']} days every {result['refit_days']} days, {result['purge_candles']} labels "
        f"before a fold purged and {result['embargo_candles']} embargoed, {result['seeds']} seeds. […] is "
        "the 95 % block-bootstrap interval; p is Diebold–Mariano's of 'not better'.",
        highlight=False,
    )
    console.print(_returns(result))
    console.print(_volatility(result))
    console.print(_aims(result))
    for line in result["reading"]:
        console.print(line, highlight=False)


def ordered(models: Any) -> list[str]:
    """Model names, baselines first."""
    return sorted(models, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def _returns(result: dict[str, Any]) -> Table:
    table = _table(
        "return, in σ: beside 'the price stays'",
        "pair", "model", "MAE ÷ persistence", "p", "MSE ÷", "price MAPE", "direction right", "top decile",
        "rank IC", "earned weight",
    )  # fmt: skip
    for pair, item in result["pairs"].items():
        for model in ordered(item["returns"]):
            row = item["returns"][model]
            weight = row["earned_weight"]
            table.add_row(
                pair,
                "persistence" if model == "zero" else model,
                _interval(row["mae_over_reference"]),
                _p(row["mae_over_reference_dm_p"]),
                f"{row['mse_over_reference']['value']:.4f}",
                f"{row['price_mape_pct']:.3f} %",
                _interval(row["direction"], 100, 1),
                _interval(row["direction_top_decile"], 100, 1),
                _interval(row["rank_ic"]),
                f"{weight['final']:.2f}" if weight else "–",
            )
        table.add_section()
    return table


def _volatility(result: dict[str, Any]) -> Table:
    table = _table(
        "log volatility: beside persistence and HAR",
        "pair", "model", "MAE ÷ persistence", "MSE ÷ persistence", "skill over level", "QLIKE",
        "QLIKE ÷ HAR", "p", "MSE ÷ HAR", "p",
    )  # fmt: skip
    for pair, item in result["pairs"].items():
        for model in ordered(item["volatility"]):
            row = item["volatility"][model]
            table.add_row(
                pair,
                model,
                f"{row['mae_over_reference']['value']:.3f}",
                f"{row['mse_over_reference']['value']:.3f}",
                f"{row['skill_over_zero']:.3f}",
                f"{row['qlike']:.3f}",
                _interval(row.get("qlike_over_har")),
                _p(row.get("qlike_over_har_dm_p")),
                _interval(row.get("mse_over_har")),
                _p(row.get("mse_over_har_dm_p")),
            )
        table.add_section()
    return table


def _aims(result: dict[str, Any]) -> Table:
    table = _table("aims", "model", "aim", "pairs", "needed", "reached")
    for row in result["aims"]:
        table.add_row(
            row["model"],
            row["aim"],
            f"{len(row['pairs_met'])} of {row['pairs']}",
            str(row["needed"]),
            "yes" if row["reached"] else "no",
        )
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        left = heading in ("pair", "model", "aim")
        table.add_column(heading, justify="left" if left else "right", no_wrap=left)
    return table


def _interval(skill: dict[str, Any] | None, scale: float = 1.0, digits: int = 3) -> str:
    if skill is None:
        return "–"
    value, low, high = (f"{scale * skill[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
