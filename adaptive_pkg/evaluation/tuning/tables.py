"""The search's trials and its verdict as tables in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.evaluation.tuning.search import DEFAULT

SHOWN = 10  # trials in the table


def show(result: dict[str, Any], console: Console, out: Path | None) -> None:
    """Print the trials, both settings on the held-out folds, and the reading."""
    spans = {name: f"{f['folds']} ({f['first']} – {f['last']})" for name, f in result["folds"].items()}
    console.print(
        f"[bold]Tuning[/bold], {', '.join(result['pairs'])}, {result['timeframe']}, "
        f"{result['horizon_candles']} candles ahead: fitted on {result['train_days']} days, refitted every "
        f"{result['fold_days']} days, {result['purge_candles']} labels before a fold purged and "
        f"{result['embargo_candles']} embargoed. Folds of the search: {spans['search']}; held out: "
        f"{spans['held_out']}. Loss: {result['objective']}; below 1 is better than forecasting nothing. ± is "
        f"the standard error over folds. {result['sampler']}; pruned by the {result['pruner']}.",
        highlight=False,
    )
    console.print(_trials_table(result))
    console.print(_held_out_table(result["held_out"]))
    for line in result["reading"]:
        console.print(line, highlight=False)
    if result["best_trial"] != DEFAULT:
        console.print(
            f"To use trial {result['best_trial']}: freqtrade … --config user_data/config.json --config "
            f"{out or 'FILE'} --freqaimodel {result['settings']['cell'].upper()}Regressor, with a new "
            "freqai.identifier.",
            highlight=False,
        )


def _trials_table(result: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    done = [t for t in result["trials"] if t["state"] == "complete"]
    states = {state: sum(t["state"] == state for t in result["trials"]) for state in ("pruned", "failed")}
    table.title = f"{len(done)} complete trials, {states['pruned']} pruned, {states['failed']} failed"
    for heading in (
        "trial", "loss", "less the default's", "cell", "units", "window", "dropout", "rate", "CPU s a fit",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("cell", "units") else "right", no_wrap=True)
    ranked = sorted(done, key=lambda t: (t["loss"]["value"], t["trial"]))
    shown = ranked[:SHOWN]
    shown += [t for t in ranked[SHOWN:] if t["trial"] == DEFAULT]
    for row in shown:
        drawn, first = row["params"], row["trial"] == DEFAULT
        table.add_row(
            "default" if first else str(row["trial"]),
            _plus_minus(row["loss"], ".4f"),
            "–" if first else _plus_minus(row["less_default"], "+.4f"),
            *(
                ("as set", "", "", "", "")
                if not drawn
                else (
                    drawn["cell"],
                    f"{drawn['layers']} × {drawn['units']}",
                    str(drawn["window"]),
                    f"{drawn['dropout']:.2f}",
                    f"{drawn['learning_rate']:.2g}",
                )
            ),
            f"{row['cpu_seconds_per_fit']:.2f}",
        )
    return table


def _held_out_table(judged: dict[str, Any]) -> Table:
    title = f"held-out folds, {judged['seeds']} seeds"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("settings", "loss", "return MSE ÷ zero", "volatility MSE ÷ zero"):
        table.add_column(heading, justify="left" if heading == "settings" else "right", no_wrap=True)
    for name, parts in judged["parts"].items():
        table.add_row(
            name,
            _plus_minus(judged[name], ".4f"),
            f"{parts['return_mse_over_zero']:.4f}",
            f"{parts['volatility_mse_over_zero']:.4f}",
        )
    if judged["difference"]:
        table.add_row("tuned − default", _plus_minus(judged["difference"], "+.4f"), "", "")
    return table


def _plus_minus(mean: dict[str, Any] | None, form: str) -> str:
    return "–" if mean is None else f"{mean['value']:{form}} ± {mean['standard_error']:.4f}"
