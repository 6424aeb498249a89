"""The Kelly fraction from closed trades, and how a drawdown throttles it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.ledger import RunningStats, TradeLedger
from adaptive_pkg.settings import ComponentSettings, KellySettings

PRIOR_REGIMES = 50  # that `prior_trades` counts as, against the few regimes seen: how fast it is given up
MAX_SPREAD = 1.0  # τ²/σ²: beyond it even a regime's first trade would outweigh all others


@dataclass(frozen=True, slots=True)
class KellyEstimate:
    """What the record of closed trades allows to be put at risk in one regime, and why."""

    fraction: float  # of equity at risk, between floor and cap
    full_fraction: float  # (b·p − q)/b before any reduction; 0 before there is an estimate
    p: float  # probability of a win, blended
    b: float  # mean win ÷ mean loss, blended
    mean_r: float  # blended expectancy in R
    standard_error: float  # of mean_r
    n: int  # trades of all regimes
    n_regime: int  # trades of this regime
    regime_weight: float  # weight of the regime's own record; the pooled record has the rest
    trust: float  # weight of the fractional Kelly of both; start_fraction has the rest
    reason: str


def kelly_fraction(p: float, b: float) -> float:
    """Full Kelly f = (b·p − q)/b with q = 1 − p (Kelly 1956): negative when p < 1/(1 + b).

    Raises:
        RiskError: p is outside [0, 1] or b is not a finite number above 0.
    """
    if not (0.0 <= p <= 1.0 and 0.0 < b < math.inf):
        raise RiskError(f"kelly: p {p!r} must lie in [0, 1] and b {b!r} must be finite and above 0")
    return (b * p - (1.0 - p)) / b


def estimate(
    ledger: TradeLedger,
    regime: Regime,
    settings: KellySettings,
    components: ComponentSettings | None = None,
) -> KellyEstimate:
    """Fraction of equity to put at risk in `regime`, from the trades the ledger has settled. O(1).

    1. Fewer than min_trades in all regimes together: start_fraction.
    2. Three levels, each shrunk towards the next by n/(n + m), as in a normal model with a hierarchical prior
       (Gelman et al., Bayesian Data Analysis, ch. 5): the regime's own record towards the pooled one, that
       towards start_fraction. Own and pooled sums are blended, so p, mean win, mean loss and mean R shrink
       alike. Pooled: m = start_trades. Regime: m = σ²/τ², the variance within over that between regimes,
       from the regimes' own spread and `prior_trades` (see `_spread`).
    3. f = (b·p − q)/b × settings.fraction. b and p come from R, so size does not feed back into them. An
       average loss above 1 R (gaps, slippage) divides f: the stop did not hold the loss to what was meant.
       `trust` is the weight of f, start_fraction has the rest.
    4. An edge that is not positive: floor. From there to `significance` standard errors above zero the size
       leaves the floor in a straight line, and only from there to twice that may it pass start_fraction.
    5. floor and cap come last.

    With `components.kelly` off: start_fraction. Without a single loss on record, one loss of 1 R is imagined.
    """
    pooled, own = ledger.pooled, ledger.by_regime[regime]
    if components is not None and not components.kelly:
        return _start(pooled, own, settings, "kelly is switched off: start_fraction")
    if pooled.n < settings.min_trades:
        return _start(
            pooled, own, settings, f"{pooled.n} of {settings.min_trades} closed trades: start_fraction"
        )
    if pooled.wins == 0:
        reason = f"no win in {pooled.n} trades: floor"
        return KellyEstimate(
            settings.floor, 0.0, 0.0, 0.0, pooled.mean, 0.0, pooled.n, own.n, 0.0, 0.0, reason
        )
    n, loss_sum, square_sum = float(pooled.n), pooled.loss_sum, pooled.square_sum
    if loss_sum <= 0.0:
        n, loss_sum, square_sum = n + 1.0, 1.0, square_sum + 1.0
    of_own = _shrinkage(own.n, _spread(ledger, settings.prior_trades))
    of_pooled = (1.0 - of_own) * pooled.n / (pooled.n + settings.start_trades)
    trust = of_own + of_pooled
    weight = of_own / trust
    # Per blended trade: the regime's own n trades carry `weight`, the pooled ones the rest. Since weight < 1
    # and the pooled record holds a win and a loss, 0 < p < 1.
    share, rest = (weight / own.n if own.n else 0.0), (1.0 - weight) / n
    p = share * own.wins + rest * pooled.wins
    win_part = share * own.win_sum + rest * pooled.win_sum
    loss_part = share * own.loss_sum + rest * loss_sum
    mean_loss = loss_part / (1.0 - p)
    b = (win_part / p) / mean_loss
    mean_r = win_part - loss_part
    variance = max(share * own.square_sum + rest * square_sum - mean_r * mean_r, 0.0)
    effective = n if weight == 0.0 else min(n, own.n / weight)
    standard_error = math.sqrt(variance / effective)
    full = kelly_fraction(p, b)
    fraction, why = _reduce(full / max(mean_loss, 1.0), trust, mean_r, standard_error, settings)
    blend = f"{own.n} {regime.value} trades weigh {weight:.0%} beside {pooled.n} pooled"
    return KellyEstimate(
        min(max(fraction, settings.floor), settings.cap),
        full,
        p,
        b,
        mean_r,
        standard_error,
        pooled.n,
        own.n,
        weight,
        trust,
        f"p {p:.3f}, b {b:.2f}, {mean_r:+.3f} ± {standard_error:.3f} R; {blend}; {why}",
    )


def drawdown_multiplier(
    drawdown: float, settings: KellySettings, components: ComponentSettings | None = None
) -> float:
    """What a drawdown leaves of the size: 1 up to drawdown_start, then a straight line to drawdown_floor at
    drawdown_full and beyond. With `components.drawdown_throttle` off: 1.

    Raises:
        RiskError: drawdown is NaN or outside [0, 1].
    """
    if not 0.0 <= drawdown <= 1.0:
        raise RiskError(
            f"drawdown: {drawdown!r} is outside [0, 1]; give the fall from the peak over the peak"
        )
    if components is not None and not components.drawdown_throttle:
        return 1.0
    depth = (drawdown - settings.drawdown_start) / (settings.drawdown_full - settings.drawdown_start)
    return 1.0 - (1.0 - settings.drawdown_floor) * min(max(depth, 0.0), 1.0)


def _start(pooled: RunningStats, own: RunningStats, settings: KellySettings, reason: str) -> KellyEstimate:
    p = pooled.wins / pooled.n if pooled.n else 0.0
    start = settings.start_fraction
    return KellyEstimate(start, 0.0, p, 0.0, pooled.mean, 0.0, pooled.n, own.n, 0.0, 0.0, reason)


def _shrinkage(n: int, spread: float) -> float:
    """n/(n + m) with m = 1/spread: what n trades weigh against the level above them."""
    return n * spread / (1.0 + n * spread)


def _spread(ledger: TradeLedger, prior_trades: int) -> float:
    """τ²/σ², the variance of mean R between regimes over that within; 0 with fewer than two regimes.

    The mean square between regimes over that within is 1 + n̄·τ²/σ² on average (n̄ as in DerSimonian & Laird
    1986). Five regimes are too few to trust it: it is averaged with what 1/prior_trades would make it,
    counted as PRIOR_REGIMES regimes.
    """
    pooled, groups, of_means, of_sizes = ledger.pooled, 0, 0.0, 0.0
    for stats in ledger.by_regime.values():  # no calls in here: it runs at every entry
        if stats.n:
            groups += 1
            of_means += (stats.win_sum - stats.loss_sum) ** 2 / stats.n  # n·mean²
            of_sizes += stats.n * stats.n
    if groups < 2:
        return 0.0
    total, prior = pooled.n, 1.0 / prior_trades
    within = pooled.square_sum - of_means
    if total <= groups or within <= 0.0:  # nothing to measure the differences by
        return prior
    between = (of_means - (pooled.win_sum - pooled.loss_sum) ** 2 / total) * (total - groups) / within
    size = (total - of_sizes / total) / (groups - 1)
    mean_square = (between + PRIOR_REGIMES * (1.0 + size * prior)) / (groups - 1 + PRIOR_REGIMES)
    return min(max((mean_square - 1.0) / size, 0.0), MAX_SPREAD)


def _reduce(
    full: float, trust: float, mean_r: float, standard_error: float, settings: KellySettings
) -> tuple[float, str]:
    """Fractional Kelly beside start_fraction, held back while the edge is not distinguishable from none."""
    if full <= 0.0:
        return settings.floor, "the edge is not positive: floor"
    start, floor = settings.start_fraction, settings.floor
    fraction = start + (full * settings.fraction - start) * trust
    doubt = settings.significance * standard_error
    clear = mean_r / doubt if doubt > 0.0 else math.inf
    why = f"{settings.fraction:g} of full Kelly weighs {trust:.0%}, start_fraction the rest"
    if fraction > start and clear < 2.0:
        fraction = start + (fraction - start) * max(clear - 1.0, 0.0)
        why += ", edge uncertain: held back"
    if clear < 1.0:
        fraction = floor + (fraction - floor) * clear
    return fraction, why
