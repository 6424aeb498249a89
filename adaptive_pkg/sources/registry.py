"""Which sources the settings ask for, each with its own client, limiter and key."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.onchain.coin_metrics import CoinMetricsSource
from adaptive_pkg.onchain.futures import FuturesSource
from adaptive_pkg.polling.client import PollingClient, request_limiter
from adaptive_pkg.polling.source import Source
from adaptive_pkg.sentiment.fear_greed import FearGreedSource
from adaptive_pkg.sentiment.reddit import RedditKey, RedditSource
from adaptive_pkg.sentiment.scorers import TextScorer, make_scorer
from adaptive_pkg.sentiment.x import XKey, XSource
from adaptive_pkg.settings.sources import SourcesSettings

logger = logging.getLogger(__name__)

SOURCES = ("fear_greed", "reddit", "x", "coin_metrics", "futures")


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """The keys that some sources need; None where there is none."""

    reddit: RedditKey | None = None
    x: XKey | None = None


def read_keys(environment: Mapping[str, str]) -> SourceKeys:
    """The keys in the environment (ADAPTIVE_REDDIT_CLIENT_ID and _CLIENT_SECRET, ADAPTIVE_X_BEARER_TOKEN)."""
    client, secret = (
        environment.get(f"ADAPTIVE_REDDIT_CLIENT_{part}", "").strip() for part in ("ID", "SECRET")
    )
    token = environment.get("ADAPTIVE_X_BEARER_TOKEN", "").strip()
    return SourceKeys(
        RedditKey(client, secret) if client and secret else None, XKey(token) if token else None
    )


def check_keys(settings: SourcesSettings, keys: SourceKeys) -> None:
    """Raise SettingsError for an enabled source whose key is missing."""
    for name, key, variables in (
        ("reddit", keys.reddit, "ADAPTIVE_REDDIT_CLIENT_ID and ADAPTIVE_REDDIT_CLIENT_SECRET"),
        ("x", keys.x, "ADAPTIVE_X_BEARER_TOKEN"),
    ):
        if getattr(settings, name).enabled and key is None:
            raise SettingsError(
                f"sources.{name}.enabled is on, but there is no key: set {variables} in the environment, "
                "or switch it off"
            )


class SourceRegistry:
    """Makes the enabled sources for a session. Limiters, and so what is used of each allowance, outlive it.

    Args:
        coins: such as BTC, in the order of the pairs.
        scorer: reads texts; by default the one the settings name.

    Raises:
        SettingsError: see `check_keys`.
        SourceError: texts are to be read, and VADER is not installed.
    """

    def __init__(
        self,
        settings: SourcesSettings,
        coins: Sequence[str],
        keys: SourceKeys,
        scorer: TextScorer | None = None,
    ):
        check_keys(settings, keys)
        if scorer is None and (settings.reddit.enabled or settings.x.enabled):
            scorer = make_scorer(settings.scorer)
        self._settings, self._coins, self._keys, self._scorer = settings, tuple(coins), keys, scorer
        self._limiters: dict[str, AdaptiveRateLimiter] = {
            "fear_greed": request_limiter(settings.fear_greed.requests_per_minute, 60),
            "reddit": request_limiter(settings.reddit.requests_per_minute, 60),
            "x": request_limiter(settings.x.requests_per_window, 900),
            "coin_metrics": request_limiter(8, 6),
            "futures": request_limiter(300, 300),
        }

    @property
    def enabled(self) -> tuple[str, ...]:
        """Names of the sources that are on."""
        return tuple(name for name in SOURCES if getattr(self._settings, name).enabled)

    def __call__(self, session: aiohttp.ClientSession) -> list[Source]:
        """The enabled sources."""
        return [self._make(name, session) for name in self.enabled]

    def _make(self, name: str, session: aiohttp.ClientSession) -> Source:
        settings, coins = self._settings, self._coins
        client = PollingClient(name, session, self._limiters[name], settings.polling)
        if name == "fear_greed":
            return FearGreedSource(client, settings.fear_greed)
        if name == "coin_metrics":
            return CoinMetricsSource(client, settings.coin_metrics, coins)
        if name == "futures":
            return FuturesSource(client, settings.futures, coins)
        assert self._scorer is not None
        if name == "reddit":
            assert self._keys.reddit is not None
            return RedditSource(client, settings.reddit, coins, self._keys.reddit, self._scorer)
        assert self._keys.x is not None
        return XSource(client, settings.x, coins, self._keys.x, self._scorer)
