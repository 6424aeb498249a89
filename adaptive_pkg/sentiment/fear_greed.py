"""The Crypto Fear & Greed index of alternative.me: once a day, 0 (extreme fear) to 100 (extreme greed).

Source: alternative.me, "Crypto API documentation": GET /fng/?limit=N (0: all) gives `data`, newest first,
with `value` and `timestamp` (seconds, midnight UTC) as texts. A value is stamped with the midnight it comes
out at, and speaks of the day before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from adaptive_pkg.polling.client import PollingClient
from adaptive_pkg.polling.source import Failure, LastAbout, SourceError
from adaptive_pkg.settings.sources import FearGreedSettings
from adaptive_pkg.store.series import Reading, SeriesSpec

SERIES = "fear_greed"


def fear_greed_spec(settings: FearGreedSettings) -> SeriesSpec:
    """Its series: index points."""
    return SeriesSpec(
        SERIES, timedelta(minutes=settings.delay_minutes), timedelta(hours=settings.max_age_hours)
    )


class FearGreedSource:
    """Asks for the days that are missing; the first time for all of them."""

    def __init__(self, client: PollingClient, settings: FearGreedSettings):
        self.name = SERIES
        self.specs = (fear_greed_spec(settings),)
        self.every = timedelta(minutes=settings.poll_minutes)
        self._client, self._url = client, settings.url

    async def fetch(self, last_about: LastAbout, now: datetime) -> list[Reading]:
        """See `Source`."""
        last = last_about(SERIES)
        days = 0 if last is None else max((now - last).days, 0) + 2
        return parse_fear_greed(await self._client.get(f"{self._url}/fng/", {"limit": str(days)}))


def parse_fear_greed(body: Any) -> list[Reading]:
    """The index's days, oldest first. Raises SourceError: another format, or the service's own error."""
    try:
        if error := (body.get("metadata") or {}).get("error"):
            raise SourceError(Failure.DOWN, f"{SERIES}: the service says {error!r}")
        found = {}
        for row in body["data"]:
            about = datetime.fromtimestamp(int(row["timestamp"]), UTC)
            value = float(row["value"])
            if not 0 <= value <= 100:
                raise ValueError(f"value {row['value']!r} is outside 0 to 100")
            found[about] = Reading(SERIES, about, value)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise SourceError(Failure.MALFORMED, f"{SERIES}: cannot be read ({error!r})") from error
    if not found:
        raise SourceError(Failure.MALFORMED, f"{SERIES}: an answer without a value")
    return [found[about] for about in sorted(found)]
