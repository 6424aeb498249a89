"""The venue's stream messages as values, and REST's rows as the same values.

Source: Binance's public reference, "WebSocket Streams": kline, aggTrade, bookTicker, serverShutdown, and the
answers to SUBSCRIBE. Messages come bare or, from a combined stream, wrapped with their stream's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adaptive_pkg.errors import ExchangeError

_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_KLINE_FIELDS = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")


class EventKind(StrEnum):
    """What a message tells."""

    CANDLE = "kline"
    TRADE = "aggTrade"
    BOOK = "bookTicker"
    OTHER = "other"  # the user's orders and balances, and whatever else is subscribed


@dataclass(frozen=True, slots=True)
class Event:
    """One message.

    `key`: a candle's start in epoch ms, a trade's or a book update's id; 0 where there is none.
    `final`: False for a candle that has not closed yet.
    `at_ms`: when the venue sent it; 0 where it does not say.
    `data`: the message's own fields; a candle's `k` object.
    """

    stream: str
    kind: EventKind
    key: int
    final: bool
    at_ms: int
    data: Mapping[str, Any]
    backfilled: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The venue's answer to a request of ours; `error` is None when it agreed."""

    request_id: int
    error: str | None


@dataclass(frozen=True, slots=True)
class ServerShutdown:
    """The venue is about to close this connection: open another."""


def parse_message(text: str | bytes) -> Event | Answer | ServerShutdown:
    """One message from the stream.

    Raises:
        ExchangeError: it is not JSON, or lacks a field its kind always has.
    """
    try:
        body = json.loads(text)
        if "result" in body or "error" in body:
            return Answer(int(body.get("id") or 0), _error_text(body))
        stream, data = (body["stream"], body["data"]) if "stream" in body else ("", body)
        name = data.get("e")
        if name == "serverShutdown":
            return ServerShutdown()
        if name == EventKind.CANDLE:
            candle = data["k"]
            stream = stream or f"{candle['s'].lower()}@kline_{candle['i']}"
            return Event(
                stream, EventKind.CANDLE, int(candle["t"]), bool(candle["x"]), int(data["E"]), candle
            )
        if name == EventKind.TRADE:
            stream = stream or f"{data['s'].lower()}@aggTrade"
            return Event(stream, EventKind.TRADE, int(data["a"]), True, int(data["E"]), data)
        if name in (None, EventKind.BOOK) and {"u", "b", "a"} <= data.keys():
            stream = stream or f"{data['s'].lower()}@bookTicker"
            return Event(stream, EventKind.BOOK, int(data["u"]), True, int(data.get("E", 0)), data)
        return Event(stream or str(name), EventKind.OTHER, 0, True, int(data.get("E", 0)), data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shown = text[:120] if isinstance(text, str) else text[:120].decode(errors="replace")
        raise ExchangeError(f"stream message {shown!r} cannot be read ({error!r})") from error


def candle_events(stream: str, rows: Iterable[Sequence[Any]], venue_ms: int) -> list[Event]:
    """REST's `klines` rows as events of a candle stream, without the candle that is still under way.

    Args:
        stream: the stream they belong to.
        rows: open time, open, high, low, close, volume, close time, ...
        venue_ms: the venue's clock when it was asked; a candle that closes later is left out.
    """
    symbol, _, interval = stream.partition("@kline_")
    extra = {"s": symbol.upper(), "i": interval, "x": True}
    return [
        Event(
            stream,
            EventKind.CANDLE,
            int(row[0]),
            True,
            int(row[6]),
            dict(zip(_KLINE_FIELDS, row, strict=False)) | extra,
            backfilled=True,
        )
        for row in rows
        if int(row[6]) < venue_ms
    ]


def trade_events(stream: str, rows: Iterable[Mapping[str, Any]]) -> list[Event]:
    """REST's `aggTrades` rows as events of a trade stream."""
    symbol = stream.partition("@")[0].upper()
    return [
        Event(
            stream,
            EventKind.TRADE,
            int(row["a"]),
            True,
            int(row["T"]),
            {"e": "aggTrade", "s": symbol, **row},
            backfilled=True,
        )
        for row in rows
    ]


def key_step(stream: str) -> int | None:
    """What lies between two neighbouring keys: a candle's length in ms, 1 for trades, None: keys may skip.

    Raises:
        ExchangeError: a candle stream of unknown or changing length (months).
    """
    _, found, interval = stream.partition("@kline_")
    if found:
        interval = interval.partition("@")[0]  # a time zone may follow
        number, unit = interval[:-1], interval[-1:]
        if not number.isdigit() or unit not in _UNIT_MS:
            raise ExchangeError(f"stream {stream!r}: candles of {interval!r} have no fixed length")
        return int(number) * _UNIT_MS[unit]
    return 1 if stream.endswith("@aggTrade") else None


def _error_text(body: Mapping[str, Any]) -> str | None:
    error = body.get("error")
    return None if error is None else json.dumps(error)
