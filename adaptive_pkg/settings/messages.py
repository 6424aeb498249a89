"""Settings of what the bot tells its owner, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adaptive_pkg.settings.schema import Settings, param


class MessageKind(StrEnum):
    """What a message is about; each has a switch and a throttle of its own."""

    REGIME = "regime"
    ENTRY = "entry"
    STOP = "stop"
    REFUSAL = "refusal"
    BREAKER = "breaker"
    MODEL = "model"


@dataclass(frozen=True)
class MessageSettings(Settings):
    """Messages to Telegram and the like. What is not sent stands in the log all the same."""

    regime: bool = param(True, doc="a pair's regime has changed")
    entry: bool = param(True, doc="an entry: its reasons, and what its size is made of")
    stop: bool = param(True, doc="a stop has gone to breakeven, or trails")
    refusal: bool = param(
        True, doc="an entry refused: portfolio limits, breaker, order book, unusable numbers"
    )
    breaker: bool = param(True, doc="the circuit breaker has opened or closed; no throttle below applies")
    model: bool = param(True, doc="a pair's model was trained anew, and how well it does on later candles")
    regime_seconds: float = param(1800.0, 0.0, 604_800.0, doc="least time between two of a pair")
    entry_seconds: float = param(0.0, 0.0, 604_800.0, doc="least time between two of a pair")
    stop_seconds: float = param(0.0, 0.0, 604_800.0, doc="least time between two of a pair")
    refusal_seconds: float = param(
        1800.0, 0.0, 604_800.0, doc="least time between two of a pair for the same cause"
    )
    model_seconds: float = param(3600.0, 0.0, 604_800.0, doc="least time between two of a pair")
    per_hour: int = param(
        30, 1, 10_000, doc="most messages in any hour; the next one says how many were held back"
    )

    def wants(self, kind: MessageKind) -> bool:
        """Whether messages of `kind` are sent."""
        return getattr(self, kind.value)

    def seconds(self, kind: MessageKind) -> float:
        """Least time between two messages of `kind` about the same thing."""
        return getattr(self, f"{kind.value}_seconds", 0.0)
