"""The real `freqtrade trade`, dry, in a thread: on the loopback venue, with a loopback Telegram and an API.

Its clock can be moved on by hours, and the candles after its start are the test's, so that a trade's whole
life takes seconds.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# imported before the clock is shifted: what comes later keeps the real one
import freqtrade.freqai.freqai_interface  # noqa: F401
import numpy as np
import pandas as pd
import pytest
from freqtrade.misc import deep_merge_dicts
from freqtrade.persistence import Trade
from freqtrade.rpc.api_server import ApiServer
from freqtrade.rpc.telegram import Telegram
from freqtrade.worker import Worker
from freqtrade_client import FtRestClient

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.venue import loopback_venue

from .bot_api import BotApi
from .live_start import application, hasty_asyncio

SIGNALS, RISES = PAIRS = ["BTC/USDT", "SOL/USDT"]  # one goes its own way, the other only up from the start on
CHAT = 4711
PAST, FUTURE = 2_068, 432  # candles before and after the bot's start; BTC enters a strong trend in the second
STARTS_AT = timedelta(hours=PAST % 24, minutes=10)  # of today
RISE = 1.012  # of each of the other's candles


class _AnyDatetime(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, datetime)


class Clock(datetime, metaclass=_AnyDatetime):
    """Stands for `datetime` in all of freqtrade; tests move it on."""

    offset = timedelta(0)

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + cls.offset

    @classmethod
    def utcnow(cls):
        return datetime.now(UTC).replace(tzinfo=None) + cls.offset

    @classmethod
    def epoch(cls) -> float:
        return time.time() + cls.offset.total_seconds()


class Stopped(BaseException):
    """Ends the bot's loop, as Ctrl-C does."""


class Owner:
    """Whoever sits at the chat and the API of a running bot.

    Attributes:
        user_data: everything the bot writes lies below. secrets: what must be nowhere in it.
    """

    def __init__(self, worker: Worker, telegram: BotApi, api: dict[str, Any], user_data: Path) -> None:
        self.worker, self.telegram, self.user_data = worker, telegram, user_data
        self._api = api
        self.client = self.log_in(api["username"], api["password"])

    def log_in(self, username: str, password: str) -> FtRestClient:
        return FtRestClient(f"http://127.0.0.1:{self._api['listen_port']}", username, password)

    @property
    def strategy(self) -> Any:
        return self.worker.freqtrade.strategy

    def until(self, found: Callable[[], Any], seconds: float = 45.0) -> Any:
        """Wait for `found()` to be something, and return it."""
        deadline = time.monotonic() + seconds
        while not (result := found()):
            assert time.monotonic() < deadline, f"still nothing after {seconds} s; told: {self.told()}"
            time.sleep(0.02)
        return result

    def loops(self, count: int = 2) -> None:
        """Let the bot's loop come round."""
        for _ in range(count):
            before = self.worker.freqtrade.last_process
            self.until(lambda last=before: self.worker.freqtrade.last_process not in (last, None))

    def told(self) -> list[str]:
        """What stands in the chat, as a person reads it."""
        return [text.replace("\\", "") for text in self.telegram.sent]

    def ask(self, command: str, answer: str) -> str:
        """Type a command and wait for the answer that holds these words."""
        seen = len(self.telegram.sent)
        self.telegram.type(command)
        return self.until(lambda: next((text for text in self.told()[seen:] if answer in text), None))

    def hears(self, words: str, since: int = 0) -> str:
        """Wait for a message that nobody asked for."""
        return self.until(lambda: next((text for text in self.told()[since:] if words in text), None))

    def hours_pass(self, count: int = 1, at_once: bool = False) -> None:
        """Candles close, one after the other or while nobody looked."""
        for step in [count] if at_once else [1] * count:
            Clock.offset += timedelta(hours=step)
            self.loops()

    def enter(self, pair: str = RISES, tag: str = "force_entry") -> int:
        """An open trade of this pair; its number."""
        for trade in self.client.status():
            if trade["pair"] == pair:
                return trade["trade_id"]
        answer = self.client.forceenter(pair, "long", order_type="market", enter_tag=tag)
        if "trade_id" not in answer:  # in the cooldown after another test's trade
            self.hours_pass(8, at_once=True)
            answer = self.client.forceenter(pair, "long", order_type="market", enter_tag=tag)
        assert "trade_id" in answer, answer
        self.loops()
        return answer["trade_id"]

    def trade(self, number: int) -> Trade:
        return Trade.session.scalars(Trade.get_trades_query([Trade.id == number])).one()

    def reload(self, ask: Callable[[], Any]) -> None:
        """Have the configuration read again, and wait for the bot that comes after."""
        before = self.worker.freqtrade
        ask()
        self.until(lambda: self.worker.freqtrade is not before)
        self.until(lambda: self.worker.freqtrade.last_process)

    def secret(self, name: str) -> str:
        return self._api[name]

    @staticmethod
    def threads() -> list[str]:
        """The bot's threads by name: without the loopback servers' and the pool that serves the API."""
        names = [thread.name for thread in threading.enumerate()]
        return sorted(n for n in names if "process_request" not in n and "AnyIO" not in n)

    def log_lines(self) -> list[str]:
        return (self.user_data / "bot.log").read_text().splitlines()

    def leave_all(self) -> None:
        self.client.forceexit("all")
        self.until(lambda: not self.client.status())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _candles(start: datetime) -> dict[str, pd.DataFrame]:
    first = pd.Timestamp(start).floor("1h") - pd.Timedelta(hours=PAST)
    frames = simulate_markets(PAIRS, PAST + FUTURE, seed=3, start=first)
    frame = frames[RISES]
    close = frame["close"].to_numpy().copy()
    close[PAST:] = close[PAST - 1] * RISE ** np.arange(1, FUTURE + 1)
    opened = np.concatenate([close[:1], close[:-1]])
    frame.loc[PAST:, "open"], frame.loc[PAST:, "close"] = opened[PAST:], close[PAST:]
    frame.loc[PAST:, "high"], frame.loc[PAST:, "low"] = close[PAST:] * 1.001, opened[PAST:] * 0.999
    return {pair: frame.round({"open": 2, "high": 2, "low": 2, "close": 2}) for pair, frame in frames.items()}


def write_market(start: datetime, folder: Path) -> None:
    """Candle files around a bot's start."""
    write_candles(_candles(start), folder, "1h", also=HIGHER_TIMEFRAMES)


def _shift_freqtrade(patch: pytest.MonkeyPatch) -> None:
    """freqtrade's modules read the time from `datetime`, which each of them has imported by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("freqtrade.") and vars(module).get("datetime") is datetime:
            patch.setattr(module, "datetime", Clock)
    patch.setattr("freqtrade.util.datetime_helpers.time", Clock.epoch)


@pytest.fixture(scope="module")
def owner(project_root: Path, tmp_path_factory) -> Iterator[Owner]:
    """A bot that trades two pairs by the rules alone; all tests of a module talk to the same one."""
    with running_bot(project_root, tmp_path_factory.mktemp("control")) as owner:
        yield owner


@contextmanager
def running_bot(
    project_root: Path, folder: Path, overlay: Mapping[str, Any] | None = None
) -> Iterator[Owner]:
    """`freqtrade trade` on the shipped config, the loopbacks' and `overlay`; all it writes is in `folder`."""
    strategies = folder / "strategies"
    strategies.mkdir()
    shutil.copy(project_root / "user_data" / "strategies" / "AdaptiveGRU.py", strategies)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    (folder / "data").mkdir()
    write_market(midnight + STARTS_AT, folder / "data")
    token = f"{secrets.randbelow(10**9)}:{secrets.token_hex(16)}"
    api = {
        "enabled": True, "listen_ip_address": "127.0.0.1", "listen_port": free_port(), "verbosity": "error",
        "username": "owner", "password": secrets.token_urlsafe(18), "jwt_secret_key": secrets.token_hex(32),
    }  # fmt: skip
    telegram = BotApi(token, CHAT)
    venue = loopback_venue(folder / "data", PAIRS, lambda: round(Clock.epoch() * 1000))
    with pytest.MonkeyPatch.context() as patch, venue:
        for name in [name for name in os.environ if name.startswith("FREQTRADE__")]:
            patch.delenv(name)
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        Clock.offset = midnight + STARTS_AT - datetime.now(UTC)
        _shift_freqtrade(patch)
        patch.setattr("freqtrade.rpc.telegram.asyncio", hasty_asyncio())
        patch.setattr(
            Telegram,
            "_init_telegram_app",
            lambda self: application(telegram.base_url, self._config["telegram"]["token"]),
        )
        config = deep_merge_dicts(dict(overlay or {}), _config(venue.overlay(), token, api))
        config["adaptive"]["journal"] = {"path": str(folder / "journal.sqlite")}
        (folder / "config.json").write_text(json.dumps(config))
        yield from _run(project_root, folder, patch, telegram, api)
    telegram.close()


def _config(overlay: dict[str, Any], token: str, api: dict[str, Any]) -> dict[str, Any]:
    own = {
        "freqai": {"enabled": False},
        "exchange": {"pair_whitelist": PAIRS},
        "entry_pricing": {"price_side": "other"},
        "exit_pricing": {"price_side": "other"},
        "force_entry_enable": True,
        "ignore_buying_expired_candle_after": 0,  # the bot starts at any minute of the hour
        "max_open_trades": 3,
        "adaptive": {
            "approach": "by_regime",
            "components": {"target": False},
            "messages": {"per_hour": 1000, "regime_seconds": 0, "refusal_seconds": 0},
        },
        "api_server": api,
        "telegram": {"enabled": True, "token": token, "chat_id": str(CHAT)},
        "internals": {"process_throttle_secs": 1, "heartbeat_interval": 0},
    }
    return deep_merge_dicts(own, overlay)


def _run(project_root, folder, patch, telegram, api) -> Iterator[Owner]:
    stop = threading.Event()

    def sleep(seconds: float) -> None:
        if stop.wait(0.05):
            raise Stopped

    patch.setattr(Worker, "_sleep", staticmethod(sleep))
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    log = logging.FileHandler(folder / "bot.log")
    log.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(name)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(log)
    patch.setattr(logging.getLogger("httpx"), "level", logging.WARNING)  # as freqtrade's own set-up has it
    worker = Worker(
        {
            "command": "trade",
            "config": [str(project_root / "user_data" / "config.json"), str(folder / "config.json")],
            "user_data_dir": str(folder),
            "strategy_path": str(folder / "strategies"),
            "freqaimodel_path": str(project_root / "user_data" / "freqaimodels"),
            "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
            "verbosity": 0,
        }
    )

    def run() -> None:
        try:
            worker.run()
        except Stopped:
            pass
        finally:
            worker.exit()

    thread = threading.Thread(target=run, name="freqtrade-trade")
    thread.start()
    owner = Owner(worker, telegram, api, folder)
    try:
        owner.until(lambda: worker.freqtrade.last_process, 60.0)
        yield owner
    finally:
        stop.set()
        thread.join(60.0)
        ApiServer.shutdown()
        Trade.session.remove()
        logging.getLogger().removeHandler(log)
        log.close()
        logging.getLogger().setLevel(level)
    assert not thread.is_alive()
