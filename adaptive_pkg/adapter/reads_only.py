"""Callbacks that only read their trade, and are spared a copy of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Callback = TypeVar("Callback", bound=Callable)


def reads_only(callback: Callback) -> Callback:
    """Mark a callback that changes nothing of the trade it is handed, so that freqtrade does not copy it.

    freqtrade's wrapper deep-copies the trade, with all its orders, before every call of a callback that a
    strategy implements, and tells those from its own empty ones by their qualified name. The copies are most
    of a backtest's time. A test holds every marked callback to leaving its trade as it was; a freqtrade that
    no longer looks at the name would only be slower.
    """
    callback.__qualname__ = f"IStrategy.{callback.__name__}"
    return callback
