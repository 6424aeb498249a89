"""Settings of the exchange room: the request budget, the trading state's locks, the market stream."""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.live import GatewaySettings
from adaptive_pkg.settings.schema import Settings, param, section


@dataclass(frozen=True)
class LimiterSettings(Settings):
    """How close to the venue's request limits we go, and what happens after a refusal."""

    share: float = param(
        1.0, 0.01, 1.0, doc="part of the address's limits this bot may use; bots on one address sum to 1"
    )
    burst_share: float = param(
        0.5, 0.01, 1.0, doc="capacity of the token bucket, as a part of the weight limit of one window"
    )
    any_window: bool = param(
        True,
        doc="keep the limit in every stretch as long as a window, not only between the clock's minutes; "
        "off: twice the limit may go out around a minute's edge, as the venue's documents allow",
    )
    latency_seconds: float = param(
        0.5, 0.0, 10.0, doc="longest time a request may need to reach the venue, as the accounts assume"
    )
    clock_error_seconds: float = param(
        0.25, 0.0, 10.0, doc="how wrong our idea of the venue's clock may be until it is measured"
    )
    reduction: float = param(0.8, 0.1, 0.99, doc="factor on the limit after a 429")
    floor_share: float = param(0.1, 0.01, 1.0, doc="part of the limit below which no 429 pushes it")
    quiet_minutes: float = param(5.0, 0.0, 60.0, doc="minutes without a 429 before the limit recovers")
    recovery_per_minute: float = param(0.1, 0.001, 1.0, doc="part of the limit regained a minute after that")
    ban_seconds: float = param(
        120.0, 1.0, 3 * 86400.0, doc="pause after a 418 that carries no Retry-After: the shortest known ban"
    )

    def check(self) -> None:
        if self.floor_share > self.reduction:
            raise SettingsError(
                f"floor_share: {self.floor_share} must not exceed reduction ({self.reduction}), "
                "or a 429 would change nothing"
            )


@dataclass(frozen=True)
class StateSettings(Settings):
    """Locks of the trading state."""

    lock_timeout_seconds: float = param(
        5.0, 0.001, 600.0, doc="longest wait for a lock before the error that names its holder"
    )
    slow_hold_seconds: float = param(
        0.1, 0.0001, 600.0, doc="holding a lock longer than this is logged with the place"
    )


@dataclass(frozen=True)
class StreamSettings(Settings):
    """The market stream: connecting, listening, catching up."""

    backoff_start_seconds: float = param(2.0, 0.001, 60.0, doc="pause after the first failed attempt")
    backoff_factor: float = param(2.0, 1.0, 10.0, doc="by which the pause grows with each failure")
    backoff_top_seconds: float = param(60.0, 0.001, 3600.0, doc="longest pause between attempts")
    jitter: float = param(
        0.25, 0.0, 1.0, doc="part of a pause by which it may be shortened at random, so bots do not march"
    )
    probe_seconds: float = param(
        2.0, 0.001, 60.0, doc="while waiting, ask this often whether the venue answers again"
    )
    eager_seconds: float = param(
        3.0, 0.001, 60.0, doc="a venue that answers the probe is tried again after this pause at the latest"
    )
    healthy_seconds: float = param(
        10.0, 0.0, 3600.0, doc="a connection must live and deliver this long before the pauses start anew"
    )
    open_timeout_seconds: float = param(4.0, 0.01, 60.0, doc="time for TCP, TLS and the opening handshake")
    close_timeout_seconds: float = param(2.0, 0.01, 60.0, doc="time for the closing handshake")
    answer_timeout_seconds: float = param(5.0, 0.01, 60.0, doc="time for the answer to a subscription")
    ping_seconds: float = param(20.0, 0.01, 600.0, doc="our keepalive ping's interval")
    pong_timeout_seconds: float = param(10.0, 0.01, 600.0, doc="time for the answer to it")
    quiet_seconds: float = param(
        3.0, 0.01, 600.0, doc="no message for this long on a market stream: ask with a ping if it is there"
    )
    quiet_pong_seconds: float = param(
        3.0, 0.01, 600.0, doc="time for the answer to that ping, before the connection is given up"
    )
    silence_seconds: float = param(
        30.0, 0.01, 3600.0, doc="no message for this long on a subscribed connection: reconnect"
    )
    life_seconds: float = param(
        23.5 * 3600, 1.0, 86400.0, doc="a connection is renewed at this age; the venue ends it at 24 h"
    )
    connects: int = param(300, 1, 100_000, doc="connection attempts the venue allows an address ...")
    connects_window_seconds: float = param(300.0, 0.1, 86400.0, doc="... in any stretch of this length")
    messages_per_second: float = param(
        2.5,
        0.1,
        1000.0,
        doc="messages we send a second; the venue allows 5, and counts a keepalive ping and an answered "
        "one that may fall into the same second",
    )
    buffer_messages: int = param(
        1000,
        1,
        1_000_000,
        doc="messages kept for a consumer that is behind, and for a connection that is down",
    )
    outgoing_seconds: float = param(
        10.0, 0.01, 3600.0, doc="a message waiting for the connection is dropped, and said so, at this age"
    )
    reorder_seconds: float = param(
        0.5, 0.0, 60.0, doc="how long a missing message may still arrive before REST is asked for it"
    )
    backfill_retry_seconds: float = param(
        1.0, 0.001, 60.0, doc="pause after a failed backfill; doubles to backfill_top_seconds"
    )
    backfill_top_seconds: float = param(30.0, 0.001, 600.0, doc="longest pause between backfills of one gap")

    def check(self) -> None:
        for low, high in (
            ("backoff_start_seconds", "backoff_top_seconds"),
            ("backfill_retry_seconds", "backfill_top_seconds"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise SettingsError(
                    f"{low}: {getattr(self, low)} must not exceed {high} ({getattr(self, high)})"
                )


@dataclass(frozen=True)
class ExchangeSettings(Settings):
    """The added exchange calls, and how freqtrade's own are held after a refusal."""

    respect_retry_after: bool = param(
        True,
        doc="after a 429 or 418 freqtrade's own ccxt clients, too, send nothing until Retry-After is over "
        "(without one: 418 for limiter.ban_seconds, 429 of Binance to the minute's end); off: freqtrade asks "
        "again after 1, 2, 5 and 10 s, which makes a ban longer",
    )
    limiter: LimiterSettings = section(LimiterSettings)
    state: StateSettings = section(StateSettings)
    stream: StreamSettings = section(StreamSettings)
    gateway: GatewaySettings = section(GatewaySettings)
