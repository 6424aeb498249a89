"""Volume by price over a trailing window: where most was traded, and between which prices most of it."""

from __future__ import annotations

import numpy as np
import talib

from adaptive_pkg.policy.library.inputs import Array, LibraryInputs

_CELLS = 50_000  # candles of all windows held at once: what a processor's cache holds


def volume_profile_levels(
    market: LibraryInputs, candles: int, bins: int, value_area: float
) -> tuple[Array, Array, Array]:
    """Peak, low and high of the value area of the last `candles`, this one included; each (n,).

    A candle's volume lies at its typical price, in `bins` bins between the window's extremes. The value area
    holds the central `value_area` of the volume: it runs from the bin where the cumulative volume passes
    (1 − value_area) / 2 to the one where it passes the same from above. Peak: middle of the fullest bin (the
    lowest of equals). NaN until there are as many candles, and where none traded or price never moved.
    """
    n = len(market)
    out = np.full((3, n), np.nan)
    if n < candles:
        return out[0], out[1], out[2]
    typical = (market.high + market.low + market.close) / 3.0
    prices = np.lib.stride_tricks.sliding_window_view(typical, candles)
    volumes = np.lib.stride_tricks.sliding_window_view(market.volume, candles)
    floors = talib.MIN(typical, candles)[candles - 1 :]
    widths = (talib.MAX(typical, candles)[candles - 1 :] - floors) / bins
    tail = (1.0 - value_area) / 2.0
    step = max(1, _CELLS // candles)
    for at in range(0, len(prices), step):
        price, volume = prices[at : at + step], volumes[at : at + step]
        rows = len(price)
        floor, width = floors[at : at + step], widths[at : at + step]
        good = width > 0
        scale = np.divide(1.0, width, out=np.zeros(rows), where=good)
        place = (price - floor[:, None]) * scale[:, None]
        index = np.minimum(place.astype(np.intp), bins - 1)  # the highest price belongs to the last bin
        index += (np.arange(rows) * bins)[:, None]
        filled = np.bincount(index.ravel(), weights=volume.ravel(), minlength=rows * bins).reshape(rows, bins)
        cumulative = filled.cumsum(axis=1)
        total = cumulative[:, -1]
        good &= total > 0
        below = (cumulative < tail * total[:, None]).sum(axis=1)
        above = (cumulative < (1.0 - tail) * total[:, None]).sum(axis=1)
        found = (filled.argmax(axis=1) + 0.5, below, above + 1.0)
        ends = slice(at + candles - 1, at + candles - 1 + rows)
        for level, edge in zip(out, found, strict=True):
            level[ends] = np.where(good, floor + edge * width, np.nan)
    return out[0], out[1], out[2]
