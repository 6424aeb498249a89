"""The Kelly fraction from closed trades, and how a drawdown throttles it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.ledger import RunningStats, TradeLedger
from adaptive_pkg.settings import ComponentSettings, KellySettings


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
    2. The regime's record is blended with `m` trades of the pooled record, so p, mean win, mean loss and
       mean R all shrink alike: p = (wins + m·p_pooled)/(n + m), and so on. m = σ²/τ², the variance within
       over that between regimes (method of moments, DerSimonian & Laird 1986), at least prior_trades. Where
       regimes do not differ beyond chance, the pooled record stands alone.
    3. f = (b·p − q)/b × settings.fraction. b and p come from R, so size does not feed back into them. An
       average loss above 1 R (gaps, slippage) divides f: the stop did not hold the loss to what was meant.
    4. An edge that is not positive: floor. An edge within `significance` standard errors of zero does not
       lift the fraction above start_fraction; from there to twice that it rises to full in a straight line.
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
        return KellyEstimate(settings.floor, 0.0, 0.0, 0.0, pooled.mean, 0.0, pooled.n, own.n, 0.0, reason)
    n, loss_sum, square_sum = float(pooled.n), pooled.loss_sum, pooled.square_sum
    if loss_sum <= 0.0:
        n, loss_sum, square_sum = n + 1.0, 1.0, square_sum + 1.0
    weight = _regime_weight(ledger, own.n, settings.prior_trades)
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
    fraction, why = _reduce(full / max(mean_loss, 1.0), mean_r, standard_error, settings)
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
    return KellyEstimate(settings.start_fraction, 0.0, p, 0.0, pooled.mean, 0.0, pooled.n, own.n, 0.0, reason)


def _regime_weight(ledger: TradeLedger, n_own: int, prior_trades: int) -> float:
    """n/(n + m) with m = max(σ²/τ², prior_trades); 0 when the regimes do not differ beyond chance."""
    groups = [stats for stats in ledger.by_regime.values() if stats.n]
    total = ledger.pooled.n
    if not n_own or len(groups) < 2 or total <= len(groups):
        return 0.0
    grand = ledger.pooled.mean
    between = sum(stats.n * (stats.mean - grand) ** 2 for stats in groups)
    within = sum(stats.square_sum - stats.n * stats.mean**2 for stats in groups) / (total - len(groups))
    tau_squared = (between - (len(groups) - 1) * within) / (
        total - sum(stats.n * stats.n for stats in groups) / total
    )
    if tau_squared <= 0.0:
        return 0.0
    return n_own / (n_own + max(within / tau_squared, float(prior_trades)))


def _reduce(full: float, mean_r: float, standard_error: float, settings: KellySettings) -> tuple[float, str]:
    """Fractional Kelly, held back while the edge is not distinguishable from none."""
    if full <= 0.0:
        return settings.floor, "the edge is not positive: floor"
    fraction = full * settings.fraction
    if fraction <= settings.start_fraction:
        return fraction, f"{settings.fraction:g} of full Kelly"
    doubt = settings.significance * standard_error
    trust = 1.0 if doubt == 0.0 else min(max(mean_r / doubt - 1.0, 0.0), 1.0)
    held = settings.start_fraction + (fraction - settings.start_fraction) * trust
    if trust == 1.0:
        return held, f"{settings.fraction:g} of full Kelly"
    return (
        held,
        f"edge uncertain: {trust:.0%} of the way from start_fraction to {settings.fraction:g} of full Kelly",
    )
