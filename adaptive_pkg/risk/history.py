"""The bot's closed trades, read into the ledger once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.ledger import ClosedTrade, TradeLedger


class FinishedTrade(Protocol):
    """What is read of a closed trade (freqtrade's Trade and LocalTrade have it)."""

    id: int
    close_date_utc: datetime
    close_profit_abs: float
    enter_tag: str | None


class TradeHistory:
    """Keeps a TradeLedger in step with a list of closed trades that only grows.

    Reading on costs only the trades that are new. A list that was replaced or has shrunk (freqtrade starts
    a new one for every backtest and hyperopt epoch) starts a new ledger.
    """

    def __init__(
        self,
        regime_of: Callable[[str | None], Regime | None],
        r_multiple_of: Callable[[FinishedTrade], float | None],
    ) -> None:
        self._regime_of = regime_of
        self._r_multiple_of = r_multiple_of
        self.ledger = TradeLedger()
        self._source: Sequence[FinishedTrade] | None = None
        self._read = 0
        self._useless: set[int] = set()  # a look-up each, so none is asked twice

    def follow(self, trades: Sequence[FinishedTrade], now: datetime) -> TradeLedger:
        """Read on in an append-only list (a backtest's) and return the ledger as of strictly before `now`."""
        if trades is not self._source or len(trades) < self._read:
            self.ledger, self._source, self._read = TradeLedger(), trades, 0
        for index in range(self._read, len(trades)):
            self._record(trades[index])
        self._read = len(trades)
        self.ledger.advance_to(now)
        return self.ledger

    def merge(self, trades: Sequence[FinishedTrade], now: datetime) -> TradeLedger:
        """Take in all closed trades of a database (live) and return the ledger as of strictly before `now`.

        A trade that turns up late, closed before one already counted, makes the ledger be built anew.
        """
        by_close = sorted(trades, key=lambda item: item.close_date_utc)
        try:
            self._record_new(by_close)
            self.ledger.advance_to(now)
        except RiskError:
            self.ledger = TradeLedger()
            self._record_new(by_close)
            self.ledger.advance_to(now)
        return self.ledger

    def _record_new(self, trades: Sequence[FinishedTrade]) -> None:
        for trade in trades:
            if trade.id not in self.ledger and trade.id not in self._useless:
                self._record(trade)

    def _record(self, trade: FinishedTrade) -> None:
        """Queue one trade. Trades that are not ours (no regime in the tag, no stop plan) teach nothing."""
        regime = self._regime_of(trade.enter_tag)
        r_multiple = None if regime is None else self._r_multiple_of(trade)
        if r_multiple is None:
            self._useless.add(trade.id)
            return
        self.ledger.record(
            ClosedTrade(trade.id, trade.close_date_utc, regime, r_multiple, trade.close_profit_abs)
        )
