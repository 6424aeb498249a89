"""Closed trades as running counts: what sizing may know at a moment, and nothing that came later."""

from __future__ import annotations

import heapq
import math
import operator
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """One finished trade.

    Args:
        trade_id: unique in its ledger. closed_at: aware datetime or UTC nanoseconds; kept as nanoseconds.
        regime: at the entry. r_multiple: profit after fees ÷ initial risk (`StopPlan.r_multiple`).
        profit_abs: profit after fees in stake currency.

    Raises:
        RiskError: a naive datetime, or a number that is not finite.
    """

    trade_id: Hashable
    closed_at: int
    regime: Regime
    r_multiple: float
    profit_abs: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "closed_at", to_nanoseconds(self.closed_at))
        if not (math.isfinite(self.r_multiple) and math.isfinite(self.profit_abs)):
            raise RiskError(
                f"trade {self.trade_id!r}: r_multiple {self.r_multiple!r} and profit_abs "
                f"{self.profit_abs!r} must be finite"
            )


@dataclass(slots=True)
class RunningStats:
    """Sums over trades in R. A trade at exactly 0 R counts as a loss of 0, so the sums give the true mean."""

    n: int = 0
    wins: int = 0
    win_sum: float = 0.0  # R of the winners
    loss_sum: float = 0.0  # R of the losers, positive
    square_sum: float = 0.0  # R² of all

    def add(self, r_multiple: float) -> None:
        self.n += 1
        self.square_sum += r_multiple * r_multiple
        if r_multiple > 0.0:
            self.wins += 1
            self.win_sum += r_multiple
        else:
            self.loss_sum -= r_multiple

    @property
    def losses(self) -> int:
        return self.n - self.wins

    @property
    def mean(self) -> float:
        """Mean R; 0 without trades."""
        return (self.win_sum - self.loss_sum) / self.n if self.n else 0.0


class TradeLedger:
    """Append-only counts of closed trades, per regime and pooled, with the drawdown of their profits.

    `record` queues a trade; `advance_to(now)` lets in those that closed strictly before `now`. A trade closed
    in the very candle that is being decided on is therefore never used, in backtest and live alike. A trade
    costs O(log queue) once, a question O(1): nothing is ever scanned again.
    """

    def __init__(self) -> None:
        self.pooled = RunningStats()
        self.by_regime: dict[Regime, RunningStats] = {regime: RunningStats() for regime in Regime}
        self.profit = 0.0  # of all settled trades, stake currency
        self.peak_profit = 0.0  # highest it has been
        self._pending: list[tuple[int, int, ClosedTrade]] = []
        self._ids: set[Hashable] = set()
        self._last_closed_at: int | None = None
        self._now: int | None = None

    def __len__(self) -> int:
        """Settled trades."""
        return self.pooled.n

    def __contains__(self, trade_id: Hashable) -> bool:
        """Whether the trade was recorded, settled or not."""
        return trade_id in self._ids

    @property
    def pending(self) -> int:
        """Trades recorded but not yet strictly in the past."""
        return len(self._pending)

    def record(self, trade: ClosedTrade) -> None:
        """Queue a closed trade until the clock has passed it. Order within the queue does not matter.

        Raises:
            RiskError: the id is known, or the trade closed before one that has already been counted.
        """
        self._check(trade)
        self._ids.add(trade.trade_id)
        heapq.heappush(self._pending, (trade.closed_at, len(self._ids), trade))

    def advance_to(self, now: datetime | int) -> int:
        """Count every queued trade that closed strictly before `now`; returns how many.

        Raises:
            RiskError: `now` lies before an earlier `now`: a new run needs a new ledger.
        """
        moment = to_nanoseconds(now)
        if self._now is not None and moment < self._now:
            raise RiskError(
                f"now: {moment} ns is before {self._now} ns, which was already reached; start a new ledger"
            )
        self._now = moment
        settled = 0
        while self._pending and self._pending[0][0] < moment:
            self._settle(heapq.heappop(self._pending)[2])
            settled += 1
        return settled

    def add(self, trade: ClosedTrade) -> None:
        """Count a trade at once; the caller vouches that it closed before now. Oldest first.

        Raises:
            RiskError: the id is known, the trade closed before the last one counted, or older are queued.
        """
        self._check(trade)
        if self._pending and self._pending[0][0] < trade.closed_at:
            raise RiskError(
                f"trade {trade.trade_id!r}: older trades are queued; call advance_to first, or record it too"
            )
        self._ids.add(trade.trade_id)
        self._settle(trade)

    def drawdown(self, equity: float) -> float:
        """Fall of equity from its peak, as a fraction of the peak: closed profits only, deposits left out.

        Args:
            equity: now, of the whole account, open profit left out.

        Raises:
            RiskError: equity is not a finite number above 0.
        """
        if not 0.0 < equity < math.inf:
            raise RiskError(f"equity: {equity!r} is not a finite number above 0; refuse the entry")
        fall = self.peak_profit - self.profit
        return fall / (equity + fall)

    def _check(self, trade: ClosedTrade) -> None:
        if trade.trade_id in self._ids:
            raise RiskError(f"trade {trade.trade_id!r} is already in the ledger; record each trade once")
        if self._last_closed_at is not None and trade.closed_at < self._last_closed_at:
            raise RiskError(
                f"trade {trade.trade_id!r} closed at {trade.closed_at} ns, before a trade already counted "
                f"({self._last_closed_at} ns); rebuild the ledger from all trades"
            )

    def _settle(self, trade: ClosedTrade) -> None:
        self._last_closed_at = trade.closed_at
        self.pooled.add(trade.r_multiple)
        self.by_regime[trade.regime].add(trade.r_multiple)
        self.profit += trade.profit_abs
        self.peak_profit = max(self.peak_profit, self.profit)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_nanoseconds(moment: datetime | int) -> int:
    """UTC nanoseconds since 1970, exactly.

    Raises:
        RiskError: a naive datetime, or neither a datetime nor a whole number.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise RiskError(f"{moment!r} has no time zone; give UTC")
        since = moment - _EPOCH
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    try:
        return operator.index(moment)
    except TypeError:
        raise RiskError(f"{moment!r} is neither an aware datetime nor whole nanoseconds") from None
