"""The real FreqtradeBot in dry run: stop orders at the exchange follow the plan; ladder orders leave them.

Venue, order book and clock are the test's own. What cannot be shown offline: that Binance accepts the stop
order, and that it fills there: freqtrade's dry run keeps such orders in memory and fills them by its book.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade, enable_database_use
from freqtrade.strategy import stoploss_from_absolute

from adaptive_pkg.adapter.open_trade import stop_distance
from adaptive_pkg.enums import Regime
from adaptive_pkg.policy.explanation import ENTRY_KEY

PAIR = "BTC/USDT"
TICK = 0.0101


def pricing(side):
    return {"price_side": side, "use_order_book": True, "order_book_top": 1}


BOT = {
    "order_types": {
        "entry": "market", "exit": "market", "stoploss": "market", "emergency_exit": "market",
        "stoploss_on_exchange": True, "stoploss_on_exchange_interval": 0,
    },
    "entry_pricing": pricing("other"), "exit_pricing": pricing("other"), "api_server": {"enabled": False},
    "adaptive": {"profile": "moderate"},
}  # fmt: skip


class Clock(datetime):
    """Stands for `datetime` in freqtrade's bot."""

    offset = timedelta(0)

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + cls.offset


class Desk:
    """A bot with one pair, whose candles and price the test sets."""

    def __init__(self, config, monkeypatch, regime, atr):
        monkeypatch.setattr("freqtrade.freqtradebot.datetime", Clock)
        monkeypatch.setattr("freqtrade.exchange.exchange.dt_now", lambda: Clock.now(UTC))
        Clock.offset = timedelta(0)
        self.start = datetime.now(UTC) - timedelta(minutes=10)  # the signal's candle closed then
        self.closes, self.price = [100.0] * 300, 100.0
        self.regime, self.atr = regime, atr
        enable_database_use()
        self.bot = FreqtradeBot(config)
        self.bot.strategy._tune()
        self.sent = []
        monkeypatch.setattr(self.bot.dataprovider, "send_msg", lambda text, **_: self.sent.append(text))
        monkeypatch.setattr(self.bot.exchange, "fetch_l2_order_book", self.book)
        monkeypatch.setattr(self.bot.exchange, "get_rate", lambda *_, **__: self.price)
        monkeypatch.setattr(self.bot.exchange, "get_rates", lambda *_, **__: (self.price, self.price))
        monkeypatch.setattr(self.bot.exchange, "fetch_ticker", lambda pair: {"last": self.price})
        self.put()

    def book(self, *_, **__):
        return {"bids": [[self.price, 1e6]] * 20, "asks": [[self.price, 1e6]] * 20}

    def put(self):
        start = self.start - timedelta(hours=300)
        frame = pd.DataFrame({"close": self.closes}).assign(
            date=pd.date_range(start, periods=len(self.closes), freq="1h"), atr=self.atr, atr_pct=self.atr,
            atr_ratio=1.0, regime=self.regime.code, size_multiplier=1.0,
        )  # fmt: skip
        self.bot.strategy.desk.candles.put(PAIR, frame)

    def enter(self):
        assert self.bot.execute_entry(PAIR, 1_000.0, enter_tag=f"{self.regime}.pullback")
        self.look()
        return self.trade

    def candle(self, close, price=None):
        """A candle closes an hour later; the price is then the close's, or another."""
        Clock.offset += timedelta(hours=1)
        self.closes.append(close)
        self.price = price or close
        self.put()
        self.look()

    def look(self):
        """What the bot's loop does with open trades."""
        trades = Trade.get_open_trades()
        self.bot.exit_positions(trades)
        if self.bot.strategy.position_adjustment_enable:
            self.bot.process_open_trade_positions()
        self.bot.exit_positions(Trade.get_open_trades())
        Trade.commit()

    @property
    def trade(self):
        (trade,) = Trade.get_trades().all()
        return trade

    @property
    def stop_order(self):
        (order,) = self.trade.open_sl_orders
        return order


@pytest.fixture
def open_desk(make_config, monkeypatch):
    """`open_desk(**order_types)`: a dry-run bot in a strong trend with ATR 1: the stop belongs at 97.5."""
    made = []

    def make(regime=Regime.STRONG_TREND, atr=1.0, **order_types):
        config = make_config(BOT, {"order_types": order_types})
        config |= {
            "db_url": "sqlite://", "dry_run": True, "runmode": RunMode.DRY_RUN, "initial_state": "running",
            "candle_type_def": CandleType.SPOT,
        }  # fmt: skip
        made.append(Desk(config, monkeypatch, regime, atr))
        return made[-1]

    yield make
    for desk in made:
        desk.bot.cleanup()


def test_a_stop_order_lies_at_the_exchange_as_soon_as_the_entry_has_filled(open_desk):
    desk = open_desk()
    desk.enter()
    assert desk.trade.has_open_position
    assert desk.stop_order.stop_price == pytest.approx(97.5, abs=TICK)


def test_the_stop_order_is_moved_to_breakeven_and_behind_the_price_and_never_back(open_desk):
    desk = open_desk()
    desk.enter()
    placed = [desk.stop_order.stop_price]
    for close in (101.0, 101.5, 102.0, 103.3, 102.5, 102.6):
        desk.candle(close)
        desk.look()
        placed.append(desk.stop_order.stop_price)
    assert placed == pytest.approx([97.5, 97.5, 100.21, 100.21, 101.8, 101.8, 101.8], abs=TICK)
    assert desk.trade.is_open


def test_a_price_through_the_stop_order_fills_it(open_desk):
    desk = open_desk()
    desk.enter()
    desk.price = 97.3
    desk.look()
    assert not desk.trade.is_open
    assert desk.trade.exit_reason == "stoploss_on_exchange"


def test_without_an_order_at_the_exchange_the_bots_own_stop_is_called_one(open_desk):
    """Not an exit signal: a stop may be another kind of order, and freqtrade's StoplossGuard counts it."""
    desk = open_desk(stoploss_on_exchange=False)
    desk.enter()
    desk.price = 97.3
    desk.look()
    assert not desk.trade.is_open
    assert desk.trade.exit_reason == "stop_loss"


def test_a_stop_wanted_beyond_the_price_closes_the_trade_at_once(open_desk):
    desk = open_desk(stoploss_on_exchange=False)
    desk.enter()
    desk.candle(103.3, price=101.0)  # the stop belongs at 101.8 now
    assert not desk.trade.is_open
    assert desk.trade.exit_reason == "stop_passed"


@pytest.mark.parametrize("on_exchange", [True, False])
def test_rungs_are_bought_one_a_candle_and_leave_the_stop_where_it_was(open_desk, on_exchange):
    desk = open_desk(Regime.TIGHT_RANGE, 2.0, stoploss_on_exchange=on_exchange)
    desk.enter()
    planned = desk.trade.stop_loss
    assert planned == pytest.approx(97.0, abs=TICK)
    for rung in range(1, 5):
        desk.candle(97.3)
        desk.look()
        tags = [o.ft_order_tag for o in desk.trade.orders if o.ft_order_side == "buy"]
        assert tags[1:] == [f"rung {n}" for n in range(1, rung + 1)]
        assert desk.trade.is_open
        assert desk.trade.stop_loss == pytest.approx(planned, abs=TICK)
        if on_exchange:
            assert desk.stop_order.stop_price == pytest.approx(planned, abs=TICK)
            assert desk.stop_order.amount == pytest.approx(desk.trade.amount)
    desk.price = 96.9
    desk.look()
    assert desk.trade.exit_reason == ("stoploss_on_exchange" if on_exchange else "stop_loss")


def test_a_restart_within_a_candle_buys_no_second_rung(open_desk):
    desk = open_desk(Regime.TIGHT_RANGE, 2.0)
    desk.enter()
    desk.candle(97.3)
    fresh = type(desk.bot.strategy.desk)(desk.bot.strategy.planner, desk.bot.strategy.desk.candles)
    desk.bot.strategy.desk = fresh
    desk.look()
    assert [o.ft_order_tag for o in desk.trade.orders if o.ft_order_side == "buy"][1:] == ["rung 1"]
    desk.candle(97.3)
    assert desk.trade.nr_of_successful_entries == 3


def test_a_rung_refused_at_one_price_is_not_reconsidered_within_the_candle(open_desk):
    """A backtest decides once a candle; so does the bot, however often its loop comes round."""
    desk = open_desk(Regime.TIGHT_RANGE, 2.0)
    desk.enter()
    desk.candle(99.5, price=100.2)  # bounced past the entry
    desk.price = 99.5
    desk.look()
    assert desk.trade.nr_of_successful_entries == 1
    desk.candle(99.5)
    assert desk.trade.nr_of_successful_entries == 2


def test_a_refused_entry_is_told_once(open_desk):
    desk = open_desk()
    strategy = desk.bot.strategy
    strategy.desk.admit = lambda *_, **__: SimpleNamespace(allowed=False, reason="heat 9 % is above 6 %")
    assert not desk.bot.execute_entry(PAIR, 1_000.0, enter_tag="strong_trend.pullback")
    # a lone "_" opens italics, and Telegram drops what does not close
    assert desk.sent == [rf"{PAIR}: long entry (strong\_trend.pullback) refused: heat 9 % is above 6 %"]
    assert not Trade.get_open_trades()


def test_an_entry_is_explained_in_the_trades_data_and_in_one_message(open_desk):
    scored = {
        "rsi": 40.0, "macd_hist": 1.0, "volume_ratio": 1.6, "ema_fast": 99.0, "ema_slow": 98.0,
        "momentum_pct": 1.0, "support_atr": 2.0, "resistance_atr": 2.0, "trend_4h": 1.0, "trend_1d": 1.0,
        "regime_confidence": 0.5,
    }  # fmt: skip
    desk = open_desk()
    candles = desk.bot.strategy.desk.candles
    candles.put(PAIR, candles.get(PAIR)._frame.assign(**scored))
    trade = desk.enter()
    stored = trade.get_custom_data(ENTRY_KEY)
    assert stored["why"].startswith("strong_trend.pullback: confidence 0.84 = (volume 1.00×0.30, ")
    assert stored["part_trend_alignment"] == 1.0
    (sent,) = desk.sent
    why, size = sent.replace("\\", "").splitlines()
    assert why == f"{PAIR}: {stored['why']}"
    assert size.startswith("size: stake 2970, 0.81% of equity at risk (fraction 0.01, size multiplier 1, ")


def test_a_candle_that_cannot_be_explained_stops_no_entry(open_desk, caplog):
    desk = open_desk()  # its candles hold no scores
    desk.enter()
    assert "cannot be explained" in caplog.text
    assert desk.trade.has_open_position and desk.stop_order


def test_what_freqtrade_computes_a_stop_from_gives_the_stop(open_desk):
    """No tick is lost or won by rounding, whatever the rate."""
    desk = open_desk()
    trade = desk.enter()
    for rate in (97.6, 98.123, 99.99, 100.0, 113.7):
        distance = stop_distance(97.5, rate, trade)
        assert distance == pytest.approx(stoploss_from_absolute(97.5, rate), rel=1e-6)
        trade.adjust_stop_loss(rate, distance, allow_refresh=True)
        assert trade.stop_loss == 97.5


def test_a_fill_that_is_handed_over_again_changes_nothing(open_desk):
    """Live, freqtrade repeats every fill until the venue has told its fee."""
    desk = open_desk(regime=Regime.VOLATILE_TREND)
    trade = desk.enter()
    strategy, entry = desk.bot.strategy, trade.orders[0]
    desk.candle(102.0)
    desk.candle(104.0)
    ladder, state = strategy.desk.ladder(trade), strategy.desk.stop(desk.trade, Clock.now(UTC))
    assert state.stop > 97.0
    again = {"pair": PAIR, "trade": desk.trade, "order": entry, "current_time": Clock.now(UTC)}
    strategy.order_filled(**again)
    assert strategy.desk.ladder(desk.trade) == ladder
    assert strategy.desk.stop(desk.trade, Clock.now(UTC)) == state


def test_a_refusal_that_changes_its_words_is_told_once_a_candle(open_desk):
    desk = open_desk()
    for percent in (7, 8):
        desk.bot.strategy.desk.admit = lambda *_, p=percent, **__: SimpleNamespace(
            allowed=False, reason=f"heat {p} % is above 6 %"
        )
        assert not desk.bot.execute_entry(PAIR, 1_000.0, enter_tag="strong_trend.pullback")
    assert len(desk.sent) == 1
