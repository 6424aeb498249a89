"""Candles of several pairs on one grid of time, as rules over a whole portfolio need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError

COLUMNS = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Panel:
    """Candles of all pairs. Prices (n, pairs): NaN before a pair's first candle, carried over its gaps.

    dates: (n,) UTC starts of the candles. there: (n, pairs), whether the pair has that candle of its own:
    where it has none, nobody can trade it. A carried candle is flat at the last close.
    """

    pairs: tuple[str, ...]
    dates: pd.DatetimeIndex
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    there: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def candle(self) -> pd.Timedelta:
        """Length of a candle."""
        return (self.dates[1:] - self.dates[:-1]).min()

    @property
    def candles_a_day(self) -> float:
        return pd.Timedelta(days=1) / self.candle

    @property
    def listed(self) -> NDArray[np.bool_]:
        """(n, pairs): the pair has had a candle by then."""
        return np.isfinite(self.close)

    def rows(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> slice:
        """Rows of the candles that begin in [start, end). Raises DataError where there are none."""
        first = 0 if start is None else int(self.dates.searchsorted(_utc(start)))
        after = len(self) if end is None else int(self.dates.searchsorted(_utc(end)))
        if after - first < 2:
            raise DataError(
                f"no candles from {start} to {end}: they run from {self.dates[0]} to {self.dates[-1]}"
            )
        return slice(first, after)

    def head(self, count: int) -> Panel:
        """The first candles only."""
        cut = {name: getattr(self, name)[:count] for name in ("dates", *COLUMNS, "there")}
        return replace(self, **cut)


def make_panel(candles: Mapping[str, pd.DataFrame]) -> Panel:
    """Join candles of one timeframe.

    Args:
        candles: by pair; columns date (UTC), open, high, low, close.

    Raises:
        DataError: no pair, one without candles, a price that is not above 0, dates out of order, or
        timeframes that differ.
    """
    if not candles:
        raise DataError("baselines: no pair given")
    frames, steps = {}, {}
    for pair, frame in candles.items():
        if len(frame) < 2:
            raise DataError(f"{pair}: {len(frame)} candles; download its history")
        prices = frame.set_index(pd.DatetimeIndex(frame["date"]))[list(COLUMNS)].astype(float)
        if not prices.index.is_monotonic_increasing or prices.index.has_duplicates:
            raise DataError(f"{pair}: candles out of order or twice; download its history again")
        bad = ~(np.isfinite(prices.to_numpy()) & (prices.to_numpy() > 0)).all(axis=1)
        if bad.any():
            raise DataError(f"{pair}: the candle of {prices.index[int(bad.argmax())]} has no usable price")
        frames[pair], steps[pair] = prices, prices.index.to_series().diff().min()
    if len(set(steps.values())) > 1:
        raise DataError(
            "candles of different length: "
            + ", ".join(f"{pair} {step}" for pair, step in steps.items())
            + "; give one timeframe"
        )
    step = next(iter(steps.values()))
    grid = pd.date_range(
        min(frame.index[0] for frame in frames.values()),
        max(frame.index[-1] for frame in frames.values()),
        freq=step,
    )
    joined = {pair: frame.reindex(grid) for pair, frame in frames.items()}
    close = np.column_stack([frame["close"].to_numpy() for frame in joined.values()])
    there = np.isfinite(close)
    close = pd.DataFrame(close).ffill().to_numpy()

    def column(name: str) -> NDArray[np.float64]:
        values = np.column_stack([frame[name].to_numpy() for frame in joined.values()])
        return np.where(there, values, close)

    return Panel(tuple(joined), grid, column("open"), column("high"), column("low"), close, there)


def _utc(moment: pd.Timestamp) -> pd.Timestamp:
    moment = pd.Timestamp(moment)
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
