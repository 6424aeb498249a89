"""A whole trading day of the real ccxt on the venue's signed endpoints."""

import ccxt
import pytest

from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.service import Accounts

from .conftest import KEY, SECRET

PAIR = "BTC/USDT"


@pytest.fixture
def venue(make_venue):
    return make_venue(limits=LimitPlan())


@pytest.fixture
def client(venue, make_client):
    return make_client(venue)


def test_buying_shows_in_order_balance_trades_and_fees(client, clock):
    assert client.fetch_balance()["free"] == {"USDT": 10_000}
    ask = client.fetch_ticker(PAIR)["ask"]
    order = client.create_order(PAIR, "market", "buy", 0.5)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.5, ask)
    assert order["fee"] == {"currency": "BTC", "cost": 0.0005}
    balance = client.fetch_balance()
    assert balance["total"]["BTC"] == 0.4995
    assert balance["free"]["USDT"] == pytest.approx(10_000 - 0.5 * ask)
    (trade,) = client.fetch_my_trades(PAIR)
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (order["id"], 0.5, "taker")
    assert trade["timestamp"] == clock.now_ms
    assert client.fetch_trading_fees()[PAIR]["taker"] == client.fetch_trading_fee(PAIR)["maker"] == 0.001


def test_a_limit_order_lives_until_it_is_cancelled(client):
    price = round(client.fetch_ticker(PAIR)["last"] * 0.5, 2)
    order = client.create_order(PAIR, "limit", "buy", 2, price, {"clientOrderId": "mine"})
    assert order["status"] == "open" and order["clientOrderId"] == "mine"
    assert client.fetch_balance()[PAIR[-4:]]["used"] == pytest.approx(2 * price)
    client.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
    for asked in (PAIR, None):
        assert [o["id"] for o in client.fetch_open_orders(asked)] == [order["id"]]
    with pytest.raises(ccxt.ExchangeError, match="Duplicate order sent"):
        client.create_order(PAIR, "limit", "buy", 2, price, {"clientOrderId": "mine"})
    assert client.cancel_order(order["id"], PAIR)["status"] == "canceled"
    assert client.fetch_order(order["id"], PAIR)["status"] == "canceled"
    assert client.fetch_open_orders(PAIR) == []
    assert client.fetch_balance()["used"]["USDT"] == 0
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(order["id"], PAIR)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("77", PAIR)


def test_a_stop_on_the_exchange_sells_when_the_market_falls(client, clock):
    client.create_order(PAIR, "market", "buy", 1)
    last = client.fetch_ticker(PAIR)["last"]
    stop, limit = round(last * 0.999, 2), round(last * 0.99, 2)
    order = client.create_order(PAIR, "STOP_LOSS_LIMIT", "sell", 0.9, limit, {"stopPrice": stop})
    assert order["status"] == "open" and order["stopPrice"] == stop
    for _ in range(600):
        clock.tick(60)
        seen = client.fetch_order(order["id"], PAIR)
        if seen["status"] != "open":
            break
    assert seen["status"] == "closed" and limit <= seen["average"] <= stop
    assert len(client.fetch_orders(PAIR)) == 2


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (("limit", "buy", 10_000, 100.0), ccxt.InsufficientFunds),
        (("market", "sell", 1.0), ccxt.InsufficientFunds),
        (("limit", "buy", 0.01, 10.0), ccxt.BadRequest),  # -1013, below the least value
    ],
)
def test_refusals_reach_the_client_as_its_own_errors(client, order, error):
    with pytest.raises(error):
        client.create_order(PAIR, *order)


def test_only_signed_requests_of_now_with_a_known_key_are_served(venue, make_client, clock):
    assert make_client(venue, ahead_ms=900).fetch_balance()["free"]
    for ahead_ms in (1500, -10_500):  # ccxt asks for a window of 10 s
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            make_client(venue, ahead_ms=ahead_ms).fetch_balance()
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        make_client(venue, ahead_ms=-6500, options={"recvWindow": 6000}).fetch_balance()
    assert make_client(venue, ahead_ms=-9000).fetch_balance()["free"]
    for settings, code in (({"secret": "x" * 64}, "-1022"), ({"apiKey": "nobody"}, "-2015")):
        stranger = make_client(venue, **settings)
        with pytest.raises(ccxt.AuthenticationError, match=code):
            stranger.fetch_balance()
    assert venue.service.refused == {-1021: 3, -1022: 1, -2015: 1}
    assert not venue.desk(KEY).matching.orders


def test_accounts_do_not_see_each_other(make_venue, make_client):
    venue = make_venue(accounts=Accounts({KEY: SECRET, "other": "o" * 64}, {"USDT": 500}))
    ours, theirs = make_client(venue), make_client(venue, apiKey="other", secret="o" * 64)
    ours.create_order(PAIR, "market", "buy", 1)
    assert theirs.fetch_balance()["total"] == {"USDT": 500}
    assert theirs.fetch_my_trades(PAIR) == []


def test_every_answer_reports_the_weight_used_and_an_orders_answer_the_orders(client):
    client.load_markets()
    client.fetch_time()
    before = int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"])
    client.fetch_order_book(PAIR, limit=1000)
    assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) == before + 50
    client.create_order(PAIR, "market", "buy", 1)
    client.create_order(PAIR, "market", "sell", 0.5)
    assert client.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "2"
    assert client.last_response_headers["X-MBX-ORDER-COUNT-1D"] == "2"


def test_an_order_weighs_nothing_unless_it_is_refused(client):
    def used():
        return int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"])

    client.load_markets()
    client.fetch_time()
    before = used()
    order = client.create_order(PAIR, "limit", "buy", 2, 50.0)
    client.cancel_order(order["id"], PAIR)
    assert used() == before
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(order["id"], PAIR)
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 10_000, 100.0)
    assert used() == before + 2


def test_two_bots_on_one_address_share_its_weight_but_not_their_orders(make_venue, make_client):
    limits = LimitPlan(weight_per_minute=120, orders_per_10s=2)
    venue = make_venue(accounts=Accounts({KEY: SECRET, "other": "o" * 64}), limits=limits)
    ours, theirs = make_client(venue), make_client(venue, apiKey="other", secret="o" * 64)
    ours.load_markets()
    theirs.load_markets()
    for client in (ours, ours, theirs):
        client.create_order(PAIR, "market", "buy", 1)
    assert theirs.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "1"
    with pytest.raises(ccxt.DDoSProtection, match="-1015"):
        ours.create_order(PAIR, "market", "buy", 1)
    ours.fetch_order_book(PAIR, limit=1000)
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        theirs.fetch_order_book(PAIR, limit=1000)
    assert venue.violations == {"orders": 1, "weight": 1}


def test_a_client_that_goes_on_after_429_is_banned_and_served_again_afterwards(
    make_venue, make_client, clock
):
    venue = make_venue(limits=LimitPlan(weight_per_minute=150, strikes=4))
    client = make_client(venue)
    client.load_markets()
    errors = []
    for _ in range(12):
        try:
            client.fetch_order_book(PAIR, limit=1000)
        except ccxt.DDoSProtection as error:
            errors.append("418" if " 418 " in str(error) else "429")
    assert errors[:5] == ["429"] * 4 + ["418"] and set(errors[4:]) == {"418"}
    assert venue.violations["weight"] == 1 and venue.service.limits.bans >= 1
    assert int(client.last_response_headers["Retry-After"]) > 0
    clock.tick(venue.service.limits.plan.first_ban_seconds * 9)
    assert client.fetch_order_book(PAIR)["bids"]


def test_what_an_account_has_outlives_a_stop(make_venue, make_client):
    venue = make_venue()
    make_client(venue).create_order(PAIR, "limit", "buy", 1, 50.0)
    venue.stop()
    venue.start()
    assert [o["price"] for o in make_client(venue).fetch_open_orders(PAIR)] == [50.0]


def test_the_accounts_own_stream_has_a_key_that_expires(client, clock):
    key = client.public_post_userdatastream()["listenKey"]
    assert client.public_post_userdatastream()["listenKey"] == key
    clock.tick(3000)
    client.public_put_userdatastream({"listenKey": key})
    clock.tick(3000)
    client.public_put_userdatastream({"listenKey": key})
    clock.tick(3601)
    with pytest.raises(ccxt.ExchangeError, match="listenKey does not exist"):
        client.public_put_userdatastream({"listenKey": key})
    assert client.public_post_userdatastream()["listenKey"] != key
