"""The report's section on luck: every gate with what it asks for, and how trades could have fallen."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from adaptive_pkg.evaluation.strategy import luck as gate
from adaptive_pkg.evaluation.strategy import overfitting, snooping
from adaptive_pkg.evaluation.strategy.page_tables import table, word
from adaptive_pkg.evaluation.strategy.tables import number, percent


def luck(data: Mapping[str, Any]) -> str:
    """HTML; nothing where no gate was tried."""
    found = data["luck"]
    rows: list[list[str]] = []
    if judged := found.get("sharpe"):
        rows += _sharpe(judged)
    if choice := found.get("overfitting"):
        rows.append(
            [
                "probability of backtest overfitting",
                _passed(choice["probability"] <= overfitting.ACCEPTED),
                percent(choice["probability"]),
                f"at most {percent(overfitting.ACCEPTED)}",
                escape(choice["answer"]),
            ]
        )
    for name, tested in found.items():
        if name.startswith("beside"):
            rows.append(
                [
                    f"superior predictive ability, {escape(name.replace('_', ' '))}",
                    _passed(tested["p"] < snooping.SIZE),
                    f"p = {number(tested['p'])}",
                    f"below {snooping.SIZE}",
                    escape(tested["answer"]),
                ]
            )
    shown = table(("gate", "", "found", "asked", "in words"), rows, words={4})
    return shown + _order(found.get("trade_order"))


def _sharpe(judged: Mapping[str, Any]) -> list[list[str]]:
    tries = f"{judged['trials']:,.0f}"
    least = judged["least_days"]
    enough = least is not None and judged["days"] >= least
    only = judged["trials"] == 1
    rows = [
        [
            "probabilistic Sharpe ratio",
            _passed(judged["probabilistic"] >= gate.ACCEPTED),
            number(judged["probabilistic"]),
            f"{gate.ACCEPTED:g}",
            escape(judged["answer"])
            if only
            else "The probability that the true Sharpe ratio is above 0, were this the only try.",
        ],
        [
            f"deflated Sharpe ratio, {tries} tries",
            _passed(judged["deflated"] >= gate.ACCEPTED),
            number(judged["deflated"]),
            f"{gate.ACCEPTED:g}",
            escape(judged["answer"]),
        ],
        [
            "length of the record",
            _passed(enough),
            f"{judged['days']:,} days",
            "never" if least is None else f"{least:,.0f} days",
            "No record is long enough for a Sharpe ratio that is not above 0."
            if least is None
            else "The days after which such a Sharpe ratio is above 0 with 95 %.",
        ],
    ]
    return [row for at, row in enumerate(rows) if at != 1 or not only]


def _order(order: Mapping[str, Any] | None) -> str:
    if not order:
        return ""
    low, middle, high = order["redrawn"]
    rows = [
        [
            "largest drawdown, trade by trade",
            percent(order["observed"]),
            percent(order["shuffled"][1]),
            f"{percent(order['shuffled'][0])} to {percent(order['shuffled'][2])}",
        ],
        ["the same, other trades like them", "", percent(middle), f"{percent(low)} to {percent(high)}"],
        [
            "growth, other trades like them",
            "",
            percent(order["growth"][1]),
            f"{percent(order['growth'][0])} to {percent(order['growth'][2])}",
        ],
        [
            "longest run of losses",
            f"{order['streak']}",
            f"{order['streak_shuffled'][1]:.0f}",
            f"{order['streak_shuffled'][0]:.0f} to {order['streak_shuffled'][2]:.0f}",
        ],
    ]
    words = (
        f"{order['trades']:,} trades in random order. Of accounts made of other trades like them, "
        f"{percent(order['loss'])} lost money and {percent(order['beyond_budget'])} fell by more than "
        f"{percent(order['budget'])}."
    )
    shown = table(("", "as it was", "median", "90 % of the orders"), rows)
    return f"<h3>The same trades in another order</h3><p>{escape(words)}</p>{shown}"


def _passed(yes: bool) -> str:
    return word("passed" if yes else "failed")
