"""Posts on Reddit, by its official API with application-only OAuth.

Source: Reddit's API documentation and its wiki "OAuth2": POST /api/v1/access_token with grant_type
client_credentials and HTTP basic authentication gives `access_token` and `expires_in`; GET
/r/<a+b>/search is a Listing of things of kind t3, paged by `after`.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adaptive_pkg.polling.client import PollingClient
from adaptive_pkg.polling.source import Failure, LastAbout, SourceError
from adaptive_pkg.sentiment.scorers import TextScorer
from adaptive_pkg.sentiment.texts import Post, coin_name, mood
from adaptive_pkg.settings.sources import RedditSettings
from adaptive_pkg.store.series import Reading, SeriesSpec

_PAGE = 100
_EARLY_SECONDS = 60.0  # a token is renewed this long before it ends


@dataclass(frozen=True, slots=True)
class RedditKey:
    """An application's key at Reddit."""

    client_id: str
    client_secret: str = field(repr=False)


def reddit_spec(coin: str, settings: RedditSettings) -> SeriesSpec:
    """A coin's series: mean tone, −1 to 1. Known when read: it has no history."""
    return SeriesSpec(f"reddit/{coin}", timedelta(0), timedelta(hours=settings.max_age_hours))


class RedditSource:
    """Searches posts about each coin and keeps their mean tone.

    Args:
        coins: such as BTC. key: of the application. scorer: reads the texts.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        client: PollingClient,
        settings: RedditSettings,
        coins: Sequence[str],
        key: RedditKey,
        scorer: TextScorer,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self.name = "reddit"
        self.specs = tuple(reddit_spec(coin, settings) for coin in coins)
        self.every = timedelta(minutes=settings.poll_minutes)
        self._client, self._settings, self._coins, self._key = client, settings, tuple(coins), key
        self._scorer, self._monotonic = scorer, monotonic
        self._token, self._token_until = "", float("-inf")

    async def fetch(self, last_about: LastAbout, now: datetime) -> list[Reading]:
        """See `Source`. A coin with too few posts has no reading."""
        window = timedelta(hours=self._settings.window_hours)
        readings = []
        for coin in self._coins:
            posts = await self._posts(coin, now - window)
            reading = await mood(
                f"reddit/{coin}", posts, self._scorer, now, window, self._settings.least_texts
            )
            readings += [reading] if reading else []
        return readings

    async def _posts(self, coin: str, since: datetime) -> list[Post]:
        posts: list[Post] = []
        after = None
        for _ in range(self._settings.pages):
            body = await self._search(coin, after)
            page, after = parse_listing(body)
            posts += page
            if after is None or not page or page[-1].written < since:
                break
        return posts

    async def _search(self, coin: str, after: str | None) -> Any:
        where = "+".join(self._settings.subreddits)
        words = f'"{coin_name(coin)}" OR {coin}' if coin_name(coin) != coin else coin
        query = {
            "q": words,
            "restrict_sr": "1",
            "sort": "new",
            "t": "week" if self._settings.window_hours > 24 else "day",
            "limit": str(_PAGE),
            "raw_json": "1",
        }
        if after is not None:
            query["after"] = after
        url = f"{self._settings.url}/r/{where}/search"
        try:
            return await self._client.get(url, query, await self._headers())
        except SourceError as error:
            if error.failure is not Failure.REFUSED or not self._token:
                raise
        self._token = ""  # it may have been withdrawn before its time: once with a new one
        return await self._client.get(url, query, await self._headers())

    async def _headers(self) -> dict[str, str]:
        if not self._token or self._monotonic() >= self._token_until:
            await self._renew()
        return {"Authorization": f"Bearer {self._token}", "User-Agent": self._settings.user_agent}

    async def _renew(self) -> None:
        pair = b64encode(f"{self._key.client_id}:{self._key.client_secret}".encode()).decode()
        body = await self._client.post(
            self._settings.token_url,
            {"grant_type": "client_credentials"},
            {"Authorization": f"Basic {pair}", "User-Agent": self._settings.user_agent},
        )
        try:
            token, seconds = body["access_token"], float(body["expires_in"])
        except (KeyError, TypeError, ValueError) as error:
            # the answer may hold a token: it is not quoted
            reason = body.get("error", "no access_token") if isinstance(body, dict) else "no object"
            raise SourceError(Failure.REFUSED, f"reddit: no token ({reason}); check the key") from error
        self._token = str(token)
        self._token_until = self._monotonic() + max(seconds - _EARLY_SECONDS, 1.0)


def parse_listing(body: Any) -> tuple[list[Post], str | None]:
    """The posts of one page, and the next page's name. Raises SourceError for another format."""
    try:
        data = body["data"]
        posts = [
            Post(
                thing["data"]["name"],
                datetime.fromtimestamp(float(thing["data"]["created_utc"]), UTC),
                f"{thing['data']['title']}\n{thing['data'].get('selftext') or ''}".strip(),
            )
            for thing in data["children"]
            if thing["kind"] == "t3"
        ]
        after = data.get("after")
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise SourceError(Failure.MALFORMED, f"reddit: no listing of posts ({error!r})") from error
    return posts, after
