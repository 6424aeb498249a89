"""Coin Metrics in its own format: pages, metrics that are not free, corrections, coins it does not know."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from aiohttp import web

from adaptive_pkg.errors import DataError
from adaptive_pkg.onchain.coin_metrics import (
    METRICS,
    CoinMetricsSource,
    coin_metrics_history,
    parse_metrics,
)
from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.settings.sources import CoinMetricsSettings

NOW = datetime(2024, 1, 5, 9, tzinfo=UTC)


def row(day, asset="btc", **metrics):
    return {"asset": asset, "time": f"2024-01-{day:02d}T00:00:00.000000000Z", **metrics}


def fetch(ask, handler, coins=("BTC",), last=None, **settings):
    async def scenario(service):
        own = CoinMetricsSettings(url=service.url, **settings)
        source = CoinMetricsSource(service.client, own, coins)
        return await source.fetch(last or (lambda series: None), NOW), service.requests

    return ask(handler, scenario)


def test_a_days_figures_speak_of_the_day_that_has_ended(ask, say):
    body = {
        "data": [row(3, CapMVRVCur="2.1", AdrActCnt="900000", FlowInExNtv=None), row(4, CapMVRVCur="2.2")]
    }
    readings, requests = fetch(ask, say(body))
    found = {(reading.series, reading.about.day): reading.value for reading in readings}
    assert found == {("mvrv/BTC", 4): 2.1, ("active_addresses/BTC", 4): 900_000.0, ("mvrv/BTC", 5): 2.2}
    query = requests[0].query
    assert requests[0].path == "/timeseries/asset-metrics"
    assert (query["assets"], query["frequency"], query["start_time"]) == ("btc", "1d", "2018-01-01")
    assert query["metrics"].split(",") == list(METRICS.values())
    assert query["ignore_forbidden_errors"] == "true"


def test_a_day_that_has_not_ended_is_left_for_later(ask, say):
    readings, _ = fetch(ask, say({"data": [row(4, CapMVRVCur="2.2"), row(5, CapMVRVCur="2.3")]}))
    assert [reading.about.day for reading in readings] == [5]


def test_pages_are_followed_by_their_token(ask):
    pages = {
        None: {
            "data": [row(3, CapMVRVCur="2.1")],
            "next_page_token": "0.abc",
            "next_page_url": "https://elsewhere.example/",
        },
        "0.abc": {"data": [row(4, CapMVRVCur="2.2")]},
    }

    async def handler(request):
        return web.json_response(pages[request.query.get("next_page_token")])

    readings, requests = fetch(ask, handler)
    assert [reading.value for reading in readings] == [2.1, 2.2] and len(requests) == 2


def test_pages_without_end_are_given_up(ask, say, monkeypatch):
    monkeypatch.setattr("adaptive_pkg.onchain.coin_metrics._MOST_PAGES", 3)
    with pytest.raises(SourceError, match="more than 3 pages"):
        fetch(ask, say({"data": [], "next_page_token": "0.abc"}))


def test_recent_days_are_asked_for_again(ask, say):
    def last(series):
        return datetime(2024, 1, 4, tzinfo=UTC) if series == "mvrv/BTC" else None

    _, requests = fetch(ask, say({"data": [row(3, CapMVRVCur="2.1")]}), last=last, revision_days=2)
    assert requests[0].query["start_time"] == "2024-01-01"  # day 3 is about the 4th; 2 more for corrections


def test_a_coin_it_does_not_know_has_no_reading_but_none_at_all_is_a_failure(ask):
    async def handler(request):
        known = request.query["assets"] == "btc"
        return web.json_response({"data": [row(3, CapMVRVCur="2.1")] if known else []})

    readings, _ = fetch(ask, handler, coins=("XXX", "BTC"))
    assert {reading.series for reading in readings} == {"mvrv/BTC"}
    with pytest.raises(SourceError, match="no value for XXX"):
        fetch(ask, handler, coins=("XXX",))


def test_its_own_refusal_is_told(ask, say):
    body = {"error": {"type": "bad_parameter", "message": "Bad parameter 'metrics'."}}
    with pytest.raises(SourceError, match="Bad parameter 'metrics'") as caught:
        fetch(ask, say(body, 400))
    assert caught.value.failure is Failure.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"data": None},
        {"data": [{"asset": "btc"}]},
        {"data": [row(3, "eth", CapMVRVCur="1")]},
        {"data": [row(3, CapMVRVCur="high")]},
        {"data": [row(3, CapMVRVCur="nan")]},
        {"data": [{"asset": "btc", "time": "2024-01-03T00:00:00", "CapMVRVCur": "1"}]},
        {"data": [{"asset": "btc", "time": 5, "CapMVRVCur": "1"}]},
    ],
)
def test_another_format_is_said_to_be_one(body):
    with pytest.raises(SourceError) as caught:
        parse_metrics(body, "BTC")
    assert caught.value.failure is Failure.MALFORMED


def test_its_csv_file_is_history_known_its_delay_after_each_day():
    rows = pd.DataFrame(
        {
            "time": ["2024-01-01", "2024-01-02"],
            "PriceUSD": [1, 2],
            "CapMVRVCur": [2.0, 2.1],
            "AdrActCnt": [None, 5],
        }
    )
    found = coin_metrics_history(rows, "BTC", CoinMetricsSettings(delay_hours=10))
    assert list(found) == ["mvrv/BTC", "active_addresses/BTC"]
    mvrv = found["mvrv/BTC"]
    assert ((mvrv["known"] - mvrv["about"]) == timedelta(hours=10) // timedelta(milliseconds=1)).all()
    assert pd.to_datetime(mvrv["about"].iloc[0], unit="ms") == pd.Timestamp("2024-01-02")
    assert len(found["active_addresses/BTC"]) == 1
    with pytest.raises(DataError, match="none of CapMVRVCur"):
        coin_metrics_history(rows[["time", "PriceUSD"]], "BTC", CoinMetricsSettings())
