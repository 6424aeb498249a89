"""Inspection: one bot at one moment, as every check sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.doctor.facts import database_file, database_url
from adaptive_pkg.doctor.findings import block
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.reports.regimes import read_candles
from adaptive_pkg.settings import AdaptiveSettings, load_settings
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.upkeep.trade_book import TradeBook, read_trade_book


class Period(StrEnum):
    """How often it is done; each does all that the shorter ones do."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"

    @property
    def days(self) -> int:
        """Length of the span that is looked at."""
        return {"weekly": 7, "monthly": 30, "quarterly": 91}[self.value]

    @property
    def noun(self) -> str:
        """week, month, quarter."""
        return self.value.removesuffix("ly")


@dataclass(frozen=True)
class Inspection:
    """What the checks look at.

    Args:
        config: the merged configuration files. now: what came later is not looked at.
        datadir: candles on disk. user_data: freqtrade's folder.
    """

    config: Mapping[str, Any]
    settings: AdaptiveSettings
    book: TradeBook
    datadir: Path
    user_data: Path
    now: pd.Timestamp
    period: Period
    _candles: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    @property
    def start(self) -> pd.Timestamp:
        """Begin of the span looked at."""
        return self.now - pd.Timedelta(days=self.period.days)

    @property
    def timeframe(self) -> str:
        return str(self.config.get("timeframe") or "1h")

    @property
    def candle(self) -> pd.Timedelta:
        """Length of one."""
        return pd.Timedelta(hours=timeframe_hours(self.timeframe))

    @property
    def pairs(self) -> tuple[str, ...]:
        """The whitelist, then whatever else was traded."""
        listed = block(self.config, "exchange").get("pair_whitelist") or ()
        return tuple(dict.fromkeys([*listed, *self.book.trades["pair"]]))

    @property
    def closed(self) -> pd.DataFrame:
        """Trades closed by now, by close."""
        trades = self.book.trades
        return trades[trades["close_date"] < self.now].sort_values("close_date", kind="stable")

    @property
    def open(self) -> pd.DataFrame:
        """Trades open at the moment the database was read."""
        trades = self.book.trades
        return trades[trades["is_open"] & (trades["open_date"] <= self.now)]

    def recent(self, trades: pd.DataFrame) -> np.ndarray:
        """(n,) which of the closed trades were closed within the span."""
        return (trades["close_date"] >= self.start).to_numpy()

    def candles(self, pair: str) -> pd.DataFrame:
        """A pair's closed candles up to now, gaps filled as freqtrade fills them. Raises DataError."""
        if pair not in self._candles:
            path = CandleStore(self.datadir).require(pair, self.timeframe)
            frame = read_candles(path)
            self._candles[pair] = frame[frame["date"] <= self.now - self.candle].reset_index(drop=True)
        return self._candles[pair]

    def all_candles(self) -> tuple[dict[str, pd.DataFrame], tuple[str, ...]]:
        """Candles of every pair that has some, and the pairs that have none. Raises DataError: no folder."""
        found, missing = {}, []
        store = CandleStore(self.datadir)
        for pair in self.pairs:
            if self.timeframe not in store.timeframes.get(pair, ()) or self.candles(pair).empty:
                missing.append(pair)
            else:
                found[pair] = self.candles(pair)
        return found, tuple(missing)


def data_folder(config: Mapping[str, Any]) -> Path:
    """Where freqtrade keeps this config's candles."""
    if config.get("datadir"):
        return Path(config["datadir"])
    name = str(block(config, "exchange").get("name") or "binance")
    return user_folder(config) / "data" / name


def user_folder(config: Mapping[str, Any]) -> Path:
    """freqtrade's user_data of this config."""
    return Path(config.get("user_data_dir") or "user_data")


def inspect(
    config: Mapping[str, Any],
    period: Period,
    now: pd.Timestamp,
    *,
    database: Path | None = None,
    datadir: Path | None = None,
    user_data: Path | None = None,
) -> Inspection:
    """Read the bot's database and say where its candles lie.

    Args:
        database, datadir, user_data: None: what the config says.

    Raises:
        DataError: no such database, or not one. SettingsError: the config's adaptive block is wrong, or its
            database lies on a server.
    """
    file = database or database_file(database_url(config))
    if file is None:
        raise SettingsError(
            "db_url: the database is not a file on this machine; name one with --db (SQLite only)"
        )
    settings = load_settings(config)
    if now.tzinfo is None:
        raise DataError(f"now: {now} has no time zone; give UTC")
    return Inspection(
        config,
        settings,
        read_trade_book(file),
        datadir or data_folder(config),
        user_data or user_folder(config),
        now,
        period,
    )
