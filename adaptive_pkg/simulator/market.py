"""A seeded synthetic market whose regime is known at every candle.

One candle's log return is

    r = σ · (direction · drift_sigma + shock) − reversion · (x − level)

with x the log price, level its value at the regime's start, and σ = volatility_pct of the regime, scaled
by √hours and by a slow log-AR(1) factor (volatility clusters) of mean square 1. Shocks are Student-t of
unit variance with lag-1 correlation `autocorrelation`; pairs share `common_share` of their variance.

What there is to learn, with the default plan. A forecast that knows regime, direction and level explains
6 % of the next return's variance in a strong trend, 4 % in a volatile one, 9 % in chop, 6 % in a tight
range, nothing in transition; without that knowledge, the last 24 candles' return explains 3.5 % of the
next 24 candles' (correlation 0.19), and their log volatility 34 % (0.58). For returns that is far above
real markets, where it is 0–1 %: good for seeing that a model learns at all, worthless as evidence that
it earns money.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.simulator.plan import GapPlan, MarketPlan, RegimePlan

START = pd.Timestamp("2023-01-01", tz="UTC")
START_PRICES: Mapping[str, float] = {
    "BTC": 30_000.0,
    "ETH": 2_000.0,
    "BNB": 300.0,
    "SOL": 100.0,
    "LTC": 80.0,
    "LINK": 10.0,
    "XRP": 0.5,
    "ADA": 0.4,
}


def simulate_market(
    plan: MarketPlan | str | None = None,
    candles: int = 5_000,
    seed: int = 1,
    timeframe: str = "1h",
    start: pd.Timestamp = START,
) -> pd.DataFrame:
    """Make one pair's candles with the regime that made each of them.

    Args:
        plan: a plan, or a pair ("SOL/USDT": default plan, that coin's usual price, its own random stream).
        candles: length of the span in candles; gaps of the plan are cut out of it.
        seed: the same seed gives the same frame, bit for bit.
        timeframe: freqtrade's notation (5m, 1h, 4h, 1d).
        start: UTC time of the first candle.

    Returns:
        date (UTC, ms), open, high, low, close, volume (base currency), regime (Regime value as text).

    Raises:
        SettingsError: fewer than 2 candles, an unknown timeframe, or gaps that do not fit.
    """
    pair = plan if isinstance(plan, str) else ""
    chosen = plan if isinstance(plan, MarketPlan) else pair_plan(MarketPlan(), pair)
    return _simulate(chosen, pair, candles, seed, timeframe, start)


def simulate_markets(
    pairs: Sequence[str],
    candles: int = 5_000,
    seed: int = 1,
    timeframe: str = "1h",
    plan: MarketPlan | None = None,
    start: pd.Timestamp = START,
) -> dict[str, pd.DataFrame]:
    """Make several pairs that share a common factor, each with its own regimes.

    `plan` applies to all of them, at each coin's usual price. A pair's candles depend on the seed and its own
    name only, so adding a pair changes no other. Frames and errors as in `simulate_market`.
    """
    if doubled := {pair for pair in pairs if list(pairs).count(pair) > 1}:
        raise SettingsError(f"pairs: {', '.join(sorted(doubled))} named twice; name each pair once")
    base = plan or MarketPlan()
    return {pair: _simulate(pair_plan(base, pair), pair, candles, seed, timeframe, start) for pair in pairs}


def pair_plan(plan: MarketPlan, pair: str) -> MarketPlan:
    """`plan` at the usual price of the pair's coin; unchanged for a coin that is not known."""
    return replace(plan, start_price=START_PRICES.get(pair.split("/")[0], plan.start_price))


def _simulate(
    plan: MarketPlan, pair: str, candles: int, seed: int, timeframe: str, start: pd.Timestamp
) -> pd.DataFrame:
    hours = timeframe_hours(timeframe)
    if candles < 2:
        raise SettingsError(f"candles: {candles} is too short a market; ask for at least 2")
    common = np.random.default_rng([seed, 0])
    own = np.random.default_rng([seed, 1, zlib.crc32(pair.encode())])

    codes, starts, directions = _regime_path(plan, candles, own)
    regimes = [Regime.from_code(code) for code in range(len(Regime))]
    table = {r.code: plan.regimes[r] for r in plan.regimes}
    base_sigma = np.array([table[r.code].volatility_pct if r.code in table else 0.0 for r in regimes])
    sigma = base_sigma[codes] / 100.0 * np.sqrt(hours) * _clusters(plan, candles, own)
    share = plan.common_share
    shocks = np.sqrt(share) * _shocks(plan, candles, common) + np.sqrt(1 - share) * _shocks(
        plan, candles, own
    )

    log_close = np.empty(candles)
    last_shock, last_price = 0.0, np.log(plan.start_price)
    for begin, end, direction in zip(starts, [*starts[1:], candles], directions, strict=True):
        regime = table[codes[begin]]
        span = slice(begin, end)
        phi = regime.autocorrelation
        noise = _ar1(np.sqrt(1 - phi**2) * shocks[span], phi, last_shock)
        step = sigma[span] * (direction * regime.drift_sigma + noise)
        # Distance to the level of the start: an AR(1), which is a running sum where nothing reverts.
        log_close[span] = last_price + _ar1(step, 1.0 - regime.reversion)
        last_shock, last_price = noise[-1], log_close[end - 1]

    log_open = np.concatenate([[np.log(plan.start_price)], log_close[:-1]])
    frame = _candles(log_open, log_close, sigma, own)
    frame = _on_ticks(frame)
    frame.insert(0, "date", pd.date_range(start, periods=candles, freq=pd.Timedelta(hours=hours), unit="ms"))
    frame["volume"] = _volume(plan, frame, sigma, codes, table, hours, own)
    frame["regime"] = np.array([r.value for r in regimes], dtype=object)[codes]
    return _cut_gaps(frame, plan.gaps, own)


def _on_ticks(prices: pd.DataFrame) -> pd.DataFrame:
    """Prices to six significant digits, as an exchange would quote them; keeps every order between them."""
    decimals = 5 - np.floor(np.log10(prices.to_numpy()))
    # dividing by a power of ten, not multiplying by its inverse, gives the nearest float to the decimal
    scale = 10.0 ** np.abs(decimals)
    whole = np.where(decimals >= 0, prices * scale, prices / scale).round()
    return pd.DataFrame(np.where(decimals >= 0, whole / scale, whole * scale), columns=prices.columns)


def _regime_path(
    plan: MarketPlan, candles: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[int], list[float]]:
    """Semi-Markov chain: regime code per candle, first candle of each stay, trend direction of each stay."""
    names = list(plan.regimes)
    weights = np.array([plan.regimes[name].weight for name in names])
    codes, starts, directions = np.empty(candles, dtype=np.int64), [], []
    at, current = 0, -1
    while at < candles:
        chance = weights.copy()
        if current >= 0 and weights.sum() > weights[current]:
            chance[current] = 0.0  # a stay ends in another regime
        current = int(rng.choice(len(names), p=chance / chance.sum()))
        mean = plan.regimes[names[current]].dwell_candles
        dwell = rng.gamma(plan.dwell_shape, mean / plan.dwell_shape)
        dwell = max(round(dwell), plan.min_dwell_candles)
        starts.append(at)
        directions.append(1.0 if rng.random() < plan.up_share else -1.0)
        codes[at : at + dwell] = names[current].code
        at += dwell
    return codes, starts, directions


def _clusters(plan: MarketPlan, candles: int, rng: np.random.Generator) -> np.ndarray:
    """Slow volatility factor with mean square 1: the exponential of an AR(1) started in its own spread."""
    rho, spread = plan.cluster_persistence, plan.cluster_spread
    drawn = rng.standard_normal(candles)
    innovations = drawn * spread * np.sqrt(1 - rho**2)
    innovations[0] = drawn[0] * spread
    return np.exp(_ar1(innovations, rho) - spread**2)


def _shocks(plan: MarketPlan, candles: int, rng: np.random.Generator) -> np.ndarray:
    if plan.student_dof is None:
        return rng.standard_normal(candles)
    dof = plan.student_dof
    return rng.standard_t(dof, candles) * np.sqrt((dof - 2) / dof)


def _ar1(innovations: np.ndarray, phi: float, start: float = 0.0) -> np.ndarray:
    """y[t] = phi · y[t−1] + innovation[t], with y[−1] = start."""
    path = accumulate(innovations.tolist(), lambda past, new: phi * past + new, initial=start)
    return np.fromiter(path, dtype=float, count=len(innovations) + 1)[1:]


def _candles(
    log_open: np.ndarray, log_close: np.ndarray, sigma: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Add highs and lows: extremes of a Brownian bridge from open to close.

    Source: P(max > m) = exp(−2 m (m − r) / σ²) for a bridge from 0 to r, inverted (Karatzas & Shreve, 2.8).
    """
    r = log_close - log_open
    spread = -2.0 * sigma**2 * np.log(1.0 - rng.random((2, len(r))))
    up = 0.5 * (r + np.sqrt(r**2 + spread[0]))
    down = 0.5 * (r - np.sqrt(r**2 + spread[1]))
    open_, close = np.exp(log_open), np.exp(log_close)
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(np.exp(log_open + up), np.maximum(open_, close)),
            "low": np.minimum(np.exp(log_open + down), np.minimum(open_, close)),
            "close": close,
        }
    )


def _volume(
    plan: MarketPlan,
    frame: pd.DataFrame,
    sigma: np.ndarray,
    codes: np.ndarray,
    table: Mapping[int, RegimePlan],
    hours: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Base-currency volume: regime level, size of the move, hour of the day, log-normal noise."""
    level = np.array([table[code].volume if code in table else 1.0 for code in range(len(Regime))])[codes]
    move = np.abs(np.log(frame["close"].to_numpy() / frame["open"].to_numpy())) / sigma
    hour = frame["date"].dt.hour.to_numpy() + frame["date"].dt.minute.to_numpy() / 60
    season = 1.0
    if hours < 24:
        season += plan.daily_season * np.cos(2 * np.pi * (hour - plan.season_peak_hour) / 24)
    noise = np.exp(plan.volume_spread * rng.standard_normal(len(frame)))
    quote = plan.base_volume_quote * hours * level * season * noise
    return quote * (1 + move) ** plan.volume_return_elasticity / frame["close"].to_numpy()


def _cut_gaps(frame: pd.DataFrame, gaps: GapPlan, rng: np.random.Generator) -> pd.DataFrame:
    if gaps.count == 0:
        return frame
    slots = (len(frame) - 1) // (gaps.candles + 1)  # each slot: one candle kept, then room for one outage
    if gaps.count > slots:
        raise SettingsError(
            f"gaps: {gaps.count} outages of {gaps.candles} candles do not fit into {len(frame)} candles; "
            f"ask for at most {slots}, or for more candles"
        )
    keep = np.ones(len(frame), dtype=bool)
    for slot in rng.choice(slots, gaps.count, replace=False):
        begin = 1 + slot * (gaps.candles + 1)
        keep[begin : begin + gaps.candles] = False
    return frame[keep].reset_index(drop=True)
