"""Were stops kept? Each trade's stored stop beside the path that the venue's price took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from adaptive_pkg.rehearsal.ledger import VenueOrder
from adaptive_pkg.rehearsal.records import BotTrade
from adaptive_pkg.simulator.replay import SPREAD
from adaptive_pkg.simulator.tape import CLOSE, HIGH, LOW, OPEN, Tape

SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class StopSample:
    """The stop that the database held for a trade at a moment (epoch ms)."""

    at_ms: int
    trade_id: int
    stop: float


@dataclass(frozen=True, slots=True)
class StopCheck:
    """One trade whose price went through its stop.

    Attributes:
        crossed_ms: since when the price has stayed beyond the stop.
        exit_ms: when the order that left was placed; None: not at all.
        candles_late: whole candles between the two; None: not left, while there was time to.
    """

    trade_id: int
    pair: str
    stop: float
    crossed_ms: int
    exit_ms: int | None
    candles_late: int | None

    @property
    def missed(self) -> bool:
        """Later than one candle."""
        return self.candles_late is None or self.candles_late > 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"missed": self.missed}


def price_path(tape: Tape, start_ms: int, end_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """The venue's last price, every second.

    Returns:
        Times (n,) in epoch ms, and prices (n,).
    """
    series = tape.finest
    rows = series.between(start_ms - series.length_ms, end_ms)
    opened, values = series.opened_ms[rows], series.values[rows]
    rising = values[:, CLOSE] >= values[:, OPEN]
    first = np.where(rising, values[:, LOW], values[:, HIGH])
    second = np.where(rising, values[:, HIGH], values[:, LOW])
    length = series.length_ms
    # a millisecond before its end, so that a candle's close and the next one's open both have their place
    at = np.column_stack([opened, opened + length // 4, opened + 3 * length // 4, opened + length - 1])
    corners = np.column_stack([values[:, OPEN], first, second, values[:, CLOSE]])
    times = np.arange(start_ms, end_ms + 1, SECOND_MS)
    return times, np.interp(times, at.ravel(), corners.ravel())


def audit_stops(
    samples: Iterable[StopSample],
    trades: Sequence[BotTrade],
    venue: Sequence[VenueOrder],
    tapes: Mapping[str, Tape],
    *,
    end_ms: int,
    candle_ms: int,
    stays_seconds: int = 30,
) -> tuple[StopCheck, ...]:
    """Every crossing of a long trade's stop, and when the bot left.

    Freqtrade looks every few seconds and at the asking price, so a crossing counts where the last price stays
    below the stop, by more than half the spread, for `stays_seconds`.

    Args:
        samples: stops as the database held them, often enough to know them before they are crossed.
        end_ms: the end of the run. A crossing in its last two candles that was not left from is not counted.
    """
    history: dict[int, list[StopSample]] = defaultdict(list)
    for sample in samples:
        history[sample.trade_id].append(sample)
    exits = _exits(trades, venue)
    checks = []
    for trade in trades:
        stops = sorted(history[trade.id], key=lambda sample: sample.at_ms)
        if not stops or trade.pair not in tapes:
            continue
        left_ms = exits.get(trade.id)
        until = min(end_ms, left_ms + candle_ms if left_ms else end_ms)
        if until <= stops[0].at_ms:
            continue
        crossed = _first_crossing(stops, tapes[trade.pair], until, stays_seconds)
        if crossed is None or (left_ms is not None and crossed[0] > left_ms):
            continue  # it left before, for another reason
        at_ms, stop = crossed
        late = None if left_ms is None else left_ms // candle_ms - at_ms // candle_ms
        if late is None and end_ms - at_ms <= 2 * candle_ms:
            continue
        checks.append(StopCheck(trade.id, trade.pair, stop, at_ms, left_ms, late))
    return tuple(checks)


def _first_crossing(
    stops: Sequence[StopSample], tape: Tape, until_ms: int, stays_seconds: int
) -> tuple[int, float] | None:
    times, prices = price_path(tape, stops[0].at_ms, until_ms)
    known = np.searchsorted([sample.at_ms for sample in stops], times, "right") - 1
    levels = np.array([sample.stop for sample in stops])[known]
    beyond = prices < levels * (1 - SPREAD / 2)
    run = np.convolve(beyond, np.ones(stays_seconds, int), "valid") == stays_seconds
    if not run.any():
        return None
    first = int(np.argmax(run))
    return int(times[first]), float(levels[first])


def _exits(trades: Sequence[BotTrade], venue: Sequence[VenueOrder]) -> dict[int, int]:
    """Trade id → when the order was placed that closed it, or tries to."""
    placed = {(order.pair, order.order_id): order for order in venue}
    found: dict[int, int] = {}
    for trade in trades:
        for row in trade.orders:
            seen = placed.get((trade.pair, str(row["order_id"])))
            part = (row["ft_order_tag"] or "").startswith(("sell rung", "scale out"))
            if seen and not seen.buys and not part and seen.counts:
                found[trade.id] = seen.placed_ms
    return found
