"""How far each trade went against and for its owner, whether its entry was false and its stop premature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import talib
from numpy.typing import NDArray

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.evaluation.strategy.trading import checked_trades, entry_weeks
from adaptive_pkg.policy.calibration import Estimate

ATR_PERIOD = 14
HORIZON = 72  # candles within which an entry proves itself, or a price comes back after a stop
STOP_REASONS = ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange")


@dataclass(frozen=True)
class EntryQuality:
    """Of entries, and of entering at any candle of the same pairs and months: what chance makes of it.

    false: share where the price went one ATR against before it went one ATR for. base: the same for all
    candles, weighted as the entries are. relative: false over base, less 1, with its 95 % interval (weeks
    of entries).
    """

    entries: int
    false: float
    base: float
    relative: Estimate


def excursions(trades: pd.DataFrame, candles: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Trades with columns mae, mfe, capture, stopped, premature, false_entry, in order of closing.

    mae, mfe: worst and best excursion over the (average) entry price, ≥ 0. Of the exit's candle only the fill
    counts: its other prices may have come later. capture: profit over the stake over mfe, NaN without mfe.
    premature: stopped, then within 72 candles the price was better than the exit by one ATR. false_entry: see
    `EntryQuality`.

    Args:
        candles: by pair; date (UTC), open, high, low, close, without gaps worth mentioning.

    Raises:
        DataError: unusable trades, a pair without candles, or a trade outside of them.
    """
    found = checked_trades(trades)
    columns = {name: np.full(len(found), np.nan) for name in ("mae", "mfe")}
    flags = {name: np.zeros(len(found), dtype=bool) for name in ("premature", "false_entry")}
    stopped = found["exit_reason"].isin(STOP_REASONS).to_numpy()
    short = found["is_short"].to_numpy(bool) if "is_short" in found else np.zeros(len(found), dtype=bool)
    for pair, rows in found.groupby("pair").indices.items():
        path = _Path.of(pair, candles)
        first = path.locate(found["open_date"].iloc[rows], pair)
        last = path.locate(found["close_date"].iloc[rows], pair)
        wrong = {side: path.false_entries(side) for side in (1, -1)}
        for row, begin, end in zip(rows, first, last, strict=True):
            trade, side = found.iloc[row], -1 if short[row] else 1
            worst, best = path.range(begin, end, side, trade["open_rate"], trade["close_rate"])
            columns["mae"][row] = max(0.0, side * (trade["open_rate"] - worst) / trade["open_rate"])
            columns["mfe"][row] = max(0.0, side * (best - trade["open_rate"]) / trade["open_rate"])
            flags["false_entry"][row] = wrong[side][begin]
            flags["premature"][row] = stopped[row] and path.comes_back(end, side, trade["close_rate"])
    mfe = columns["mfe"]
    capture = np.divide(
        found["profit_ratio"].to_numpy(float), mfe, out=np.full(len(mfe), np.nan), where=mfe > 0
    )
    return found.assign(**columns, capture=capture, stopped=stopped, **flags)


def entry_quality(trades: pd.DataFrame, candles: Mapping[str, pd.DataFrame]) -> EntryQuality:
    """False entries beside those of all candles of the same pairs, sides and months. Raises DataError."""
    known = trades if "false_entry" in trades else excursions(trades, candles)
    base = np.empty(len(known))
    short = known["is_short"].to_numpy(bool) if "is_short" in known else np.zeros(len(known), dtype=bool)
    for pair, rows in known.groupby("pair").indices.items():
        path = _Path.of(pair, candles)
        months = path.dates.astype("datetime64[M]")
        mine = known["open_date"].iloc[rows].dt.tz_convert(None).to_numpy().astype("datetime64[M]")
        for side in (1, -1):
            wrong = path.false_entries(side)
            for month in np.unique(mine):
                here = rows[(mine == month) & (short[rows] == (side < 0))]
                base[here] = wrong[months == month].mean() if len(here) else 0.0
    false = known["false_entry"].to_numpy(float)
    relative = estimate_by_block(
        np.column_stack([false, base]), entry_weeks(known), lambda sums: sums[..., 0] / sums[..., 1] - 1.0
    )
    return EntryQuality(len(known), float(false.mean()), float(base.mean()), relative)


def winners_mae(trades: pd.DataFrame, quantile: float = 0.9) -> float:
    """How far winners went against their owner at that quantile (Sweeney 1996); NaN without winners.

    Args:
        trades: as `excursions` returns them.
    """
    won = trades.loc[trades["profit_abs"] > 0, "mae"]
    return float(won.quantile(quantile)) if len(won) else float("nan")


@dataclass(frozen=True)
class _Path:
    dates: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    atr: NDArray[np.float64]  # known at the open of the candle: that of the one before

    @classmethod
    def of(cls, pair: str, candles: Mapping[str, pd.DataFrame]) -> _Path:
        if pair not in candles or len(candles[pair]) <= ATR_PERIOD + 1:
            raise DataError(f"{pair}: no candles for its trades; give those that the backtest ran on")
        frame = candles[pair]
        o, h, low, c = (frame[name].to_numpy(float) for name in ("open", "high", "low", "close"))
        dates = pd.DatetimeIndex(frame["date"]).tz_convert(None).to_numpy()
        atr = np.concatenate([[np.nan], talib.ATR(h, low, c, timeperiod=ATR_PERIOD)[:-1]])
        return cls(dates, o, h, low, c, atr)

    def locate(self, moments: pd.Series, pair: str) -> NDArray[np.int64]:
        """Candle in which each moment lies."""
        at = pd.DatetimeIndex(moments).tz_convert(None).to_numpy()
        rows = np.searchsorted(self.dates, at, side="right") - 1
        step = np.diff(self.dates).min()
        outside = (rows < 0) | (at > self.dates[-1] + step)
        if outside.any():
            raise DataError(
                f"{pair}: a trade of {at[outside.argmax()]} lies outside its candles, {self.dates[0]} to "
                f"{self.dates[-1]}; give those that the backtest ran on"
            )
        return rows

    def range(self, begin: int, end: int, side: int, entry: float, left: float) -> tuple[float, float]:
        """Worst and best price of a trade: whole candles before the exit's own, and the two fills."""
        low = min(self.low[begin:end].min(initial=np.inf), entry, left)
        high = max(self.high[begin:end].max(initial=-np.inf), entry, left)
        return (low, high) if side > 0 else (high, low)

    def comes_back(self, end: int, side: int, left: float) -> bool:
        after = slice(end + 1, end + 1 + HORIZON)
        goal = left + side * self.atr[end]
        return bool((self.high[after] >= goal).any() if side > 0 else (self.low[after] <= goal).any())

    def false_entries(self, side: int) -> NDArray[np.bool_]:
        """(n,): entered at this open, was one ATR lost before one was won? Both in one candle: lost; neither
        within the horizon: whether the last close is on the wrong side."""
        n = len(self.open)
        up, down = self.open + self.atr, self.open - self.atr
        won = np.full(n, n + HORIZON)
        lost = np.full(n, n + HORIZON)
        for ahead in range(min(HORIZON, n) - 1, -1, -1):
            rows = slice(0, n - ahead)
            reached, fell = self.high[ahead:] >= up[rows], self.low[ahead:] <= down[rows]
            gain, loss = (reached, fell) if side > 0 else (fell, reached)
            won[rows][gain] = ahead
            lost[rows][loss] = ahead
        last = np.minimum(np.arange(n) + HORIZON - 1, n - 1)
        undecided = (won > HORIZON) & (lost > HORIZON)
        return np.where(undecided, side * (self.close[last] - self.open) < 0, lost <= won)
