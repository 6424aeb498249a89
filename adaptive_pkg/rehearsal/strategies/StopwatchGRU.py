"""AdaptiveGRU with a stopwatch: when its own state is there again after a start. It decides nothing else."""

import importlib.util
import json
import os
import resource
import time
from pathlib import Path

import adaptive_pkg
from adaptive_pkg.adapter.reads_only import reads_only

_FILE = Path(adaptive_pkg.__file__).parents[1] / "user_data/strategies/AdaptiveGRU.py"
_spec = importlib.util.spec_from_file_location("AdaptiveGRU", _FILE)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)


def _cpu_seconds() -> float:
    """Of this process; the one clock that fast time leaves alone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class StopwatchGRU(_module.AdaptiveGRU):
    """Writes a line of JSON where a trade's stop is known again, and where its stage changes."""

    def __init__(self, config: dict) -> None:
        self._began = time.monotonic(), _cpu_seconds()
        super().__init__(config)
        self._seen: dict[int, str] = {}
        self._lines = Path(config["rehearsal"]["stopwatch"])

    @reads_only
    def custom_stoploss(self, pair, trade, current_time, current_rate, after_fill, **kwargs):
        found = super().custom_stoploss(
            pair=pair,
            trade=trade,
            current_time=current_time,
            current_rate=current_rate,
            after_fill=after_fill,
            **kwargs,
        )
        try:
            state = self.desk.stop(trade, current_time)
        except Exception:  # before the first candle, say; the rehearsal misses the line
            return found
        self._write(trade, str(state.stage), state.stop, current_time)
        return found

    def _write(self, trade, stage: str, stop: float, now) -> None:
        if self._seen.get(trade.id) == stage:
            return
        self._seen[trade.id] = stage
        began, cpu = self._began
        line = {
            "pid": os.getpid(),
            "trade": trade.id,
            "stage": stage,
            "stop": stop,
            "at_ms": round(now.timestamp() * 1000),
            "real_seconds": time.monotonic() - began,
            "cpu_seconds": _cpu_seconds() - cpu,
        }
        with self._lines.open("a") as file:
            file.write(json.dumps(line) + "\n")
