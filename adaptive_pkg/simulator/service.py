"""Every REST request's answer, without a socket: limits, signatures, market data, accounts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.simulator.answers import Answers
from adaptive_pkg.simulator.candles import Book, CandleStore, book_of
from adaptive_pkg.simulator.desk import SIGNED, WITH_KEY, Desk
from adaptive_pkg.simulator.limits import LimitedError, LimitPlan, Limits
from adaptive_pkg.simulator.markets import PERPETUAL_RATE_LIMITS
from adaptive_pkg.simulator.matching import Terms
from adaptive_pkg.simulator.replay import USUAL, Replay
from adaptive_pkg.simulator.signatures import check_key, check_signature, check_time
from adaptive_pkg.simulator.weights import is_free_if_done, places_order, weight_of
from adaptive_pkg.simulator.wire import BinanceError

logger = logging.getLogger(__name__)

_SHARED = {
    "ping": Answers.ping,
    "time": Answers.time,
    "exchangeInfo": Answers.exchange_info,
    "klines": Answers.klines,
    "aggTrades": Answers.agg_trades,
    "depth": Answers.depth,
    "ticker/bookTicker": Answers.book_ticker,
    "ticker/24hr": Answers.ticker_24hr,
    "ticker/price": Answers.ticker_price,
}
_SPOT = {"avgPrice": Answers.average_price}
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


@dataclass(frozen=True)
class Accounts:
    """Who may trade: API key → secret, and what each of them owns at the start."""

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    balances: Mapping[str, Decimal | float | str] = field(default_factory=lambda: {"USDT": 10_000})
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True)
class Ask:
    """One request as it came. `came_ms`: when, if it was kept waiting since."""

    method: str
    path: str
    query_string: str = ""
    body: str = ""
    api_key: str | None = None
    came_ms: int | None = None

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the address and of the form in the body."""
        return dict(parse_qsl(self.query_string) + parse_qsl(self.body))


@dataclass(frozen=True)
class Reply:
    """One answer."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """The venue's answers and what they change: counters, orders, balances.

    Args:
        limits: None: nothing is counted or refused.

    Attributes:
        limits, perpetual_limits: of the spot and the perpetual addresses.
        desks: API key → account.
        refused: signed requests turned away, by Binance's error code.
    """

    def __init__(
        self,
        store: CandleStore,
        pairs: tuple[str, ...],
        accounts: Accounts | None = None,
        limits: LimitPlan | None = None,
        replay: Replay = USUAL,
    ):
        accounts = accounts or Accounts()
        rows = limits.rows() if limits else None
        spot = Answers(store, tuple(p for p in pairs if book_of(p) is Book.SPOT), Book.SPOT, rows, replay)
        perpetual = Answers(
            store, tuple(p for p in pairs if book_of(p) is Book.FUTURES), Book.FUTURES, None, replay
        )
        self.spot, self.perpetual = spot, perpetual
        self.limits = Limits(limits) if limits else None
        self.perpetual_limits = None
        if limits:
            weight = PERPETUAL_RATE_LIMITS[0]["limit"]
            self.perpetual_limits = Limits(LimitPlan(weight_per_minute=weight))
        self.refused: Counter[int] = Counter()
        self._keys = accounts.keys
        self.desks = {key: Desk(spot, key, accounts.balances, accounts.terms) for key in accounts.keys}
        self._public: dict[str, Callable[[Mapping[str, str], int], Any]] = {
            f"/api/v3/{name}": partial(answer, spot) for name, answer in (_SHARED | _SPOT).items()
        }
        for name, answer in (_SHARED | _PERPETUAL).items():
            for version in ("v1", "v2"):
                self._public[f"/fapi/{version}/{name}"] = partial(answer, perpetual)

    def limits_of(self, path: str) -> Limits | None:
        """Whose counters a path belongs to."""
        if path.startswith("/fapi/"):
            return self.perpetual_limits
        return self.limits if path.startswith(("/api/", "/ws", "/stream")) else None

    def advance(self, now_ms: int) -> None:
        """Let the market meet every open order."""
        for desk in self.desks.values():
            desk.matching.advance(now_ms)

    def signed_in(self, params: Mapping[str, str], now_ms: int) -> Desk:
        """The account that signed these parameters of a WebSocket API request. Raises BinanceError.

        Args:
            now_ms: of the clock that judges timestamps.
        """
        signed = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
        try:
            key = check_key(self._keys, params.get("apiKey"))
            check_signature(self._keys[key], f"{signed}&signature={params.get('signature', '')}", "")
            check_time(params, now_ms)
        except BinanceError as error:
            self.refused[error.body["code"]] += 1
            raise
        return self.desks[key]

    def answer(self, ask: Ask, now_ms: int, skew_ms: int = 0) -> Reply:
        """Answer one request that arrives now.

        Args:
            skew_ms: by how much the clock that judges timestamps is wrong.
        """
        limits = self.limits_of(ask.path)
        orders = places_order(ask.method, ask.path)
        weight = weight_of(ask.method, ask.path, ask.query)
        try:
            if limits:
                limits.take(now_ms, weight, ask.came_ms)
            body, status, headers = self._body(ask, now_ms, skew_ms), 200, {}
            if limits and is_free_if_done(ask.method, ask.path):
                limits.give_back(now_ms, weight)
        except LimitedError as error:
            body, status = error.body, error.status
            headers = {"Retry-After": str(error.retry_after_seconds)}
            logger.warning("loopback venue: %s %s → %s", ask.method, ask.path, status)
        except BinanceError as error:
            logger.warning("loopback venue: %s %s → %s", ask.method, ask.path, error.body)
            body, status, headers = error.body, error.status, {}
        except AdaptiveError as error:
            logger.error("loopback venue: %s %s → %s", ask.method, ask.path, error)
            body, status, headers = {"code": -1000, "msg": str(error)}, 500, {}
        if limits:
            account = ask.api_key if orders and ask.api_key in self._keys else None
            headers = headers | limits.headers(now_ms, account)
        return Reply(body, status, headers)

    def _body(self, ask: Ask, now_ms: int, skew_ms: int) -> Any:
        route = (ask.method, ask.path)
        if ask.method == "GET" and ask.path in _FIXED:
            return _FIXED[ask.path]
        if ask.method == "GET" and ask.path in self._public:
            if ask.path.endswith("/time"):
                now_ms += skew_ms
            return self._public[ask.path](ask.query, now_ms)
        if not self._keys or (route not in SIGNED and route not in WITH_KEY):
            raise BinanceError(-5000, f"Path {ask.path}, Method {ask.method} is invalid", status=404)
        query = ask.query
        try:
            key = check_key(self._keys, ask.api_key)
            if route in SIGNED:
                check_signature(self._keys[key], ask.query_string, ask.body)
                check_time(query, now_ms + skew_ms)
        except BinanceError as error:
            self.refused[error.body["code"]] += 1
            raise
        desk = self.desks[key]
        desk.matching.advance(now_ms)
        if places_order(*route) and self.limits:
            self.limits.take_order(now_ms, key)
        return (SIGNED.get(route) or WITH_KEY[route])(desk, query, now_ms)
