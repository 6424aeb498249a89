"""Funding and open interest in Binance's own format: years of pages, coins without a perpetual."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from adaptive_pkg.onchain.futures import FuturesSource, parse_rows
from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.settings.sources import FuturesSettings

NOW = datetime(2024, 1, 5, 9, 30, tzinfo=UTC)
HOUR = 3_600_000
NOW_MS = int(NOW.timestamp() * 1000)
FIRST = NOW_MS - 3000 * 8 * HOUR - 5


class Binance:
    """Settlements every 8 hours, open interest every hour for 30 days; knows BTC only."""

    def __init__(self, most=1000):
        self.most = most

    async def __call__(self, request):
        query = {key: int(value) if value.isdigit() else value for key, value in request.query.items()}
        if query["symbol"] != "BTCUSDT":
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if request.path == "/fapi/v1/fundingRate":
            assert query["limit"] <= 1000
            times = [t for t in range(FIRST, NOW_MS, 8 * HOUR) if t >= query["startTime"]][: query["limit"]]
            return web.json_response(
                [
                    {
                        "symbol": "BTCUSDT",
                        "fundingTime": t,
                        "fundingRate": "0.00010000",
                        "markPrice": "42000.1",
                    }
                    for t in times
                ]
            )
        assert request.path == "/futures/data/openInterestHist" and query["limit"] <= 500
        if query["startTime"] < NOW_MS - 30 * 24 * HOUR:
            return web.json_response({"code": -1130, "msg": "parameter 'startTime' is invalid."}, status=400)
        hours = range(NOW_MS // HOUR * HOUR - 30 * 24 * HOUR, NOW_MS, HOUR)
        times = [t for t in hours if query["startTime"] <= t <= query["endTime"]][-query["limit"] :]
        return web.json_response(
            [
                {
                    "symbol": "BTCUSDT",
                    "sumOpenInterest": "80000.5",
                    "sumOpenInterestValue": "3360000000",
                    "timestamp": t,
                }
                for t in times
            ]
        )


def fetch(ask, handler, coins=("BTC",), last=None):
    async def scenario(service):
        source = FuturesSource(service.client, FuturesSettings(url=service.url), coins)
        readings = await source.fetch(last or (lambda series: None), NOW)
        return readings, service.requests, source

    return ask(handler, scenario)


def of(readings, series):
    return [reading for reading in readings if reading.series == series]


def test_all_of_the_past_is_read_at_first_every_row_once(ask):
    readings, requests, _ = fetch(ask, Binance())
    funding, interest = of(readings, "funding/BTC"), of(readings, "open_interest/BTC")
    assert len(funding) == 3001 and len({reading.about for reading in funding}) == 3001
    assert len(interest) == 29 * 24 and len({reading.about for reading in interest}) == 29 * 24
    assert (funding[0].value, interest[0].value) == (0.0001, 80000.5)
    assert len(requests) == 4 + 2


def test_later_only_what_is_missing_is_asked_for(ask):
    def last(series):
        return NOW - timedelta(hours=3)

    readings, requests, _ = fetch(ask, Binance(), last=last)
    assert len(of(readings, "open_interest/BTC")) == 3 and len(requests) == 2
    assert all(reading.about > last("") for reading in readings)


def test_a_coin_without_a_perpetual_is_left_out_from_then_on(ask, caplog):
    readings, _, source = fetch(ask, Binance(), coins=("XYZ", "BTC"))
    assert of(readings, "funding/BTC") and "XYZ has no perpetual" in caplog.text
    assert source._coins == ["BTC"]


@pytest.mark.parametrize(
    ("status", "failure"), [(451, Failure.REFUSED), (403, Failure.REFUSED), (418, Failure.REFUSED)]
)
def test_a_refusal_of_all_is_not_taken_for_a_missing_coin(ask, say, status, failure):
    with pytest.raises(SourceError, match=f"HTTP {status}") as caught:
        fetch(ask, say({"code": 0, "msg": "Service unavailable from a restricted location"}, status))
    assert caught.value.failure is failure


@pytest.mark.parametrize(
    "body",
    [
        {"code": 0},
        "x",
        [{"t": 1}],
        [{"fundingTime": "x", "fundingRate": "1"}],
        [{"fundingTime": 1, "fundingRate": "inf"}],
        [{"fundingTime": 10**20, "fundingRate": "1"}],
        [None],
    ],
)
def test_another_format_is_said_to_be_one(body):
    with pytest.raises(SourceError) as caught:
        parse_rows(body, "funding/BTC", "fundingTime", "fundingRate")
    assert caught.value.failure is Failure.MALFORMED
