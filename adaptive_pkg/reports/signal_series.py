"""Candles on disk turned into what `evaluation.signal_skill` judges: rules, vote and baselines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.entries import candidate_entries, plan_entries
from adaptive_pkg.evaluation.outcomes import walk_entries
from adaptive_pkg.evaluation.signal_skill import PairSignals
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.market.regime import MarketRegimeDetector
from adaptive_pkg.policy.library import (
    FilterReading,
    LibraryRule,
    Readings,
    TradeVotes,
    Vote,
    alt_breadth,
    cast_votes,
    learned_multiples,
    library_startup_candles,
    read_filters,
    read_rules,
)
from adaptive_pkg.policy.library.filters import BREADTH_COLUMN, FUNDING_COLUMN
from adaptive_pkg.reports.judged_pairs import timerange_bounds
from adaptive_pkg.reports.regimes import find_candle_files, read_candles
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.settings.library import LibrarySettings

BREADTH_COINS = ("ETH/USDT", "BNB/USDT", "SOL/USDT")  # the original's basket
PAST_MOVE_HOURS = 24
PLACEBO_HOURS = 1009  # a prime number of hours, six weeks: what was voted then says nothing now
VOTE, LEARNED, PAST_MOVE, PLACEBO, ALWAYS_LONG = (
    "vote", "learned vote", "past move", "placebo", "always long",
)  # fmt: skip
BASELINES = (PAST_MOVE, PLACEBO, ALWAYS_LONG)


@dataclass(frozen=True)
class SignalSeries:
    """Every pair's signals. filters: in words, by pair. trades: closed ones that weights were learned from.

    multiples: last learned multiple of each rule's weight. rules_time_ratio: CPU time of all rules over that
    of `market_frame` on the same candles. candles: of all pairs.
    """

    pairs: list[PairSignals]
    filters: dict[str, str]
    trades: int
    multiples: dict[str, float]
    step_hours: float
    candles: int
    rules_time_ratio: float


@dataclass(frozen=True)
class _PairFrame:
    pair: str
    frame: pd.DataFrame
    readings: Readings
    codes: np.ndarray
    filters: FilterReading
    trades: TradeVotes
    seconds: tuple[float, float]  # of the market frame, of the rules


def read_signals(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    library: LibrarySettings,
    console: Console,
    timerange: str | None = None,
) -> SignalSeries:
    """Ask every rule on every candle of the pairs; `timerange` says which candles are judged.

    The breadth is read off BREADTH_COINS where the folder has them, the pair itself left out. Funding is
    read where freqtrade keeps it (`futures/BTC_USDT_USDT-1h-funding_rate.feather` under the folder).

    Raises:
        DataError: no candles, unusable ones, or too few.
    """
    start, stop = timerange_bounds(timerange)
    files = find_candle_files(datadir, pairs, timeframe)
    basket = _basket(datadir, timeframe)
    parts: list[_PairFrame] = []
    for pair, path in track(list(files.items()), "asking the rules", console=console, transient=True):
        try:
            parts.append(_pair_frame(pair, read_candles(path), datadir, basket, settings, library))
        except DataError as error:
            raise DataError(f"{path.name}: {error}") from None
    trades = _joined([part.trades for part in parts])
    step = parts[0].frame["date"].diff().median()
    hours = step.total_seconds() / 3600
    need = startup_candles(settings.indicators) + library_startup_candles(library.rules)
    series = [_signals(part, trades, library, hours, start, stop, need) for part in parts]
    last = learned_multiples(trades, np.array([np.datetime64("9999-01-01")]), library.learning)[0]
    return SignalSeries(
        series,
        {part.pair: part.filters.describe() for part in parts},
        len(trades.r),
        {str(rule): float(value) for rule, value in zip(LibraryRule, last, strict=True)},
        hours,
        sum(len(part.frame) for part in parts),
        sum(part.seconds[1] for part in parts) / max(sum(part.seconds[0] for part in parts), 1e-9),
    )


def _pair_frame(
    pair: str,
    candles: pd.DataFrame,
    datadir: Path,
    basket: pd.DataFrame,
    settings: AdaptiveSettings,
    library: LibrarySettings,
) -> _PairFrame:
    path, entries = candidate_entries(candles, settings)
    began = process_time()
    frame = market_frame(candles, settings.indicators)
    framed = process_time()
    readings = read_rules(frame, library)
    seconds = framed - began, process_time() - framed
    others = basket[[name for name in basket.columns if name != pair]]
    if len(others.columns):
        closes = others.reindex(frame["date"])
        frame[BREADTH_COLUMN] = alt_breadth(closes, settings.indicators.sigma_halflife)
    if (funding := _funding(datadir, pair, frame["date"])) is not None:
        frame[FUNDING_COLUMN] = funding
    entries = entries.only(entries.taken)
    outcomes = walk_entries(path, entries, plan_entries(path, entries, settings))
    done = outcomes.finished
    step = path.date[1] - path.date[0]
    return _PairFrame(
        pair,
        frame,
        readings,
        MarketRegimeDetector(settings.regime).detect(frame).tradable_codes,
        read_filters(frame, library.filters),
        TradeVotes(
            closed_at=path.date[outcomes.exit_at[done]] + step,
            side=entries.side[done],
            r=outcomes.r[done],
            direction=readings.direction[entries.row[done]],
        ),
        seconds,
    )


def _signals(
    part: _PairFrame,
    trades: TradeVotes,
    library: LibrarySettings,
    hours: float,
    start: np.datetime64,
    stop: np.datetime64,
    need: int,
) -> PairSignals:
    date = part.frame["date"].dt.tz_convert(None).to_numpy()
    close = part.frame["close"].to_numpy(float)
    step = np.timedelta64(round(hours * 3600), "s")
    multiples = learned_multiples(trades, date + step, library.learning)
    vote = _vote(part, library)
    learned = _vote(part, library, part.readings.weights * multiples)
    move = _past_move(close, part.frame["sigma"].to_numpy(float), max(1, round(PAST_MOVE_HOURS / hours)))
    late = max(1, round(PLACEBO_HOURS / hours))
    signals = {str(rule): part.readings.of(rule) for rule in LibraryRule}
    sides = {name: np.sign(values) for name, values in signals.items()}
    ones = np.ones(len(close))
    signals |= {
        VOTE: vote.score, LEARNED: learned.score, PAST_MOVE: move,
        PLACEBO: _late(vote.score, late), ALWAYS_LONG: ones,
    }  # fmt: skip
    sides |= {
        VOTE: vote.direction, LEARNED: learned.direction, PAST_MOVE: np.sign(move),
        PLACEBO: _late(vote.direction, late), ALWAYS_LONG: ones,
    }  # fmt: skip
    judged = (date >= start) & (date < stop)
    judged[:need] = False
    live = part.frame["volume"].to_numpy() > 0
    live[:need] = False
    return PairSignals(
        part.pair, date, part.frame["open"].to_numpy(float), close, part.frame["sigma"].to_numpy(float),
        live, judged, signals, sides,
    )  # fmt: skip


def _vote(part: _PairFrame, library: LibrarySettings, weights: np.ndarray | None = None) -> Vote:
    return cast_votes(
        part.readings,
        library,
        adx=part.frame["adx"].to_numpy(),
        regime_codes=part.codes,
        filters=part.filters,
        weights=weights,
    )


def _past_move(close: np.ndarray, sigma: np.ndarray, candles: int) -> np.ndarray:
    """The last `candles` candles' return in σ; 0 where there is none."""
    move = np.zeros(len(close))
    move[candles:] = np.log(close[candles:] / close[:-candles])
    return np.nan_to_num(np.divide(move, sigma, out=np.zeros(len(close)), where=sigma > 0))


def _late(values: np.ndarray, candles: int) -> np.ndarray:
    """What was said `candles` earlier; 0 before that."""
    return np.concatenate([np.zeros(min(candles, len(values)), values.dtype), values[:-candles]])


def _joined(trades: list[TradeVotes]) -> TradeVotes:
    names = ("closed_at", "side", "r", "direction")
    return TradeVotes(**{name: np.concatenate([getattr(item, name) for item in trades]) for name in names})


def _basket(datadir: Path, timeframe: str) -> pd.DataFrame:
    """Closes of the breadth's coins by date; no columns where the folder has none of them."""
    found = find_candle_files(datadir, None, timeframe)
    columns = {
        coin: read_candles(found[coin]).set_index("date")["close"] for coin in BREADTH_COINS if coin in found
    }
    return pd.DataFrame(columns)


def _funding(datadir: Path, pair: str, date: pd.Series) -> np.ndarray | None:
    """The last funding rate settled by each candle's close, a fraction per 8 h; NaN before the first."""
    name = f"{pair.replace('/', '_')}_{pair.partition('/')[2]}-1h-funding_rate.feather"
    path = datadir / "futures" / name
    if not path.is_file():
        return None
    rates = pd.read_feather(path, columns=["date", "open"])
    closes = (date + date.diff().median()).dt.tz_convert(None).to_numpy()
    row = np.searchsorted(rates["date"].dt.tz_convert(None).to_numpy(), closes, side="right") - 1
    return np.where(row >= 0, rates["open"].to_numpy()[np.maximum(row, 0)], np.nan)
