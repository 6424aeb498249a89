"""What each regime was: how often, how long, what followed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.regime import RegimeFrame, runs

_HOURS_PER_YEAR = 24 * 365.25


@dataclass(frozen=True)
class RegimeSummary:
    """One regime's figures. NaN where the regime was never seen."""

    regime: Regime
    share: float  # part of the candles that have metrics
    mean_dwell_candles: float
    median_dwell_candles: float
    stay_probability: float  # that the next candle has the same regime
    next_regime: dict[Regime, float]  # when it ends: probability of each successor
    forward_volatility_pct: float  # root mean square of the next `horizon` log returns, per candle
    forward_volatility_error_pct: float
    forward_return_pct: float  # mean log return over the next `horizon` candles
    forward_return_error_pct: float


@dataclass(frozen=True)
class RegimeStatistics:
    """All regimes of one series, or of several pooled."""

    candles: int  # with metrics
    timeframe_hours: float
    horizon_candles: int
    switches_per_year: float  # per series
    shortest_dwell_candles: int  # first and last run of a series not counted; 0 when there are no others
    eta_squared_volatility: float  # part of the variance of forward log volatility between regimes
    regimes: tuple[RegimeSummary, ...]  # in the order of the enum


def regime_statistics(frame: pd.DataFrame, regimes: RegimeFrame, horizon: int) -> RegimeStatistics:
    """Describe the regimes of one series.

    `frame` holds `date` (evenly spaced) and `close`. Forward means after the candle's close: the next
    `horizon` log returns. Standard errors respect that these overlap (Newey-West with Bartlett weights
    over 2 horizons, applied to the ratio estimator of a mean over a regime's candles).

    Raises:
        DataError: fewer than two candles, lengths that differ, or a column missing.
    """
    return pooled_statistics([(frame, regimes)], horizon)


def pooled_statistics(series: Sequence[tuple[pd.DataFrame, RegimeFrame]], horizon: int) -> RegimeStatistics:
    """Describe the regimes of several series of one timeframe together.

    As `regime_statistics`; no outcome or run crosses from one series to the next. The standard errors
    first add up the candles of one moment, so coins that move together do not count as independent.
    For eta², each series' log volatility is taken relative to its own mean.

    Raises:
        DataError: as `regime_statistics`; or no series.
    """
    if not series:
        raise DataError("regime statistics: no series given")
    parts = [_Outcomes.of(frame, regimes, horizon) for frame, regimes in series]
    hours = parts[0].hours
    codes = np.concatenate([part.codes for part in parts])
    moment = np.concatenate([part.moment for part in parts])
    forward_return = np.concatenate([part.forward_return for part in parts])
    forward_square = np.concatenate([part.forward_square for part in parts])
    inner = [run for part in parts for run in part.runs[1:-1]]
    every = [run for part in parts for run in part.runs]
    pairs_of_runs = [pair for part in parts for pair in zip(part.runs, part.runs[1:], strict=False)]
    summaries = []
    for regime in Regime:
        lengths = np.array([run.stop - run.start for run in every if run.code == regime.code])
        following = [after.code for before, after in pairs_of_runs if before.code == regime.code]
        square, square_error = _mean_and_error(forward_square, codes == regime.code, moment, horizon)
        gain, gain_error = _mean_and_error(forward_return, codes == regime.code, moment, horizon)
        volatility = np.sqrt(square)
        summaries.append(
            RegimeSummary(
                regime=regime,
                share=float(np.mean(codes == regime.code)) if codes.size else np.nan,
                mean_dwell_candles=float(lengths.mean()) if lengths.size else np.nan,
                median_dwell_candles=float(np.median(lengths)) if lengths.size else np.nan,
                stay_probability=1 - len(following) / lengths.sum() if lengths.size else np.nan,
                next_regime={
                    other: following.count(other.code) / len(following) if following else 0.0
                    for other in Regime
                },
                forward_volatility_pct=100 * volatility,
                # delta method: d√x = dx / 2√x
                forward_volatility_error_pct=100 * square_error / (2 * volatility) if volatility else 0.0,
                forward_return_pct=100 * gain,
                forward_return_error_pct=100 * gain_error,
            )
        )
    years = codes.size * hours / _HOURS_PER_YEAR
    return RegimeStatistics(
        candles=int(codes.size),
        timeframe_hours=hours,
        horizon_candles=horizon,
        switches_per_year=len(pairs_of_runs) / years if years else np.nan,
        shortest_dwell_candles=min((run.stop - run.start for run in inner), default=0),
        eta_squared_volatility=_eta_squared(parts),
        regimes=tuple(summaries),
    )


@dataclass(frozen=True)
class _Outcomes:
    """One series from its first candle with metrics on, with what followed each candle."""

    hours: float
    codes: np.ndarray
    moment: np.ndarray  # candles since the epoch
    forward_return: np.ndarray
    forward_square: np.ndarray  # mean squared log return
    runs: list

    @classmethod
    def of(cls, frame: pd.DataFrame, regimes: RegimeFrame, horizon: int) -> _Outcomes:
        for name in ("date", "close"):
            if name not in frame:
                raise DataError(f"regime statistics: candles have no column {name!r}")
        if len(frame) != len(regimes) or len(frame) < 2:
            raise DataError(
                f"regime statistics: {len(frame)} candles against {len(regimes)} regimes; "
                "give the regimes of these candles, two at least"
            )
        if horizon < 1:
            raise DataError(f"regime statistics: horizon {horizon} must be 1 candle or more")
        seconds = frame["date"].astype("datetime64[s, UTC]").astype("int64").to_numpy()
        step = int(np.median(np.diff(seconds)))
        log_close = np.log(frame["close"].to_numpy(np.float64))
        summed_square = np.concatenate([[0.0], np.cumsum(np.diff(log_close) ** 2)])
        forward_return = np.full(len(frame), np.nan)
        forward_square = np.full(len(frame), np.nan)
        forward_return[:-horizon] = log_close[horizon:] - log_close[:-horizon]
        forward_square[:-horizon] = (summed_square[horizon:] - summed_square[:-horizon]) / horizon
        first = int(np.argmax(regimes.valid)) if regimes.valid.any() else len(frame)
        codes = regimes.codes[first:]
        return cls(
            hours=step / 3600,
            codes=codes,
            moment=seconds[first:] // step,
            forward_return=forward_return[first:],
            forward_square=forward_square[first:],
            runs=runs(codes),
        )


def _mean_and_error(
    outcome: np.ndarray, member: np.ndarray, moment: np.ndarray, horizon: int
) -> tuple[float, float]:
    """Mean of `outcome` over `member` candles and its Newey-West standard error."""
    chosen = member & np.isfinite(outcome)
    count = int(chosen.sum())
    if count == 0:
        return np.nan, np.nan
    mean = float(outcome[chosen].mean())
    # Zero where the regime is not on: those candles weigh nothing but keep the spacing in time.
    influence = np.bincount(moment[chosen] - moment[chosen].min(), outcome[chosen] - mean)
    variance = float(influence @ influence)
    lags = min(2 * horizon, len(influence) - 1)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(influence[lag:] @ influence[:-lag])
    return mean, float(np.sqrt(max(variance, 0.0))) / count


def _eta_squared(parts: Sequence[_Outcomes]) -> float:
    """Between-regime part of the variance of forward log volatility."""
    values, codes = [], []
    for part in parts:
        usable = part.forward_square > 0  # false for NaN, and for a market that stood still
        if usable.any():
            log_volatility = 0.5 * np.log(part.forward_square[usable])
            values.append(log_volatility - log_volatility.mean())
            codes.append(part.codes[usable])
    if not values:
        return float("nan")
    value, code = np.concatenate(values), np.concatenate(codes)
    total = float(value @ value)
    counts = np.bincount(code, minlength=len(Regime))
    sums = np.bincount(code, value, minlength=len(Regime))
    between = float(np.sum(sums**2 / np.maximum(counts, 1)))
    return between / total if total > 0 else float("nan")
