"""Funding rates and open interest of Binance's USDT perpetuals.

Source: Binance's USDⓈ-M futures API reference: GET /fapi/v1/fundingRate (`fundingTime`, `fundingRate`; at
most 1,000 rows, oldest first) and GET /futures/data/openInterestHist (`timestamp`, `sumOpenInterest` in
coins; at most 500 rows of the last 30 days). Their limits are 500 and 1,000 requests in 5 minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adaptive_pkg.errors import DataError
from adaptive_pkg.polling.client import PollingClient
from adaptive_pkg.polling.source import Failure, LastAbout, SourceError
from adaptive_pkg.settings.sources import FuturesSettings
from adaptive_pkg.store.series import Reading, SeriesSpec, milliseconds, moment

logger = logging.getLogger(__name__)

_FUNDING_ROWS, _INTEREST_ROWS = 1000, 500
_MOST_PAGES = 40
_INTEREST_DAYS = 29  # of the 30 that are kept: the edge moves while we ask
_HOUR = timedelta(hours=1)
_NO_SYMBOL = "-1121"


def funding_spec(coin: str, settings: FuturesSettings) -> SeriesSpec:
    """A coin's funding rates: fraction of the position a long pays at each settlement."""
    delay = timedelta(minutes=settings.delay_minutes)
    return SeriesSpec(f"funding/{coin}", delay, timedelta(hours=settings.funding_max_age_hours))


def interest_spec(coin: str, settings: FuturesSettings) -> SeriesSpec:
    """A coin's open interest, hourly, in coins: in dollars it would move with the price."""
    delay = timedelta(minutes=settings.delay_minutes)
    return SeriesSpec(f"open_interest/{coin}", delay, timedelta(hours=settings.interest_max_age_hours))


class FuturesSource:
    """Asks for what is missing of each coin; a coin without a perpetual is left out from then on.

    Args:
        coins: such as BTC.
    """

    def __init__(self, client: PollingClient, settings: FuturesSettings, coins: Sequence[str]):
        self.name = "futures"
        self.specs = tuple(spec(coin, settings) for coin in coins for spec in (funding_spec, interest_spec))
        self.every = timedelta(minutes=settings.poll_minutes)
        self._client, self._settings, self._coins = client, settings, list(coins)

    async def fetch(self, last_about: LastAbout, now: datetime) -> list[Reading]:
        """See `Source`."""
        readings: list[Reading] = []
        for coin in list(self._coins):
            try:
                readings += await self._funding(coin, last_about(f"funding/{coin}"), now)
                readings += await self._interest(coin, last_about(f"open_interest/{coin}"), now)
            except SourceError as error:
                if error.failure is not Failure.REFUSED or _NO_SYMBOL not in str(error):
                    raise
                logger.warning("futures: %s has no perpetual against USDT; left out", coin)
                self._coins.remove(coin)
        return readings

    async def _funding(self, coin: str, last: datetime | None, now: datetime) -> list[Reading]:
        start = datetime.fromisoformat(self._settings.first_day).replace(tzinfo=UTC)
        start = start if last is None else last + timedelta(milliseconds=1)
        readings: list[Reading] = []
        for _ in range(_MOST_PAGES):
            query = {
                "symbol": f"{coin}USDT",
                "startTime": str(milliseconds(start)),
                "limit": str(_FUNDING_ROWS),
            }
            body = await self._client.get(f"{self._settings.url}/fapi/v1/fundingRate", query)
            page = parse_rows(body, f"funding/{coin}", "fundingTime", "fundingRate")
            readings += [reading for reading in page if reading.about <= now]
            if len(page) < _FUNDING_ROWS or page[-1].about < start:
                break
            start = page[-1].about + timedelta(milliseconds=1)
        return readings

    async def _interest(self, coin: str, last: datetime | None, now: datetime) -> list[Reading]:
        earliest = now - timedelta(days=_INTEREST_DAYS)
        start = earliest if last is None else max(last + timedelta(milliseconds=1), earliest)
        readings: list[Reading] = []
        while start <= now:
            end = min(start + (_INTEREST_ROWS - 1) * _HOUR, now)
            query = {
                "symbol": f"{coin}USDT",
                "period": "1h",
                "limit": str(_INTEREST_ROWS),
                "startTime": str(milliseconds(start)),
                "endTime": str(milliseconds(end)),
            }
            body = await self._client.get(f"{self._settings.url}/futures/data/openInterestHist", query)
            page = parse_rows(body, f"open_interest/{coin}", "timestamp", "sumOpenInterest")
            readings += [reading for reading in page if reading.about <= now]
            start = end + timedelta(milliseconds=1)
        return readings


def parse_rows(body: Any, series: str, time_key: str, value_key: str) -> list[Reading]:
    """The rows of one answer, oldest first. Raises SourceError for another format."""
    try:
        if not isinstance(body, list):
            raise TypeError(f"a list is needed, not {str(body)[:120]!r}")
        rows = [Reading(series, moment(int(row[time_key])), float(row[value_key])) for row in body]
    except (KeyError, TypeError, ValueError, OverflowError, DataError) as error:
        raise SourceError(Failure.MALFORMED, f"{series}: cannot be read ({error!r})") from error
    return sorted(rows, key=lambda row: row.about)
