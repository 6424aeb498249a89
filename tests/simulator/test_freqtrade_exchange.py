"""freqtrade's own exchange class, in live mode, with its orders at the venue."""

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import KEY

PAIR = "BTC/USDT"


@pytest.fixture
def exchange(make_venue, clock):
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
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    }
    config["exchange"] |= {"pair_whitelist": [PAIR], "pair_blacklist": []}
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    exchange._api.milliseconds = clock  # signed on the venue's clock
    yield venue, exchange
    exchange.close()


def test_a_trade_from_entry_over_a_stop_on_the_exchange_to_the_exit(exchange, clock):
    venue, exchange = exchange
    since = datetime.fromtimestamp(clock.now_ms / 1000, UTC) - timedelta(minutes=1)
    exchange.reload_markets(True)
    rate = exchange.get_rate(PAIR, refresh=True, side="entry", is_short=False)
    entry = exchange.create_order(
        pair=PAIR, ordertype="limit", side="buy", amount=2, rate=rate, leverage=1.0, time_in_force="GTC"
    )
    assert exchange.fetch_order(entry["id"], PAIR)["status"] == "closed"
    assert exchange.get_balances()["BTC"]["free"] == pytest.approx(2 * 0.999)
    assert exchange.get_trades_for_order(entry["id"], PAIR, since)[0]["fee"]["currency"] == "BTC"
    stop = exchange.create_stoploss(
        pair=PAIR,
        amount=1.9,
        stop_price=rate * 0.9,
        order_types={"stoploss": "limit"},
        side="sell",
        leverage=1.0,
    )
    assert exchange.fetch_stoploss_order(stop["id"], PAIR)["status"] == "open"
    assert exchange.cancel_stoploss_order_with_result(stop["id"], PAIR, 1.9)["status"] == "canceled"
    leave = exchange.create_order(
        pair=PAIR, ordertype="market", side="sell", amount=1.9, rate=rate, leverage=1.0
    )
    assert exchange.fetch_order(leave["id"], PAIR)["filled"] == 1.9
    assert venue.desk(KEY).matching.open_orders() == []
