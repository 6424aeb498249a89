"""Outside data and candles on one table: a row a coin and day, everything as it was known then."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.onchain.derived import funding_z, in_order, log_change
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.files import FileKind, import_file
from adaptive_pkg.store.as_of import as_of, close_times
from adaptive_pkg.store.history import dated_history, read_csv
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import SeriesSpec

CONTROLS = ("return_1d", "return_7d", "return_30d", "volatility_7d", "volatility_30d")
SENTIMENT = ("fear_greed", "fear_greed_1d", "fear_greed_7d")
ONCHAIN = ("log_mvrv", "log_sopr", "exchange_reserves_7d")
FUNDING = ("funding_z", "funding_3d")
INTEREST = ("open_interest_1d", "open_interest_7d")
HORIZONS = (1, 7)
HOUR = 3600
DAY = timedelta(days=1)
_AGE = timedelta(days=4)
_ONCHAIN_FILE = {
    "mvrv": "MVRV_ratio",
    "sopr": "SOPR_ratio",
    "exchange_reserves": "exchange_reserves",
}


def fill_store(store: ObservationStore, datadir: Path, settings: SourcesSettings) -> list[str]:
    """Import what the folder holds: sentiment/, onchain/btc_daily.csv, binance/futures/. Returns the coins
    that have funding rates. Raises DataError for a missing or damaged file.
    """
    import_file(store, datadir / "sentiment" / "fear_greed_daily.csv", FileKind.FEAR_GREED, settings)
    onchain = datadir / "onchain" / "btc_daily.csv"
    delay = settings.coin_metrics.delay_hours
    for metric, column in _ONCHAIN_FILE.items():
        import_file(
            store,
            onchain,
            FileKind.DATED,
            settings,
            series=f"{metric}/BTC",
            value_column=column,
            delay_hours=delay,
        )
    store.append("open_interest/BTC", _interest_in_coins(onchain, delay))
    coins = []
    for path in sorted((datadir / "binance" / "futures").glob("*-funding_rate.feather")):
        coin = path.name.partition("_")[0]
        import_file(store, path, FileKind.FUNDING, settings, coin=coin)
        coins.append(coin)
    return coins


def _interest_in_coins(path: Path, delay_hours: float) -> pd.DataFrame:
    """The file's open interest is in dollars and moves with the price: in coins it moves by itself."""
    rows = read_csv(path)
    if missing := [name for name in ("open_interest", "BTC_price") if name not in rows.columns]:
        raise DataError(f"{path}: no column {missing[0]!r}")
    delay = timedelta(hours=delay_hours)
    spec = SeriesSpec("open_interest/BTC", delay, delay + _AGE)
    coins = rows.assign(coins=rows["open_interest"] / rows["BTC_price"])
    coins = coins[coins["coins"] > 0]
    return dated_history(coins, spec, "date", "coins", DAY)


def build_panel(datadir: Path, settings: SourcesSettings, hour: int) -> pd.DataFrame:
    """One row a coin and day at `hour` UTC: outcomes, past prices, outside data known then.

    Outcomes: `forward_return_<h>d`, log return over h days in standard deviations of the last 30 days;
    `forward_volatility_<h>d`, log of the hourly volatility over h days. Days without the hour's candle are
    out; outside data that were not known are NaN.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    files = sorted((datadir / "binance").glob("*_USDT-1h.feather"))
    if not files:
        raise DataError(f"{datadir}: no binance/*_USDT-1h.feather; give the folder that holds binance/")
    with tempfile.TemporaryDirectory() as folder, ObservationStore(Path(folder) / "s.sqlite") as store:
        fill_store(store, datadir, settings)
        panels = [_coin_panel(path, store, settings, hour) for path in files]
    return pd.concat(panels, ignore_index=True)


def _coin_panel(path: Path, store: ObservationStore, settings: SourcesSettings, hour: int) -> pd.DataFrame:
    coin = path.name.partition("_")[0]
    candles = pd.read_feather(path)
    closes = close_times(candles, HOUR)
    # hour by hour, outages as gaps that carry the last price
    grid = np.arange(closes[0], closes[-1] + 1, HOUR * 1000)
    row = np.searchsorted(closes, grid, side="right") - 1
    price = pd.Series(np.log(candles["close"].to_numpy(float))[row])
    moves = price.diff()
    frame = pd.DataFrame({"coin": coin, "time": grid, "log_price": price})
    for days in (1, 7, 30):
        frame[f"return_{days}d"] = price.diff(24 * days)
    for days in (7, 30):
        frame[f"volatility_{days}d"] = np.log(moves.rolling(24 * days).std())
    yard = moves.rolling(24 * 30).std() * np.sqrt(24)
    for days in HORIZONS:
        frame[f"forward_return_{days}d"] = -price.diff(-24 * days) / (yard * np.sqrt(days))
        spread = moves.rolling(24 * days).std().shift(-24 * days)
        frame[f"forward_volatility_{days}d"] = np.log(spread.where(spread > 0))
    for days in (1, 7, 30):
        frame[f"return_{days}d"] /= yard * np.sqrt(days)
    there = (grid // (HOUR * 1000) % 24 == hour) & (closes[row] == grid)
    frame = frame[there].reset_index(drop=True)
    frame["date"] = pd.to_datetime(frame["time"], unit="ms")
    return frame.assign(**_outside(coin, frame["time"].to_numpy(), store, settings))


def _outside(
    coin: str, times: np.ndarray, store: ObservationStore, settings: SourcesSettings
) -> dict[str, np.ndarray]:
    """The outside columns, as known at each time."""
    index, index_age = store.history("fear_greed"), timedelta(hours=settings.fear_greed.max_age_hours)

    def index_before(days: int) -> np.ndarray:
        return as_of(index, times - days * 86_400_000, index_age).value

    def read(history: pd.DataFrame) -> np.ndarray:
        return as_of(history, times, _AGE).value

    funding = store.history(f"funding/{coin}")
    recent = in_order(funding)
    recent = recent.assign(value=recent["value"].rolling(9).mean()).dropna()
    interest, reserves = store.history(f"open_interest/{coin}"), store.history(f"exchange_reserves/{coin}")
    return {
        "fear_greed": index_before(0),
        "fear_greed_1d": index_before(0) - index_before(1),
        "fear_greed_7d": index_before(0) - index_before(7),
        "log_mvrv": np.log(read(store.history(f"mvrv/{coin}"))),
        "log_sopr": np.log(read(store.history(f"sopr/{coin}"))),
        "exchange_reserves_7d": read(log_change(reserves, 7 * DAY)),
        "funding_z": read(funding_z(funding)),
        "funding_3d": read(recent),
        "open_interest_1d": read(log_change(interest, DAY)),
        "open_interest_7d": read(log_change(interest, 7 * DAY)),
    }
