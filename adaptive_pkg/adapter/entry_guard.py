"""What stands between a decided entry and its order while the bot trades: the breaker, and the market."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adaptive_pkg.adapter.open_trade import OpenTrade
from adaptive_pkg.adapter.venue_address import endpoints_of, proxy_of
from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.gateway import ExchangeGateway, PairMarket
from adaptive_pkg.market.closed_candles import ClosedCandles, PairCandles
from adaptive_pkg.risk.breaker import BreakerState, CircuitBreaker, DayResult, Trip, midnight
from adaptive_pkg.risk.entry_gate import MarketReading, check_feed, judge_market
from adaptive_pkg.settings import AdaptiveSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """Whether the entry may go on; `guard` names who refused: "breaker" or "market"."""

    allowed: bool
    reason: str
    guard: str = ""


class EntryGuard:
    """Asks the breaker, then the market. Only entries ask it; stops and exits do not know it.

    Freqtrade makes one entry at a time, its API's and Telegram's included, so the breaker needs no lock.

    Args:
        settings: gate, breaker, exchange and the switches of both.
        candles: the closed candles of every pair.
        on_breaker: called when the breaker opens and when it has closed again.
    """

    def __init__(
        self,
        settings: AdaptiveSettings,
        candles: ClosedCandles,
        on_breaker: Callable[[str], None] = logger.info,
    ):
        self.breaker = CircuitBreaker(settings.breaker)
        self.gateway: ExchangeGateway | None = None
        self._settings, self._candles = settings, candles
        self._on_breaker = on_breaker
        self._told = Trip.NONE
        self._unserved = False  # said that this exchange has no gateway

    # --- the gateway's life ---------------------------------------------------------------------------

    def keep_watch(
        self, config: Mapping[str, Any], pairs: Iterable[str], market: Callable[[str], Mapping | None]
    ) -> None:
        """A turn of the bot's loop: start the gateway if need be, and follow the whitelist.

        Args:
            config: freqtrade's. market: pair → ccxt's market; None: not listed.
        """
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
        listed = {pair: market(pair) for pair in pairs}
        self.gateway.watch({pair: found["id"] for pair, found in listed.items() if found})

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
        """Whether an entry may go on. Waits for the order book.

        Args:
            notional: value of the position. equity: of the account, open trades at cost.
            trades: freqtrade's `Trade.get_trades_proxy`.

        Raises:
            RiskError, DataError: a number is unusable. Refuse the entry.
        """
        if self._settings.components.circuit_breaker:
            closed = trades(is_open=False, close_date=midnight(now))
            day = day_result(closed, trades(is_open=True), equity, self.price)
            state = self._breaker_state(now, self._candles.get(pair), day)
            if not state.closed:
                return GuardVerdict(False, f"{state.trip}: {state.reason}", "breaker")
        if self.gateway is None:
            return GuardVerdict(True, "the market is not checked")
        gate = self._settings.gate
        try:
            if stale := check_feed(self.gateway.quote(pair).age_seconds, gate):
                return GuardVerdict(False, stale.reason, "market")
            reading = market_reading(self.gateway.read_market(pair), gate.depth_band)
        except ExchangeError as error:
            self.failed(str(error), now)
            return GuardVerdict(False, str(error), "market")
        self.succeeded()
        verdict = judge_market(reading, side, notional, gate)
        return GuardVerdict(verdict.allowed, verdict.reason, "" if verdict.allowed else "market")

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

    def _breaker_state(self, now: datetime, candles: PairCandles, day: DayResult) -> BreakerState:
        seconds = candles.timeframe_seconds
        age = now.timestamp() - (candles.starts[-1] + seconds) if len(candles.starts) else math.nan
        state = self.breaker.state(now, candle_age_seconds=age, candle_seconds=seconds, day=day)
        changed, self._told = state.trip is not self._told, state.trip
        if changed:
            until = f", until {state.until:%F %H:%M} UTC at least" if state.until else ""
            resting = f"entries rest: {state.trip}: {state.reason}{until}"
            self._on_breaker("entries go on again" if state.closed else resting)
        return state


def market_reading(market: PairMarket, band: float) -> MarketReading:
    """What the gate judges. Of the book's spread and the stream's the wider one counts."""
    bids, asks = market.book.depth(band)
    return MarketReading(
        market.quote.age_seconds,
        max(market.book.spread, market.quote.spread),
        bids,
        asks,
        math.nan if market.funding is None else market.funding,
    )


def day_result(
    closed_today: Iterable[Any],
    open_trades: Iterable[OpenTrade],
    equity: float,
    price: Callable[[str], float],
) -> DayResult:
    """The day so far, from freqtrade's trades.

    Args:
        closed_today: trades closed since midnight UTC. equity: open trades at cost.
        price: pair → present price; NaN: a trade counts at cost.
    """
    open_profit = 0.0
    for trade in open_trades:
        now = price(trade.pair)
        if trade.amount:  # else nothing has filled
            open_profit += (trade.calc_profit(now) if math.isfinite(now) else 0.0) + trade.realized_profit
    return DayResult(sum(trade.close_profit_abs for trade in closed_today), open_profit, equity)
