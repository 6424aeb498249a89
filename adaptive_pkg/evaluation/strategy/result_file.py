"""A freqtrade backtest result of any strategy: its trades, its account day by day, and the market."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.performance import daily_equity
from adaptive_pkg.evaluation.strategy.wallet import daily_wallet
from adaptive_pkg.market.timeframes import timeframe_hours


@dataclass(frozen=True)
class ResultFile:
    """One strategy of a result.

    Attributes:
        trades: closed ones, freqtrade's columns; empty where there are none.
        returns: (days,) simple daily returns, by UTC day. exposure: mean share of the account in positions of
            the same days; None where the result does not tell.
        freqai: the run's settings of it; empty where it was off, None where the result does not tell.
        market: daily returns of all pairs in equal parts, before costs; None where the result has none.
        start, end: days traded, [start, end). fee: mean of the trades, one side. notes: what it lacks.
    """

    path: Path
    strategy: str
    pairs: tuple[str, ...]
    timeframe: str
    currency: str
    starting_balance: float
    start: pd.Timestamp
    end: pd.Timestamp
    trades: pd.DataFrame
    returns: pd.Series
    exposure: pd.Series | None
    market: pd.Series | None
    fee: float
    freqai: Mapping[str, Any] | None
    notes: tuple[str, ...]


def is_result(path: Path) -> bool:
    """Whether this is a result's zip file rather than an evaluation."""
    return Path(path).suffix == ".zip" or zipfile.is_zipfile(path)


def read_result(path: Path, strategy: str | None = None) -> ResultFile:
    """Read a result.

    Args:
        strategy: None: the only one in it.

    Raises:
        DataError: no such file, broken, of another freqtrade, or with several strategies and none named.
    """
    from freqtrade.data.btanalysis import load_backtest_data, load_backtest_stats
    from freqtrade.exceptions import FreqtradeException

    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; `freqtrade backtesting` writes user_data/backtest_results/*.zip"
        )
    _require_whole(path)
    try:
        stats = load_backtest_stats(path)
        name = _strategy(path, stats["strategy"], strategy)
        trades = load_backtest_data(path, name)
        return _result(path, name, stats["strategy"][name], trades)
    except DataError:
        raise
    except KeyError as error:
        raise DataError(
            f"{path}: no {error} in it: the result of another release of freqtrade; run the backtest again "
            "with the one installed"
        ) from None
    except (OSError, ValueError, TypeError, AttributeError, SettingsError, FreqtradeException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path}: cannot be read as a backtest result ({reason}); give the zip as this release of "
            "freqtrade wrote it, under its own name"
        ) from None


def _require_whole(path: Path) -> None:
    """Before freqtrade reads it, which logs what it cannot read. Raises DataError."""
    try:
        with zipfile.ZipFile(path) as file:
            broken, members = file.testzip(), file.namelist()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError):
        broken, members = "its list of contents", []
    if broken:
        raise DataError(
            f"{path}: broken, or no zip file ({broken} cannot be read); give the zip that `freqtrade "
            "backtesting` wrote"
        )
    if f"{path.stem}.json" not in members:
        raise DataError(
            f"{path}: no {path.stem}.json in it, so it is no backtest result, or was renamed; give the zip "
            "that `freqtrade backtesting` wrote, under its own name"
        )


def _strategy(path: Path, known: Any, wanted: str | None) -> str:
    names = list(known)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        what = f"no strategy {wanted!r}" if wanted else "several strategies"
        raise DataError(f"{path}: {what}; name one with --strategy: {', '.join(names)}")
    return wanted


def _result(path: Path, name: str, stats: dict[str, Any], trades: pd.DataFrame) -> ResultFile:
    candle = pd.Timedelta(hours=timeframe_hours(stats["timeframe"]))
    first = pd.Timestamp(stats["backtest_start"], tz="UTC")
    last = pd.Timestamp(stats["backtest_end"], tz="UTC") + candle
    start, end = first.floor("D"), last.ceil("D")
    balance, final = float(stats["starting_balance"]), float(stats["final_balance"])
    notes = []
    captures = _member(path, f"_{name}_wallet")
    if captures is None:
        notes.append(
            "The result holds no wallet, so the account is that of closed trades: drawdowns of open ones are "
            "not in it."
        )
        returns, exposure = _closed_account(trades, balance, start, end), None
    else:
        rows = list(zip(*(captures[key] for key in ("date", "currency", "rate", "balance")), strict=True))
        daily = daily_wallet(rows, start, end, balance, final)
        returns = _returns(daily["equity"])
        exposure = pd.Series(daily["exposure"].to_numpy()[1:], index=returns.index)
    fees = trades[["fee_open", "fee_close"]].to_numpy(float) if len(trades) else np.zeros((1, 2))
    return ResultFile(
        path=path,
        strategy=name,
        pairs=tuple(stats["pairlist"]),
        timeframe=stats["timeframe"],
        currency=stats["stake_currency"],
        starting_balance=balance,
        start=start,
        end=end,
        trades=trades
        if not len(trades)
        else trades.sort_values("close_date", kind="stable", ignore_index=True),
        returns=returns.rename(name),
        exposure=exposure,
        market=_market(_member(path, "_market_change"), returns.index),
        fee=float(fees.mean()),
        freqai=_freqai(path),
        notes=tuple(notes),
    )


def _member(path: Path, ending: str) -> pd.DataFrame | None:
    """A table inside the zip; None where it has none."""
    with zipfile.ZipFile(path) as file:
        member = f"{path.stem}{ending}.feather"
        if member not in file.namelist():
            return None
        with file.open(member) as stream:
            return pd.read_feather(stream)


def _freqai(path: Path) -> Mapping[str, Any] | None:
    with zipfile.ZipFile(path) as file:
        member = f"{path.stem}_config.json"
        if member not in file.namelist():
            return None
        found = json.loads(file.read(member)).get("freqai", {})
        return found if found.get("enabled") else {}


def _closed_account(
    trades: pd.DataFrame, balance: float, start: pd.Timestamp, end: pd.Timestamp
) -> pd.Series:
    index = pd.date_range(start, end, freq="D", name="date")
    value = np.full(len(index), balance)
    if len(trades):
        closed = trades.sort_values("close_date")
        before = np.searchsorted(pd.DatetimeIndex(closed["close_date"]), index, side="right")
        value += np.concatenate([[0.0], closed["profit_abs"].cumsum().to_numpy(float)])[before]
    return _returns(pd.Series(value, index=index))


def _returns(equity: pd.Series) -> pd.Series:
    """By the day they were made on, of values at midnights."""
    daily_equity(equity)  # an account that is gone has no returns
    value = equity.to_numpy(float)
    return pd.Series(value[1:] / value[:-1] - 1.0, index=equity.index[:-1])


def _market(change: pd.DataFrame | None, days: pd.DatetimeIndex) -> pd.Series | None:
    """freqtrade sums the pairs' mean change candle by candle; here it compounds."""
    if change is None or "rel_mean" not in change:
        return None
    steps = change.set_index("date")["rel_mean"].diff().fillna(0.0)
    daily = (1.0 + steps).groupby(steps.index.floor("D")).prod() - 1.0
    daily.index = daily.index.as_unit("s")
    return daily.reindex(days.as_unit("s"), fill_value=0.0).set_axis(days)
