"""Daily on-chain figures by Coin Metrics: the community API, and its CSV files.

Source: Coin Metrics' API v4 reference, "timeseries/asset-metrics": `data` holds rows with `asset`, `time`
(the start of the day) and each metric as text, null where there is none; pages are named by
`next_page_token`; metrics that the community may not read are left out with ignore_forbidden_errors. The
community's limit is 10 requests in 6 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.polling.client import PollingClient
from adaptive_pkg.polling.source import Failure, LastAbout, SourceError
from adaptive_pkg.settings.sources import CoinMetricsSettings
from adaptive_pkg.store.history import dated_history
from adaptive_pkg.store.series import Reading, SeriesSpec

# our series: Coin Metrics' name
METRICS = {
    "mvrv": "CapMVRVCur",  # market value over realised value
    "active_addresses": "AdrActCnt",
    "exchange_inflow": "FlowInExNtv",  # coins; not in every version of the community data
    "exchange_outflow": "FlowOutExNtv",
    "supply": "SplyCur",
}
_DAY = timedelta(days=1)
_PAGE = "10000"
_MOST_PAGES = 50


def coin_metrics_spec(metric: str, coin: str, settings: CoinMetricsSettings) -> SeriesSpec:
    """One metric's series of one coin, in the metric's own unit."""
    delay, age = timedelta(hours=settings.delay_hours), timedelta(hours=settings.max_age_hours)
    return SeriesSpec(f"{metric}/{coin}", delay, age)


class CoinMetricsSource:
    """Asks for the days that are missing, and for recent ones again: they are corrected.

    Args:
        coins: such as BTC.
    """

    def __init__(self, client: PollingClient, settings: CoinMetricsSettings, coins: Sequence[str]):
        self.name = "coin_metrics"
        self.specs = tuple(coin_metrics_spec(metric, coin, settings) for coin in coins for metric in METRICS)
        self.every = timedelta(minutes=settings.poll_minutes)
        self._client, self._settings, self._coins = client, settings, tuple(coins)

    async def fetch(self, last_about: LastAbout, now: datetime) -> list[Reading]:
        """See `Source`. A coin that Coin Metrics does not know has no reading."""
        readings: list[Reading] = []
        for coin in self._coins:
            lasts = [last for metric in METRICS if (last := last_about(f"{metric}/{coin}"))]
            again = timedelta(days=self._settings.revision_days + 1)
            start = f"{max(lasts) - again:%Y-%m-%d}" if lasts else self._settings.first_day
            readings += [reading for reading in await self._coin(coin, start) if reading.about <= now]
        if not readings:
            raise SourceError(
                Failure.MALFORMED, f"coin_metrics: no value for {', '.join(self._coins)}; is the API changed?"
            )
        return readings

    async def _coin(self, coin: str, start: str) -> list[Reading]:
        query = {
            "assets": coin.lower(),
            "metrics": ",".join(METRICS.values()),
            "frequency": "1d",
            "start_time": start,
            "page_size": _PAGE,
            "paging_from": "start",
            "ignore_forbidden_errors": "true",
            "ignore_unsupported_errors": "true",
        }
        readings: list[Reading] = []
        for _ in range(_MOST_PAGES):
            body = await self._client.get(f"{self._settings.url}/timeseries/asset-metrics", query)
            page, following = parse_metrics(body, coin)
            readings += page
            if following is None:
                return readings
            query["next_page_token"] = following
        raise SourceError(Failure.MALFORMED, f"coin_metrics: more than {_MOST_PAGES} pages for {coin}")


def parse_metrics(body: Any, coin: str) -> tuple[list[Reading], str | None]:
    """The readings of one page, and the next page's token. Raises SourceError for another format."""
    readings = []
    try:
        for row in body["data"]:
            if row["asset"] != coin.lower():
                raise ValueError(f"asset {row['asset']!r} instead of {coin.lower()!r}")
            start = datetime.fromisoformat(row["time"])
            if start.tzinfo is None:
                raise ValueError(f"time {row['time']!r} without a zone")
            for metric, name in METRICS.items():
                if row.get(name) is not None:
                    readings.append(
                        Reading(f"{metric}/{coin}", start.astimezone(UTC) + _DAY, float(row[name]))
                    )
        following = body.get("next_page_token")
    except (AttributeError, KeyError, TypeError, ValueError, DataError) as error:
        raise SourceError(Failure.MALFORMED, f"coin_metrics: cannot be read ({error!r})") from error
    return readings, following


def coin_metrics_history(
    rows: pd.DataFrame, coin: str, settings: CoinMetricsSettings
) -> dict[str, pd.DataFrame]:
    """Series and history of each known metric in Coin Metrics' CSV of a coin (column time and metrics).

    Raises:
        DataError: none of the metrics is there, or a value cannot be read.
    """
    found = {
        f"{metric}/{coin}": dated_history(rows, coin_metrics_spec(metric, coin, settings), "time", name, _DAY)
        for metric, name in METRICS.items()
        if name in rows.columns
    }
    if not found:
        raise DataError(
            f"none of {', '.join(METRICS.values())} is a column; "
            f"there are: {', '.join(map(str, rows.columns))}"
        )
    return found
