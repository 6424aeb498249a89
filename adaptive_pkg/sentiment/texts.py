"""Many texts' tones as one value: those of the window, each once, the mean of what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adaptive_pkg.sentiment.scorers import TextScorer
from adaptive_pkg.store.series import Reading

# coins whose ticker alone would find little, or something else
COIN_NAMES = {
    "ADA": "cardano",
    "AVAX": "avalanche",
    "BNB": "binance coin",
    "BTC": "bitcoin",
    "DOGE": "dogecoin",
    "DOT": "polkadot",
    "ETH": "ethereum",
    "LINK": "chainlink",
    "LTC": "litecoin",
    "SOL": "solana",
    "TRX": "tron",
    "XRP": "ripple",
}


@dataclass(frozen=True, slots=True)
class Post:
    """One text. `key`: what makes it one and the same."""

    key: str
    written: datetime
    text: str


def coin_name(coin: str) -> str:
    """What people call a coin; its ticker where we know no other name."""
    return COIN_NAMES.get(coin, coin)


async def mood(
    series: str,
    posts: Sequence[Post],
    scorer: TextScorer,
    now: datetime,
    window: timedelta,
    least: int,
) -> Reading | None:
    """The mean tone of the posts written within the window; None with fewer than `least` of them.

    A text that comes twice (reposts, spam) counts once. Scored in a thread: FinBERT takes its time.
    Raises SourceError from the scorer.
    """
    recent = {}
    seen = set()
    for post in posts:
        words = " ".join(post.text.split()).casefold()
        if now - window < post.written <= now and words and words not in seen:
            seen.add(words)
            recent[post.key] = post.text
    if len(recent) < least:
        return None
    tones = await asyncio.to_thread(scorer.score, list(recent.values()))
    return Reading(series, now, float(tones.mean()))
