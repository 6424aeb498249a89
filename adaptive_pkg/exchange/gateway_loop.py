"""One life of the gateway's background loop: a thread with a session, a stream, and the venue's clock."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import aiohttp

from adaptive_pkg.errors import AdaptiveError, ExchangeError
from adaptive_pkg.exchange.backoff import ConnectBudget
from adaptive_pkg.exchange.dialer import open_connection
from adaptive_pkg.exchange.endpoints import Endpoints
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.link import LinkState
from adaptive_pkg.exchange.market_data import ClockReading, MarketData
from adaptive_pkg.exchange.order_book import OrderBook
from adaptive_pkg.exchange.quotes import Quote, Quotes
from adaptive_pkg.exchange.websocket import ResilientWebSocket
from adaptive_pkg.settings.exchange import ExchangeSettings

logger = logging.getLogger(__name__)

JOIN_SECONDS = 10.0
_TICK_SECONDS = 1.0
_INFO_PATIENCE = 10  # exchangeInfo is megabytes
_RETRY_SECONDS = 30.0  # after a clock check that failed


class GatewayLoop:
    """From its thread's start to its end.

    Args:
        limiter, connects: budgets that outlive this loop.
        lease_over: whether the owner has been silent for too long.
        now: monotonic seconds.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        settings: ExchangeSettings,
        limiter: AdaptiveRateLimiter,
        connects: ConnectBudget,
        proxy: str | None,
        lease_over: Callable[[], bool],
        now: Callable[[], float],
    ):
        self.loop = asyncio.new_event_loop()
        self.stream: ResilientWebSocket | None = None
        self.clock: ClockReading | None = None
        self._endpoints, self._settings = endpoints, settings
        self._limiter, self._connects, self._proxy = limiter, connects, proxy
        self._lease_over, self._now = lease_over, now
        self._wanted: tuple[str, ...] = ()
        self._ending = asyncio.Event()
        self._data: MarketData | None = None
        self._quotes = Quotes()
        self._funding: dict[str, tuple[float, float]] = {}  # symbol: (good until, rate)
        self._thread = threading.Thread(target=self._serve, name="exchange-gateway", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._thread.is_alive() and not self._ending.is_set()

    def want(self, streams: tuple[str, ...]) -> None:
        """Subscribe these, and no others."""
        if streams != self._wanted:
            self._wanted = streams
            self._call(self._subscribe)

    def stop(self) -> None:
        """End it, and wait for its thread."""
        self._call(self._ending.set)
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)
            if self._thread.is_alive():
                logger.warning("the gateway's thread has not ended within %g s", JOIN_SECONDS)

    def quote(self, symbol: str) -> Quote:
        """The newest bid and ask. From any thread."""
        live = self.alive and self.stream is not None and self.stream.state is LinkState.LIVE
        return self._quotes.get(symbol, self._now(), live=live)

    async def ask(self, symbol: str, timeout: float) -> tuple[OrderBook, float | None]:
        """The order book now, and what a long pays in funding (None: no perpetual). Raises ExchangeError."""
        if self._data is None:
            raise ExchangeError("the gateway has no connection yet; skip the entry")
        book = self._data.order_book(symbol, self._settings.gateway.book_levels, timeout)
        if self._endpoints.perpetual:
            answer = await asyncio.gather(book, self._funding_rate(symbol, timeout))
        else:
            answer = [await book, None]
        if self.stream is not None:
            self.stream.nudge()  # REST answers, so the stream need not wait longer
        return answer[0], answer[1]

    async def _funding_rate(self, symbol: str, timeout: float) -> float:
        assert self._data is not None
        now, known = self.loop.time(), self._funding.get(symbol)
        if known is None or known[0] <= now:
            rate = await self._data.funding(symbol, timeout)
            known = self._funding[symbol] = (now + self._settings.gateway.funding_seconds, rate)
        return known[1]

    # --- the thread -----------------------------------------------------------------------------------

    def _call(self, function: Callable[[], Any]) -> None:
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:
            logger.debug("the gateway's loop has ended already")

    def _subscribe(self) -> None:
        if self.stream is None:
            return  # `_live` begins with what is wanted then
        wanted = set(self._wanted)
        for name in set(self.stream.streams) - wanted:
            self.stream.unsubscribe(name)
        for name in self._wanted:
            self.stream.subscribe(name)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._live())
        except Exception:
            logger.exception("the gateway has ended by a defect; entries are refused until it is up again")
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _live(self) -> None:
        settings = self._settings.stream
        async with aiohttp.ClientSession() as session:
            self._data = MarketData(session, self._endpoints, self._limiter, self._proxy)
            self.stream = ResilientWebSocket(
                self._endpoints.stream,
                self._wanted,
                settings=settings,
                budget=self._connects,
                limiter=self._limiter,
                connect=lambda url: open_connection(url, settings, self._proxy),
            )
            async with self.stream:
                logger.info("gateway: up for %s", self._endpoints.rest)
                tasks = [asyncio.create_task(work) for work in (self._keep_quotes(), self._keep_clock())]
                try:
                    while not (self._ending.is_set() or self._lease_over()):
                        await self._tick()
                        for task in tasks:
                            if task.done():
                                task.result()  # a defect: it ends, and starts anew with the bot's next turn
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        logger.info("gateway: closed%s", "" if self._ending.is_set() else ", no sign of life from the bot")
        self._ending.set()

    async def _tick(self) -> None:
        try:
            async with asyncio.timeout(_TICK_SECONDS):
                await self._ending.wait()
        except TimeoutError:
            pass

    async def _keep_quotes(self) -> None:
        assert self.stream is not None
        async for event in self.stream:
            self._quotes.put(event, self._now())

    async def _keep_clock(self) -> None:
        """Read the venue's clock and limits now and then."""
        assert self._data is not None
        settings = self._settings.gateway
        while True:
            pause = settings.clock_minutes * 60
            try:
                self.clock = await self._data.read_clock(settings.answer_seconds)
                await self._data.read_limits(settings.answer_seconds * _INFO_PATIENCE)
            except AdaptiveError as error:
                logger.warning("gateway: %s", error)
                pause = _RETRY_SECONDS
            else:
                if self.clock.is_off(settings.clock_error_seconds):
                    logger.warning("gateway: %s", self.clock)
            await asyncio.sleep(pause)
