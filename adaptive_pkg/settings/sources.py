"""Settings of the slow outside data: sentiment, on-chain figures, funding and open interest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param, section


class ScorerKind(StrEnum):
    """What reads a text's tone."""

    VADER = "vader"  # a lexicon with rules, offline
    FINBERT = "finbert"  # a neural network, fetched at first use; needs the package transformers


@dataclass(frozen=True)
class PollingSettings(Settings):
    """How outside services are asked, whichever it is."""

    timeout_seconds: float = param(20.0, 0.01, 600.0, doc="longest wait for one answer, its turn included")
    attempts: int = param(3, 1, 10, doc="times one request is sent when the service fails")
    retry_seconds: float = param(1.0, 0.0, 60.0, doc="pause before the second attempt; doubles")
    failures: int = param(3, 1, 100, doc="failed polls in a row after which a source rests")
    pause_minutes: float = param(30.0, 0.01, 1440.0, doc="how long it rests; then one poll tries again")
    lease_seconds: float = param(
        600.0, 0.1, 86400.0, doc="without a sign of life from the bot for this long, polling ends"
    )


@dataclass(frozen=True)
class FearGreedSettings(Settings):
    """The Crypto Fear & Greed index of alternative.me: one value a day, 0 to 100, no key."""

    enabled: bool = param(True, doc="ask for it")
    url: str = param("https://api.alternative.me", doc="address of the service")
    poll_minutes: float = param(30.0, 0.01, 1440.0, doc="time between two polls")
    delay_minutes: float = param(
        60.0, 0.0, 2880.0, doc="imported history: known this long after the midnight it is stamped with"
    )
    max_age_hours: float = param(49.0, 1.0, 1000.0, doc="older than this it counts as missing")
    requests_per_minute: int = param(30, 1, 60, doc="the service allows 60 a minute")


@dataclass(frozen=True)
class RedditSettings(Settings):
    """Posts on Reddit, by its official API. Its keys come from the environment, never from the config."""

    enabled: bool = param(False, doc="ask for them; needs ADAPTIVE_REDDIT_CLIENT_ID and _CLIENT_SECRET")
    url: str = param("https://oauth.reddit.com", doc="address of the API")
    token_url: str = param("https://www.reddit.com/api/v1/access_token", doc="address that grants tokens")
    user_agent: str = param(
        "linux:adaptive-gru:v0.1 (freqtrade plugin)",
        doc="Reddit refuses requests without a name of their own",
    )
    subreddits: tuple[str, ...] = param(("CryptoCurrency", "CryptoMarkets"), doc="where to look")
    poll_minutes: float = param(30.0, 0.01, 1440.0, doc="time between two polls")
    window_hours: float = param(24.0, 0.1, 168.0, doc="posts of the last so many hours count")
    pages: int = param(2, 1, 10, doc="pages of 100 posts a poll and coin")
    least_texts: int = param(10, 1, 1000, doc="with fewer texts there is no value")
    max_age_hours: float = param(3.0, 0.1, 1000.0, doc="older than this it counts as missing")
    requests_per_minute: int = param(60, 1, 100, doc="the service allows 100 a minute and key")


@dataclass(frozen=True)
class XSettings(Settings):
    """Posts on X, by its API v2 (paid). The token comes from the environment, never from the config."""

    enabled: bool = param(
        False, doc="ask for them; needs ADAPTIVE_X_BEARER_TOKEN. Every post read is paid for"
    )
    url: str = param("https://api.x.com", doc="address of the API")
    query: str = param(
        '("{name}" OR #{coin}) lang:en -is:retweet', doc="what to search; {coin} and {name} are filled in"
    )
    poll_minutes: float = param(60.0, 0.01, 1440.0, doc="time between two polls")
    window_hours: float = param(6.0, 0.1, 167.0, doc="posts of the last so many hours count")
    pages: int = param(1, 1, 10, doc="pages of 100 posts a poll and coin")
    least_texts: int = param(10, 1, 1000, doc="with fewer texts there is no value")
    max_age_hours: float = param(4.0, 0.1, 1000.0, doc="older than this it counts as missing")
    requests_per_window: int = param(60, 1, 450, doc="requests in 15 minutes; the service allows up to 450")


@dataclass(frozen=True)
class CoinMetricsSettings(Settings):
    """Daily on-chain figures by Coin Metrics' community API (no key; CC BY-NC: not for commercial use)."""

    enabled: bool = param(True, doc="ask for them")
    url: str = param("https://community-api.coinmetrics.io/v4", doc="address of the API")
    poll_minutes: float = param(60.0, 0.01, 1440.0, doc="time between two polls")
    delay_hours: float = param(
        12.0, 0.0, 168.0, doc="imported history: a day's figure is known this long after the day has ended"
    )
    revision_days: int = param(3, 0, 60, doc="days asked for again each time: recent figures are corrected")
    first_day: str = param("2018-01-01", doc="history begins here")
    max_age_hours: float = param(72.0, 1.0, 1000.0, doc="older than this it counts as missing")


@dataclass(frozen=True)
class FuturesSettings(Settings):
    """Funding rates and open interest of Binance's USDT perpetuals (public, no key)."""

    enabled: bool = param(True, doc="ask for them")
    url: str = param("https://fapi.binance.com", doc="address of the API")
    poll_minutes: float = param(20.0, 0.01, 1440.0, doc="time between two polls")
    delay_minutes: float = param(5.0, 0.0, 1440.0, doc="imported history: known this long after its stamp")
    funding_max_age_hours: float = param(17.0, 1.0, 1000.0, doc="older than this it counts as missing")
    interest_max_age_hours: float = param(3.0, 0.1, 1000.0, doc="older than this it counts as missing")
    first_day: str = param("2019-09-08", doc="funding history begins here; open interest has 30 days only")


@dataclass(frozen=True)
class CompositeSettings(Settings):
    """How the three moods are averaged. Weights of missing ones go to the others."""

    x: float = param(0.4, 0.0, 1.0, doc="weight of posts on X")
    reddit: float = param(0.3, 0.0, 1.0, doc="weight of posts on Reddit")
    fear_greed: float = param(0.3, 0.0, 1.0, doc="weight of the Fear & Greed index")

    def check(self) -> None:
        if self.x + self.reddit + self.fear_greed <= 0:
            raise SettingsError("composite: all three weights are 0; give at least one")


@dataclass(frozen=True)
class SourcesSettings(Settings):
    """Slow outside data. Off by default: nothing has been shown to earn a weight."""

    enabled: bool = param(
        False, doc="on: poll the enabled sources live, and add their columns to the candles"
    )
    path: str = param("user_data/sources.sqlite", doc="where every value is kept with the time it was known")
    scorer: ScorerKind = param(ScorerKind.VADER, doc="what reads a text's tone: vader or finbert")
    polling: PollingSettings = section(PollingSettings)
    fear_greed: FearGreedSettings = section(FearGreedSettings)
    reddit: RedditSettings = section(RedditSettings)
    x: XSettings = section(XSettings)
    coin_metrics: CoinMetricsSettings = section(CoinMetricsSettings)
    futures: FuturesSettings = section(FuturesSettings)
    composite: CompositeSettings = section(CompositeSettings)
