"""Check: is every open trade still guarded as it was planned?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.adapter.trade_words import price, quote_of, result_at
from adaptive_pkg.doctor.findings import block
from adaptive_pkg.errors import DataError
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict
from adaptive_pkg.upkeep.inspection import Inspection
from adaptive_pkg.upkeep.trade_book import SAME_PRICE

NAME = "open trades"
SETTLED_CANDLES = 2  # after which freqtrade's stop is the plan's, and a passed stop has been met
PATIENCE = 3  # times unfilledtimeout after which a waiting order means that nobody is looking


def check_open_plans(seen: Inspection) -> Finding:
    """Each open trade: its stored plan, the stop freqtrade holds, where the price is, orders that wait."""
    trades = seen.open
    if trades.empty:
        return Finding(NAME, Verdict.OK, "none")
    rows, wrong, at_stop = [], [], 0.0
    for row in trades.itertuples():
        problems = [f"{row.pair} (trade {row.id}): {problem}" for problem in _problems(row, seen)]
        wrong += problems
        outcome = "–"
        if row.plan is not None and row.stop_loss > 0:
            money, _ = result_at(row, row.plan, row.stop_loss)
            at_stop += money
            outcome = f"{money:+.2f} {quote_of(row.pair)}"
        rows.append(
            (
                row.pair,
                f"{row.open_date:%Y-%m-%d %H:%M}",
                str(row.stage or "–"),
                price(row.stop_loss) if row.stop_loss > 0 else "–",
                outcome,
                "sound" if not problems else "see above",
            )
        )
    wrong += _waiting(seen)
    table = FindingTable(("pair", "since", "stage", "stop", "if stopped now", "plan"), tuple(rows))
    told = (
        f"{len(trades)} open; all stops met now would bring {at_stop:+.2f} {quote_of(rows[0][0])} after fees"
    )
    figures = {"open": len(trades), "if_all_stopped": at_stop, "problems": wrong}
    if wrong:
        return Finding(
            NAME,
            Verdict.ACT,
            f"{'; '.join(wrong)}; {told}",
            "see whether the bot runs and what its log says of these trades; a trade without a plan keeps "
            "the last stop freqtrade had for it: set another by hand, or close it with /forceexit",
            figures,
            table,
        )
    return Finding(NAME, Verdict.OK, f"{told}; every plan is sound", "", figures, table)


def _problems(row: Any, seen: Inspection) -> list[str]:
    found = [row.problem] if row.problem else []
    age = seen.now - row.open_date
    if row.plan is None or age < SETTLED_CANDLES * seen.candle:
        return found
    sign = -1.0 if row.is_short else 1.0
    if not np.isfinite(row.stop_loss) or row.stop_loss <= 0.0:
        return [*found, "freqtrade holds no stop for it"]
    looser = sign * (row.plan.initial_stop - row.stop_loss)
    if looser > SAME_PRICE * row.plan.entry_price:
        found.append(
            f"its stop {price(row.stop_loss)} is farther than the plan's {price(row.plan.initial_stop)}"
        )
    closes = _last_closes(row.pair, seen)
    if len(closes) == SETTLED_CANDLES and (sign * (closes - row.stop_loss) < 0).all():
        found.append(
            f"the last {SETTLED_CANDLES} candles closed beyond its stop {price(row.stop_loss)} "
            f"({price(closes[-1])}), and it is still open"
        )
    return found


def _last_closes(pair: str, seen: Inspection) -> np.ndarray:
    """The newest closes on disk; none where they are too old to judge by."""
    try:
        candles = seen.candles(pair)
    except DataError:
        return np.empty(0)
    fresh = candles["date"] > seen.now - (SETTLED_CANDLES + 2) * seen.candle
    return candles.loc[fresh, "close"].to_numpy()[-SETTLED_CANDLES:]


def _waiting(seen: Inspection) -> list[str]:
    """Orders that wait far longer than freqtrade lets them. A stop on the exchange waits as it should."""
    timeout = block(seen.config, "unfilledtimeout")
    unit = "s" if timeout.get("unit") == "seconds" else "min"
    longest = max(float(timeout.get(side) or 10) for side in ("entry", "exit"))
    limit = PATIENCE * pd.Timedelta(longest, unit=unit)
    orders = seen.book.open_orders
    late = orders[(orders["side"] != "stoploss") & (orders["order_date"] < seen.now - limit)]
    return [
        f"{row.pair}: its {row.side} order has waited since {row.order_date:%Y-%m-%d %H:%M}, longer than "
        "the bot lets one wait"
        for row in late.itertuples()
    ]
