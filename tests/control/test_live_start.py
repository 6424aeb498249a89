"""Real orders: what a start leaves behind holds no secret, and an unsafe one does not happen."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from freqtrade.misc import deep_merge_dicts
from freqtrade_client import FtRestClient

from adaptive_pkg.doctor.credentials import add_credentials
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.faults import Fault, FaultKind
from adaptive_pkg.simulator.service import Accounts
from adaptive_pkg.simulator.venue import LoopbackVenue

from . import live_start
from .bot_api import BotApi
from .conftest import CHAT, PAIRS, RISES, free_port, write_market

KEY, SECRET = secrets.token_hex(32), secrets.token_hex(32)
TOKEN = f"{secrets.randbelow(10**9)}:{secrets.token_hex(16)}"
ORDER_TYPES = {
    "entry": "limit", "exit": "limit", "stoploss": "limit", "emergency_exit": "market",
    "force_exit": "market", "stoploss_on_exchange": False,
}  # fmt: skip


class LiveBot:
    """`freqtrade trade` in a process of its own, as a person starts it: secrets only in its environment."""

    def __init__(self, project_root: Path, folder: Path, venue, telegram, changes, database, without):
        self.folder, self.venue, self.telegram, self.port = folder, venue, telegram, free_port()
        env_file = folder.parent / f"{folder.name}.env"
        add_credentials(env_file)
        made = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("FREQTRADE__", "PYTEST"))
            },
            **made,
            "FREQTRADE__EXCHANGE__KEY": KEY,
            "FREQTRADE__EXCHANGE__SECRET": SECRET,
            "FREQTRADE__TELEGRAM__TOKEN": TOKEN,
            "FREQTRADE__TELEGRAM__CHAT_ID": str(CHAT),
            live_start.BASE_URL: telegram.base_url,
            "NO_PROXY": "127.0.0.1",
        }
        for name in without:
            del self.environment[name]
        self.secrets = [KEY, SECRET, TOKEN, *(v for name, v in made.items() if not name.endswith("USERNAME"))]
        overlay = venue.live_overlay()
        overlay["exchange"]["enable_ws"] = False
        for name in ("key", "secret"):
            del overlay["exchange"][name]
        own = {
            "freqai": {"enabled": False},
            "adaptive": {"approach": "by_regime"},
            "exchange": {"pair_whitelist": PAIRS},
            "entry_pricing": {"price_side": "other"},
            "order_types": ORDER_TYPES,
            "force_entry_enable": True,
            "telegram": {"enabled": True},
            "api_server": {"listen_port": self.port},
            "internals": {"process_throttle_secs": 1},
        }
        (folder / "config.json").write_text(
            json.dumps(deep_merge_dicts(changes, deep_merge_dicts(own, overlay)))
        )
        self.output = (folder / "screen.txt").open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable, live_start.__file__, "trade", "-v", "--userdir", str(folder),
                "--config", str(project_root / "user_data" / "config.json"),
                "--config", str(folder / "config.json"), "--logfile", str(folder / "bot.log"),
                "--strategy-path", str(project_root / "user_data" / "strategies"),
                "--db-url", f"sqlite:///{folder / database}",
            ],
            env=self.environment, stdout=self.output, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip
        user = (made["FREQTRADE__API_SERVER__USERNAME"], made["FREQTRADE__API_SERVER__PASSWORD"])
        self.client = FtRestClient(f"http://127.0.0.1:{self.port}", *user)

    def screen(self) -> str:
        return (self.folder / "screen.txt").read_text()

    def until(self, found, seconds=120.0):
        deadline = time.monotonic() + seconds
        while not (result := found()):
            assert time.monotonic() < deadline and self.process.poll() is None, self.screen()[-3000:]
            time.sleep(0.1)
        return result

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30.0)
        self.output.close()
        return status


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    write_market(datetime.now(UTC), folder)
    return CandleStore(folder)


@pytest.fixture
def start(project_root, tmp_path, market):
    """`start(changes, faults)`: a live bot at a venue of its own, stopped after the test."""
    running, telegram = [], BotApi(TOKEN, CHAT)

    def run(changes=None, faults=(), database="live.sqlite", without=()):
        venue = LoopbackVenue(market, PAIRS, accounts=Accounts({KEY: SECRET}))
        venue.start()
        for fault in faults:
            venue.chaos.add(fault)
        folder = tmp_path / "bot"
        folder.mkdir()
        running.append(LiveBot(project_root, folder, venue, telegram, changes or {}, database, without))
        return running[-1]

    yield run
    for bot in running:
        bot.stop()
        bot.venue.stop()
    telegram.close()


def test_no_secret_is_written_anywhere_even_when_things_go_wrong(start):
    """Real orders, a clock that is off, a venue that hangs up; then every byte of the bot's is read."""
    bot = start(faults=[Fault(FaultKind.CLOCK_SKEW, seconds=3.0)])
    bot.until(lambda: bot.client.ping() == {"status": "pong"})
    bot.until(lambda: "trade_id" in bot.client.forceenter(RISES, "long", order_type="market"))
    reset = bot.venue.chaos.add(Fault(FaultKind.RESET, where="*"))
    bot.telegram.type("/forceexit all")
    bot.until(lambda: "Retrying still for" in bot.screen())
    bot.venue.chaos.remove(reset)
    shown = str(bot.client.show_config()) + str(bot.client.logs(limit=10_000))
    assert bot.stop() == 128 + signal.SIGINT  # freqtrade ends a SIGTERM as a Ctrl-C
    screen = bot.screen()
    assert "Your system time deviates by" in screen and "this machine's clock is" in screen
    assert "no account to trade with" not in screen
    assert bot.venue.requests["/api/v3/order"]
    written = {path: path.read_bytes() for path in bot.folder.rglob("*") if path.is_file()}
    assert {"bot.log", "screen.txt", "live.sqlite"} <= {path.name for path in written}
    for path, content in [*written.items(), ("the API's answers", shown.encode())]:
        assert not [secret for secret in bot.secrets if secret.encode() in content], path
    assert bot.telegram.refused == []


def test_an_unsafe_start_says_everything_that_is_wrong_and_sends_nothing(start):
    """No stop, all on one trade, an open API, a key that gets logged, a dry run's trades taken for real."""
    bot = start(
        {
            "stoploss": -1.0,
            "adaptive": {"approach": "by_regime", "sizing": {"max_position_fraction": 1.0}},
            "tradable_balance_ratio": 1.0,
            "exchange": {"ccxt_config": {"apiKey": KEY}},
        },
        database="tradesv3.dryrun.sqlite",
        without=["FREQTRADE__API_SERVER__PASSWORD"],
    )
    assert bot.process.wait(120.0) != 0
    refusal = bot.screen().partition("this config must not trade:")[2]
    for key in (
        "stoploss (-1.0): that is no stop at all",
        "adaptive.sizing.max_position_fraction (1.0): with an unlimited stake one trade may take the whole",
        "tradable_balance_ratio (1.0)",
        "a dry run's database",
        "api_server.password (not set): missing",
        "exchange.ccxt_config.apiKey (hidden)",
    ):
        assert key in " ".join(refusal.split()), key
    assert KEY in bot.screen()  # the last reason is a true one: freqtrade has logged the block already
    assert not bot.venue.requests["/api/v3/order"]
