"""An order whose answer is lost, through freqtrade's own exchange class: it does not know it, we do."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from adaptive_pkg.adapter.orphans import OrphanKind, watch_bot
from adaptive_pkg.simulator.faults import Fault, FaultKind

from .conftest import KEY

PAIR = "BTC/USDT"


@pytest.fixture
def bot(make_venue, clock):
    """What a live strategy has of freqtrade: data provider, wallets and trades."""
    from freqtrade.enums import RunMode
    from freqtrade.resolvers import ExchangeResolver

    venue = make_venue()
    config = venue.live_overlay({"exchange": {"name": "binance"}}) | {
        "runmode": RunMode.LIVE,
        "trading_mode": "spot",
        "margin_mode": "",
        "stake_currency": "USDT",
        "timeframe": "1m",
        "candle_type_def": "",
        "entry_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
    }
    config["exchange"] |= {"pair_whitelist": [PAIR], "pair_blacklist": []}
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    exchange._api.milliseconds = clock
    exchange.reload_markets(True)
    trades = []
    wallets = SimpleNamespace(
        update=lambda: None,
        get_all_positions=dict,
        get_owned=lambda pair, base: exchange.get_balances().get(base, {}).get("total", 0.0),
    )
    dp = SimpleNamespace(_exchange=exchange, runmode=RunMode.LIVE)
    watch = watch_bot(dp, wallets, lambda pair: trades)

    def buy(rate):
        return exchange.create_order(
            pair=PAIR, ordertype="limit", side="buy", amount=2, rate=rate, leverage=1.0, time_in_force="GTC"
        )

    yield SimpleNamespace(venue=venue, exchange=exchange, watch=watch, trades=trades, buy=buy)
    exchange.close()


def now(clock):
    return datetime.fromtimestamp(clock.now_ms / 1000, UTC)


def lose_the_answer(bot, rate):
    from freqtrade.exceptions import TemporaryError

    number = bot.venue.chaos.add(Fault(FaultKind.RESET, "POST /api/v3/order", after=True))
    with pytest.raises(TemporaryError, match="Could not place buy order"):
        bot.buy(rate)
    bot.venue.chaos.remove(number)


def test_a_lost_answer_leaves_an_order_that_is_found_before_it_is_sent_again(bot, clock):
    bot.watch.start([PAIR], now(clock))
    assert bot.watch.unheard(now(clock)) == ""
    assert bot.watch.before_order(PAIR, now(clock)) == ""
    lose_the_answer(bot, rate=50.0)  # far below the market: it rests
    assert "under way" in bot.watch.before_order(PAIR, now(clock) + timedelta(seconds=5))
    assert "open buy order" in bot.watch.before_order(PAIR, now(clock) + timedelta(seconds=20))
    (orphan,) = bot.watch.orphans
    assert (orphan.kind, orphan.amount) == (OrphanKind.ORDER, 2.0)
    bot.exchange.cancel_order(orphan.order_ids[0], PAIR)  # what the message asks for
    assert bot.watch.before_order(PAIR, now(clock) + timedelta(seconds=90)) == ""


def test_after_a_restart_what_it_bought_is_a_position_until_it_is_sold(bot, clock):
    lose_the_answer(bot, rate=bot.exchange.get_rate(PAIR, refresh=True, side="exit", is_short=False))
    bot.watch.start([PAIR], now(clock))
    assert "without a stop" in bot.watch.unheard(now(clock))
    (orphan,) = bot.watch.orphans
    assert orphan.amount == pytest.approx(2 * 0.999)
    bot.exchange.create_order(
        pair=PAIR, ordertype="market", side="sell", amount=1.998, rate=100.0, leverage=1.0
    )
    assert bot.watch.before_order(PAIR, now(clock) + timedelta(seconds=90)) == ""


def test_an_order_in_the_database_is_none(bot, clock):
    order = bot.buy(bot.exchange.get_rate(PAIR, refresh=True, side="exit", is_short=False))
    bot.trades.append(
        SimpleNamespace(
            id=1,
            is_open=True,
            is_short=False,
            amount=1.998,
            orders=[SimpleNamespace(order_id=order["id"], order_date_utc=now(clock))],
        )
    )
    bot.watch.start([PAIR], now(clock))
    assert bot.watch.unheard(now(clock)) == ""
    assert bot.venue.desk(KEY).matching.orders[int(order["id"])].filled == 2
