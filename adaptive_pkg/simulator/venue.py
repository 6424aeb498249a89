"""The loopback venue: Binance's public REST on 127.0.0.1, answered from candle files."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from adaptive_pkg.errors import AdaptiveError, VenueError
from adaptive_pkg.simulator.answers import Answers
from adaptive_pkg.simulator.candles import Book, CandleStore, book_of
from adaptive_pkg.simulator.overlay import overlay
from adaptive_pkg.simulator.wire import BinanceError

logger = logging.getLogger(__name__)

Clock = Callable[[], int]
START_TIMEOUT_SECONDS = 10.0

_SHARED = {
    "ping": Answers.ping,
    "time": Answers.time,
    "exchangeInfo": Answers.exchange_info,
    "klines": Answers.klines,
    "depth": Answers.depth,
    "ticker/bookTicker": Answers.book_ticker,
    "ticker/24hr": Answers.ticker_24hr,
    "ticker/price": Answers.ticker_price,
}
_PERPETUAL = {
    "markPriceKlines": Answers.klines,  # mark and index follow the last price here
    "premiumIndex": Answers.premium_index,
    "fundingRate": Answers.funding_rate,
    "leverageBracket": Answers.leverage_bracket,
}
# What ccxt asks when it loads markets or checks the status, whatever is traded.
_FIXED: dict[str, Any] = {
    "/dapi/v1/exchangeInfo": {"timezone": "UTC", "symbols": []},
    "/sapi/v1/margin/allPairs": [],
    "/sapi/v1/margin/isolated/allPairs": [],
    "/sapi/v1/capital/config/getall": [],
    "/sapi/v1/system/status": {"status": 0, "msg": "normal"},
}


def wall_clock_ms() -> int:
    """The machine's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class LoopbackVenue:
    """Serves the read side of Binance spot and USDⓈ-M perpetuals in a thread of its own.

    Use it as a context manager; `url` is known once it has started.

    Args:
        store: the candles to replay. Every pair in it is listed.
        pairs: pairs to list besides those, such as a config's whitelist.
        clock: epoch milliseconds. Nothing that happens after this moment is ever answered.

    Attributes:
        requests: how often each path was asked for.
    """

    def __init__(self, store: CandleStore, pairs: Iterable[str] = (), clock: Clock = wall_clock_ms):
        self.store = store
        self.pairs = tuple(dict.fromkeys([*store.pairs, *pairs]))
        self.requests: Counter[str] = Counter()
        self._clock = clock
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._answers: dict[str, Callable[[Mapping[str, str], int], Any]] = {}

    @property
    def url(self) -> str:
        """Base address, such as http://127.0.0.1:43211. Raises VenueError unless started."""
        if not self._port:
            raise VenueError("the loopback venue has no address yet; start it first")
        return f"http://127.0.0.1:{self._port}"

    def overlay(self, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Config to lay over a freqtrade config so that it trades here. See `overlay`."""
        return overlay(self.url, config or {})

    def start(self) -> None:
        """Open the port and serve until `stop`. Raises VenueError if that fails."""
        if self._thread:
            raise VenueError("the loopback venue is already running; stop it before starting it again")
        spot = Answers(self.store, tuple(p for p in self.pairs if book_of(p) is Book.SPOT), Book.SPOT)
        perpetual = Answers(
            self.store, tuple(p for p in self.pairs if book_of(p) is Book.FUTURES), Book.FUTURES
        )
        self._answers = {f"/api/v3/{name}": partial(answer, spot) for name, answer in _SHARED.items()}
        for name, answer in (_SHARED | _PERPETUAL).items():
            for version in ("v1", "v2"):
                self._answers[f"/fapi/{version}/{name}"] = partial(answer, perpetual)
        ready: list[BaseException | None] = []
        started = threading.Event()

        def announce(failure: BaseException | None) -> None:
            ready.append(failure)
            started.set()

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, args=(announce,), name="loopback-venue", daemon=True
        )
        self._thread.start()
        if not started.wait(START_TIMEOUT_SECONDS) or ready[0] is not None:
            failure = ready[0] if ready else None
            self.stop()
            raise VenueError(f"the loopback venue could not open a port on 127.0.0.1: {failure}")

    def stop(self) -> None:
        """Close the port and end the thread. Does nothing if it is not running."""
        thread, loop = self._thread, self._loop
        self._thread = self._loop = None
        self._port = 0
        if thread and loop:
            if thread.is_alive():
                loop.call_soon_threadsafe(loop.stop)
                thread.join(START_TIMEOUT_SECONDS)
            if not thread.is_alive():
                loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _serve(self, announce: Callable[[BaseException | None], None]) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.set_event_loop(loop)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        try:
            loop.run_until_complete(runner.setup())
            loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
            self._port = runner.addresses[0][1]
        except OSError as failure:
            announce(failure)
            return
        announce(None)
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests[request.path] += 1
        try:
            return _json(self._answer(request.method, request.path, request.query))
        except BinanceError as error:
            logger.warning("loopback venue: %s → %s", request.path_qs, error.body)
            return _json(error.body, error.status)
        except AdaptiveError as error:
            logger.error("loopback venue: %s → %s", request.path_qs, error)
            return _json({"code": -1000, "msg": str(error)}, status=500)

    def _answer(self, method: str, path: str, query: Mapping[str, str]) -> Any:
        if method == "GET" and path in _FIXED:
            return _FIXED[path]
        if method != "GET" or path not in self._answers:
            raise BinanceError(-5000, f"Path {path}, Method {method} is invalid", status=404)
        return self._answers[path](query, self._clock())


def loopback_venue(datadir: Path, pairs: Iterable[str] = (), clock: Clock = wall_clock_ms) -> LoopbackVenue:
    """A venue over a folder of candles: `with loopback_venue(folder) as venue: venue.url`.

    Raises:
        DataError: the folder does not exist.
    """
    return LoopbackVenue(CandleStore(Path(datadir)), pairs, clock)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
