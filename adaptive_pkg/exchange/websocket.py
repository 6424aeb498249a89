"""`ResilientWebSocket`: a venue's stream that comes back by itself and leaves nothing out.

    async with ResilientWebSocket(url, ["btcusdt@kline_1m"], backfill=ask_rest) as stream:
        async for event in stream:
            ...

Time is the event loop's clock.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Self

from websockets.exceptions import ConnectionClosed

from adaptive_pkg.errors import ExchangeError, RateLimitError
from adaptive_pkg.exchange.backoff import ConnectBudget
from adaptive_pkg.exchange.dialer import Connect, Dialer, Probe
from adaptive_pkg.exchange.events import Answer, Event, ServerShutdown, parse_message
from adaptive_pkg.exchange.feed import Feed
from adaptive_pkg.exchange.inbox import Inbox
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.link import LinkState, LinkStats, Loss, StateChange
from adaptive_pkg.exchange.outbox import Outbox
from adaptive_pkg.exchange.repair import Backfill, GapRepair
from adaptive_pkg.exchange.watchdog import RENEW, Watchdog
from adaptive_pkg.settings.exchange import StreamSettings

logger = logging.getLogger(__name__)

SHUTDOWN = "server shutdown"
BROKEN_MESSAGES = 20  # unreadable ones in a row: this connection is of no use


class ResilientWebSocket:
    """One stream connection with everything that keeps it useful. Iterate over it for its events.

    Candles and trades arrive in order, each once; what the connection missed is fetched through `backfill`
    and comes in its place, marked `backfilled`. Nothing is dropped silently: see `Inbox` for the rule,
    `stats` for the counts and `on_loss` for what cannot be fetched again.

    Every method belongs to the event loop it was started on; another thread comes in through
    `loop.call_soon_threadsafe`.

    Args:
        url: the venue's endpoint for combined streams.
        streams: names to subscribe, such as `btcusdt@kline_1m`.
        settings: pauses, timeouts and limits.
        backfill: asks REST for a gap; gives the events it has, oldest first, at most `gap.limit`.
        on_state: called with every change of state, in order.
        on_loss: called with everything that is lost for good.
        rng: draws the jitter.
        now_ms: the venue's clock in epoch milliseconds.
        connect: opens a connection to a URL; by default one of the `websockets` library.
        probe: whether the venue answers at all, asked while waiting; by default a TCP connection.
        budget: connection attempts of this address, shared between sockets.
        limiter: the one of the address's REST requests: a ban of those holds for connections as well.
    """

    def __init__(
        self,
        url: str,
        streams: Iterable[str] = (),
        *,
        settings: StreamSettings | None = None,
        backfill: Backfill | None = None,
        on_state: Callable[[StateChange], None] | None = None,
        on_loss: Callable[[Loss], None] | None = None,
        rng: random.Random | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        connect: Connect | None = None,
        probe: Probe | None = None,
        budget: ConnectBudget | None = None,
        limiter: AdaptiveRateLimiter | None = None,
    ):
        self.url = url
        self.settings = settings = settings or StreamSettings()
        self.state = LinkState.IDLE
        self.stats = LinkStats()
        self.feed = Feed(settings)
        self._on_state, self._on_loss = on_state, on_loss
        self._now_ms = now_ms
        budget = budget or ConnectBudget(settings.connects, settings.connects_window_seconds)
        self._dialer = Dialer(
            url, settings, rng or random.Random(), budget, connect, probe, lambda: now_ms() / 1000, limiter
        )
        self._inbox = Inbox(settings.buffer_messages)
        self._repair = GapRepair(self.feed, self._inbox, self.stats, backfill, self._pass_on)
        self._outbox = Outbox(settings)
        self._streams: dict[str, None] = {}
        self._main: asyncio.Task[None] | None = None
        self._closing = False
        self._broken = 0
        self._look_at = 0.0
        for stream in streams:
            self.subscribe(stream)

    # --- life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin connecting in the background. Raises ExchangeError if it has begun before."""
        if self._main is not None or self._closing:
            raise ExchangeError("the stream is used once; make a new one to connect again")
        self._main = asyncio.create_task(self._run(), name=f"stream {self.url}")

    async def close(self) -> None:
        """Close the connection and end every task. What is buffered can still be read."""
        self._closing = True
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)
        self._inbox.close()
        self._change(LinkState.CLOSED, "closed")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._inbox.get()) is not None:
            if self.feed.has_gaps:
                self._repair.wake.set()  # there is room now
            yield event

    # --- what the owner may ask and do ----------------------------------------------------------------

    def subscribe(self, stream: str, resume: int | None = None) -> None:
        """Receive one more stream, now and after every reconnection.

        Args:
            stream: its name.
            resume: start of the newest candle, or id of the newest trade, that is here already; everything
                after it will be fetched.

        Raises:
            ExchangeError: a candle stream whose candles have no fixed length.
        """
        self.feed.watch(stream, resume)
        if stream not in self._streams:
            self._streams[stream] = None
            self._outbox.command("SUBSCRIBE", [stream])

    def unsubscribe(self, stream: str) -> None:
        """Receive it no longer."""
        if stream in self._streams:
            del self._streams[stream]
            self.feed.forget(stream)
            self._outbox.command("UNSUBSCRIBE", [stream])

    @property
    def streams(self) -> tuple[str, ...]:
        """What is subscribed, or will be once connected."""
        return tuple(self._streams)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message of our own when the connection is up; it expires after `outgoing_seconds`.

        Raises:
            ExchangeError: too many are waiting; this one is not kept.
        """
        self._outbox.put(json.dumps(message), self._time())

    def nudge(self) -> None:
        """The venue answers again, as somebody else has seen: do not wait longer (unless it banned us)."""
        self._dialer.nudge()

    def age_seconds(self, stream: str) -> float:
        """Time since the last message of a stream; infinity before the first."""
        seen = self.feed.seen_at.get(stream)
        return float("inf") if seen is None else self._time() - seen

    def is_current(self, stream: str, most_seconds: float) -> bool:
        """Whether the stream is up, not older than this, and without a gap."""
        return (
            self.state is LinkState.LIVE
            and self.age_seconds(stream) <= most_seconds
            and all(gap.stream != stream for gap in self.feed.open_gaps)
        )

    # --- connecting -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        repairing = asyncio.create_task(self._repair.run(), name=f"repair {self.url}")
        try:
            while True:
                try:
                    await self._dialer.turn()
                except RateLimitError as error:  # closed: there is nothing left to wait for
                    self._inbox.close()
                    self._change(LinkState.CLOSED, str(error))
                    return
                at_once = await self._connect_and_serve()
                if not at_once:
                    await self._dialer.pause()
        finally:
            repairing.cancel()
            await asyncio.gather(repairing, return_exceptions=True)

    async def _connect_and_serve(self) -> bool:
        """One connection from opening to end. True: open the next one at once."""
        self._change(LinkState.CONNECTING, "connecting")
        self.stats.attempts += 1
        try:
            connection = await self._dialer.dial()
        except ExchangeError as error:
            self.stats.failures += 1
            self._change(LinkState.WAITING, str(error))
            return False
        self.stats.connections += 1
        sending = self._outbox.send_through(connection, self._lose)
        sender = asyncio.create_task(sending, name=f"send {self.url}")
        reason, at_once = "", False
        try:
            reason, at_once = await self._listen(connection)
        except (ConnectionClosed, OSError) as error:
            reason = f"connection lost: {error!r}"
        except Exception as error:  # ours or the library's: say so, and try again after the usual pause
            logger.exception("stream %s: unexpected failure", self.url)
            reason = f"unexpected failure: {error!r}"
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            self.stats.live_ended(self._time())
            await self._hang_up(connection, gently=self._closing or at_once)
        self._change(LinkState.WAITING, reason)
        return at_once

    async def _hang_up(self, connection: Any, gently: bool) -> None:
        """Close; a connection that no longer answers is cut without its goodbye."""
        try:
            if gently:
                await connection.close()
        except Exception as error:
            logger.debug("stream %s: while closing: %r", self.url, error)
        finally:
            connection.transport.abort()
            await connection.wait_closed()

    # --- listening ------------------------------------------------------------------------------------

    async def _listen(self, connection: Any) -> tuple[str, bool]:
        """Read until there is a reason to stop: (reason, open the next connection at once)."""
        watch = Watchdog(self.settings, self._time(), self._dialer.backoff.jittered(1.0))
        healthy = live = False
        self._outbox.reopen(self._streams)
        while True:
            if not live and self._outbox.all_answered:
                live = True
                self._go_live()
            # a user's own stream has no "@", and may be silent for days
            talkative = any("@" in stream for stream in self._streams)
            try:
                async with asyncio.timeout_at(min(watch.next_at(talkative), self._outbox.answer_due)):
                    text = await connection.recv()
            except TimeoutError:
                now = self._time()
                if now >= self._outbox.answer_due:
                    return "no answer to a subscription", False
                verdict = watch.look(now, talkative)
                if verdict is not None:
                    return verdict, verdict == RENEW
                if watch.wants_ping(now):
                    watch.pinged(await connection.ping(), now)
                continue
            watch.heard(self._time())
            if not healthy and live and watch.age >= self.settings.healthy_seconds:
                healthy = True
                self._dialer.backoff.reset()
            reason = self._take(text, watch.heard_at)
            if reason is not None:
                return reason, healthy and reason == SHUTDOWN

    def _go_live(self) -> None:
        now = self._time()
        self.stats.live_began(now)
        self._change(LinkState.LIVE, "subscribed")
        self.feed.reconnected(now, self._now_ms())
        self._repair.wake.set()

    def _take(self, text: str | bytes, now: float) -> str | None:
        """Handle one message. A text: the reason to leave this connection."""
        self.stats.messages += 1
        try:
            message = parse_message(text)
        except ExchangeError as error:
            self.stats.malformed += 1
            self._broken += 1
            logger.warning("stream %s: %s", self.url, error)
            return "too many unreadable messages" if self._broken >= BROKEN_MESSAGES else None
        self._broken = 0
        if isinstance(message, ServerShutdown):
            return SHUTDOWN
        if isinstance(message, Answer):
            self._outbox.answered(message)
            if message.error is not None:
                self._lose(Loss("refused by the venue", message.error))
            return None
        self._pass_on(self.feed.offer(message, now, self._inbox.room))
        if now >= self._look_at:
            self._look_at = now + self.settings.quiet_seconds
            self.feed.look(now, message.at_ms or self._now_ms())
        if self.feed.has_gaps:
            self._repair.wake.set()
        return None

    def _pass_on(self, events: Iterable[Event]) -> None:
        for event in events:
            if not self._inbox.put(event):
                self._lose(Loss("the consumer is behind and its buffer full", event))

    # --- telling --------------------------------------------------------------------------------------

    def _lose(self, loss: Loss) -> None:
        self.stats.lost += 1
        logger.warning("stream %s: lost: %s", self.url, loss)
        self._tell(self._on_loss, loss)

    def _change(self, state: LinkState, reason: str) -> None:
        if state is self.state:
            return
        change = StateChange(self.state, state, reason, asyncio.get_running_loop().time())
        self.state = state
        logger.info("stream %s: %s (%s)", self.url, state, reason)
        self._tell(self._on_state, change)

    def _tell(self, callback: Callable[[Any], None] | None, value: Any) -> None:
        """A callback that fails must not end the stream."""
        if callback is not None:
            try:
                callback(value)
            except Exception:
                logger.exception("stream %s: a callback failed on %s", self.url, value)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()
