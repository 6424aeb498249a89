"""Two estimators' drawdowns at the same growth, with the bootstrap's interval of their difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adaptive_pkg.bench.kelly_simulation import FRACTIONS, Accounts

RESAMPLES = 200
GOAL_PCT = -20.0
# Over accounts whose true edges differ. The mean is what Kelly maximises; the median is blind to what an
# estimator earns on the better half of the edges, so it favours a size that never adapts.
GROWTH = {"mean": np.mean, "median": np.median}


@dataclass(frozen=True)
class Comparison:
    """Both estimators at the plain one's growth, or more. NaN where no fraction reaches that growth."""

    history_trades_per_regime: int
    growth_statistic: str  # over the paths: a key of GROWTH
    drawdown_rules: bool  # each estimator's own drawdown rule on top
    plain_growth_bp_per_trade: float  # log growth
    our_fraction_of_kelly: float  # at which the growth is the same
    our_growth_range_bp_per_trade: tuple[float, float]  # over the fractions tried
    plain_median_drawdown_pct: float
    our_median_drawdown_pct: float
    median_change_pct: float
    median_change_pct_ci95: tuple[float, float]
    plain_p95_drawdown_pct: float
    our_p95_drawdown_pct: float
    p95_change_pct: float
    p95_change_pct_ci95: tuple[float, float]
    matched_resamples_pct: float  # of the bootstrap's resamples, in which the growth could be matched

    @property
    def goal_met(self) -> bool:
        """Both drawdowns are at least 20 % lower. False where growth could not be matched."""
        return bool(self.median_change_pct <= GOAL_PCT and self.p95_change_pct <= GOAL_PCT)


def match_growth(growth: np.ndarray, value: np.ndarray, target: float) -> float:
    """`value` where `growth` first reaches `target`, straight lines between; NaN where it never does.

    A smallest size that already grows faster than `target` counts as reaching it.

    Args:
        growth, value: (fractions,), in the order of rising size.
    """
    reached = np.flatnonzero(growth >= target)
    if not len(reached):
        return float("nan")
    at = int(reached[0])
    if at == 0:
        return float(value[0])
    share = (target - growth[at - 1]) / (growth[at] - growth[at - 1])
    return float(value[at - 1] + share * (value[at] - value[at - 1]))


def compare(history: int, statistic: str, accounts: Accounts, rng: np.random.Generator) -> Comparison:
    """Median and 95th-percentile drawdown of both where `statistic` of their growth is the same."""

    def figures(chosen: np.ndarray | slice) -> tuple[float, ...]:
        """Drawdowns as fractions (ours at matched growth, plain), then their changes in percent."""
        growth_of = GROWTH[statistic]
        growth = growth_of(accounts.growth[:, chosen], axis=1)
        target = growth_of(accounts.plain_growth[chosen])
        ours = np.quantile(accounts.drawdown[:, chosen], (0.5, 0.95), axis=1)
        plain = np.quantile(accounts.plain_drawdown[chosen], (0.5, 0.95))
        matched = [match_growth(growth, ours[i], target) for i in (0, 1)]
        return (*matched, *plain, *(100.0 * (matched[i] / plain[i] - 1.0) for i in (0, 1)))

    ours_mid, ours_tail, plain_mid, plain_tail, mid, tail = figures(slice(None))
    paths = len(accounts.plain_growth)
    resampled = np.array([figures(rng.integers(0, paths, paths))[4:] for _ in range(RESAMPLES)])
    resampled = resampled[~np.isnan(resampled).any(axis=1)]
    low, high = (
        np.quantile(resampled, (0.025, 0.975), axis=0) if len(resampled) else np.full((2, 2), float("nan"))
    )
    growth = GROWTH[statistic](accounts.growth, axis=1)
    target = float(GROWTH[statistic](accounts.plain_growth))
    return Comparison(
        history_trades_per_regime=history,
        growth_statistic=statistic,
        drawdown_rules=accounts.drawdown_rules,
        plain_growth_bp_per_trade=1e4 * target,
        our_fraction_of_kelly=match_growth(growth, np.array(FRACTIONS), target),
        our_growth_range_bp_per_trade=(1e4 * float(growth.min()), 1e4 * float(growth.max())),
        plain_median_drawdown_pct=100.0 * plain_mid,
        our_median_drawdown_pct=100.0 * ours_mid,
        median_change_pct=mid,
        median_change_pct_ci95=(float(low[0]), float(high[0])),
        plain_p95_drawdown_pct=100.0 * plain_tail,
        our_p95_drawdown_pct=100.0 * ours_tail,
        p95_change_pct=tail,
        p95_change_pct_ci95=(float(low[1]), float(high[1])),
        matched_resamples_pct=100.0 * len(resampled) / RESAMPLES,
    )
