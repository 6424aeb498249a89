"""What silences the vote: paid funding, thin volume, odd volatility; and the alt-coins' lean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.settings.library import LibraryFilters

FUNDING_COLUMN = "funding_rate"  # last rate known at the candle's close, a fraction per 8 h
BREADTH_COLUMN = "alt_breadth"  # −1..1, see `alt_breadth`
FILTER_COLUMNS = {
    "funding": FUNDING_COLUMN,
    "volume": "volume_ratio",
    "volatility": "atr_ratio",
    "breadth": BREADTH_COLUMN,
}


@dataclass(frozen=True)
class FilterReading:
    """What the filters say of each candle.

    long_allowed, short_allowed: bool (n,). breadth: float (n,), −1..1, 0 where unknown. absent: filters
    whose column the frame has not. unknown: share of candles, by filter present, whose value is NaN; both
    count as neutral.
    """

    long_allowed: np.ndarray
    short_allowed: np.ndarray
    breadth: np.ndarray
    absent: tuple[str, ...]
    unknown: dict[str, float]

    def describe(self) -> str:
        """In words: what was blocked, and which filters had nothing to go by."""
        parts = [
            f"longs blocked on {_percent(~self.long_allowed)} of candles, "
            f"shorts on {_percent(~self.short_allowed)}"
        ]
        parts += [f"{name}: no column {FILTER_COLUMNS[name]!r}, neutral" for name in self.absent]
        parts += [
            f"{name}: unknown on {share:.1%}, neutral there" for name, share in self.unknown.items() if share
        ]
        return "; ".join(parts)


def read_filters(frame: pd.DataFrame, settings: LibraryFilters) -> FilterReading:
    """Apply every filter whose column is there.

    Funding beyond the limit blocks the side that pays it; a volume ratio below its least, and an ATR ratio
    outside its bounds, block both.

    Raises:
        DataError: the breadth is outside −1..1, or funding is a percentage by its size (|rate| > 0.1).
    """
    known = {name: _column(frame, column) for name, column in FILTER_COLUMNS.items()}
    funding, volume, volatility, breadth = known.values()
    _check("breadth", breadth, 1.0, "pass policy.library.alt_breadth's output")
    _check("funding", funding, 0.1, "pass a fraction per 8 hours: 0.01 % is 0.0001")
    odd = (
        (volume < settings.least_volume_ratio)
        | (volatility < settings.least_atr_ratio)
        | (volatility > settings.most_atr_ratio)
    )
    absent = tuple(name for name, column in FILTER_COLUMNS.items() if column not in frame.columns)
    return FilterReading(
        long_allowed=~odd & ~(funding > settings.funding_limit),
        short_allowed=~odd & ~(funding < -settings.funding_limit),
        breadth=np.nan_to_num(breadth),
        absent=absent,
        unknown={
            name: float(np.isnan(values).mean()) if len(values) else 0.0
            for name, values in known.items()
            if name not in absent
        },
    )


def alt_breadth(closes: pd.DataFrame, halflife: int) -> np.ndarray:
    """How alt-coins lean at each candle: tanh of their mean last return in their own σ; (n,) in −1..1.

    Args:
        closes: close by coin, one row a candle; a coin without a candle is NaN and left out there.
        halflife: of the EWMA σ, in candles, which ends at the candle before.

    Returns:
        NaN where no coin has a return and a σ.
    """
    prices = closes.to_numpy(np.float64, na_value=np.nan)
    returns = pd.DataFrame(np.log(prices)).diff()
    sigma = np.sqrt((returns**2).ewm(halflife=halflife, min_periods=halflife).mean().shift())
    in_sigma = (returns / sigma.where(sigma > 0)).to_numpy()
    some = ~np.isnan(in_sigma)
    count = some.sum(axis=1)
    total = np.where(some, in_sigma, 0.0).sum(axis=1)
    return np.tanh(np.divide(total, count, out=np.full(len(closes), np.nan), where=count > 0))


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(np.float64, na_value=np.nan)


def _check(name: str, values: np.ndarray, most: float, remedy: str) -> None:
    beyond = np.abs(values) > most
    if beyond.any():
        row = int(beyond.argmax())
        raise DataError(
            f"{FILTER_COLUMNS[name]}: {values[row]:g} in row {row} is outside −{most:g} … {most:g}; {remedy}"
        )


def _percent(flags: np.ndarray) -> str:
    return f"{flags.mean():.1%}" if len(flags) else "none"
