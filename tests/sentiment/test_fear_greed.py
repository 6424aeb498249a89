"""The Fear & Greed index in alternative.me's own format: history first, then what is missing."""

from datetime import UTC, datetime, timedelta

import pytest

from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.sentiment.fear_greed import SERIES, FearGreedSource, parse_fear_greed
from adaptive_pkg.settings.sources import FearGreedSettings

NOW = datetime(2024, 1, 3, 5, tzinfo=UTC)
DAY = 86_400
MIDNIGHT = 1_704_240_000  # 2024-01-03


def row(value, timestamp, **more):
    return {"value": str(value), "value_classification": "Greed", "timestamp": str(timestamp), **more}


BODY = {
    "name": "Fear and Greed Index",
    "data": [row(70, MIDNIGHT, time_until_update="68400"), row(71, MIDNIGHT - DAY)],
    "metadata": {"error": None},
}


def fetch(ask, handler, last=None):
    async def scenario(service):
        source = FearGreedSource(service.client, FearGreedSettings(url=service.url))
        return await source.fetch(lambda series: last, NOW), service.requests

    return ask(handler, scenario)


def test_the_whole_history_is_asked_for_at_first_and_read_oldest_first(ask, say):
    readings, requests = fetch(ask, say(BODY))
    assert [(reading.value, reading.about.day) for reading in readings] == [(71.0, 2), (70.0, 3)]
    assert {reading.series for reading in readings} == {SERIES}
    assert requests[0].path == "/fng/" and requests[0].query["limit"] == "0"


@pytest.mark.parametrize(("days", "limit"), [(0, "2"), (5, "7")])
def test_later_only_the_days_since_are_asked_for(ask, say, days, limit):
    last = datetime(2024, 1, 3, tzinfo=UTC) - timedelta(days=days)
    _, requests = fetch(ask, say(BODY), last)
    assert requests[0].query["limit"] == limit


def test_the_services_own_error_is_told(ask, say):
    with pytest.raises(SourceError, match="'database is down'") as caught:
        fetch(ask, say({"data": [], "metadata": {"error": "database is down"}}))
    assert caught.value.failure is Failure.DOWN


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"data": None},
        {"data": []},
        {"data": [{"value": "70"}]},
        {"data": [row("high", MIDNIGHT)]},
        {"data": [row(101, MIDNIGHT)]},
        {"data": [row("nan", MIDNIGHT)]},
        {"data": [row(70, "yesterday")]},
        {"data": [row(70, 10**18)]},
        {"data": [row(70, MIDNIGHT)], "metadata": "x"},
    ],
)
def test_another_format_is_said_to_be_one(body):
    with pytest.raises(SourceError) as caught:
        parse_fear_greed(body)
    assert caught.value.failure is Failure.MALFORMED
