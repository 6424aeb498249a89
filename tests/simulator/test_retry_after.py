"""freqtrade's own exchange class, guarded, at a venue that sends it away: it asks nothing until it may."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from adaptive_pkg.adapter.ccxt_guard import guard_exchange
from adaptive_pkg.exchange.holds import HostHolds
from adaptive_pkg.simulator.faults import Fault, FaultKind
from adaptive_pkg.simulator.limits import LimitPlan

PAIR = "BTC/USDT"


@pytest.fixture
def make_exchange(make_venue, clock, monkeypatch):
    """`make_exchange(guarded)`: the venue, the exchange, and its pauses, which take the clock's time only."""
    from freqtrade.enums import RunMode
    from freqtrade.resolvers import ExchangeResolver

    made, slept = [], []

    def pause(seconds):
        slept.append(seconds)
        clock.tick(seconds)

    def make(guarded):
        venue = make_venue(limits=LimitPlan())
        config = venue.live_overlay({"exchange": {"name": "binance"}}) | {
            "runmode": RunMode.LIVE,
            "trading_mode": "spot",
            "margin_mode": "",
            "stake_currency": "USDT",
            "timeframe": "1m",
            "candle_type_def": "spot",
            "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
            "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        }
        config["exchange"] |= {"pair_whitelist": [PAIR], "pair_blacklist": [], "enable_ws": False}
        exchange = ExchangeResolver.load_exchange(config, validate=False)
        made.append(exchange)
        exchange._api.milliseconds = clock
        exchange.reload_markets(True)
        if guarded:
            seconds = lambda: clock.now_ms / 1000  # noqa: E731
            assert guard_exchange(exchange, HostHolds(120.0, seconds, seconds, {})) == 2
        monkeypatch.setattr("freqtrade.exchange.common.time", SimpleNamespace(sleep=pause))
        return venue, exchange, slept

    yield make
    monkeypatch.undo()
    for exchange in made:
        exchange.close()


def refuse_once(venue, exchange, kind, seconds):
    """One refusal; whatever comes before it is over is the client's own doing."""
    from freqtrade.exceptions import DDosProtection

    number = venue.chaos.add(Fault(kind, "GET /api/v3/depth", seconds=seconds))
    with pytest.raises(DDosProtection):
        exchange.fetch_l2_order_book(PAIR, count=0)
    venue.chaos.remove(number)


@pytest.mark.parametrize(("kind", "seconds"), [(FaultKind.TOO_MANY, 30), (FaultKind.BAN, 100)])
def test_nothing_is_asked_before_it_may_be_and_all_is_well_after(make_exchange, clock, kind, seconds):
    from freqtrade.exceptions import DDosProtection

    venue, exchange, slept = make_exchange(guarded=True)
    refuse_once(venue, exchange, kind, seconds)
    with pytest.raises(DDosProtection, match="nothing is sent to 127"):  # an order, too
        exchange.create_order(pair=PAIR, ordertype="market", side="buy", amount=1, rate=100.0, leverage=1.0)
    with pytest.raises(DDosProtection):  # the async client keeps it too
        exchange.loop.run_until_complete(exchange._async_get_candle_history(PAIR, "1m", "spot", count=0))
    assert venue.service.limits.violations == {}

    before = sum(slept)
    while venue.service.limits.violations == {}:
        try:
            book = exchange.fetch_l2_order_book(PAIR)  # as often as freqtrade likes
            break
        except DDosProtection:
            assert sum(slept) > before, "between two tries it pauses: it does not spin"
            before = sum(slept)
    assert book["bids"] and venue.service.limits.violations == {}
    assert venue.service.limits.bans == (kind is FaultKind.BAN)


@pytest.mark.parametrize(("kind", "longest"), [(FaultKind.TOO_MANY, 600), (FaultKind.BAN, 3 * 86400)])
def test_an_absurd_retry_after_reaches_freqtrade_as_its_own_error_and_ends(
    make_exchange, clock, kind, longest
):
    from freqtrade.exceptions import DDosProtection

    venue, exchange, _ = make_exchange(guarded=True)
    refuse_once(venue, exchange, kind, 999_999_999_999)
    clock.tick(longest - 1)
    with pytest.raises(DDosProtection, match="nothing is sent to 127"):
        exchange.fetch_ticker(PAIR, count=0)
    assert venue.service.limits.violations == {}
    clock.tick(1)
    if kind is FaultKind.BAN:  # the venue's own bans are no longer either
        assert exchange.fetch_ticker(PAIR, count=0)["symbol"] == PAIR
        return
    for _ in range(3):  # it asks once, is told the same, and waits again
        with pytest.raises(DDosProtection):
            exchange.fetch_ticker(PAIR, count=0)
    assert venue.service.limits.violations == {"early": 1}


def test_without_the_guard_freqtrade_goes_on_asking(make_exchange):
    from freqtrade.exceptions import DDosProtection

    venue, exchange, _ = make_exchange(guarded=False)
    refuse_once(venue, exchange, FaultKind.TOO_MANY, 60)
    with pytest.raises(DDosProtection):
        exchange.fetch_l2_order_book(PAIR)
    assert venue.service.limits.violations["early"] == 5
