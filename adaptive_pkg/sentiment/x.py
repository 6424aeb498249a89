"""Posts on X, by its API v2 with an app's bearer token. Reading posts there is paid for.

Source: X's developer documentation, "Recent search": GET /2/tweets/search/recent with `query`, `start_time`,
`max_results` (10 to 100), `tweet.fields` and `next_token`; `data` is missing when nothing was found; errors
are problem objects with `title` and `detail`; x-rate-limit-remaining and -reset (epoch seconds) tell limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adaptive_pkg.polling.client import PollingClient
from adaptive_pkg.polling.source import Failure, LastAbout, SourceError
from adaptive_pkg.sentiment.scorers import TextScorer
from adaptive_pkg.sentiment.texts import Post, coin_name, mood
from adaptive_pkg.settings.sources import XSettings
from adaptive_pkg.store.series import Reading, SeriesSpec

_PAGE = 100


@dataclass(frozen=True, slots=True)
class XKey:
    """An app's token at X. It does not expire; X can withdraw it."""

    bearer_token: str = field(repr=False)


def x_spec(coin: str, settings: XSettings) -> SeriesSpec:
    """A coin's series: mean tone, −1 to 1. Known when read: it has no history."""
    return SeriesSpec(f"x/{coin}", timedelta(0), timedelta(hours=settings.max_age_hours))


class XSource:
    """Searches recent posts about each coin and keeps their mean tone.

    Args:
        coins: such as BTC. key: of the app. scorer: reads the texts.
    """

    def __init__(
        self, client: PollingClient, settings: XSettings, coins: Sequence[str], key: XKey, scorer: TextScorer
    ):
        self.name = "x"
        self.specs = tuple(x_spec(coin, settings) for coin in coins)
        self.every = timedelta(minutes=settings.poll_minutes)
        self._client, self._settings, self._coins = client, settings, tuple(coins)
        self._headers = {"Authorization": f"Bearer {key.bearer_token}"}
        self._scorer = scorer

    async def fetch(self, last_about: LastAbout, now: datetime) -> list[Reading]:
        """See `Source`. A coin with too few posts has no reading."""
        window = timedelta(hours=self._settings.window_hours)
        readings = []
        for coin in self._coins:
            posts = await self._posts(coin, now - window)
            reading = await mood(f"x/{coin}", posts, self._scorer, now, window, self._settings.least_texts)
            readings += [reading] if reading else []
        return readings

    async def _posts(self, coin: str, since: datetime) -> list[Post]:
        query = {
            "query": self._settings.query.format(coin=coin, name=coin_name(coin)),
            "start_time": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "max_results": str(_PAGE),
            "tweet.fields": "created_at",
        }
        posts: list[Post] = []
        for _ in range(self._settings.pages):
            body = await self._client.get(
                f"{self._settings.url}/2/tweets/search/recent", query, self._headers
            )
            page, following = parse_posts(body)
            posts += page
            if following is None:
                break
            query["next_token"] = following
        return posts


def parse_posts(body: Any) -> tuple[list[Post], str | None]:
    """The posts of one page, and the next page's token. Raises SourceError for another format."""
    try:
        meta = body["meta"]
        posts = [
            Post(str(row["id"]), datetime.fromisoformat(row["created_at"]), str(row["text"]))
            for row in body.get("data", [])
        ]
        if any(post.written.tzinfo is None for post in posts):
            raise ValueError("created_at without a zone")
        following = meta.get("next_token")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        shown = body.get("title") or body.get("errors") if isinstance(body, dict) else body
        raise SourceError(
            Failure.MALFORMED, f"x: no page of posts ({error!r}): {str(shown)[:160]}"
        ) from error
    return posts, following
