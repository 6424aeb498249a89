"""Settings of live operation: the gateway's calls, the gate before an entry, the circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.settings.schema import Settings, param


@dataclass(frozen=True)
class GatewaySettings(Settings):
    """The added exchange calls: how long they may take, and how long their loop may live on its own."""

    answer_seconds: float = param(
        3.0, 0.01, 600.0, doc="longest wait of an entry for the order book; after it the entry is refused"
    )
    book_levels: int = param(500, 5, 1000, doc="price levels of an order book that are asked for")
    funding_seconds: float = param(60.0, 1.0, 3600.0, doc="a funding rate is used for this long")
    clock_minutes: float = param(30.0, 1.0, 1440.0, doc="the venue's clock and limits are read this often")
    clock_error_seconds: float = param(
        1.0, 0.05, 60.0, doc="a clock further off the venue's than this is reported; signed orders fail at 5"
    )
    lease_seconds: float = param(
        300.0, 1.0, 86400.0, doc="without a sign of life from the bot's loop for this long, everything closes"
    )


@dataclass(frozen=True)
class GateSettings(Settings):
    """What the order book must look like before an entry. Fractions: 0.01 is 1 %."""

    max_spread: float = param(0.0015, 0.00001, 0.1, doc="widest spread, as a fraction of the middle price")
    depth_band: float = param(0.005, 0.0001, 0.1, doc="how far from the middle price depth is counted")
    depth_multiple: float = param(
        5.0, 0.0, 10_000.0, doc="money resting on each side within the band, in multiples of the position"
    )
    max_adverse_imbalance: float = param(
        0.9, 0.0, 1.0, doc="(bids − asks) ÷ (bids + asks) in the band, against the trade, from which it waits"
    )
    max_feed_age_seconds: float = param(
        30.0,
        0.1,
        3600.0,
        doc="the pair's newest bid and ask must not be older than this where the book contradicts them",
    )
    max_funding: float = param(
        0.001, 0.0, 0.1, doc="perpetuals: highest rate a funding interval may cost the position"
    )


@dataclass(frozen=True)
class BreakerSettings(Settings):
    """When entries pause because something is wrong with the bot, its data or its day."""

    errors: int = param(5, 1, 1000, doc="failures in a row, of added calls or of our callbacks, that trip it")
    pause_minutes: float = param(15.0, 0.1, 10_000.0, doc="how long entries rest after that")
    late_candles: float = param(
        1.0, 0.05, 100.0, doc="the newest closed candle may be missing for this part of a candle's length"
    )
    daily_loss: float = param(
        0.05,
        0.001,
        1.0,
        doc="loss since midnight UTC, open trades included whole, as a part of the day's first equity; "
        "entries rest until the next midnight, or until open trades have recovered",
    )
