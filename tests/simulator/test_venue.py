"""The loopback venue, with the real ccxt as its client."""

import asyncio
import threading

import ccxt
import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError, VenueError
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.plan import GapPlan, MarketPlan
from adaptive_pkg.simulator.venue import LoopbackVenue, loopback_venue

HOUR_MS = 3_600_000
SPOT, PERPETUAL = "BTC/USDT", "BTC/USDT:USDT"


class Clock:
    """Epoch milliseconds that only a test moves."""

    def __init__(self, now_ms: int):
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(scope="module")
def market() -> dict[str, pd.DataFrame]:
    plan = MarketPlan(gaps=GapPlan(count=3, candles=6))
    return simulate_markets(["BTC/USDT", "ETH/USDT", "XRP/USDT"], 2_600, seed=11, plan=plan)


@pytest.fixture(scope="module")
def datadir(market, tmp_path_factory):
    folder = tmp_path_factory.mktemp("venue")
    write_candles(market, folder, "1h")
    write_candles({PERPETUAL: market["BTC/USDT"]}, folder, "1h")
    dates = pd.date_range("2023-01-01", periods=300, freq="8h", tz="UTC", unit="ms")
    rates = pd.DataFrame({"date": dates, "funding_rate": np.linspace(-1e-4, 3e-4, 300)})
    rates.to_feather(folder / "futures" / "BTC_USDT_USDT-8h-funding_rate.feather")
    return folder


@pytest.fixture(scope="module")
def end_ms(market) -> int:
    return int(market["BTC/USDT"]["date"].iloc[-1].timestamp() * 1000) + HOUR_MS


@pytest.fixture(scope="module")
def venue(datadir, end_ms):
    with LoopbackVenue(CandleStore(datadir), ["DOGE/USDT"], Clock(end_ms)) as running:
        yield running


@pytest.fixture(autouse=True)
def clock(venue, end_ms):
    """Every test starts when the last candle has closed."""
    venue._clock.now_ms = end_ms
    return venue._clock


def client(venue: LoopbackVenue, kind: str = "spot") -> ccxt.binance:
    settings = venue.overlay()["exchange"]["ccxt_config"]
    exchange = ccxt.binance({**settings, "options": {"defaultType": kind}})
    exchange.load_markets()
    return exchange


@pytest.fixture(scope="module")
def spot(venue) -> ccxt.binance:
    return client(venue)


@pytest.fixture(scope="module")
def swap(venue) -> ccxt.binance:
    return client(venue, "swap")


def stored(frame: pd.DataFrame) -> list[list[float]]:
    rows = frame[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
    times = frame["date"].astype("int64").tolist()
    return [[time, *row] for time, row in zip(times, rows, strict=True)]


def test_markets_are_those_on_file_and_those_named_with_workable_steps(spot):
    assert set(spot.markets) == {SPOT, "ETH/USDT", "XRP/USDT", "DOGE/USDT", PERPETUAL}
    btc, xrp, perpetual = (spot.market(pair) for pair in (SPOT, "XRP/USDT", PERPETUAL))
    assert btc["active"] and btc["spot"] and btc["limits"]["cost"]["min"] == 5
    assert btc["precision"] == pytest.approx({"amount": 1e-5, "price": 0.01, "base": 1e-8, "quote": 1e-8})
    assert xrp["precision"]["price"] <= 1e-4 and xrp["precision"]["amount"] <= 1
    assert perpetual["swap"] and perpetual["linear"] and perpetual["settle"] == "USDT"
    assert spot.amount_to_precision(SPOT, 0.123456789) == "0.12345"


def test_time_is_the_injected_clock(spot, clock):
    clock.now_ms = 1_700_000_000_123
    assert spot.fetch_time() == 1_700_000_000_123


@pytest.mark.parametrize(("kind", "pair"), [("spot", SPOT), ("swap", PERPETUAL)])
def test_paging_through_candles_gives_the_file_bit_for_bit(venue, market, kind, pair):
    exchange, since, seen = client(venue, kind), 0, []
    while page := exchange.fetch_ohlcv(pair, "1h", since=since, limit=700):
        assert len(page) <= 700
        seen += page
        since = page[-1][0] + 1
    assert seen == stored(market["BTC/USDT"])


def test_start_end_and_limit_mean_what_they_mean_on_binance(spot, market):
    rows = stored(market[SPOT])
    assert spot.fetch_ohlcv(SPOT, "1h") == rows[-500:]  # neither bound: the latest, 500 by default
    assert spot.fetch_ohlcv(SPOT, "1h", limit=5000) == rows[-1000:]  # never above 1000
    assert spot.fetch_ohlcv(SPOT, "1h", since=rows[10][0], limit=3) == rows[10:13]
    assert spot.fetch_ohlcv(SPOT, "1h", limit=3, params={"until": rows[20][0]}) == rows[18:21]
    both = spot.fetch_ohlcv(SPOT, "1h", since=rows[10][0] - 1, params={"until": rows[12][0] + 1})
    assert both == rows[10:13]
    assert spot.fetch_ohlcv(SPOT, "1h", since=rows[-1][0] + 1) == []
    assert spot.fetch_ohlcv(SPOT, "4h", limit=1000) == stored(resample(market[SPOT], "4h"))
    assert spot.fetch_ohlcv("DOGE/USDT", "1h") == []


def test_the_running_candle_is_not_known_before_it_is_over(spot, market, clock, end_ms):
    clock.now_ms = end_ms - HOUR_MS // 2
    last, whole = spot.fetch_ohlcv(SPOT, "1h", limit=1)[0], stored(market[SPOT])[-1]
    assert last[:2] == whole[:2]
    assert whole[3] <= last[3] <= last[4] <= last[2] <= whole[2]
    assert last[5] == pytest.approx(whole[5] / 2)


def test_the_book_brackets_the_last_price_on_the_tick_grid(spot):
    price = spot.fetch_ticker(SPOT)["last"]
    book = spot.fetch_order_book(SPOT, limit=20)
    bids, asks = np.array(book["bids"]), np.array(book["asks"])
    assert bids.shape == asks.shape == (20, 2)
    assert bids[0, 0] < price < asks[0, 0]
    assert (np.diff(bids[:, 0]) < 0).all() and (np.diff(asks[:, 0]) > 0).all()
    for side in (bids, asks):
        np.testing.assert_allclose(side[:, 0] / 0.01, np.round(side[:, 0] / 0.01), rtol=1e-9)
        assert (side[:, 1] > 0).all()
    best = spot.fetch_bids_asks([SPOT])[SPOT]
    assert (best["bid"], best["ask"]) == (bids[0, 0], asks[0, 0])


def test_tickers_report_the_last_day_of_every_pair_that_trades(spot, market):
    tickers = spot.fetch_tickers()
    assert set(tickers) == set(market)
    day = market[SPOT][market[SPOT]["date"] >= market[SPOT]["date"].iloc[-1] - pd.Timedelta(hours=23)]
    assert tickers[SPOT]["high"] == day["high"].max() and tickers[SPOT]["low"] == day["low"].min()
    assert tickers[SPOT]["baseVolume"] == pytest.approx(day["volume"].sum())
    assert tickers[SPOT]["last"] == pytest.approx(day["close"].iloc[-1], abs=0.005)
    assert spot.fetch_last_prices()[SPOT]["price"] == tickers[SPOT]["last"]


def test_perpetuals_answer_prices_book_and_funding(swap, clock):
    assert set(swap.fetch_tickers()) == {PERPETUAL}
    assert (
        swap.fetch_bids_asks([PERPETUAL])[PERPETUAL]["bid"] < swap.fetch_order_book(PERPETUAL)["asks"][0][0]
    )
    history = swap.fetch_funding_rate_history(PERPETUAL, since=1_672_531_200_000, limit=3)
    assert [entry["fundingRate"] for entry in history] == pytest.approx(np.linspace(-1e-4, 3e-4, 300)[:3])
    clock.now_ms = 1_672_531_200_000 + 9 * HOUR_MS
    now = swap.fetch_funding_rate(PERPETUAL)
    assert now["fundingRate"] == pytest.approx(history[1]["fundingRate"])
    assert now["fundingTimestamp"] == 1_672_531_200_000 + 16 * HOUR_MS
    assert len(swap.fetch_funding_rate_history(PERPETUAL, since=0)) == 2  # nothing from the future


@pytest.mark.parametrize(
    ("params", "error", "code"),
    [
        ({"symbol": "NOPEUSDT", "interval": "1h"}, ccxt.BadSymbol, -1121),
        ({"symbol": "BTCUSDT", "interval": "7h"}, ccxt.BadRequest, -1120),
        ({"symbol": "BTCUSDT", "interval": "1m"}, ccxt.BadRequest, -1120),
        ({"interval": "1h"}, ccxt.BadRequest, -1102),
        ({"symbol": "BTCUSDT", "interval": "1h", "startTime": "soon"}, ccxt.BadRequest, -1100),
    ],
)
def test_bad_requests_get_binances_own_error(spot, params, error, code):
    with pytest.raises(error, match=str(code)):
        spot.public_get_klines(params)


def test_a_pair_without_candles_has_no_price(spot):
    with pytest.raises(ccxt.OperationFailed, match="No candle of DOGE/USDT"):
        spot.fetch_ticker("DOGE/USDT")


def test_orders_are_refused(venue):
    exchange = ccxt.binance({**venue.overlay()["exchange"]["ccxt_config"], "apiKey": "k", "secret": "s"})
    with pytest.raises(ccxt.ExchangeError, match="Method POST is invalid"):
        exchange.create_order(SPOT, "market", "buy", 1.0)


def test_many_clients_at_once_get_their_own_answers(venue, market):
    import ccxt.async_support as ccxt_async

    async def all_pairs():
        exchange = ccxt_async.binance(venue.overlay()["exchange"]["ccxt_config"])
        try:
            await exchange.load_markets()
            return await asyncio.gather(*[exchange.fetch_ohlcv(p, "1h", limit=50) for p in list(market) * 10])
        finally:
            await exchange.close()

    answers = asyncio.run(all_pairs())
    assert answers == [stored(market[pair])[-50:] for pair in list(market) * 10]


def test_stopping_frees_the_port_and_the_thread(datadir):
    before = threading.active_count()
    venue = loopback_venue(datadir)
    for _ in range(2):  # it can be started again
        with venue:
            exchange = client(venue)
            assert venue.requests["/api/v3/exchangeInfo"] >= 1
            with pytest.raises(VenueError, match="already running"):
                venue.start()
        assert threading.active_count() == before
        with pytest.raises(ccxt.NetworkError):
            exchange.fetch_time()
    with pytest.raises(VenueError, match="start it first"):
        _ = venue.url


def test_what_cannot_be_listed_is_named(datadir, tmp_path):
    with pytest.raises(DataError, match="no candle folder"):
        loopback_venue(tmp_path / "nowhere")
    with pytest.raises(VenueError, match="BTCUSDT"), LoopbackVenue(CandleStore(datadir), ["BTCUSDT"]):
        pass
