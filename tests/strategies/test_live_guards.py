"""The real FreqtradeBot in dry run before a venue on this machine: breaker and market stop an entry, no stop.

Candles are the test's own; order book, bids and asks come from the venue over its REST and its stream.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade, enable_database_use
from freqtrade.persistence.custom_data import _CustomData
from sqlalchemy.exc import IntegrityError, PendingRollbackError

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import StateError
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.faults import Fault, FaultKind
from adaptive_pkg.simulator.venue import LoopbackVenue

PAIR = "BTC/USDT"
TAG = f"{Regime.STRONG_TREND}.pullback"
PRICING = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
BOT = {
    "entry_pricing": PRICING, "exit_pricing": PRICING, "api_server": {"enabled": False},
    "order_types": {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False},
}  # fmt: skip
NO_BOOK = Fault(FaultKind.STATUS, "GET /api/v3/depth", status=503)


@pytest.fixture(scope="module")
def minutes(tmp_path_factory):
    """A day of minutes round now, near 100, for the venue to replay."""
    start = pd.Timestamp.now("UTC").floor("min") - pd.Timedelta(hours=25)
    rng = np.random.default_rng(3)
    close = 100 + np.cumsum(rng.normal(0, 0.002, 1600))
    frame = pd.DataFrame({"open": np.concatenate([[100.0], close[:-1]]), "close": close})
    frame = frame.assign(
        date=pd.date_range(start, periods=len(close), freq="1min", unit="ms"),
        high=frame.max(axis=1) + 0.01, low=frame.min(axis=1) - 0.01, volume=10_000.0,
    )[["date", "open", "high", "low", "close", "volume"]]  # fmt: skip
    folder = tmp_path_factory.mktemp("minutes")
    write_candles(dict.fromkeys((PAIR, "ETH/USDT"), frame), folder, "1m")
    return folder


class Desk:
    """A bot with a candle that has just closed, an entry to make, and its venue."""

    def __init__(self, config, venue):
        self.venue = venue
        enable_database_use()
        self.bot = FreqtradeBot(config)
        self.strategy = self.bot.strategy
        self.strategy._tune()
        self.told = []
        self.bot.dataprovider.send_msg = lambda text, **_: self.told.append(text)
        self.candles(closed_minutes_ago=10)
        self.loop()

    def candles(self, closed_minutes_ago):
        end = datetime.now(UTC) - timedelta(minutes=closed_minutes_ago)
        frame = pd.DataFrame({"close": [100.0] * 300}).assign(
            date=pd.date_range(end=end - timedelta(hours=1), periods=300, freq="1h"), atr=1.0, atr_pct=1.0,
            atr_ratio=1.0, regime=Regime.STRONG_TREND.code, size_multiplier=1.0,
        )  # fmt: skip
        self.strategy.desk.candles.put(PAIR, frame)

    def loop(self):
        self.strategy.bot_loop_start(current_time=datetime.now(UTC))

    def wait_for_feed(self):
        self.wait(lambda: self.strategy.services.guard.gateway.quote(PAIR).age_seconds < 10)

    @staticmethod
    def wait(holds):
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end, "it has not come to be"
            time.sleep(0.01)

    def enter(self):
        """Whether an entry goes through."""
        return bool(self.bot.execute_entry(PAIR, 1_000.0, enter_tag=TAG))


@pytest.fixture
def open_desk(make_config, minutes, tmp_path):
    made, venues = [], []

    def make(*faults, **adaptive):
        venue = LoopbackVenue(CandleStore(minutes), ["LTC/USDT"])
        venue.start()
        venues.append(venue)
        journal = {"path": str(tmp_path / "journal.sqlite")}
        config = make_config(BOT, {"adaptive": {"profile": "moderate", "journal": journal} | adaptive})
        for fault in faults:
            venue.chaos.add(fault)
        config["exchange"] |= venue.overlay()["exchange"]
        config |= {
            "db_url": "sqlite://", "dry_run": True, "runmode": RunMode.DRY_RUN, "initial_state": "running",
            "candle_type_def": CandleType.SPOT,
        }  # fmt: skip
        made.append(Desk(config, venue))
        return made[-1]

    yield make
    for desk in made:
        desk.bot.cleanup()
    for venue in venues:
        venue.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "exchange-gateway"]


def test_a_good_market_lets_the_entry_through(open_desk):
    desk = open_desk()
    desk.wait_for_feed()
    asked = desk.venue.requests["/api/v3/depth"]
    assert desk.enter()
    assert desk.venue.requests["/api/v3/depth"] > asked
    assert desk.told[-1].startswith(PAIR)


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ({"max_spread": 0.0001}, "spread 0.02"),
        ({"depth_multiple": 10_000.0, "depth_band": 0.0002}, "10000 × the position"),
    ],
)
def test_a_bad_market_refuses_the_entry_and_says_why(open_desk, gate, says):
    desk = open_desk(gate=gate)
    desk.wait_for_feed()
    assert not desk.enter()
    assert says in desk.told[-1]
    assert not Trade.get_trades().all()


def test_without_the_gate_the_same_market_is_entered_and_nothing_is_asked(open_desk):
    desk = open_desk(gate={"max_spread": 0.0001}, components={"market_gate": False})
    assert desk.strategy.services.guard.gateway is None
    assert desk.enter()


def test_before_the_first_bid_and_ask_there_is_no_entry(open_desk):
    desk = open_desk(Fault(FaultKind.STATUS, "ws connect", status=503))
    assert not desk.enter()
    assert "the stream of bids and asks is down" in desk.told[-1]


def test_failing_calls_open_the_breaker_and_without_it_they_do_not(open_desk):
    desk = open_desk(NO_BOOK, breaker={"errors": 3})
    desk.bot.exchange.get_rate = lambda *_, **__: 100.0  # freqtrade's own price needs no book here
    desk.wait_for_feed()
    for _ in range(3):
        assert not desk.enter()
    assert "HTTP 503" in desk.told[-1]
    asked = desk.venue.requests["/api/v3/depth"]
    assert not desk.enter()
    assert desk.venue.requests["/api/v3/depth"] == asked  # the breaker asks nobody
    rest = [text for text in desk.told if text.startswith("entries rest: errors: 3 failures in a row")]
    assert len(rest) == 1


@pytest.mark.parametrize("breaker", [True, False])
def test_old_candles_rest_entries_while_the_breaker_is_on(open_desk, breaker):
    desk = open_desk(components={"circuit_breaker": breaker, "market_gate": False})
    desk.candles(closed_minutes_ago=125)
    assert desk.enter() is not breaker
    if not breaker:
        return
    assert any("the newest candle closed 75" in text for text in desk.told)
    desk.candles(closed_minutes_ago=5)
    assert desk.enter()
    assert "entries go on again" in desk.told


@pytest.mark.parametrize("breaker", [True, False])
def test_a_day_of_losses_rests_entries_while_the_breaker_is_on(open_desk, breaker):
    switches = {"circuit_breaker": breaker, "market_gate": False, "portfolio_limits": False}
    desk = open_desk(breaker={"daily_loss": 0.02}, components=switches)
    assert desk.enter()
    trade = Trade.get_trades().one()
    trade.open_rate = 100 + 0.025 * desk.bot.wallets.get_total_stake_amount() / trade.amount
    trade.recalc_open_trade_value()
    Trade.commit()
    assert desk.enter() is not breaker
    assert any("lost since midnight UTC" in text for text in desk.told) is breaker


def test_the_stop_does_not_need_the_feed(open_desk):
    desk = open_desk()
    desk.wait_for_feed()
    assert desk.enter()
    desk.venue.chaos.add(Fault(FaultKind.STATUS, "ws connect", status=503))
    desk.strategy.services.guard.close()
    desk.strategy.services.guard.failed("everything", datetime.now(UTC))
    trade = Trade.get_trades().one()
    desk.bot.exchange.get_rate = lambda *_, **__: 97.0
    desk.bot.exit_positions([trade])
    assert trade.stop_loss == pytest.approx(trade.open_rate - 2.5, abs=0.02)  # 2.5 ATR
    assert trade.exit_reason == "stop_loss"


def test_cleanup_ends_the_gateway_as_a_reload_does(open_desk):
    desk = open_desk()
    desk.wait_for_feed()
    desk.bot.cleanup()
    assert not desk.strategy.services.guard.gateway.running


def test_another_exchange_goes_without_and_says_so(open_desk, caplog):
    desk = open_desk(components={"market_gate": False})
    guard = type(desk.strategy.services.guard)(
        desk.strategy.settings.replaced({"components.market_gate": True}),
        desk.strategy.desk.candles,
        desk.strategy.messages,
    )
    for _ in range(2):
        guard.keep_watch({"exchange": {"name": "kraken"}}, desk.bot.dataprovider, datetime.now(UTC), [])
    assert guard.gateway is None
    assert caplog.text.count("checked on binance only") == 1


def test_a_rung_is_not_bought_while_the_breaker_is_open(open_desk):
    desk = open_desk(components={"market_gate": False, "portfolio_limits": False})
    assert desk.enter()
    guard, now = desk.strategy.services.guard, datetime.now(UTC)
    guard.may_add(PAIR, now, desk.bot.wallets, Trade.get_trades_proxy)
    for _ in range(desk.strategy.settings.breaker.errors):
        guard.failed("depth: no answer", now)
    with pytest.raises(StateError, match="failures in a row"):
        guard.may_add(PAIR, now, desk.bot.wallets, Trade.get_trades_proxy)


def test_a_failed_write_of_a_trades_data_does_not_spoil_the_next_one(open_desk):
    """Freqtrade keeps such data in a session of its own and never rolls it back."""
    desk = open_desk(components={"market_gate": False})
    assert desk.enter()
    trade = Trade.get_trades().one()
    session = _CustomData.session
    session.add(_CustomData(ft_trade_id=None, cd_key="x", cd_type="str"))  # no trade: refused
    with pytest.raises(IntegrityError):
        session.flush()
    with pytest.raises(PendingRollbackError):
        trade.get_custom_data("adaptive plan")
    desk.loop()
    assert trade.get_custom_data("adaptive plan")
