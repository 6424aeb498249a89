"""Where a venue's added calls go, and what each costs: Binance spot and USDⓈ-M futures.

Source: Binance's public API reference, "Order Book", "Check Server Time", "Exchange Information" and
"Mark Price" of both markets, as of 2026.
"""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.rules import DEFAULT_RULES, RateRule, RuleKind

_SPOT_DEPTH = ((100, 5), (500, 25), (1000, 50))
_FUTURES_DEPTH = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))
# Before exchangeInfo has been read: USDⓈ-M futures as documented in 2026.
_FUTURES_RULES = (
    RateRule(RuleKind.WEIGHT, 60, 2400),
    RateRule(RuleKind.ORDERS, 60, 1200),
    RateRule(RuleKind.ORDERS, 10, 300),
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One market of a venue.

    Attributes:
        rest: base address of its REST API, such as https://api.binance.com/api/v3.
        stream: address of its combined streams.
        perpetual: whether positions pay funding.
    """

    rest: str
    stream: str
    perpetual: bool

    @property
    def rules(self) -> tuple[RateRule, ...]:
        """Its documented limits, until it has been asked for them."""
        return _FUTURES_RULES if self.perpetual else DEFAULT_RULES

    @property
    def info_weight(self) -> int:
        """Weight of `exchangeInfo`."""
        return 1 if self.perpetual else 20

    def book_request(self, levels: int) -> tuple[int, int]:
        """Levels to ask for, at least so many, and the request's weight. Raises ExchangeError above 1000."""
        steps = _FUTURES_DEPTH if self.perpetual else _SPOT_DEPTH
        for most, weight in steps:
            if levels <= most:
                # spot takes any number, futures only these
                return (most if self.perpetual else levels), weight
        raise ExchangeError(f"book_levels: {levels}; ask for at most {steps[-1][0]}")


def binance_endpoints(rest: str, stream: str, *, perpetual: bool) -> Endpoints:
    """Binance's, from the addresses as ccxt keeps them (streams under /ws; combined ones are beside it).

    Since 2026 the futures' bids and asks are spoken under /public only.
    """
    base = stream.rstrip("/").removesuffix("/ws")
    return Endpoints(rest.rstrip("/"), base + ("/public/stream" if perpetual else "/stream"), perpetual)


def bid_ask_stream(symbol: str) -> str:
    """The stream of a symbol's best bid and ask."""
    return f"{symbol.lower()}@bookTicker"
