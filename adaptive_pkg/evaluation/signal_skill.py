"""What follows a signal: forward returns after fees, rank IC, and what it knows beyond past returns.

Forward return over h candles: from the open after the signal's candle to the close h candles after it. Rows
of one fortnight, all pairs together, are drawn as one in every interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.calibration import Estimate

CONTROL_CANDLES = (1, 2, 4, 12, 24, 72, 168)  # past returns that a signal must add to
REFIT_DAYS = 91
LEAST_TRAIN_DAYS = 365
BLOCK_DAYS = 14  # longer than a horizon and than most of what a rule says at a stretch
REPETITIONS = 2000
SEED = 11
LEAST_FIRINGS = 30  # fewer say nothing
FAMILY_LEVEL = 0.05  # of one false "adds" among all signals and horizons (Holm 1979)
_CLIP = 5.0  # standard deviations at which a control stops counting more


@dataclass(frozen=True)
class PairSignals:
    """One pair's candles and what was said at each close. Arrays (n,).

    judged: bool, candles that count; earlier ones only train the controls. sigma: per candle, as known at
    the close. signals: by name, direction × strength. sides: by name, what would be traded: 1, −1 or 0.
    """

    pair: str
    date: np.ndarray
    open: np.ndarray
    close: np.ndarray
    sigma: np.ndarray
    live: np.ndarray  # bool: the candle has volume
    judged: np.ndarray
    signals: Mapping[str, np.ndarray]
    sides: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Figures:
    """One signal at one horizon, pairs pooled. None where it fired fewer than LEAST_FIRINGS times.

    mean_sigma, gross_pct, net_pct: mean return the way it pointed, in σ of the horizon, in %, in % after
    both fees. excess_sigma: mean_sigma less the pair's own drift, held on the same sides. rank_ic: with the
    forward return in σ, over all candles. added_ic: the same after the controls, out of sample.
    p_added: two-sided, of added_ic = 0; p_holm: the same for as many as were asked.
    """

    signal: str
    horizon: int
    fired: int
    fired_share: float
    long_share: float
    mean_sigma: Estimate | None
    excess_sigma: Estimate | None
    gross_pct: Estimate | None
    net_pct: Estimate | None
    rank_ic: Estimate | None
    added_ic: Estimate | None
    p_added: float
    p_holm: float = math.nan

    @property
    def adds(self) -> int:
        """1 or −1 where the signal knows something beyond the controls, as it points or the other way."""
        return 0 if self.added_ic is None or not self.p_holm < FAMILY_LEVEL else self.added_ic.sign

    @property
    def pays(self) -> bool:
        """Whether the mean return after fees is above 0 with its whole interval."""
        return self.net_pct is not None and self.net_pct.sign > 0


def signal_skill(
    pairs: Sequence[PairSignals], horizons: Sequence[int], fee: float, baselines: Sequence[str] = ()
) -> list[Figures]:
    """Judge every signal at every horizon, in the order of the signals.

    Args:
        horizons: in candles. fee: of one side, a fraction.
        baselines: signals that stand beside the others for comparison; they are not among those whose
            number p_holm answers for.

    Raises:
        DataError: no pair has a candle to judge, or a horizon is below 1.
    """
    if not pairs or min(horizons, default=0) < 1:
        raise DataError(f"signals: {len(pairs)} pairs, horizons {list(horizons)}; give a pair and 1 or more")
    rows = [_Rows(pair, horizon, fee) for horizon in horizons for pair in pairs]
    if not any(row.blocks.size for row in rows):
        raise DataError("signals: no candle to judge; give more candles or an earlier timerange")
    draws = {h: _Draws([row for row in rows if row.horizon == h and row.blocks.size]) for h in horizons}
    figures = [_figures(name, horizon, draws[horizon]) for name in pairs[0].signals for horizon in horizons]
    return _with_holm(figures, baselines)


class _Rows:
    """One pair at one horizon, added up by block: rows of `blocks`, one table of sums a signal."""

    def __init__(self, pair: PairSignals, horizon: int, fee: float) -> None:
        self.horizon = horizon
        n = len(pair.close)
        forward = np.full(n, np.nan)
        forward[: max(n - horizon, 0)] = np.log(pair.close[horizon:] / pair.open[1 : n - horizon + 1])
        in_sigma = np.divide(
            forward, pair.sigma * np.sqrt(horizon), out=np.full(n, np.nan), where=pair.sigma > 0
        )
        controls = _controls(pair)
        usable = pair.live & ~np.isnan(in_sigma) & ~np.isnan(controls).any(axis=1)
        rows = np.flatnonzero(usable)
        judged = pair.judged[rows]
        block = pair.date[rows].astype("datetime64[D]").astype(np.int64) // BLOCK_DAYS
        y, simple = in_sigma[rows], np.expm1(forward[rows])
        signals = np.column_stack([values[rows] for values in pair.signals.values()])
        self.blocks, place = np.unique(block[judged], return_inverse=True)
        self.tables: dict[str, np.ndarray] = {}
        if not self.blocks.size:
            return
        drift = y[judged].mean()
        rank_y = _ranks(y[judged])
        residual_y, residuals = _residuals(controls[rows], y, signals, rows, pair.date[rows], horizon, judged)
        for column, name in enumerate(pair.signals):
            side = pair.sides[name][rows][judged].astype(float)
            rank = _ranks(signals[judged, column])
            residual = residuals[:, column]
            move = side * simple[judged]
            terms = (
                side != 0, side > 0, side * y[judged], side * (y[judged] - drift), 100 * move,
                100 * np.where(side != 0, move - 2 * fee, 0.0), rank * rank_y, np.ones(len(side)),
                residual * residual_y, residual**2, np.where(residual != 0, residual_y**2, 0.0),
            )  # fmt: skip
            sums = [np.bincount(place, weights=term, minlength=self.blocks.size) for term in terms]
            self.tables[name] = np.column_stack(sums)


_FIRED, _LONG, _SIGMA, _EXCESS, _GROSS, _NET, _IC, _COUNT, _CROSS, _OWN, _OTHER = range(11)


class _Draws:
    """Blocks drawn with replacement, the same for every signal of a horizon."""

    def __init__(self, rows: Sequence[_Rows]) -> None:
        self._blocks, self._place = np.unique(
            np.concatenate([row.blocks for row in rows]), return_inverse=True
        )
        count = len(self._blocks)
        rng = np.random.default_rng(SEED)
        self._times = rng.multinomial(count, np.full(count, 1 / count), size=REPETITIONS).astype(float)
        self._rows = rows

    def sums(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A signal's sums (k,), and those of every draw (REPETITIONS, k); NaN with one block only."""
        table = np.concatenate([row.tables[name] for row in self._rows])
        by_block = np.zeros((len(self._blocks), table.shape[1]))
        np.add.at(by_block, self._place, table)
        drawn = self._times @ by_block
        return by_block.sum(axis=0), drawn if len(self._blocks) > 1 else np.full_like(drawn, np.nan)


def _figures(name: str, horizon: int, draws: _Draws) -> Figures:
    total, drawn = draws.sums(name)
    fired = int(total[_FIRED])

    def estimate(above: int, below: int) -> Estimate | None:
        if fired < LEAST_FIRINGS:
            return None
        return _estimate(total[above] / total[below], drawn[:, above], drawn[:, below])

    added = None
    if fired >= LEAST_FIRINGS and total[_OWN] > 0:
        scale = np.sqrt(drawn[:, _OWN] * drawn[:, _OTHER])
        added = _estimate(total[_CROSS] / math.sqrt(total[_OWN] * total[_OTHER]), drawn[:, _CROSS], scale)
    return Figures(
        signal=name,
        horizon=horizon,
        fired=fired,
        fired_share=float(fired / total[_COUNT]),
        long_share=float(total[_LONG] / fired) if fired else math.nan,
        mean_sigma=estimate(_SIGMA, _FIRED),
        excess_sigma=estimate(_EXCESS, _FIRED),
        gross_pct=estimate(_GROSS, _FIRED),
        net_pct=estimate(_NET, _FIRED),
        rank_ic=estimate(_IC, _COUNT) if total[_IC] else None,  # a constant has no rank
        added_ic=added,
        p_added=_p_value(added),
    )


def _estimate(value: float, above: np.ndarray, below: np.ndarray) -> Estimate:
    """A ratio of sums with the 95 % interval of the draws."""
    ratios = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    known = ratios[~np.isnan(ratios)]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (math.nan, math.nan)
    return Estimate(float(value), float(low), float(high))


def _controls(pair: PairSignals) -> np.ndarray:
    """(n, k): past log returns in their own σ, as they are and squashed, volatility, its change, the last
    move's size."""
    log_close = np.log(pair.close)
    sigma = np.where(pair.sigma > 0, pair.sigma, np.nan)
    past = []
    for candles in CONTROL_CANDLES:
        move = np.full(len(log_close), np.nan)
        move[candles:] = log_close[candles:] - log_close[:-candles]
        past.append(np.clip(move / (sigma * np.sqrt(candles)), -_CLIP, _CLIP))
    level = np.log(sigma)
    usual = pd.Series(level).rolling(720, min_periods=168).mean().to_numpy()
    squashed = [np.tanh(move) for move in past]  # ranks answer to these
    ones = np.ones(len(level))
    return np.column_stack([*past, *squashed, np.abs(past[0]), level, level - usual, ones])


def _residuals(
    controls: np.ndarray,
    y: np.ndarray,
    signals: np.ndarray,
    rows: np.ndarray,
    date: np.ndarray,
    horizon: int,
    judged: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """What the controls leave of the ranks of the return (judged,) and of the signals (judged, signals).

    Least squares refitted every REFIT_DAYS on everything before, less the candles whose return reaches into
    the span; 0, no vote, where fewer than LEAST_TRAIN_DAYS of candles came before. Centred in each span, so
    that a drift of months in both is no correlation of theirs.
    """
    left = np.column_stack([_ranks(y), *(_ranks(column) for column in signals.T)])
    out = np.zeros_like(left)
    first = date[0] + np.timedelta64(LEAST_TRAIN_DAYS, "D")
    edges = np.arange(first, date[-1] + np.timedelta64(REFIT_DAYS, "D"), np.timedelta64(REFIT_DAYS, "D"))
    edges = np.searchsorted(date, edges)
    for start, stop in itertools.pairwise(edges):
        if start == stop or not judged[start:stop].any():
            continue
        known = np.searchsorted(rows, rows[start] - horizon)
        past = controls[:known]
        fit = np.linalg.lstsq(past.T @ past, past.T @ left[:known], rcond=None)[0]
        rest = left[start:stop] - controls[start:stop] @ fit
        out[start:stop] = rest - rest[judged[start:stop]].mean(axis=0)
    return out[judged, 0], out[judged, 1:]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks with mean 0 and variance 1; 0 where nothing varies."""
    if len(values) < 2 or np.ptp(values) == 0:
        return np.zeros(len(values))
    return stats.zscore(stats.rankdata(values))


def _p_value(estimate: Estimate | None) -> float:
    """Two-sided p of 0, with the error that the interval's width implies."""
    if estimate is None or not estimate.high > estimate.low:
        return math.nan
    error = (estimate.high - estimate.low) / (2 * stats.norm.ppf(0.975))
    return float(2 * stats.norm.sf(abs(estimate.value) / error))


def _with_holm(figures: Sequence[Figures], baselines: Sequence[str]) -> list[Figures]:
    """The same with p_holm: p times the number of tests not yet rejected, never falling (Holm 1979)."""
    known = sorted(
        (f.p_added, i)
        for i, f in enumerate(figures)
        if f.signal not in baselines and not math.isnan(f.p_added)
    )
    adjusted = list(figures)
    highest = 0.0
    for rank, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[index] = replace(figures[index], p_holm=highest)
    return adjusted
