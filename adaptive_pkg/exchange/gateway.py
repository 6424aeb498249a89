"""`ExchangeGateway`: every added exchange call of a bot, on one background loop.

    gateway = ExchangeGateway(endpoints, settings)
    gateway.watch({"BTC/USDT": "BTCUSDT"})        # starts the loop, renews its lease
    market = gateway.read_market("BTC/USDT")      # from any thread of the bot
    gateway.stop()

REST goes through one rate limiter, the best bids and asks come over one stream that reconnects by itself, and
whoever reads a pair's market for an entry has that pair to himself. Without a sign of life from its owner the
loop ends by itself, so a bot that was stopped without goodbye leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from adaptive_pkg.errors import ExchangeError, UnreachableError
from adaptive_pkg.exchange.backoff import ConnectBudget
from adaptive_pkg.exchange.endpoints import Endpoints, bid_ask_stream
from adaptive_pkg.exchange.gateway_loop import GatewayLoop
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter, LimiterStatus
from adaptive_pkg.exchange.link import LinkState, LinkStats
from adaptive_pkg.exchange.lock_names import LockKind, LockStats
from adaptive_pkg.exchange.market_data import ClockReading
from adaptive_pkg.exchange.order_book import OrderBook
from adaptive_pkg.exchange.quotes import Quote
from adaptive_pkg.exchange.trading_state import SafeTradingState
from adaptive_pkg.settings.exchange import ExchangeSettings

T = TypeVar("T")
_PATIENCE = 1.5  # a caller waits so much longer than the work itself may take


@dataclass(frozen=True, slots=True)
class PairMarket:
    """A pair's market at one moment. `funding`: what a long pays for the interval; None: no perpetual."""

    book: OrderBook
    quote: Quote
    funding: float | None


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What the gateway is doing. `clock` is None until the venue has told its time."""

    running: bool
    stream: LinkState
    stream_stats: LinkStats | None
    limiter: LimiterStatus
    locks: Mapping[LockKind, LockStats]
    clock: ClockReading | None


class ExchangeGateway:
    """The added calls of one bot to one market. Every method may be called from any thread.

    Args:
        endpoints: where the calls go.
        settings: budget, locks, stream, gateway.
        proxy: address of an HTTP proxy for REST.
        clock: monotonic seconds, for the lease and the age of quotes.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        settings: ExchangeSettings | None = None,
        proxy: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.endpoints = endpoints
        self.settings = settings = settings or ExchangeSettings()
        self.limiter = AdaptiveRateLimiter(endpoints.rules, settings.limiter)
        self.state = SafeTradingState(settings.state)
        self._connects = ConnectBudget(settings.stream.connects, settings.stream.connects_window_seconds)
        self._proxy, self._now = proxy, clock
        self._symbols: dict[str, str] = {}
        self._lease_until = -math.inf
        self._life = threading.Lock()  # start and stop, one at a time
        self._loop: GatewayLoop | None = None

    def watch(self, symbols: Mapping[str, str]) -> None:
        """Keep these pairs' bids and asks coming: a sign of life, which also starts the loop.

        Args:
            symbols: pair → the venue's symbol.
        """
        with self._life:
            self._lease_until = self._now() + self.settings.gateway.lease_seconds
            self._symbols = dict(symbols)
            if self._loop is None or not self._loop.alive:
                self._loop = GatewayLoop(
                    self.endpoints,
                    self.settings,
                    self.limiter,
                    self._connects,
                    self._proxy,
                    lambda: self._now() > self._lease_until,
                    self._now,
                )
            self._loop.want(tuple(bid_ask_stream(symbol) for symbol in symbols.values()))

    def stop(self) -> None:
        """End the loop, its connections and its thread. Does nothing if it is not running."""
        with self._life:
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.stop()

    @property
    def running(self) -> bool:
        """Whether the loop is alive."""
        loop = self._loop
        return loop is not None and loop.alive

    def quote(self, pair: str) -> Quote:
        """The pair's newest best bid and ask. Waits for nothing. Raises ExchangeError: it is not watched."""
        symbol, loop = self._symbol(pair), self._loop
        return Quote(math.nan, math.nan, math.inf, live=False) if loop is None else loop.quote(symbol)

    def read_market(self, pair: str) -> PairMarket:
        """The pair's order book (and funding), asked for now; waits at most 1.5 × `answer_seconds`.

        Raises:
            ExchangeError: no usable answer in time, or the gateway is not running. Skip the entry.
            LockTimeoutError: somebody else is trading the pair; the message names him.
        """
        symbol, timeout = self._symbol(pair), self.settings.gateway.answer_seconds
        with self.state.turn(pair):
            loop = self._loop
            if loop is None or not loop.alive:
                raise ExchangeError("the gateway is not running; skip the entry")
            book, funding = self._wait_for(loop, loop.ask(symbol, timeout), timeout * _PATIENCE)
            return PairMarket(book, loop.quote(symbol), funding)

    def status(self) -> GatewayStatus:
        """Where everything stands."""
        loop = self._loop
        stream = loop.stream if loop is not None else None
        return GatewayStatus(
            self.running,
            stream.state if stream else LinkState.IDLE,
            stream.stats if stream else None,
            self.limiter.status(),
            self.state.statistics(),
            loop.clock if loop else None,
        )

    @staticmethod
    def _wait_for(loop: GatewayLoop, work: Coroutine[Any, Any, T], seconds: float) -> T:
        try:
            future: Future[T] = asyncio.run_coroutine_threadsafe(work, loop.loop)
        except RuntimeError as error:
            work.close()
            raise ExchangeError("the gateway has just closed; skip the entry") from error
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise UnreachableError(f"the gateway's loop gave no answer within {seconds:g} s") from None

    def _symbol(self, pair: str) -> str:
        if pair not in self._symbols:
            raise ExchangeError(f"{pair}: not among the pairs watched: {', '.join(sorted(self._symbols))}")
        return self._symbols[pair]
