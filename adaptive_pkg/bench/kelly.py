"""Drawdown of the Kelly estimator beside a plain per-regime one at equal growth, and the ledger's cost."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.reports import report_console
from adaptive_pkg.risk.kelly import estimate
from adaptive_pkg.risk.ledger import ClosedTrade, TradeLedger
from adaptive_pkg.settings import KellySettings

SEED = 31
HISTORIES = (15, 30, 60, 120)  # trades per regime on record when the account starts
HORIZON = 300  # trades the account then makes, learning on
EDGE_MEAN, EDGE_SD, SHARED = 0.02, 0.03, 0.5  # of p − 1/(1 + b) between paths; SHARED: part of the variance
PAYOFF = 1.5  # a win in R; a loss is 1 R
FRACTIONS = tuple(float(x) for x in np.geomspace(0.02, 1.0, 16))  # parts of full Kelly that are tried
PLAIN_FRACTION, PLAIN_MIN_TRADES, PLAIN_START, PLAIN_FLOOR, PLAIN_CAP = 0.25, 30, 0.01, 0.005, 0.10
PLAIN_CLIFF, PLAIN_CLIFF_FACTOR = 0.15, 0.25  # its drawdown rule: a quarter of the size from 15 % on
RESAMPLES = 200
GOAL_PCT = -20.0
# Over accounts whose true edges differ. The mean is what Kelly maximises; the median is blind to what an
# estimator earns on the better half of the edges, so it favours a size that never adapts.
GROWTH = {"mean": np.mean, "median": np.median}
LEDGER_SIZES = (1_000, 10_000, 100_000)


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


@dataclass(frozen=True)
class Evidence:
    """What `estimate` knew before each trade: arrays (paths, horizon)."""

    full: np.ndarray
    mean_r: np.ndarray
    standard_error: np.ndarray


def bench_kelly(paths: int, json_path: Path | None) -> int:
    """Simulate `paths` accounts for each length of record; print both drawdowns at equal growth.

    Each path draws its own edge: p − 1/(1 + b) = N(0.02, 0.03), half of that variance common to the five
    regimes and half each regime's own. Plain: f = (b·p − q)/b of the regime's own trades, a quarter of it,
    1 % below 30 trades, held within [0.5 %, 10 %].
    """
    settings = KellySettings()
    rows = []
    for index, history in enumerate(HISTORIES):
        rng = np.random.default_rng([SEED, index])
        regimes, r = simulate(paths, history, rng)
        evidence = our_evidence(regimes, r, history, settings)
        plain, outcome = plain_fractions(regimes, r, history), r[:, -HORIZON:]
        for rules in (False, True):
            accounts = run_accounts(evidence, plain, outcome, settings, rules)
            rows += [compare(history, name, accounts, rng) for name in GROWTH]
    cost = ledger_cost(LEDGER_SIZES, settings)
    console = report_console()
    _print_comparisons(rows, paths, console)
    console.print(
        "ledger, record + advance + estimate per trade: "
        + ", ".join(f"{n:,} trades {1e6 * s:.1f} µs" for n, s in cost.items())
        + f"; {LEDGER_SIZES[-1]:,} cost {cost[LEDGER_SIZES[-1]] / cost[LEDGER_SIZES[0]]:.2f} times as much "
        f"a trade as {LEDGER_SIZES[0]:,}"
    )
    if json_path:
        figures = {
            "paths": paths,
            "horizon_trades": HORIZON,
            "goal_change_pct": GOAL_PCT,
            "comparisons": [_finite({**asdict(row), "goal_met": row.goal_met}) for row in rows],
            "ledger_seconds_per_trade": {str(n): s for n, s in cost.items()},
            "ledger_time_ratio_to_smallest": {str(n): s / cost[LEDGER_SIZES[0]] for n, s in cost.items()},
        }
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def simulate(paths: int, history: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Regime codes and R of all trades, (paths, 5·history + HORIZON): a balanced record, then by chance."""
    regimes_n = len(Regime)
    shared = rng.normal(size=(paths, 1)) * np.sqrt(SHARED)
    own = rng.normal(size=(paths, regimes_n)) * np.sqrt(1.0 - SHARED)
    p = np.clip(1.0 / (1.0 + PAYOFF) + EDGE_MEAN + EDGE_SD * (shared + own), 0.01, 0.99)
    record = rng.permuted(np.tile(np.repeat(np.arange(regimes_n), history), (paths, 1)), axis=1)
    regimes = np.concatenate([record, rng.integers(0, regimes_n, size=(paths, HORIZON))], axis=1)
    won = rng.random(regimes.shape) < np.take_along_axis(p, regimes, axis=1)
    return regimes, np.where(won, PAYOFF, -1.0)


def our_evidence(regimes: np.ndarray, r: np.ndarray, history: int, settings: KellySettings) -> Evidence:
    """Walk every path forward through a ledger; ask `estimate` before each of the last HORIZON trades."""
    start = history * len(Regime)
    out = np.empty((3, len(r), r.shape[1] - start))
    names = [Regime.from_code(code) for code in range(len(Regime))]
    for path, (codes, outcomes) in enumerate(zip(regimes.tolist(), r.tolist(), strict=True)):
        ledger = TradeLedger()
        for at, (code, outcome) in enumerate(zip(codes, outcomes, strict=True)):
            regime = names[code]
            if at >= start:
                kelly = estimate(ledger, regime, settings)
                out[:, path, at - start] = kelly.full_fraction, kelly.mean_r, kelly.standard_error
            ledger.add(ClosedTrade(at, at, regime, outcome, outcome))
    return Evidence(*out)


def our_fractions(evidence: Evidence, fraction: float, settings: KellySettings) -> np.ndarray:
    """`KellyEstimate.fraction` for another part of full Kelly, without walking the ledger again.

    Holds for records of at least min_trades whose losses are 1 R, as here.
    """
    wanted = evidence.full * fraction
    doubt = settings.significance * evidence.standard_error
    ratio = np.divide(evidence.mean_r, doubt, out=np.full(doubt.shape, np.inf), where=doubt > 0.0)
    held = settings.start_fraction + (wanted - settings.start_fraction) * np.clip(ratio - 1.0, 0.0, 1.0)
    chosen = np.where(wanted <= settings.start_fraction, wanted, held)
    return np.clip(np.where(evidence.full <= 0.0, settings.floor, chosen), settings.floor, settings.cap)


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


def account(fractions: np.ndarray, r: np.ndarray, throttle=None) -> tuple[np.ndarray, np.ndarray]:
    """Log growth per trade and maximum drawdown of each path, (paths,). `throttle`: drawdown → multiplier."""
    if throttle is None:
        wealth = np.cumsum(np.log1p(fractions * r), axis=1)
        peak = np.maximum.accumulate(np.maximum(wealth, 0.0), axis=1)
        return wealth[:, -1] / r.shape[1], 1.0 - np.exp((wealth - peak).min(axis=1))
    level, peak, deepest = np.zeros(len(r)), np.zeros(len(r)), np.zeros(len(r))
    for at in range(r.shape[1]):
        drawdown = 1.0 - np.exp(level - peak)
        level = level + np.log1p(fractions[:, at] * throttle(drawdown) * r[:, at])
        peak = np.maximum(peak, level)
        deepest = np.maximum(deepest, 1.0 - np.exp(level - peak))
    return level / r.shape[1], deepest


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


@dataclass(frozen=True)
class Accounts:
    """Log growth per trade and maximum drawdown: plain (paths,), ours (fractions, paths)."""

    plain_growth: np.ndarray
    plain_drawdown: np.ndarray
    growth: np.ndarray
    drawdown: np.ndarray
    drawdown_rules: bool


def run_accounts(
    evidence: Evidence, plain: np.ndarray, r: np.ndarray, settings: KellySettings, drawdown_rules: bool
) -> Accounts:
    """Both estimators on the same trades r, (paths, horizon); ours once for each of FRACTIONS."""
    cliff = (lambda dd: np.where(dd >= PLAIN_CLIFF, PLAIN_CLIFF_FACTOR, 1.0)) if drawdown_rules else None
    slope = (lambda dd: _throttle(dd, settings)) if drawdown_rules else None
    runs = [account(our_fractions(evidence, fraction, settings), r, slope) for fraction in FRACTIONS]
    growth, drawdown = (np.array(part) for part in zip(*runs, strict=True))
    return Accounts(*account(plain, r, cliff), growth, drawdown, drawdown_rules)


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


def ledger_cost(sizes: tuple[int, ...], settings: KellySettings, repeats: int = 3) -> dict[int, float]:
    """Seconds a trade costs (recorded, let in, one question asked) in ledgers of these sizes; fastest run."""
    names = list(Regime)
    seconds = dict.fromkeys(sizes, float("inf"))
    outcomes = np.where(np.random.default_rng(SEED).random(max(sizes)) < 0.45, PAYOFF, -1.0).tolist()
    trades = [ClosedTrade(i, i, names[i % len(names)], r, r) for i, r in enumerate(outcomes)]
    for size in list(sizes) * repeats:
        ledger = TradeLedger()
        started = time.perf_counter()
        for at, trade in enumerate(trades[:size]):
            ledger.record(trade)
            ledger.advance_to(at + 1)
            estimate(ledger, trade.regime, settings)
        seconds[size] = min(seconds[size], (time.perf_counter() - started) / size)
    return seconds


def _throttle(drawdown: np.ndarray, settings: KellySettings) -> np.ndarray:
    """`drawdown_multiplier` of an array."""
    depth = (drawdown - settings.drawdown_start) / (settings.drawdown_full - settings.drawdown_start)
    return 1.0 - (1.0 - settings.drawdown_floor) * np.clip(depth, 0.0, 1.0)


def _finite(figures: dict) -> dict:
    """NaN is no JSON: null says that growth could not be matched."""

    def clean(value):
        if isinstance(value, tuple):
            return [clean(item) for item in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {name: clean(value) for name, value in figures.items()}


def _print_comparisons(rows: list[Comparison], paths: int, console: Console) -> None:
    table = Table(
        title=f"maximum drawdown over {HORIZON} trades at equal growth, {paths} simulated accounts",
        box=box.SIMPLE,
        caption="record: trades per regime at the start; rules: each with its own drawdown rule; equal: "
        f"which growth; [..] 95 % bootstrap interval; goal: both changes at or below {GOAL_PCT:.0f} %; *: "
        "ours grows faster even at the smallest fraction and is compared there, nearly always at its floor",
    )
    for heading in (
        "record", "rules", "equal", "bp/trade", "fraction", "plain median", "ours", "change",
        "plain p95", "ours", "change", "goal",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=heading == "change")
    for row in rows:
        matched = not np.isnan(row.our_fraction_of_kelly)
        table.add_row(
            str(row.history_trades_per_regime),
            "on" if row.drawdown_rules else "off",
            row.growth_statistic,
            f"{row.plain_growth_bp_per_trade:.2f}",
            f"{row.our_fraction_of_kelly:.2f}{'*' * (row.our_fraction_of_kelly == FRACTIONS[0])}"
            if matched
            else "-",
            f"{row.plain_median_drawdown_pct:.1f}",
            f"{row.our_median_drawdown_pct:.1f}" if matched else "-",
            _change(row.median_change_pct, row.median_change_pct_ci95) if matched else "-",
            f"{row.plain_p95_drawdown_pct:.1f}",
            f"{row.our_p95_drawdown_pct:.1f}" if matched else "-",
            _change(row.p95_change_pct, row.p95_change_pct_ci95) if matched else "-",
            "met" if row.goal_met else "missed",
        )
    console.print(table)
    for row in rows:
        if np.isnan(row.our_fraction_of_kelly):
            low, high = row.our_growth_range_bp_per_trade
            console.print(
                f"record {row.history_trades_per_regime}, rules {'on' if row.drawdown_rules else 'off'}: our "
                f"{row.growth_statistic} growth is {low:.2f} to {high:.2f} bp over all fractions, the plain "
                f"one's {row.plain_growth_bp_per_trade:.2f}: it cannot be matched"
            )


def _change(value: float, interval: tuple[float, float]) -> str:
    return f"{value:+.0f}% \\[{interval[0]:+.0f},{interval[1]:+.0f}]"
