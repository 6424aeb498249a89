"""freqtrade's log lines kept off the terminal while it backtests, and the strategy's warnings counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from adaptive_pkg.evaluation.strategy.conditions import STRATEGY

_LOUD = ("freqtrade", "ccxt", "asyncio", "aiohttp")
_TRAINING = "adaptive_pkg.freqai"  # a line a model, of which there are hundreds; its warnings stay


@contextmanager
def silence() -> Iterator[None]:
    """For freqtrade's set-up, which turns its own log lines on."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
        _hush()


def _hush() -> None:
    """What freqtrade has to say of a failure, its exception says too."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_TRAINING).setLevel(logging.WARNING)


class _Warnings(logging.Handler):
    """Counts what the strategy warns of; a callback that failed says so there and nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts[str(record.msg if record.args else record.getMessage())[:200]] += 1


@contextmanager
def quiet() -> Iterator[Counter[str]]:
    """Keep freqtrade's log lines off the terminal, and the process's logging as it was."""
    root, handler = logging.getLogger(), _Warnings()
    before = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*_LOUD, _TRAINING)}
    strategy = logging.getLogger(STRATEGY)
    propagates = strategy.propagate
    strategy.addHandler(handler)
    strategy.propagate = False
    _hush()
    try:
        yield handler.texts
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        strategy.removeHandler(handler)
        strategy.propagate = propagates
