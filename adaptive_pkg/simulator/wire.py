"""How Binance writes numbers, candles and errors, and reads its query parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adaptive_pkg.simulator.tape import CLOSE, OPEN, VOLUME


class BinanceError(Exception):
    """An error body as Binance sends it, with its HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400):
        super().__init__(message)
        self.body = {"code": code, "msg": message}
        self.status = status


def plain(number: float) -> str:
    """Decimal text that reads back to the same number, without an exponent, as Binance writes numbers."""
    text = repr(float(number))
    return np.format_float_positional(number, trim="-") if "e" in text else text


def stepped(number: float, step: float) -> str:
    """The nearest multiple of `step` (a power of ten up to 1) as decimal text."""
    return f"{number:.{max(round(-np.log10(step)), 0)}f}"


def kline_row(opened_ms: int, row: list[float], length_ms: int) -> list[Any]:
    """One row of `klines` from open, high, low, close, volume."""
    quote = plain(row[VOLUME] * sum(row[OPEN : CLOSE + 1]) / 4)  # not on file: volume at the mean price
    half = plain(row[VOLUME] / 2)
    return [
        opened_ms,
        *(plain(value) for value in row),
        opened_ms + length_ms - 1,
        quote,
        0,
        half,
        plain(float(quote) / 2),
        "0",
    ]


def text_of(query: Mapping[str, str], name: str) -> str:
    """A parameter that has to be there. Raises BinanceError."""
    if not query.get(name):
        raise BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return query[name]


def integer_of(query: Mapping[str, str], name: str, default: int | None = None) -> Any:
    """A whole-number parameter, or the default where it was not sent. Raises BinanceError."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit() or len(text) > 20:
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(text)
