"""Orders against the candles: triggers, partial fills, fees, and balances that always add up."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.simulator.answers import Answers
from adaptive_pkg.simulator.candles import Book, CandleStore
from adaptive_pkg.simulator.desk import Desk
from adaptive_pkg.simulator.matching import Terms
from adaptive_pkg.simulator.wire import BinanceError

from .conftest import KEY, MINUTE_MS, START_MS

FLAT = (100.0, 100.0, 100.0, 100.0)
DIP = (100.0, 101.0, 95.0, 98.0)  # falls: open, high, low, close
JUMP = (100.0, 106.0, 99.0, 105.0)  # rises: open, low, high, close
NOW = START_MS + 30_000


def order(desk, side, kind, now_ms=NOW, **values):
    query = {"symbol": "BTCUSDT", "side": side, "type": kind, **{k: str(v) for k, v in values.items()}}
    if "LIMIT" in kind and kind != "LIMIT_MAKER":
        query.setdefault("timeInForce", "GTC")
    return desk.new_order(query, now_ms)


def state(desk, answer, now_ms=NOW):
    return desk.order({"symbol": "BTCUSDT", "orderId": str(answer["orderId"])}, now_ms)


def refused(call, code, text):
    with pytest.raises(BinanceError, match=text) as caught:
        call()
    assert caught.value.body["code"] == code


def test_a_market_order_takes_the_book_that_depth_shows(make_desk):
    desk = make_desk([FLAT] * 3)
    asks = desk._answers.depth({"symbol": "BTCUSDT", "limit": "3"}, NOW)["asks"]
    first, second = (Decimal(amount) for _, amount in asks[:2])
    answer = order(desk, "BUY", "MARKET", quantity=first + Decimal("0.01"))
    assert answer["status"] == "FILLED"
    assert [Decimal(fill["price"]) for fill in answer["fills"]] == [Decimal(asks[0][0]), Decimal(asks[1][0])]
    cost = Decimal(asks[0][0]) * first + Decimal(asks[1][0]) * Decimal("0.01")
    assert desk.wallet.total("USDT") == 10_000 - cost
    assert desk.wallet.total("BTC") == 100 + (first + Decimal("0.01")) * Decimal("0.999")
    assert second > Decimal("0.01") and desk.wallet.locked("USDT") == 0


def test_a_market_order_by_cost_spends_at_most_that(make_desk):
    desk = make_desk([FLAT] * 3)
    answer = order(desk, "BUY", "MARKET", quoteOrderQty="50")
    assert 49 < Decimal(answer["cummulativeQuoteQty"]) <= 50


def test_a_limit_order_waits_for_its_price_and_fills_there_as_maker(make_desk):
    desk = make_desk([FLAT, DIP, FLAT])
    answer = order(desk, "BUY", "LIMIT", quantity="1", price="96")
    assert answer["status"] == "NEW" and desk.wallet.locked("USDT") == 96
    desk.matching.advance(START_MS + MINUTE_MS + 41_000)  # on the way to the low, which is at 45 s
    assert state(desk, answer)["status"] == "NEW"
    desk.matching.advance(START_MS + MINUTE_MS + 43_000)
    assert state(desk, answer)["status"] == "FILLED"
    (trade,) = desk.my_trades({"symbol": "BTCUSDT"}, NOW)
    assert Decimal(trade["price"]) == 96 and trade["isMaker"] and trade["commissionAsset"] == "BTC"
    assert START_MS + MINUTE_MS < trade["time"] <= START_MS + MINUTE_MS + 45_000
    assert desk.wallet.total("USDT") == 10_000 - 96 and desk.wallet.locked("USDT") == 0


def test_a_large_order_fills_in_parts_by_the_volume_that_reaches_it(make_desk):
    desk = make_desk([FLAT, DIP, DIP, FLAT], {"USDT": 100_000}, volume=400.0)
    answer = order(desk, "BUY", "LIMIT", quantity="300", price="97")
    filled = []
    for second in range(60, 240, 3):
        desk.matching.advance(START_MS + second * 1000)
        filled.append(Decimal(state(desk, answer)["executedQty"]))
    assert filled == sorted(filled) and 0 < filled[-1] < 300 and len(set(filled)) > 4
    assert state(desk, answer)["status"] == "PARTIALLY_FILLED"
    assert desk.wallet.locked("USDT") == (300 - filled[-1]) * 97
    touching = sum(1 for fill in desk.my_trades({"symbol": "BTCUSDT"}, NOW))
    assert filled[-1] <= Decimal("0.25") * 20 * touching  # a quarter of each trade's 20 at most


def test_the_same_seed_fills_the_same_parts_and_another_one_others(make_desk):
    def parts(seed):
        desk = make_desk([FLAT, DIP, DIP], {"USDT": 100_000}, Terms(seed=seed), volume=400.0)
        order(desk, "BUY", "LIMIT", quantity="300", price="97")
        desk.matching.advance(START_MS + 3 * MINUTE_MS)
        return [trade["qty"] for trade in desk.my_trades({"symbol": "BTCUSDT"}, NOW)]

    assert len(parts(1)) > 4 and parts(1) == parts(1) != parts(2)


def test_a_stop_loss_limit_sleeps_until_its_price_and_then_sells(make_desk):
    desk = make_desk([FLAT, DIP, FLAT])
    answer = order(desk, "SELL", "STOP_LOSS_LIMIT", quantity="2", price="95.5", stopPrice="97")
    assert not state(desk, answer)["isWorking"] and desk.wallet.locked("BTC") == 2
    desk.matching.advance(START_MS + 2 * MINUTE_MS)
    done = state(desk, answer)
    assert done["status"] == "FILLED"
    assert Decimal("95.5") <= Decimal(done["cummulativeQuoteQty"]) / 2 <= 97
    assert desk.my_trades({"symbol": "BTCUSDT"}, NOW)[0]["isMaker"] is False


def test_a_limit_below_the_market_when_the_stop_triggers_stays_until_the_price_comes_back(make_desk):
    gap = (90.0, 92.0, 88.0, 90.0)
    desk = make_desk([FLAT, gap, gap, (90.0, 97.0, 90.0, 96.0)])
    answer = order(desk, "SELL", "STOP_LOSS_LIMIT", quantity="1", price="95", stopPrice="97")
    desk.matching.advance(START_MS + 3 * MINUTE_MS - 1)
    assert state(desk, answer)["status"] == "NEW" and state(desk, answer)["isWorking"]
    desk.matching.advance(START_MS + 4 * MINUTE_MS)
    assert state(desk, answer)["status"] == "FILLED"


def test_take_profit_and_stops_that_buy_trigger_from_the_other_side(make_desk):
    desk = make_desk([FLAT, JUMP, FLAT])
    profit = order(desk, "SELL", "TAKE_PROFIT_LIMIT", quantity="1", price="103", stopPrice="104")
    entry = order(desk, "BUY", "STOP_LOSS", quantity="1", stopPrice="103")
    desk.matching.advance(START_MS + 2 * MINUTE_MS)
    assert state(desk, profit)["status"] == state(desk, entry)["status"] == "FILLED"
    assert Decimal(state(desk, entry)["cummulativeQuoteQty"]) >= 103


def test_immediate_orders_leave_nothing_behind(make_desk):
    desk = make_desk([FLAT] * 3, {"USDT": 10**7})
    killed = order(desk, "BUY", "LIMIT", quantity="9000", price="100.05", timeInForce="FOK")
    assert killed["status"] == "EXPIRED" and Decimal(killed["executedQty"]) == 0
    partly = order(desk, "BUY", "LIMIT", quantity="9000", price="100.05", timeInForce="IOC")
    assert partly["status"] == "EXPIRED" and 0 < Decimal(partly["executedQty"]) < 9000
    assert desk.wallet.locked("USDT") == 0
    maker = order(desk, "BUY", "LIMIT_MAKER", quantity="1", price="99")
    assert maker["status"] == "NEW"


@pytest.mark.parametrize(
    ("side", "kind", "values", "code", "text"),
    [
        ("BUY", "LIMIT", {"quantity": "1", "price": "100.001"}, -1013, "PRICE_FILTER"),
        ("BUY", "LIMIT", {"quantity": "0.00001", "price": "100"}, -1013, "LOT_SIZE"),
        ("BUY", "LIMIT", {"quantity": "0.01", "price": "100"}, -1013, "NOTIONAL"),
        ("BUY", "LIMIT", {"quantity": "1.0000000001", "price": "100"}, -1111, "too much precision"),
        ("BUY", "LIMIT", {"quantity": "1"}, -1102, "price"),
        ("BUY", "LIMIT", {"quantity": "-1", "price": "100"}, -1100, "quantity"),
        ("BUY", "MARKET", {"quantity": "1", "price": "100"}, -1106, "price"),
        ("HOLD", "MARKET", {"quantity": "1"}, -1117, "side"),
        ("BUY", "HOPE", {"quantity": "1"}, -1116, "orderType"),
        ("BUY", "LIMIT", {"quantity": "1", "price": "99", "timeInForce": "GTX"}, -1115, "timeInForce"),
        ("BUY", "LIMIT", {"quantity": "101", "price": "99.99"}, -2010, "insufficient balance"),
        ("SELL", "MARKET", {"quantity": "100.1"}, -2010, "insufficient balance"),
        (
            "SELL",
            "STOP_LOSS_LIMIT",
            {"quantity": "1", "price": "100", "stopPrice": "101"},
            -2010,
            "immediately",
        ),
        ("BUY", "LIMIT_MAKER", {"quantity": "1", "price": "101"}, -2010, "immediately match"),
    ],
)
def test_what_binance_refuses_is_refused_and_changes_nothing(make_desk, side, kind, values, code, text):
    desk = make_desk([FLAT] * 3)
    refused(lambda: order(desk, side, kind, **values), code, text)
    assert desk.wallet.rows() == make_desk([FLAT] * 3).wallet.rows()
    assert not desk.matching.orders


def test_a_client_id_is_unique_among_open_orders(make_desk):
    desk = make_desk([FLAT] * 3)
    first = order(desk, "BUY", "LIMIT", quantity="1", price="90", newClientOrderId="mine")
    again = {"quantity": "1", "price": "90", "newClientOrderId": "mine"}
    refused(lambda: order(desk, "BUY", "LIMIT", **again), -2010, "Duplicate order sent")
    query = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert desk.order(query, NOW)["orderId"] == first["orderId"]
    assert desk.cancel_order(query, NOW)["status"] == "CANCELED"
    refused(lambda: desk.cancel_order(query, NOW), -2011, "Unknown order")
    second = order(desk, "BUY", "LIMIT", **again)
    assert desk.order(query, NOW)["orderId"] == second["orderId"]
    refused(lambda: desk.order({"symbol": "BTCUSDT", "orderId": "99"}, NOW), -2013, "does not exist")


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["LIMIT", "MARKET", "STOP_LOSS_LIMIT", "STOP_LOSS", "TAKE_PROFIT_LIMIT", "cancel"]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 4000),  # hundredths of a coin
        st.integers(9700, 10300),  # hundredths of a dollar
        st.integers(0, 300_000),  # milliseconds until the next
    ),
    max_size=12,
)


def act(desk, actions, now_ms, steps=1):
    """Carry out what the venue accepts; the time afterwards."""
    for kind, side, amount, price, pause in actions:
        values = {"quantity": amount / 100, "price": price / 100, "stopPrice": price / 100}
        if kind in ("MARKET", "STOP_LOSS"):
            del values["price"]
        try:
            if kind == "cancel":
                desk.cancel_all({"symbol": "BTCUSDT"}, now_ms)
            else:
                order(desk, side, kind, now_ms, **values)
        except BinanceError:
            pass
        for step in range(1, steps + 1):
            desk.matching.advance(now_ms + pause * step // steps)
        now_ms += pause
    return now_ms


def open_desk(folder):
    answers = Answers(CandleStore(folder), ("BTC/USDT", "ETH/USDT"), Book.SPOT)
    fees = Terms(maker_fee=Decimal("0.0007"), taker_fee=Decimal("0.0013"), seed=5)
    return Desk(answers, KEY, {"USDT": 5000, "BTC": 30}, fees)


@settings(max_examples=60)
@given(actions=ACTIONS)
def test_only_fills_and_fees_change_what_is_owned(walk_folder, actions):
    desk = open_desk(walk_folder)
    act(desk, actions, START_MS + 100 * MINUTE_MS)
    owned = {"USDT": Decimal(5000), "BTC": Decimal(30)}
    for row in desk.my_trades({"symbol": "BTCUSDT", "limit": "1000"}, 0):
        sign = 1 if row["isBuyer"] else -1
        owned["BTC"] += sign * Decimal(row["qty"])
        owned["USDT"] -= sign * Decimal(row["price"]) * Decimal(row["qty"])
        rate = Decimal("0.0007" if row["isMaker"] else "0.0013")
        received = Decimal(row["qty"]) if row["isBuyer"] else Decimal(row["price"]) * Decimal(row["qty"])
        assert 0 <= received * rate - Decimal(row["commission"]) < Decimal("1e-8")
        owned[row["commissionAsset"]] -= Decimal(row["commission"])
    open_orders = desk.matching.open_orders()
    for asset, amount in owned.items():
        assert desk.wallet.total(asset) == amount
        assert desk.wallet.free(asset) >= 0
        assert desk.wallet.locked(asset) == sum(o.locked for o in open_orders if o.spends == asset)
    for each in desk.matching.orders.values():
        assert each.filled <= each.amount
        assert (each.status.value == "FILLED") == (each.left == 0)
        for fill in each.fills:
            assert not each.price or (fill.price <= each.price if each.buys else fill.price >= each.price)


@settings(max_examples=25)
@given(actions=ACTIONS, steps=st.integers(2, 40))
def test_the_outcome_does_not_depend_on_how_often_one_looks(walk_folder, actions, steps):
    seen = []
    for looks in (1, steps):
        desk = open_desk(walk_folder)
        act(desk, actions, START_MS + 100 * MINUTE_MS, looks)
        seen.append((desk.all_orders({"symbol": "BTCUSDT"}, 0), desk.wallet.rows()))
    assert seen[0] == seen[1]


def test_the_accounts_stream_tells_every_step(make_desk):
    desk, told = make_desk([FLAT, DIP, FLAT]), []
    desk.listeners.append(told.append)
    answer = order(desk, "BUY", "LIMIT", quantity="1", price="96", newClientOrderId="mine")
    desk.matching.advance(START_MS + 2 * MINUTE_MS)
    reports = [m for m in told if m["e"] == "executionReport"]
    assert [(m["x"], m["X"], m["c"]) for m in reports] == [
        ("NEW", "NEW", "mine"),
        ("TRADE", "FILLED", "mine"),
    ]
    assert reports[1]["i"] == answer["orderId"] and Decimal(reports[1]["l"]) == 1
    position = told[-1]
    assert position["e"] == "outboundAccountPosition"
    balances = {row["a"]: Decimal(row["f"]) for row in position["B"]}
    assert balances == {"BTC": Decimal("100.999"), "USDT": Decimal(9904)}


def test_two_orders_at_one_price_share_what_reaches_it_the_older_first(make_desk):
    desk = make_desk([FLAT, DIP, FLAT], {"USDT": 10**6}, volume=400.0)
    older, newer = (order(desk, "BUY", "LIMIT", quantity="1000", price="97") for _ in range(2))
    desk.matching.advance(START_MS + 2 * MINUTE_MS)
    alone = make_desk([FLAT, DIP, FLAT], {"USDT": 10**6}, volume=400.0)
    single = order(alone, "BUY", "LIMIT", quantity="1000", price="97")
    alone.matching.advance(START_MS + 2 * MINUTE_MS)
    assert state(desk, older)["executedQty"] == state(alone, single)["executedQty"] != "0.00000000"
    assert state(desk, newer)["status"] == "NEW"
