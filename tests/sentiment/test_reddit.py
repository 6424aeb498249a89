"""Reddit in its own format: tokens that are granted, end and are withdrawn; pages; too little to say."""

from base64 import b64decode
from datetime import UTC, datetime

import numpy as np
import pytest
from aiohttp import web

from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.sentiment.reddit import RedditKey, RedditSource, parse_listing
from adaptive_pkg.settings.sources import RedditSettings

NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)
KEY = RedditKey("id", "secret")


class Tone:
    """Good news is 1, all else −1."""

    def score(self, texts):
        return np.array([1.0 if "good" in text else -1.0 for text in texts])


def post(number, text="good", hours=1.0, kind="t3"):
    data = {
        "name": f"t3_{number}",
        "title": f"{text} {number}",
        "selftext": "",
        "created_utc": NOW.timestamp() - 3600 * hours,
    }
    return {"kind": kind, "data": data}


def listing(posts, after=None):
    return {"kind": "Listing", "data": {"after": after, "children": posts, "dist": len(posts)}}


class Reddit:
    """Grants tokens and knows which it still accepts."""

    def __init__(self, pages, expires_in=86400):
        self.pages, self.expires_in = pages, expires_in
        self.granted, self.accepted = [], set()

    async def __call__(self, request):
        if request.path == "/token":
            form = await request.post()
            pair = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
            if pair != "id:secret" or form["grant_type"] != "client_credentials":
                return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
            token = f"token-{len(self.granted)}"
            self.granted.append(token)
            self.accepted.add(token)
            return web.json_response(
                {"access_token": token, "token_type": "bearer", "expires_in": self.expires_in, "scope": "*"}
            )
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.accepted:
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        page = self.pages[request.query.get("after", "")]
        return web.json_response(page, headers={"x-ratelimit-remaining": "95.0", "x-ratelimit-reset": "300"})


def fetch(ask, reddit, polls=1, key=KEY, between=None, clock=lambda: 0.0, **settings):
    async def scenario(service):
        own = RedditSettings(url=service.url, token_url=f"{service.url}/token", **settings)
        source = RedditSource(service.client, own, ["BTC"], key, Tone(), monotonic=clock)
        for _ in range(polls):
            readings = await source.fetch(lambda series: None, NOW)
            if between:
                between(reddit)
        return readings, service.requests

    return ask(reddit, scenario)


def test_the_mean_tone_of_the_windows_posts_is_its_value(ask):
    posts = [post(n) for n in range(9)] + [post(n, "bad") for n in range(9, 12)]
    old = [post(99, "bad", hours=30)]
    (reading,), requests = fetch(ask, Reddit({"": listing(posts + old)}))
    assert (reading.series, reading.about) == ("reddit/BTC", NOW)
    assert reading.value == pytest.approx((9 - 3) / 12)
    search = requests[1]
    assert search.path == "/r/CryptoCurrency+CryptoMarkets/search"
    assert search.query["q"] == '"bitcoin" OR BTC' and search.query["sort"] == "new"
    assert "adaptive-gru" in search.headers["User-Agent"]


def test_pages_are_followed_until_the_window_ends(ask):
    pages = {
        "": listing([post(n) for n in range(8)], "t3_7"),
        "t3_7": listing([post(n, "bad") for n in range(8, 12)] + [post(12, hours=40)], "t3_12"),
        "t3_12": listing([post(13, hours=50)], "t3_13"),
    }
    (reading,), requests = fetch(ask, Reddit(pages), pages=9)
    assert reading.value == pytest.approx((8 - 4) / 12)
    assert [request.query.get("after") for request in requests[1:]] == [None, "t3_7"]


def test_no_more_pages_are_read_than_allowed(ask):
    pages = {"": listing([post(n) for n in range(20)], ""), **{}}
    _, requests = fetch(ask, Reddit(pages), pages=3)
    assert len(requests) == 4


def test_few_posts_and_copies_of_one_are_no_mood(ask):
    same = [post(n) for n in range(5)]
    for thing in same:
        thing["data"]["title"] = "good  News" if thing is same[0] else "Good news"
    readings, _ = fetch(ask, Reddit({"": listing(same)}), least_texts=2)
    assert readings == []


def test_one_token_serves_until_it_ends(ask):
    reddit, now = Reddit({"": listing([])}), [0.0]
    fetch(ask, reddit, polls=3, clock=lambda: now[0])
    assert reddit.granted == ["token-0"]

    def hour_later(_):
        now[0] += 3600

    reddit = Reddit({"": listing([])}, expires_in=3600)
    fetch(ask, reddit, polls=3, between=hour_later, clock=lambda: now[0])
    assert len(reddit.granted) == 3


def test_a_token_withdrawn_before_its_time_is_renewed_once(ask):
    reddit = Reddit({"": listing([])})
    fetch(ask, reddit, polls=2, between=lambda reddit: reddit.accepted.clear())
    assert reddit.granted == ["token-0", "token-1"]


def test_a_key_that_is_refused_is_not_tried_again_and_never_quoted(ask):
    with pytest.raises(SourceError, match="correct its key") as caught:
        fetch(ask, Reddit({}), key=RedditKey("id", "wrong-secret"))
    assert caught.value.failure is Failure.REFUSED and "wrong-secret" not in str(caught.value)
    assert "wrong-secret" not in repr(RedditKey("id", "wrong-secret"))


def test_a_granted_error_says_so(ask, say):
    with pytest.raises(SourceError, match=r"no token \(unsupported_grant_type\)"):
        fetch(ask, say({"error": "unsupported_grant_type"}))


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"data": {}},
        {"data": {"children": [{"kind": "t3", "data": {"title": "x"}}]}},
        {"data": {"children": [{"kind": "t3", "data": {**post(1)["data"], "created_utc": "x"}}]}},
        {"data": {"children": ["t3"]}},
    ],
)
def test_another_format_is_said_to_be_one(body):
    with pytest.raises(SourceError) as caught:
        parse_listing(body)
    assert caught.value.failure is Failure.MALFORMED


def test_comments_in_a_listing_are_passed_over():
    posts, after = parse_listing(listing([post(1), post(2, kind="t1")], "t3_9"))
    assert [item.key for item in posts] == ["t3_1"] and after == "t3_9"
