"""The real ProtectionManager around our halts: a lost day stops every pair, says why, and tells Telegram."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from freqtrade.enums import RPCMessageType
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import LocalTrade, PairLocks, Trade, disable_database_use
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.rpc.telegram import Telegram

from adaptive_pkg.risk.halts import halt_protections
from adaptive_pkg.settings import PortfolioSettings

NOW = datetime(2023, 5, 10, 12, tzinfo=UTC)
EQUITY = 10_000.0
SETTINGS = PortfolioSettings(daily_loss=0.03, drawdown_halt=0.15, drawdown_halt_candles=48)
PAIRS = ["BTC/USDT", "SOL/USDT", "NEVER/TRADED"]


@pytest.fixture(autouse=True)
def _no_trades_and_no_locks():
    disable_database_use("1h")
    Trade.reset_trades()
    PairLocks.reset_locks()
    yield
    Trade.reset_trades()
    PairLocks.reset_locks()


@pytest.fixture
def watch():
    """`watch(now)`: what freqtrade does whenever a trade has closed."""
    manager = ProtectionManager({"timeframe": "1h"}, halt_protections(SETTINGS, 24))

    def run(now=NOW):
        for pair in PAIRS[:2]:
            manager.stop_per_pair(pair, now, "long", EQUITY)
        return manager.global_stop(now, "long", EQUITY)

    run.manager = manager
    return run


def lose(share, hours_ago, now=NOW, reason="stop_loss"):
    """Close a trade that lost this share of the first equity."""
    closed = LocalTrade(
        id=len(LocalTrade.bt_trades) + 1, pair=PAIRS[0], open_rate=30_000.0, amount=0.1, stake_amount=3_000.0,
        open_date=now - timedelta(hours=hours_ago + 5), close_date=now - timedelta(hours=hours_ago),
        fee_open=0.001, fee_close=0.001, is_open=False, exit_reason=reason, exchange="binance",
    )  # fmt: skip
    closed.close_profit_abs = -share * EQUITY
    closed.close_profit = -share * EQUITY / 3_000.0
    LocalTrade.bt_trades.append(closed)


def locked(pair, hours=0.0):
    return PairLocks.is_pair_locked(pair, NOW + timedelta(hours=hours), "*")


def test_a_lost_day_stops_every_pair_for_a_day_and_says_why(watch):
    lose(0.02, hours_ago=20)
    lose(0.011, hours_ago=0)
    lock = watch()
    assert lock.pair == "*"
    assert lock.reason == "0.031 passed 0.03 in 24 candles, locking for 24 candles."
    assert all(locked(pair, hours) for pair in PAIRS for hours in (0, 23.9))
    assert not any(locked(pair, 25) for pair in PAIRS)


def test_longs_and_shorts_are_stopped_alike(watch):
    lose(0.031, hours_ago=0)
    watch()
    assert all(PairLocks.is_pair_locked(pair, NOW, side) for pair in PAIRS for side in ("long", "short", "*"))


def test_a_single_trade_can_lose_the_day(watch):
    lose(0.031, hours_ago=0, reason="force_exit")
    assert watch().reason.startswith("0.031 passed 0.03")


def test_less_than_the_limit_or_longer_ago_than_a_day_stops_nothing(watch):
    lose(0.028, hours_ago=30)
    lose(0.029, hours_ago=0)
    assert watch() is None
    assert not any(locked(pair) for pair in PAIRS)


def test_what_was_won_before_counts_as_equity_not_as_room_to_lose(watch):
    """The loss is a part of what there was when the day began; yesterday's gains do not pay for it."""
    lose(-0.50, hours_ago=200)
    lose(0.044, hours_ago=0)
    assert watch() is None  # 4.4 % of the first equity are 2.9 % of today's
    lose(0.002, hours_ago=0)
    assert watch().reason.startswith("0.03066")


def test_gains_of_the_day_that_were_lost_again_count_as_lost(watch):
    """Freqtrade measures the drawdown within the day, not the day's sum: the stricter of the two."""
    lose(-0.05, hours_ago=3)
    lose(0.04, hours_ago=1)
    assert watch().reason.startswith("0.038")


def test_a_week_of_small_losses_stops_every_pair_for_as_long_as_the_settings_say(watch):
    for day in range(6):
        lose(0.027, hours_ago=26 * day, reason="trend_turned")
    lock = watch()
    assert "passed 0.15 in 168 candles, locking for 48 candles" in lock.reason
    assert all(locked(pair, 47.9) for pair in PAIRS)
    assert not any(locked(pair, 49) for pair in PAIRS)


def test_when_both_begin_at_once_both_are_kept_and_the_longer_is_told(watch):
    lose(0.2, hours_ago=0)
    assert "in 168 candles" in watch().reason
    reasons = [lock.reason for lock in PairLocks.get_pair_locks("*", NOW)]
    assert any("in 24 candles" in reason for reason in reasons)
    assert any("in 168 candles" in reason for reason in reasons)


def test_four_stops_within_a_day_rest_every_pair_for_half_a_day(watch):
    for _ in range(4):
        lose(0.001, hours_ago=0)
    lock = watch()
    assert lock.reason == "4 stoplosses in 1440 min, locking for 12 candles."
    assert all(locked(pair, 11.9) for pair in PAIRS)
    assert not any(locked(pair, 13) for pair in PAIRS)


def test_freqtrade_itself_tells_telegram(watch):
    """FreqtradeBot.handle_protections, called after every exit, sends the lock; nothing of ours has to."""
    now = datetime.now(UTC)  # it reads the clock itself
    lose(0.031, hours_ago=0.1, now=now)
    sent = []
    bot = FreqtradeBot.__new__(FreqtradeBot)
    bot.strategy = SimpleNamespace(lock_pair=lambda *args, **kwargs: None)
    bot.wallets = SimpleNamespace(get_starting_balance=lambda: EQUITY)
    bot.exchange = SimpleNamespace(get_pair_base_currency=lambda pair: pair)
    bot.rpc = SimpleNamespace(send_msg=sent.append)
    bot.protections = watch.manager
    bot.handle_protections(PAIRS[0], "long")
    (message,) = sent
    assert message["type"] == RPCMessageType.PROTECTION_TRIGGER_GLOBAL
    text = Telegram.compose_message(Telegram.__new__(Telegram), message)
    assert "triggered due to 0.031 passed 0.03 in 24 candles" in text
    assert "*All pairs* will be locked until" in text


def test_a_backtest_opens_no_trade_while_halted(make_config, run_backtest, monkeypatch):
    """With a limit so small that it binds: not one entry during a halt, and entries again after it."""
    settings = PortfolioSettings(daily_loss=0.002)
    config = make_config({"enable_protections": True, "adaptive": {"components": {"confidence": False}}})
    halts = [halt for halt in halt_protections(settings, 24) if halt.get("max_allowed_drawdown") == 0.002]

    def prepare(strategy):
        monkeypatch.setattr(type(strategy), "protections", property(lambda self: halts))

    run = run_backtest(config, prepare)
    locks = [lock for lock in PairLocks.locks if lock.pair == "*"]
    assert len(locks) > 3
    assert all("passed 0.002 in 24 candles" in lock.reason for lock in locks)
    for trade in run.trades:
        for lock in locks:
            assert not lock.lock_time < trade.open_date < lock.lock_end_time
    assert any(trade.open_date > locks[0].lock_end_time for trade in run.trades)
