"""The trades inside one pair's candles: every candle's path as twenty of them.

Ids count from the first candle on file, so they follow each other without a hole, as Binance's do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adaptive_pkg.simulator.markets import Market
from adaptive_pkg.simulator.tape import CLOSE, HIGH, LOW, OPEN, VOLUME, Tape
from adaptive_pkg.simulator.wire import stepped

# The path's corners are among them: open, both extremes, close.
_AT = np.concatenate(
    [
        np.linspace(0, 0.25, 5, endpoint=False),
        np.linspace(0.25, 0.75, 10, endpoint=False),
        np.linspace(0.75, 1.0, 5),
    ]
)
PER_CANDLE = len(_AT)


@dataclass(frozen=True)
class Trades:
    """Trades in the order they happened, as arrays of one length.

    `from_seller`: the seller took the buyer's resting order (Binance's `m`).
    """

    ids: np.ndarray
    times_ms: np.ndarray
    prices: np.ndarray
    amounts: np.ndarray
    from_seller: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def trades_between(tape: Tape, tick: float, lot: float, after_ms: int, until_ms: int) -> Trades:
    """Trades later than `after_ms`, at `until_ms` the latest; prices and amounts on their grids."""
    series = tape.finest
    rows = series.between(after_ms - series.length_ms, until_ms)
    return _trades(tape, tick, lot, rows, lambda trades: (trades > after_ms) & (trades <= until_ms))


def trades_from(tape: Tape, tick: float, lot: float, first_id: int, limit: int, now_ms: int) -> Trades:
    """At most `limit` trades from an id on that have happened by now."""
    first = first_id // PER_CANDLE
    rows = slice(first, min(first + limit // PER_CANDLE + 2, len(tape.finest.opened_ms)))
    found = _trades(tape, tick, lot, rows, lambda times: times <= now_ms)
    keep = slice(int(np.searchsorted(found.ids, first_id)), None)
    return Trades(*(array[keep][:limit] for array in _arrays(found)))


def last_id(tape: Tape, now_ms: int) -> int:
    """Id of the latest trade by now; -1 before the first."""
    series = tape.finest
    row = int(np.searchsorted(series.opened_ms, now_ms, "right")) - 1
    if row < 0:
        return -1
    times = _times(series.opened_ms[row : row + 1], series.length_ms)[0]
    return row * PER_CANDLE + int(np.searchsorted(times, now_ms, "right")) - 1


def trade_row(trades: Trades, i: int, market: Market) -> dict[str, Any]:
    """One trade as `aggTrades` writes it."""
    return {
        "a": int(trades.ids[i]),
        "p": stepped(float(trades.prices[i]), market.tick),
        "q": stepped(float(trades.amounts[i]), market.lot),
        "f": int(trades.ids[i]),
        "l": int(trades.ids[i]),
        "T": int(trades.times_ms[i]),
        "m": bool(trades.from_seller[i]),
        "M": True,
    }


def _trades(
    tape: Tape, tick: float, lot: float, rows: slice, chosen: Callable[[np.ndarray], np.ndarray]
) -> Trades:
    series = tape.finest
    opened, values = series.opened_ms[rows], series.values[rows]
    times = _times(opened, series.length_ms)
    dips = tape.path.falls_first(values[:, CLOSE] >= values[:, OPEN])
    corners = np.column_stack(
        [
            values[:, OPEN],
            np.where(dips, values[:, LOW], values[:, HIGH]),
            np.where(dips, values[:, HIGH], values[:, LOW]),
            values[:, CLOSE],
        ]
    )
    prices = np.maximum(np.round((corners @ tape.path.weights(_AT)) / tick), 1) * tick
    amounts = np.maximum(np.floor(values[:, VOLUME] / PER_CANDLE / lot + 1e-9), 1) * lot
    ids = (np.arange(rows.start, rows.start + len(opened)) * PER_CANDLE)[:, None] + np.arange(PER_CANDLE)
    turn, back = tape.path.first[0], tape.path.second[0]
    outer = np.less(_AT, turn) | np.greater_equal(_AT, back)  # before the first extreme or after the second
    falling = np.where(dips[:, None], outer, ~outer)
    whole = (ids, times, prices, np.broadcast_to(amounts[:, None], times.shape), falling)
    keep = chosen(times)
    return Trades(*(array[keep] for array in whole))


def _times(opened: np.ndarray, length_ms: int) -> np.ndarray:
    return opened[:, None] + np.minimum(np.round(_AT * length_ms).astype(int), length_ms - 1)


def _arrays(trades: Trades) -> tuple[np.ndarray, ...]:
    return trades.ids, trades.times_ms, trades.prices, trades.amounts, trades.from_seller
