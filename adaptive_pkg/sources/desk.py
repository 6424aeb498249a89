"""`SourceDesk`: what a strategy asks of outside data: columns for its candles, kept fresh while it lives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.polling.keeper import SourceKeeper
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.columns import add_source_columns
from adaptive_pkg.sources.registry import SourceRegistry, read_keys
from adaptive_pkg.store.observations import ObservationStore

logger = logging.getLogger(__name__)


class SourceDesk:
    """One for a bot's life. With `settings.enabled` off it opens nothing and its columns are neutral.

    Args:
        timeframe_seconds: length of the strategy's candles.

    Raises:
        DataError: the store cannot be opened: better at the start than in the middle of the night.
    """

    def __init__(self, settings: SourcesSettings, timeframe_seconds: int):
        self._settings, self._seconds = settings, timeframe_seconds
        self._store: ObservationStore | None = None
        self._keeper: SourceKeeper | None = None
        self._said: set[str] = set()
        if settings.enabled:
            self._store = ObservationStore(settings.path)
            if not self._store.states():
                logger.warning(
                    "%s is empty: outside data are neutral; fill it (`adaptive sources import`, `update`)",
                    settings.path,
                )

    def start(self, coins: Sequence[str], environment: Mapping[str, str]) -> None:
        """Poll from now on, in the background: live only. A second call changes nothing.

        Raises:
            SettingsError: an enabled source has no key.
            SourceError: texts are to be read, and VADER is not installed.
        """
        if self._store is None or self._keeper is not None:
            return
        registry = SourceRegistry(self._settings, coins, read_keys(environment))
        self._keeper = SourceKeeper(registry, self._store, self._settings.polling)
        self._keeper.beat()

    def beat(self) -> None:
        """The bot lives: polling goes on. Call it in every loop; nothing happens before `start`."""
        if self._keeper is not None:
            self._keeper.beat()

    def add_columns(self, candles: pd.DataFrame, coin: str) -> pd.DataFrame:
        """Candles with the columns of `SOURCE_COLUMNS`, as known at each close.

        A store that cannot be read is logged once, and its columns are neutral. Raises DataError for
        candles without dates in UTC.
        """
        nothing = replace(self._settings, enabled=False)
        if self._store is None:
            return add_source_columns(candles, coin, _no_history, nothing, self._seconds)
        try:
            return add_source_columns(candles, coin, self._store.history, self._settings, self._seconds)
        except AdaptiveError as error:
            if str(error) not in self._said:
                self._said.add(str(error))
                logger.warning("outside data are neutral: %s", error)
            return add_source_columns(candles, coin, _no_history, nothing, self._seconds)

    def stop(self) -> None:
        """End polling and let the store go."""
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None  # a late beat must not start it again
        if self._store is not None:
            self._store.close()


def _no_history(series: str) -> pd.DataFrame:
    raise AssertionError("switched off: nothing is read")
