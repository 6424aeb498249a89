"""Where profit and loss came from: by regime, rule, pair, month, hour, exit reason, confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.trading import checked_trades, entry_weeks
from adaptive_pkg.policy.calibration import (
    ReliabilityBin,
    block_error,
    decile_edges,
    reliability,
    wilson_interval,
)
from adaptive_pkg.policy.decision import TAG_SEPARATOR, regime_of_tag

LEVEL = 0.05
LEAST_WEEKS = 5  # with trades; from fewer no error is estimated
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Group:
    """Trades that share something, after fees. Interval bounds are 95 %, NaN for groups of few weeks.

    share: of all trades. account: profit over the starting balance. mean: profit over the stake. verdict: 1
    or −1 where the mean differs from 0 when all groups of the table are counted (Holm, 5 %), else 0.
    """

    name: str
    trades: int
    share: float
    win_rate: float
    win_low: float
    win_high: float
    mean: float
    mean_low: float
    mean_high: float
    profit_factor: float
    profit_abs: float
    account: float
    mean_hours: float
    verdict: int


def _tag(trades: pd.DataFrame) -> pd.Series:
    return trades["enter_tag"] if "enter_tag" in trades else pd.Series(None, trades.index, dtype=object)


def _regime(trades: pd.DataFrame) -> list[str]:
    return [str(regime_of_tag(tag) or UNKNOWN) if isinstance(tag, str) else UNKNOWN for tag in _tag(trades)]


def _rule(trades: pd.DataFrame) -> list[str]:
    return [
        tag.rpartition(TAG_SEPARATOR)[2] if isinstance(tag, str) and tag else UNKNOWN for tag in _tag(trades)
    ]


KEYS: Mapping[str, Callable[[pd.DataFrame], list[str]]] = {
    "regime": _regime,
    "rule": _rule,
    "pair": lambda trades: trades["pair"].astype(str).tolist(),
    "side": lambda trades: [
        "short" if short else "long" for short in trades.get("is_short", np.zeros(len(trades)))
    ],
    "exit reason": lambda trades: trades["exit_reason"].fillna(UNKNOWN).astype(str).tolist(),
    "month": lambda trades: trades["open_date"].dt.strftime("%Y-%m").tolist(),
    "weekday": lambda trades: trades["open_date"].dt.strftime("%u %a").tolist(),
    "hour": lambda trades: trades["open_date"].dt.strftime("%H").tolist(),
}


def attribute(trades: pd.DataFrame, by: str, starting_balance: float) -> list[Group]:
    """Sum trades up by one of `KEYS` or "confidence" (tenths of the score), in order of name.

    Raises:
        DataError: another key, unusable trades, or "confidence" without that column (see `with_confidence`).
    """
    found = checked_trades(trades)
    if by == "confidence":
        found, labels = _by_confidence(found)
    elif by in KEYS:
        labels = KEYS[by](found)
    else:
        raise DataError(f"attribution by {by!r}: use one of {', '.join([*KEYS, 'confidence'])}")
    names, index = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    weeks = entry_weeks(found)
    groups = [_group(str(name), found[index == i], weeks[index == i], len(found), starting_balance)
              for i, name in enumerate(names)]  # fmt: skip
    return _with_verdicts(groups)


def with_confidence(
    trades: pd.DataFrame, scores: Mapping[str, pd.Series], candle: pd.Timedelta
) -> pd.DataFrame:
    """Add the column confidence: the score of the candle whose close gave the entry, NaN where there is none.

    Args:
        scores: by pair, the confidence of each candle by its UTC start. candle: its length. The entry is
        filled at the open after the deciding candle.
    """
    found = checked_trades(trades)
    decided = found["open_date"].dt.floor(candle) - candle
    values = [
        scores[pair].get(at, np.nan) if pair in scores else np.nan
        for pair, at in zip(found["pair"], decided, strict=True)
    ]
    return found.assign(confidence=np.asarray(values, dtype=float))


def confidence_curve(trades: pd.DataFrame) -> list[ReliabilityBin]:
    """Win rate and mean profit over the stake by tenth of the confidence. Raises DataError without scores."""
    found, score = _scored(checked_trades(trades))
    ratio = found["profit_ratio"].to_numpy(float)
    return reliability(score, ratio, entry_weeks(found), decile_edges(score))


def _scored(trades: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    if "confidence" not in trades or not trades["confidence"].notna().any():
        raise DataError("attribution by confidence: no trade has a score; add it with `with_confidence`")
    found = trades[trades["confidence"].notna()]
    return found, found["confidence"].to_numpy(float)


def _by_confidence(trades: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    found, score = _scored(trades)
    edges = decile_edges(score)
    if len(edges) < 2:
        return found, [f"{score[0]:.3f}"] * len(found)
    index = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
    return found, [f"{edges[i]:.3f}–{edges[i + 1]:.3f}" for i in index]


def _group(name: str, trades: pd.DataFrame, weeks: NDArray, of: int, starting_balance: float) -> Group:
    profit, ratio = trades["profit_abs"].to_numpy(float), trades["profit_ratio"].to_numpy(float)
    n, won = len(trades), profit > 0
    gains, losses = profit[won].sum(), -profit[profit < 0].sum()
    count, rate = len(np.unique(weeks)), float(won.mean())
    low = high = win_low = win_high = float("nan")
    if count >= LEAST_WEEKS:
        half = student.ppf(0.975, count - 1) * block_error(ratio, weeks)
        low, high = float(ratio.mean() - half), float(ratio.mean() + half)
        variance = rate * (1 - rate)
        effect = max(1.0, block_error(won.astype(float), weeks) ** 2 * n / variance) if variance else 1.0
        win_low, win_high = wilson_interval(rate * n / effect, n / effect)
    return Group(
        name=name,
        trades=n,
        share=n / of,
        win_rate=rate,
        win_low=win_low,
        win_high=win_high,
        mean=float(ratio.mean()),
        mean_low=low,
        mean_high=high,
        profit_factor=float(gains / losses) if losses else float("inf"),
        profit_abs=float(profit.sum()),
        account=float(profit.sum() / starting_balance),
        mean_hours=float(((trades["close_date"] - trades["open_date"]) / pd.Timedelta(hours=1)).mean()),
        verdict=count,  # of weeks, until all groups are known
    )


def _with_verdicts(groups: list[Group]) -> list[Group]:
    """Many groups on one table: some look good by chance, so their p-values are taken together."""
    p = np.ones(len(groups))
    for i, group in enumerate(groups):
        weeks = group.verdict
        half = (group.mean_high - group.mean_low) / 2
        if np.isfinite(half) and half > 0:
            statistic = group.mean / (half / student.ppf(0.975, weeks - 1))
            p[i] = 2 * student.sf(abs(statistic), weeks - 1)
    found = multipletests(p, alpha=LEVEL, method="holm")[0]
    return [
        Group(**{**vars(group), "verdict": int(np.sign(group.mean)) if real else 0})
        for group, real in zip(groups, found, strict=True)
    ]
