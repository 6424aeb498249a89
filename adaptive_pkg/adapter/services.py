"""What lives beside the strategy: messages, entry guard, outside data, decision journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import pandas as pd

from adaptive_pkg.adapter.entry_guard import EntryGuard
from adaptive_pkg.adapter.journal_desk import JournalDesk
from adaptive_pkg.adapter.messages import Messages
from adaptive_pkg.adapter.trade_desk import TradeDesk
from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.policy.decision import LearnedOpinion
from adaptive_pkg.policy.judgement import Judgement
from adaptive_pkg.risk.planner import EntrySize
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.settings.places import resolve_path
from adaptive_pkg.sources.desk import SourceDesk


class Verdict(Protocol):
    """Whether an entry may go on, and why."""

    allowed: bool
    reason: str


class Services:
    """Begun together, kept alive by the bot's loop, ended together; each is told of what concerns it.

    guard: None unless the bot trades.

    Args:
        timeframe, timeframe_seconds: of the strategy's candles.
    """

    def __init__(self, settings: AdaptiveSettings, desk: TradeDesk, timeframe: str, timeframe_seconds: int):
        self.messages = Messages(settings.messages, desk)
        self.journal = JournalDesk(settings, timeframe, timeframe_seconds)
        self.guard: EntryGuard | None = None
        self._settings, self._desk, self._seconds = settings, desk, timeframe_seconds
        self._sources: SourceDesk | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Hyperopt sends its strategy to its workers, which read no more candles: an open file stays here."""
        return {**vars(self), "_sources": None}

    # --- the bot's life -------------------------------------------------------------------------------

    def begin(self, mode: str, config: Mapping[str, Any], settings: AdaptiveSettings) -> None:
        """A run of any kind begins; `mode` is freqtrade's run mode, `settings` those traded by.

        Raises:
            DataError: the store of outside data cannot be opened.
        """
        self.journal.begin(mode, config, settings)
        if settings.sources.enabled:
            path = resolve_path(settings.sources.path, config.get("user_data_dir"))
            self._sources = SourceDesk(replace(settings.sources, path=str(path)), self._seconds)

    def trade(
        self,
        dp: Any,
        wallets: Any,
        trades: Callable[..., Iterable[Any]],
        secrets: Iterable[str],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """The bot trades, dry or live: from now on it is guarded, speaks, and asks for outside data.

        Args:
            dp, wallets: the strategy's. trades: freqtrade's `Trade.get_trades_proxy`. secrets: told nobody.

        Raises:
            SettingsError: an enabled source of outside data has no key.
        """
        self.messages.connect(dp, secrets)
        self.guard = EntryGuard(self._settings, self._desk.candles, self.messages)
        self.guard.attach(dp, wallets, trades)
        if self._sources is not None:
            self._sources.start([coin_of(pair) for pair in dp.current_whitelist()], environment)

    def beat(self, config: Mapping[str, Any], dp: Any, now: datetime, open_trades: Iterable[Any]) -> None:
        """A turn of the bot's loop."""
        if self.guard is not None:
            self.guard.keep_watch(config, dp, now, open_trades)
        if self._sources is not None:
            self._sources.beat()

    def end(self) -> None:
        """Shutdown, or a reload. Each part is ended, whatever another one raises."""
        with ExitStack() as parts:  # the last one first
            parts.callback(self.journal.close)
            if self._sources is not None:
                parts.callback(self._sources.stop)
            if self.guard is not None:
                parts.callback(self.guard.close)

    # --- what is known, and what happens ----------------------------------------------------------------

    @property
    def opinion(self) -> LearnedOpinion | None:
        """What was learned from past candidates; None: not asked."""
        return self.journal.opinion

    def outside_data(self, candles: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Candles with the columns of outside data, as known at each close; as they are without any."""
        return candles if self._sources is None else self._sources.add_columns(candles, coin_of(pair))

    def analysed(
        self, pair: str, frame: pd.DataFrame, judgement: Judgement, settings: AdaptiveSettings
    ) -> None:
        """A pair's candles were judged."""
        self.messages.analysed(pair, frame, judgement, settings)
        self.journal.analysed(pair, frame, judgement, settings)

    def sized(self, pair: str, side: str, tag: str | None, now: datetime, size: EntrySize) -> None:
        """A stake was decided."""
        self.messages.sized(pair, tag, size)
        self.journal.sized(pair, now, side, size.first_stake, size.reason)

    def answered(
        self, pair: str, side: str, tag: str | None, now: datetime, verdict: Verdict, cause: str, trades: int
    ) -> None:
        """An entry was confirmed, or refused by `cause`, with so many trades open."""
        if not verdict.allowed:
            self.messages.refused(pair, cause, f"{side} entry ({tag}) refused: {verdict.reason}")
        self.journal.answered(pair, now, side, verdict.allowed, cause, verdict.reason, trades)

    def failed(self, pair: str, side: str, error: Exception, now: datetime) -> None:
        """An entry is refused by an error; a defect of ours counts for the breaker."""
        self.messages.failed(pair, error)
        self.journal.answered(pair, now, side, False, "error", str(error))
        if self.guard is not None and not isinstance(error, AdaptiveError):
            self.guard.failed(repr(error), now)


def coin_of(pair: str) -> str:
    """BTC of BTC/USDT and of BTC/USDT:USDT."""
    return pair.partition("/")[0]
