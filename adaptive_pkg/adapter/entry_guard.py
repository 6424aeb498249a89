"""What stands between a decided entry and its order while the bot trades: breaker, market, lost orders.

And between freqtrade and a venue that has told it to wait: see `ccxt_guard`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adaptive_pkg.adapter.ccxt_guard import guard_exchange
from adaptive_pkg.adapter.messages import Messages
from adaptive_pkg.adapter.open_trade import OpenTrade
from adaptive_pkg.adapter.orphans import OrphanWatch, watch_bot
from adaptive_pkg.adapter.venue_address import endpoints_of, proxy_of
from adaptive_pkg.errors import ExchangeError, StateError, UnreachableError
from adaptive_pkg.exchange.gateway import ExchangeGateway
from adaptive_pkg.exchange.holds import HostHolds
from adaptive_pkg.market.closed_candles import ClosedCandles, PairCandles
from adaptive_pkg.risk.breaker import BreakerState, CircuitBreaker, DayResult, Trip, day_result, midnight
from adaptive_pkg.risk.entry_gate import judge_market, market_reading
from adaptive_pkg.settings import AdaptiveSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """Whether the entry may go on; `guard` names who refused: "breaker", "market" or "lost order"."""

    allowed: bool
    reason: str
    guard: str = ""


class EntryGuard:
    """Asks the breaker, then the market, then for lost orders. Stops and exits never wait for it.

    Freqtrade makes one entry at a time, its API's and Telegram's included, so the breaker needs no lock.

    Args:
        settings: gate, breaker, exchange and the switches of both.
        candles: the closed candles of every pair.
        messages: told when the breaker opens and has closed again, and of orders that freqtrade has lost.
        orphans: looks for such orders; None in a dry run, which has none. `attach` makes it.
        holds: until when nothing may be sent to which host.
    """

    def __init__(
        self,
        settings: AdaptiveSettings,
        candles: ClosedCandles,
        messages: Messages,
        orphans: OrphanWatch | None = None,
        holds: HostHolds | None = None,
    ):
        self.breaker = CircuitBreaker(settings.breaker)
        self.gateway: ExchangeGateway | None = None
        self._settings, self._candles = settings, candles
        self._messages, self._orphans = messages, orphans
        self._holds = holds or HostHolds(settings.exchange.limiter.ban_seconds)
        self._looked = False  # for lost orders, since the start
        self._told = Trip.NONE
        self._unserved = False  # said that this exchange has no gateway

    # --- the bot's life -------------------------------------------------------------------------------

    def attach(self, dp: Any, wallets: Any, trades: Callable[..., Iterable[Any]]) -> None:
        """Begin to watch a bot: its account for lost orders, its exchange's clients for a Retry-After.

        Args:
            dp, wallets: the strategy's. trades: freqtrade's `Trade.get_trades_proxy`.
        """
        self._orphans = watch_bot(dp, wallets, trades)
        if self._settings.exchange.respect_retry_after:
            guard_exchange(getattr(dp, "_exchange", None), self._holds)

    def keep_watch(
        self, config: Mapping[str, Any], dp: Any, now: datetime, open_trades: Iterable[OpenTrade]
    ) -> None:
        """A turn of the bot's loop: look for lost orders, keep the gateway up, follow the whitelist.

        Args:
            config: freqtrade's. dp: its DataProvider, for whitelist and markets.
        """
        pairs = dp.current_whitelist()
        if self._orphans is not None:
            if not self._looked:
                held = (trade.pair for trade in open_trades)
                self._orphans.start(list(dict.fromkeys([*held, *pairs])), now)
                self._looked = True
            if text := self._orphans.unheard(now):
                pair, _, words = text.partition(": ")
                self._messages.refused(pair, "lost order", words)
        if not self._settings.components.market_gate or self._unserved:
            return
        if self.gateway is None:
            endpoints = endpoints_of(config)
            if endpoints is None:
                self._unserved = True
                name = (config.get("exchange") or {}).get("name")
                logger.warning(f"{name}: spread, depth and funding are checked on binance only, not here")
                return
            self.gateway = ExchangeGateway(endpoints, self._settings.exchange, proxy_of(config))
            self._holds.join(endpoints.rest, self.gateway.limiter)
        listed = {pair: dp.market(pair) for pair in pairs}
        self.gateway.watch({pair: found["id"] for pair, found in listed.items() if found and found.get("id")})

    def close(self) -> None:
        """End the gateway."""
        if self.gateway is not None:
            self.gateway.stop()

    # --- an entry -------------------------------------------------------------------------------------

    def admit(
        self,
        pair: str,
        side: str,
        notional: float,
        now: datetime,
        *,
        equity: float,
        trades: Callable[..., Iterable[Any]],
    ) -> GuardVerdict:
        """Whether an entry may go on; it is then taken to be sent. Waits for the order book.

        Args:
            notional: value of the position. equity: of the account, open trades at cost.
            trades: freqtrade's `Trade.get_trades_proxy`.

        Raises:
            RiskError, DataError: a number is unusable. Refuse the entry.
        """
        if resting := self._rest(pair, now, equity, trades):
            return GuardVerdict(False, resting, "breaker")
        verdict = self._market(pair, side, notional, now)
        if not verdict.allowed:
            return GuardVerdict(False, f"market: {verdict.reason}", "market")
        if self._orphans is not None and (reason := self._orphans.before_order(pair, now)):
            return GuardVerdict(False, reason, "lost order")
        return verdict

    def _market(self, pair: str, side: str, notional: float, now: datetime) -> GuardVerdict:
        if self.gateway is None:
            return GuardVerdict(True, "the market is not checked")
        gate = self._settings.gate
        if hold := self._holds.held(self.gateway.endpoints.rest):
            return GuardVerdict(False, hold.text, "market")  # and no failure: it was told to wait
        try:
            if not self.gateway.quote(pair).live:
                return GuardVerdict(False, "the stream of bids and asks is down", "market")
            market = self.gateway.read_market(pair)
        except UnreachableError as error:  # the venue's fault, not this pair's
            self.failed(str(error), now)
            return GuardVerdict(False, str(error), "market")
        except ExchangeError as error:
            return GuardVerdict(False, str(error), "market")
        self.succeeded()
        reading = market_reading(market.book, market.quote, market.funding, gate)
        verdict = judge_market(reading, side, notional, gate)
        return GuardVerdict(verdict.allowed, verdict.reason, "" if verdict.allowed else "market")

    def may_add(self, pair: str, now: datetime, wallets: Any, trades: Callable[..., Iterable[Any]]) -> None:
        """One more buy of an open trade goes out now.

        Args:
            wallets: freqtrade's. trades: its `Trade.get_trades_proxy`.

        Raises:
            StateError: the breaker is open, or an order before it may be lost.
        """
        reason = self._rest(pair, now, wallets.get_total_stake_amount(), trades)
        if not reason and self._orphans is not None:
            reason = self._orphans.before_order(pair, now)
        if reason:
            raise StateError(reason)

    def exits(self, pair: str, now: datetime) -> None:
        """An exit is being sent; it never waits."""
        if self._orphans is not None:
            self._orphans.sending(pair, now)

    def failed(self, what: str, now: datetime) -> None:
        """Something that entries rely on has failed."""
        self.breaker.failed(what, now)

    def succeeded(self) -> None:
        """It has worked."""
        self.breaker.succeeded()

    def price(self, pair: str) -> float:
        """The pair's price now: between bid and ask, else its newest close; NaN where neither is known."""
        try:
            middle = self.gateway.quote(pair).middle if self.gateway else math.nan
        except ExchangeError:
            middle = math.nan  # held, but no longer on the whitelist
        if math.isfinite(middle) or self._candles.latest(pair) is None:
            return middle
        return self._candles.get(pair).column("close")[-1]

    def _rest(self, pair: str, now: datetime, equity: float, trades: Callable[..., Iterable]) -> str:
        """Why the breaker lets nothing be bought; empty: it does."""
        if not self._settings.components.circuit_breaker:
            return ""
        closed = trades(is_open=False, close_date=midnight(now))
        day = day_result(closed, trades(is_open=True), equity, self.price)
        state = self._breaker_state(now, self._candles.get(pair), day)
        return "" if state.closed else f"{state.trip}: {state.reason}"

    def _breaker_state(self, now: datetime, candles: PairCandles, day: DayResult) -> BreakerState:
        seconds = candles.timeframe_seconds
        age = now.timestamp() - (candles.starts[-1] + seconds) if len(candles.starts) else math.nan
        state = self.breaker.state(now, candle_age_seconds=age, candle_seconds=seconds, day=day)
        changed, self._told = state.trip is not self._told, state.trip
        if changed:
            until = f", until {state.until:%F %H:%M} UTC at least" if state.until else ""
            resting = f"entries rest: {state.trip}: {state.reason}{until}"
            self._messages.breaker("entries go on again" if state.closed else resting)
        return state
