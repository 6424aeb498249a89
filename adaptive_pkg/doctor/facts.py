"""Facts: what the checks need to know beyond the config, read without changing anything."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from freqtrade.constants import DEFAULT_DB_DRYRUN_URL, DEFAULT_DB_PROD_URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from adaptive_pkg.doctor.findings import block, has_freqai, is_live

DRY_RUN_ORDER = "dry_run_"  # how freqtrade begins the id of an order it only pretends to send
PREDICTIONS = "backtesting_predictions"  # FreqAI's folder of them in an identifier's


@dataclass(frozen=True)
class TradeDatabase:
    """What a trade database holds.

    Attributes:
        file: its file; None for one in memory or on a server.
        dry_run_orders, real_orders: number of orders of each kind.
        open_dry_run_trades: trades a dry run left open.
        unreadable: why it could not be read, "" if it could, or is not there yet.
    """

    file: Path | None
    dry_run_orders: int = 0
    real_orders: int = 0
    open_dry_run_trades: int = 0
    unreadable: str = ""


@dataclass(frozen=True)
class ClockReading:
    """The venue's clock against ours, in seconds.

    Attributes:
        behind: the venue's time less ours; positive where our clock is late.
        uncertainty: half the request's round trip: how wrong `behind` may be.
        failed: why there is no reading, "" if there is.
    """

    behind: float = 0.0
    uncertainty: float = 0.0
    failed: str = ""


@dataclass(frozen=True)
class Facts:
    """What was found outside the config; a fact that nobody looked for is None and checked by nobody.

    Attributes:
        written: the config as its files say it, without the environment.
        database: the trade database the bot would open.
        backtest_predictions: files of a backtest's predictions under the FreqAI identifier.
        clock: the venue's clock against ours.
    """

    written: Mapping[str, Any] | None = None
    database: TradeDatabase | None = None
    backtest_predictions: int | None = None
    clock: ClockReading | None = None


def gather(
    config: Mapping[str, Any],
    written: Mapping[str, Any] | None = None,
    clock: ClockReading | None = None,
) -> Facts:
    """Look at the trade database and the models' folder that `config` names."""
    return Facts(written, read_database(database_url(config)), count_predictions(config), clock)


def database_url(config: Mapping[str, Any]) -> str:
    """The database freqtrade opens for this config."""
    url = config.get("db_url")
    if is_live(config):
        return url or DEFAULT_DB_PROD_URL
    return DEFAULT_DB_DRYRUN_URL if url in (None, "", DEFAULT_DB_PROD_URL) else url


def database_file(url: str) -> Path | None:
    """The file of an SQLite address; None for a database in memory, on a server, or a bad address."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(parsed.database) if is_file else None


def read_database(url: str) -> TradeDatabase:
    """Count the orders in freqtrade's database, read-only; a bot may have it open."""
    file = database_file(url)
    if file is None or not file.exists():
        return TradeDatabase(file)
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    pretended = f"substr(order_id, 1, {len(DRY_RUN_ORDER)}) = '{DRY_RUN_ORDER}'"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=2.0)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if not {"orders", "trades"} <= tables:
                return TradeDatabase(file)
            every, dry = database.execute(
                f"SELECT count(*), coalesce(sum({pretended}), 0) FROM orders"
            ).fetchone()
            (still_open,) = database.execute(
                "SELECT count(DISTINCT trades.id) FROM trades JOIN orders ON orders.ft_trade_id = trades.id "
                f"WHERE trades.is_open AND {pretended}"
            ).fetchone()
    except sqlite3.Error as failure:
        return TradeDatabase(file, unreadable=str(failure))
    return TradeDatabase(file, dry, every - dry, still_open)


def count_predictions(config: Mapping[str, Any]) -> int | None:
    """Files of backtest predictions under the FreqAI identifier; None where FreqAI is off."""
    identifier = block(config, "freqai").get("identifier")
    if not has_freqai(config) or not isinstance(identifier, str) or not identifier:
        return None
    user_data = config.get("user_data_dir") or "user_data"
    if not isinstance(user_data, (str, Path)):
        return None
    folder = Path(user_data) / "models" / identifier / PREDICTIONS
    return sum(1 for _ in folder.glob("*.feather"))


def read_clock(venue_time: Callable[[], float], now: Callable[[], float] = time.time) -> ClockReading:
    """Compare the venue's clock with ours.

    Args:
        venue_time: asks the venue for its time, in epoch seconds.
        now: our clock, in epoch seconds.
    """
    before = now()
    try:
        theirs = venue_time()
    except Exception as failure:  # whatever a client raises: the reading failed, and that is what is said
        return ClockReading(failed=f"{type(failure).__name__}: {failure}")
    after = now()
    return ClockReading(theirs - (before + after) / 2, (after - before) / 2)


def exchange_time(config: Mapping[str, Any]) -> float:
    """Ask the config's exchange for its time by its public endpoint, in epoch seconds; no key is used."""
    import ccxt

    exchange = block(config, "exchange")
    options = {**block(exchange, "ccxt_config"), **block(exchange, "ccxt_sync_config")}
    secrets = ("apiKey", "secret", "password", "uid", "privateKey", "walletAddress", "token")
    client = getattr(ccxt, exchange.get("name", "binance"))(
        {key: value for key, value in options.items() if key not in secrets}
    )
    return client.fetch_time() / 1000.0
