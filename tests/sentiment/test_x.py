"""X in its own format: pages, nothing found, an expired or poor token, a full allowance, odd answers."""

from datetime import UTC, datetime

import numpy as np
import pytest
from aiohttp import web

from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.sentiment.x import XKey, XSource, parse_posts
from adaptive_pkg.settings.sources import XSettings

NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)


class Tone:
    def score(self, texts):
        return np.array([0.5 if "good" in text else -0.5 for text in texts])


def post(number, text="good", hour=11):
    return {"id": str(number), "text": f"{text} {number}", "created_at": f"2024-01-03T{hour:02d}:30:00.000Z"}


def page(posts, next_token=None):
    meta = {"result_count": len(posts), "newest_id": "9", "oldest_id": "1"}
    return {
        **({"data": posts} if posts else {}),
        "meta": meta | ({"next_token": next_token} if next_token else {}),
    }


def fetch(ask, handler, **settings):
    async def scenario(service):
        source = XSource(
            service.client, XSettings(url=service.url, **settings), ["ETH"], XKey("bearer-1"), Tone()
        )
        return await source.fetch(lambda series: None, NOW), service.requests

    return ask(handler, scenario)


def test_the_mean_tone_of_two_pages(ask):
    pages = {
        None: page([post(n) for n in range(10)], "more"),
        "more": page([post(n, "bad") for n in range(10, 15)]),
    }

    async def handler(request):
        return web.json_response(pages[request.query.get("next_token")])

    (reading,), requests = fetch(ask, handler, pages=5)
    assert (reading.series, reading.about) == ("x/ETH", NOW)
    assert reading.value == pytest.approx((10 - 5) / 15 / 2)
    first = requests[0]
    assert first.path == "/2/tweets/search/recent" and first.headers["Authorization"] == "Bearer bearer-1"
    assert first.query["query"] == '("ethereum" OR #ETH) lang:en -is:retweet'
    assert first.query["start_time"] == "2024-01-03T06:00:00Z"
    assert [request.query.get("next_token") for request in requests] == [None, "more"]


def test_what_is_paid_for_stops_at_the_pages_allowed(ask, say):
    _, requests = fetch(ask, say(page([post(1)], "more")), pages=1)
    assert len(requests) == 1


def test_nothing_found_is_no_mood(ask, say):
    assert fetch(ask, say(page([])))[0] == []


@pytest.mark.parametrize(
    ("status", "body", "failure", "words"),
    [
        (401, {"title": "Unauthorized", "status": 401}, Failure.REFUSED, "Unauthorized"),
        (
            403,
            {"title": "Client Forbidden", "reason": "client-not-enrolled"},
            Failure.REFUSED,
            "not-enrolled",
        ),
        (400, {"title": "Invalid Request", "detail": "invalid query"}, Failure.REFUSED, "invalid query"),
        (503, {"title": "Service Unavailable"}, Failure.DOWN, "Service Unavailable"),
    ],
)
def test_the_services_refusals(ask, say, status, body, failure, words):
    with pytest.raises(SourceError, match=words) as caught:
        fetch(ask, say(body, status))
    assert caught.value.failure is failure and "bearer-1" not in str(caught.value)


def test_a_full_allowance_is_waited_for(ask, say):
    headers = {"x-rate-limit-limit": "450", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "4000000000"}
    with pytest.raises(SourceError) as caught:
        fetch(ask, say({"title": "Too Many Requests"}, 429, headers))
    assert caught.value.failure is Failure.LIMITED


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"errors": [{"title": "Not Found Error"}]},
        {"meta": {}, "data": [{"id": "1", "text": "x"}]},
        {"meta": {}, "data": [{"id": "1", "text": "x", "created_at": "noon"}]},
        {"meta": {}, "data": [{"id": "1", "text": "x", "created_at": "2024-01-03T12:00:00"}]},
        {"meta": {}, "data": "x"},
    ],
)
def test_another_format_is_said_to_be_one(body):
    with pytest.raises(SourceError) as caught:
        parse_posts(body)
    assert caught.value.failure is Failure.MALFORMED
