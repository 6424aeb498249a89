"""One pair's candles seen from a moment: what an exchange could have shown then, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adaptive_pkg.market.timeframes import resample, timeframe_hours
from adaptive_pkg.simulator.candles import COLUMNS, CandleStore
from adaptive_pkg.simulator.replay import STRAIGHT, CandlePath

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


@dataclass(frozen=True)
class Series:
    """Candles of one length as arrays: opening times (epoch ms, rising) and (n, 5) open…volume."""

    opened_ms: np.ndarray
    values: np.ndarray
    length_ms: int

    def between(self, start_ms: int, end_ms: int) -> slice:
        """Rows that open in [start, end]."""
        return slice(
            int(np.searchsorted(self.opened_ms, start_ms, "left")),
            int(np.searchsorted(self.opened_ms, end_ms, "right")),
        )


@dataclass(frozen=True)
class Day:
    """The 24 hours up to a moment, as `ticker/24hr` reports them."""

    opened_ms: int
    open: float
    high: float
    low: float
    last: float
    volume: float
    quote_volume: float


class Tape:
    """Replays one pair. The finest candles on file give the price inside longer ones.

    Inside a candle the price runs open → low → high → close if it rises, open → high → low → close if it
    falls, straight between them, reaching the extremes after a quarter and three quarters of its time, unless
    another path is given.
    """

    def __init__(self, store: CandleStore, pair: str, path: CandlePath = STRAIGHT):
        self.pair = pair
        self.path = path
        self._store = store
        self._files = store.timeframes.get(pair, ())
        self._series: dict[str, Series] = {}

    @property
    def has_candles(self) -> bool:
        return bool(self._files)

    @property
    def finest(self) -> Series:
        """The shortest candles on file. Raises DataError where there are none."""
        return self.series(self._files[0] if self._files else "1h")

    def series(self, timeframe: str) -> Series:
        """All candles of a length, joined from the finest where there is no file of that length.

        Raises:
            DataError: no candles of this pair are that short, or their length does not divide it.
        """
        if timeframe not in self._series:
            length = timeframe_hours(timeframe)
            if timeframe in self._files or not self._files or not self._divides(timeframe):
                frame = self._store.load(self.pair, timeframe)
            else:
                frame = resample(self._store.load(self.pair, self._files[0]), timeframe)
            opened = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
            values = frame[COLUMNS[1:]].to_numpy(dtype=float)
            self._series[timeframe] = Series(opened, values, round(length * HOUR_MS))
        return self._series[timeframe]

    def _divides(self, timeframe: str) -> bool:
        """Whether whole candles of the finest file make one of these; in minutes, for 1/12 h is no float."""
        return round(60 * timeframe_hours(timeframe)) % round(60 * timeframe_hours(self._files[0])) == 0

    def candles(
        self, timeframe: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Candles that open in [start, end] and not after now; the one still forming is cut at now.

        With a start the first `limit` of them, without one the last.

        Returns:
            Opening times (n,) in epoch ms and (n, 5) open, high, low, close, volume.
        """
        series = self.series(timeframe)
        rows = series.between(0 if start_ms is None else start_ms, now_ms if end_ms is None else end_ms)
        stop = min(rows.stop, int(np.searchsorted(series.opened_ms, now_ms, "right")))
        first = rows.start if start_ms is not None else max(rows.start, stop - limit)
        stop = min(stop, first + limit)
        opened, values = series.opened_ms[first:stop], series.values[first:stop]
        if len(opened) and opened[-1] + series.length_ms > now_ms:
            values = values.copy()
            values[-1] = self._forming(int(opened[-1]), now_ms)
        return opened, values

    def price(self, now_ms: int) -> float | None:
        """Last traded price; None before the first candle. After the last one: its close."""
        _, values = self._seen(self.finest.opened_ms[:1].max(initial=0), now_ms, last=1)
        return float(values[-1, CLOSE]) if len(values) else None

    def day(self, now_ms: int) -> Day | None:
        """The last 24 hours; flat at the last price where nothing traded, None before the first candle."""
        last = self.price(now_ms)
        if last is None:
            return None
        opened_ms = now_ms - DAY_MS
        _, values = self._seen(opened_ms, now_ms)
        if not len(values):
            return Day(opened_ms, last, last, last, last, 0.0, 0.0)
        quote = float((values[:, VOLUME] * values[:, OPEN : CLOSE + 1].mean(axis=1)).sum())
        return Day(
            opened_ms,
            float(values[0, OPEN]),
            float(values[:, HIGH].max()),
            float(values[:, LOW].min()),
            last,
            float(values[:, VOLUME].sum()),
            quote,
        )

    def _seen(self, start_ms: int, now_ms: int, last: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Finest candles from start to now, the forming one cut; only the `last` ones if given."""
        series = self.finest
        rows = series.between(int(start_ms), now_ms)
        first = rows.start if last is None else max(rows.start, rows.stop - last)
        values = series.values[first : rows.stop].copy()
        if rows.stop > first:
            opened = series.opened_ms[rows.stop - 1]
            fraction = (now_ms - opened) / series.length_ms
            if fraction < 1:
                values[-1] = partial_candle(values[-1], fraction, self.path)
        return series.opened_ms[first : rows.stop], values

    def _forming(self, opened_ms: int, now_ms: int) -> np.ndarray:
        _, parts = self._seen(opened_ms, now_ms)
        return np.array(
            [
                parts[0, OPEN],
                parts[:, HIGH].max(),
                parts[:, LOW].min(),
                parts[-1, CLOSE],
                parts[:, VOLUME].sum(),
            ]
        )


def partial_candle(candle: np.ndarray, fraction: float, path: CandlePath = STRAIGHT) -> np.ndarray:
    """A candle (open, high, low, close, volume) as it stood after `fraction` (0…1) of its time."""
    open_, high, low, close, volume = candle
    extremes = (low, high) if path.falls_first(bool(close >= open_)) else (high, low)
    points = [(open_, *extremes, close)[corner] for corner in path.corners]
    price = float(np.interp(fraction, path.times, points))
    seen = [price, *(point for time, point in zip(path.times, points, strict=True) if time <= fraction)]
    return np.array([open_, max(seen), min(seen), price, volume * fraction])
