"""The loopback venue: Binance on 127.0.0.1, answered from candle files."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from adaptive_pkg.errors import VenueError
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.desk import Desk
from adaptive_pkg.simulator.faults import Chaos, FaultPlan
from adaptive_pkg.simulator.front import Front
from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.overlay import live_overlay, overlay
from adaptive_pkg.simulator.replay import USUAL, Replay
from adaptive_pkg.simulator.service import Accounts, Service

Clock = Callable[[], int]
START_TIMEOUT_SECONDS = 10.0


def wall_clock_ms() -> int:
    """The machine's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class LoopbackVenue:
    """Serves Binance's spot REST and WebSocket, and the read side of USDⓈ-M perpetuals, in its own thread.

    Use it as a context manager; `url` is known once it has started. Orders and balances outlive a stop.

    Args:
        store: the candles to replay. Every pair in it is listed.
        pairs: pairs to list besides those, such as a config's whitelist.
        clock: epoch milliseconds. Nothing that happens after this moment is ever answered.
        accounts: who may trade spot; None: nobody.
        limits: what an address may ask; None: anything.
        faults: what goes wrong, and when.
        port: 0: any that is free.
        witness: called in the venue's thread when a request has come ("POST /api/v3/order") and when it has
            been carried out but not yet answered ("POST /api/v3/order done").
        replay: the path of prices inside a candle, and the spread.

    Attributes:
        requests: how often each path was asked for.
        chaos: the faults at work; `add` and `remove` while the venue runs.
    """

    def __init__(
        self,
        store: CandleStore,
        pairs: Iterable[str] = (),
        clock: Clock = wall_clock_ms,
        *,
        accounts: Accounts | None = None,
        limits: LimitPlan | None = None,
        faults: FaultPlan | None = None,
        port: int = 0,
        witness: Callable[[str], None] | None = None,
        replay: Replay = USUAL,
    ):
        self.store = store
        self.pairs = tuple(dict.fromkeys([*store.pairs, *pairs]))
        self.requests: Counter[str] = Counter()
        self.chaos = Chaos(faults)
        self._clock = clock
        self._accounts, self._limits = accounts, limits
        self._wanted_port = port
        self._witness = witness
        self._replay = replay
        self._port = 0
        self._service: Service | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base address, such as http://127.0.0.1:43211. Raises VenueError unless started."""
        if not self._port:
            raise VenueError("the loopback venue has no address yet; start it first")
        return f"http://127.0.0.1:{self._port}"

    @property
    def stream_url(self) -> str:
        """Address of combined streams; raw ones live under /ws."""
        return f"{self.url.replace('http', 'ws')}/stream"

    @property
    def service(self) -> Service:
        """What answers, with its counters and accounts. Raises VenueError before the first start."""
        if self._service is None:
            raise VenueError("the loopback venue has not been started yet; start it first")
        return self._service

    @property
    def violations(self) -> Counter[str]:
        """Limits broken so far, by kind. See `Limits`."""
        limits = self.service.limits
        return limits.violations if limits else Counter()

    def desk(self, key: str) -> Desk:
        """The account of an API key. Raises VenueError."""
        if key not in self.service.desks:
            raise VenueError("no account has this API key; name it in `accounts`")
        return self.service.desks[key]

    def overlay(self, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Config to lay over a freqtrade config so that it trades here, without orders. See `overlay`."""
        return overlay(self.url, config or {})

    def live_overlay(self, config: Mapping[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
        """The same for a bot that sends its orders here, with this key or the first. Raises VenueError."""
        keys = self._accounts.keys if self._accounts else {}
        key = next(iter(keys), None) if key is None else key
        if key is None or key not in keys:
            raise VenueError("the loopback venue has no such account; name keys in `accounts`")
        return live_overlay(self.url, config or {}, key, keys[key])

    def start(self) -> None:
        """Open the port and serve until `stop`. Raises VenueError if that fails."""
        if self._thread:
            raise VenueError("the loopback venue is already running; stop it before starting it again")
        if self._service is None:
            self._service = Service(self.store, self.pairs, self._accounts, self._limits, self._replay)
        self.chaos.begin(self._clock())
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
        front = Front(self.service, self._clock, self.chaos, self.requests, self._witness)
        try:
            self._port = loop.run_until_complete(front.open(self._wanted_port))
        except OSError as failure:
            announce(failure)
            return
        running = loop.create_task(front.run())
        announce(None)
        loop.run_forever()
        running.cancel()
        loop.run_until_complete(asyncio.gather(running, return_exceptions=True))
        loop.run_until_complete(front.close())


def loopback_venue(datadir: Path, pairs: Iterable[str] = (), clock: Clock = wall_clock_ms) -> LoopbackVenue:
    """A venue over a folder of candles: `with loopback_venue(folder) as venue: venue.url`.

    Raises:
        DataError: the folder does not exist.
    """
    return LoopbackVenue(CandleStore(Path(datadir)), pairs, clock)
