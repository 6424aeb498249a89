"""Candle files: freqtrade's feather folders, written and read without freqtrade."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.timeframes import resample, timeframe_hours

COLUMNS = ["date", "open", "high", "low", "close", "volume"]
_FILE = re.compile(r"^(?P<name>[A-Za-z0-9_]+)-(?P<timeframe>[1-9]\d*[mhdw])(?:-(?P<kind>[a-z_]+))?$")


class Book(StrEnum):
    """Which of an exchange's order books a pair trades on."""

    SPOT = "spot"
    FUTURES = "futures"


def file_stem(pair: str) -> str:
    """How a pair stands in a file name: BTC/USDT → BTC_USDT, BTC/USDT:USDT → BTC_USDT_USDT."""
    return re.sub(r"[/:.@$+ ]", "_", pair)


def book_of(pair: str) -> Book:
    """A pair with a settlement currency (BTC/USDT:USDT) is a perpetual, any other is spot."""
    return Book.FUTURES if ":" in pair else Book.SPOT


def candle_path(datadir: Path, pair: str, timeframe: str) -> Path:
    """Where freqtrade keeps a pair's candles below `datadir`."""
    if book_of(pair) is Book.FUTURES:
        return datadir / "futures" / f"{file_stem(pair)}-{timeframe}-futures.feather"
    return datadir / f"{file_stem(pair)}-{timeframe}.feather"


def write_candles(
    frames: Mapping[str, pd.DataFrame], datadir: Path, timeframe: str, also: Iterable[str] = ()
) -> list[Path]:
    """Store candles as freqtrade stores them (feather, lz4); other columns, such as regime, are left out.

    Args:
        frames: pair → frame with date (UTC), open, high, low, close, volume.
        also: longer timeframes that the candles are joined into and stored in as well.

    Returns:
        The files written, in the order of `frames`, the longer ones after them.

    Raises:
        DataError: a column is missing, or dates are not in UTC or not strictly rising.
    """
    timeframe_hours(timeframe)
    paths = []
    for pair, frame in frames.items():
        if missing := [column for column in COLUMNS if column not in frame]:
            raise DataError(f"{pair}: candles lack {', '.join(missing)}; they need {', '.join(COLUMNS)}")
        dates = frame["date"]
        if str(getattr(dates.dt, "tz", None)) != "UTC":
            raise DataError(f"{pair}: dates are {dates.dtype}; convert them to UTC first")
        if not dates.is_monotonic_increasing or dates.duplicated().any():
            raise DataError(f"{pair}: dates are not strictly rising; sort them and drop duplicates")
        path = candle_path(Path(datadir), pair, timeframe)
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = frame[COLUMNS].reset_index(drop=True)
        stored["date"] = stored["date"].dt.as_unit("ms")
        stored = stored.astype(dict.fromkeys(COLUMNS[1:], "float64"))
        stored.to_feather(path, compression="lz4", compression_level=9)
        paths.append(path)
    for longer in also:
        joined = {pair: resample(frame, longer) for pair, frame in frames.items()}
        paths += write_candles(joined, datadir, longer)
    return paths


@dataclass(frozen=True)
class CandleStore:
    """The candle files of one folder, spot and perpetual.

    Args:
        datadir: freqtrade's data folder (`BTC_USDT-1h.feather`, `futures/BTC_USDT_USDT-1h-futures.feather`).
        may_be_absent: an absent folder counts as an empty one.

    Raises:
        DataError: the folder does not exist.
    """

    datadir: Path
    may_be_absent: bool = False
    timeframes: Mapping[str, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        folder = Path(self.datadir)
        if not folder.is_dir() and not self.may_be_absent:
            raise DataError(f"no candle folder at {folder}; download candles, or name the right folder")
        found: dict[str, set[str]] = {}
        for path in sorted([*folder.glob("*.feather"), *folder.glob("futures/*.feather")]):
            if (match := _FILE.match(path.stem)) and (pair := _pair_of(match, path.parent.name == "futures")):
                found.setdefault(pair, set()).add(match["timeframe"])
        ordered = {pair: tuple(sorted(known, key=timeframe_hours)) for pair, known in found.items()}
        object.__setattr__(self, "datadir", folder)
        object.__setattr__(self, "timeframes", ordered)

    @property
    def pairs(self) -> tuple[str, ...]:
        """Every pair that has candles, spot first."""
        return tuple(sorted(self.timeframes, key=lambda pair: (":" in pair, pair)))

    def require(self, pair: str, timeframe: str) -> Path:
        """The file of a pair's candles. Raises DataError that says what is missing and what is there."""
        path = candle_path(self.datadir, pair, timeframe)
        if timeframe in self.timeframes.get(pair, ()):
            return path
        if pair in self.timeframes:
            raise DataError(
                f"{pair}: no {timeframe} candles ({path} is missing); this pair has "
                f"{', '.join(self.timeframes[pair])}. Set one of these timeframes, or download {timeframe}."
            )
        raise DataError(
            f"{pair}: no candles ({path} is missing); the folder has "
            f"{', '.join(self.pairs) or 'no pair at all'}. Take the pair off the list, or download it."
        )

    def load(
        self,
        pair: str,
        timeframe: str,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> pd.DataFrame:
        """Candles that open in [start, end): date (UTC, ms), open, high, low, close, volume.

        Raises:
            DataError: no such file, or one that is not a candle file.
        """
        path = self.require(pair, timeframe)
        try:
            frame = pd.read_feather(path, columns=COLUMNS)
            frame["date"] = frame["date"].dt.as_unit("ms")  # freqtrade's downloads come in microseconds
        except Exception as error:  # pyarrow raises many types, all of which mean an unusable file
            raise DataError(f"{path}: not a readable candle file ({error}); download it again") from error
        inside = pd.Series(True, index=frame.index)
        if start is not None:
            inside &= frame["date"] >= start
        if end is not None:
            inside &= frame["date"] < end
        return frame[inside].reset_index(drop=True)

    def load_funding(self, pair: str) -> pd.DataFrame:
        """Funding rates of a perpetual: date (UTC), rate. Empty where none are stored."""
        paths = sorted((self.datadir / "futures").glob(f"{file_stem(pair)}-*-funding_rate.feather"))
        if not paths:
            return pd.DataFrame({"date": pd.DatetimeIndex([], tz="UTC"), "rate": pd.Series(dtype=float)})
        frame = pd.read_feather(paths[0])
        rate = "funding_rate" if "funding_rate" in frame else "open"  # "open": freqtrade before 2026
        return pd.DataFrame({"date": frame["date"], "rate": frame[rate].astype(float)})


def _pair_of(match: re.Match[str], in_futures: bool) -> str | None:
    parts = match["name"].split("_")
    if in_futures:
        return f"{parts[0]}/{parts[1]}:{parts[2]}" if len(parts) == 3 and match["kind"] == "futures" else None
    return f"{parts[0]}/{parts[1]}" if len(parts) == 2 and match["kind"] is None else None
