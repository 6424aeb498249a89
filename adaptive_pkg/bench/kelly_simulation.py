"""Simulated accounts: trades of known edge, three estimators that size them, growth and drawdown of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.risk.kelly import estimate
from adaptive_pkg.risk.ledger import ClosedTrade, TradeLedger
from adaptive_pkg.settings import KellySettings

HORIZON = 300  # trades the account makes after its record, learning on
PAYOFF = 1.5  # a win in R; a loss is 1 R
FRACTIONS = tuple(float(x) for x in np.geomspace(0.02, 1.0, 16))  # parts of full Kelly that are tried
PLAIN_FRACTION, PLAIN_MIN_TRADES, PLAIN_START, PLAIN_FLOOR, PLAIN_CAP = 0.25, 30, 0.01, 0.005, 0.10
PLAIN_CLIFF, PLAIN_CLIFF_FACTOR = 0.15, 0.25  # its drawdown rule: a quarter of the size from 15 % on


@dataclass(frozen=True)
class Edges:
    """How p − 1/(1 + b) is drawn: normal over paths and regimes.

    Raises:
        DataError: no variance between the regimes, or none between the paths.
    """

    mean: float = 0.02
    sd: float = 0.03
    shared: float = 0.5  # part of the variance common to a path's regimes

    def __post_init__(self) -> None:
        if not (self.sd > 0.0 and 0.0 < self.shared < 1.0):
            raise DataError(f"edges: sd {self.sd} must be above 0 and shared {self.shared} between 0 and 1")


@dataclass(frozen=True)
class Evidence:
    """What `estimate` knew before each trade: arrays (paths, horizon)."""

    full: np.ndarray
    mean_r: np.ndarray
    standard_error: np.ndarray
    trust: np.ndarray
    standard_error: np.ndarray


def simulate(
    paths: int, history: int, rng: np.random.Generator, edges: Edges
) -> tuple[np.ndarray, np.ndarray]:
    """Regime codes and R of all trades, (paths, 5·history + HORIZON): a balanced record, then by chance."""
    regimes_n = len(Regime)
    shared = rng.normal(size=(paths, 1)) * np.sqrt(edges.shared)
    own = rng.normal(size=(paths, regimes_n)) * np.sqrt(1.0 - edges.shared)
    p = np.clip(1.0 / (1.0 + PAYOFF) + edges.mean + edges.sd * (shared + own), 0.01, 0.99)
    record = rng.permuted(np.tile(np.repeat(np.arange(regimes_n), history), (paths, 1)), axis=1)
    regimes = np.concatenate([record, rng.integers(0, regimes_n, size=(paths, HORIZON))], axis=1)
    won = rng.random(regimes.shape) < np.take_along_axis(p, regimes, axis=1)
    return regimes, np.where(won, PAYOFF, -1.0)


def our_evidence(regimes: np.ndarray, r: np.ndarray, history: int, settings: KellySettings) -> Evidence:
    """Walk every path forward through a ledger; ask `estimate` before each of the last HORIZON trades."""
    start = history * len(Regime)
    out = np.empty((4, len(r), r.shape[1] - start))
    names = [Regime.from_code(code) for code in range(len(Regime))]
    for path, (codes, outcomes) in enumerate(zip(regimes.tolist(), r.tolist(), strict=True)):
        ledger = TradeLedger()
        for at, (code, outcome) in enumerate(zip(codes, outcomes, strict=True)):
            regime = names[code]
            if at >= start:
                kelly = estimate(ledger, regime, settings)
                figures = kelly.full_fraction, kelly.mean_r, kelly.standard_error, kelly.trust
                out[:, path, at - start] = figures
            ledger.add(ClosedTrade(at, at, regime, outcome, outcome))
    return Evidence(*out)


def our_fractions(evidence: Evidence, fraction: float, settings: KellySettings) -> np.ndarray:
    """`KellyEstimate.fraction` for another part of full Kelly, without walking the ledger again.

    Holds for records of at least min_trades whose losses are 1 R, as here.
    """
    start, floor, doubt = (
        settings.start_fraction,
        settings.floor,
        settings.significance * evidence.standard_error,
    )
    clear = np.divide(evidence.mean_r, doubt, out=np.full(doubt.shape, np.inf), where=doubt > 0.0)
    chosen = start + (evidence.full * fraction - start) * evidence.trust
    held = start + (chosen - start) * np.clip(clear - 1.0, 0.0, 1.0)
    chosen = np.where(chosen > start, held, chosen)
    chosen = floor + (chosen - floor) * np.clip(clear, 0.0, 1.0)
    return np.clip(np.where(evidence.full <= 0.0, floor, chosen), floor, settings.cap)


def plain_fractions(regimes: np.ndarray, r: np.ndarray, history: int) -> np.ndarray:
    """The plain estimator before each of the last HORIZON trades, from the regime's own trades alone."""
    start = history * len(Regime)
    n = np.zeros(regimes.shape)
    wins = np.zeros(regimes.shape)
    for code in range(len(Regime)):
        here = regimes == code
        n += here * (np.cumsum(here, axis=1) - here)
        wins += here * (np.cumsum(here & (r > 0), axis=1) - (here & (r > 0)))
    n, wins = n[:, start:], wins[:, start:]
    p = wins / np.maximum(n, 1.0)
    full = (PAYOFF * p - (1.0 - p)) / PAYOFF  # every win is PAYOFF and every loss 1, so b is known exactly
    known = (n >= PLAIN_MIN_TRADES) & (wins > 0) & (wins < n)
    return np.where(known, np.clip(PLAIN_FRACTION * full, PLAIN_FLOOR, PLAIN_CAP), PLAIN_START)


def informed_means(regimes: np.ndarray, r: np.ndarray, history: int, edges: Edges) -> np.ndarray:
    """Mean R of the regime before each of the last HORIZON trades, to one who knows how edges are drawn.

    The posterior mean under the very distribution `simulate` draws from (normal, the variance of R taken as
    that of the mean edge): no estimator can know more of the edge, so it shows what is left to be gained.
    """
    start = history * len(Regime)
    win = 1.0 / (1.0 + PAYOFF) + edges.mean
    noise, mean = (1.0 + PAYOFF) ** 2 * win * (1.0 - win), (1.0 + PAYOFF) * win - 1.0
    between_paths = ((1.0 + PAYOFF) * edges.sd) ** 2 * edges.shared
    between_regimes = ((1.0 + PAYOFF) * edges.sd) ** 2 * (1.0 - edges.shared)
    weights = np.zeros((len(r), HORIZON))
    sums = np.zeros_like(weights)
    own_n, own_sum = np.zeros_like(weights), np.zeros_like(weights)
    for code in range(len(Regime)):
        here = regimes == code
        n = (np.cumsum(here, axis=1) - here)[:, start:]
        total = (np.cumsum(here * r, axis=1) - here * r)[:, start:]
        # the mean of n trades of one regime varies by between_regimes + noise/n around the path's own mean
        weight = n / (between_regimes * n + noise)
        weights += weight
        sums += weight * total / np.maximum(n, 1)
        own_n += here[:, start:] * n
        own_sum += here[:, start:] * total
    of_path = (sums + mean / between_paths) / (weights + 1.0 / between_paths)
    prior_trades = noise / between_regimes
    return (own_sum + prior_trades * of_path) / (own_n + prior_trades)


def informed_fractions(means: np.ndarray, fraction: float, settings: KellySettings) -> np.ndarray:
    """`fraction` of the full Kelly of `informed_means`, within floor and cap."""
    return np.clip(np.where(means > 0.0, fraction * means / PAYOFF, 0.0), settings.floor, settings.cap)


def account(fractions: np.ndarray, r: np.ndarray, rule=None) -> tuple[np.ndarray, np.ndarray]:
    """Log growth per trade and maximum drawdown of each path, (paths,). `rule`: drawdown → multiplier."""
    if rule is None:
        wealth = np.cumsum(np.log1p(fractions * r), axis=1)
        peak = np.maximum.accumulate(np.maximum(wealth, 0.0), axis=1)
        return wealth[:, -1] / r.shape[1], 1.0 - np.exp((wealth - peak).min(axis=1))
    level, peak, deepest = np.zeros(len(r)), np.zeros(len(r)), np.zeros(len(r))
    for at in range(r.shape[1]):
        drawdown = 1.0 - np.exp(level - peak)
        level = level + np.log1p(fractions[:, at] * rule(drawdown) * r[:, at])
        peak = np.maximum(peak, level)
        deepest = np.maximum(deepest, 1.0 - np.exp(level - peak))
    return level / r.shape[1], deepest


@dataclass(frozen=True)
class Accounts:
    """Log growth per trade and maximum drawdown: plain (paths,), the other's (fractions, paths)."""

    plain_growth: np.ndarray
    plain_drawdown: np.ndarray
    growth: np.ndarray
    drawdown: np.ndarray
    drawdown_rules: bool


def run_accounts(
    fractions_of: Callable[[float], np.ndarray],
    plain: np.ndarray,
    r: np.ndarray,
    settings: KellySettings,
    drawdown_rules: bool,
) -> Accounts:
    """Two estimators on the same trades r, (paths, horizon): the plain one, the other for all FRACTIONS.

    `fractions_of`: part of full Kelly → fractions at risk, (paths, horizon).
    """
    cliff = (lambda dd: np.where(dd >= PLAIN_CLIFF, PLAIN_CLIFF_FACTOR, 1.0)) if drawdown_rules else None
    slope = (lambda dd: throttle(dd, settings)) if drawdown_rules else None
    runs = [account(fractions_of(fraction), r, slope) for fraction in FRACTIONS]
    growth, drawdown = (np.array(part) for part in zip(*runs, strict=True))
    return Accounts(*account(plain, r, cliff), growth, drawdown, drawdown_rules)


def throttle(drawdown: np.ndarray, settings: KellySettings) -> np.ndarray:
    """`drawdown_multiplier` of an array."""
    depth = (drawdown - settings.drawdown_start) / (settings.drawdown_full - settings.drawdown_start)
    return 1.0 - (1.0 - settings.drawdown_floor) * np.clip(depth, 0.0, 1.0)
