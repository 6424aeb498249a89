"""The process that holds the venue in fast time, and starts the bot on the same clock.

It is told what to do by lines of JSON on its standard input and answers each with one line. When the input
ends, or the process that started it does, so do the venue and the bot.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from adaptive_pkg.rehearsal.fast_time import mend_waits
from adaptive_pkg.rehearsal.leap_time import leap_clock_ms, on_leap_time
from adaptive_pkg.rehearsal.mortal import mortal
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.faults import read_faults
from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.matching import Terms
from adaptive_pkg.simulator.replay import AS_BACKTESTED, USUAL
from adaptive_pkg.simulator.service import Accounts
from adaptive_pkg.simulator.venue import LoopbackVenue, wall_clock_ms

STOP_REAL_SECONDS = 20.0


class Host:
    """The venue and at most one bot.

    Args:
        spec: see `live_bot.Rehearsal`.
    """

    def __init__(self, spec: Mapping[str, Any]):
        self._speed = float(os.environ["REHEARSAL_SPEED"])
        file = os.environ.get("REHEARSAL_CLOCK")
        self._clock = partial(leap_clock_ms, Path(file)) if file else wall_clock_ms
        self._leaps = file is not None
        accounts = None
        if spec["keys"]:
            accounts = Accounts(spec["keys"], spec["balances"], Terms(seed=spec["seed"]))
        limits = None if spec["limits"] is None else LimitPlan(**spec["limits"])
        self.events: Counter[str] = Counter()
        self.venue = LoopbackVenue(
            CandleStore(Path(spec["datadir"])),
            spec["pairs"],
            self._clock,
            accounts=accounts,
            limits=limits,
            faults=read_faults(spec["faults"]) if spec["faults"] else None,
            witness=self._witness,
            replay=AS_BACKTESTED if spec["as_backtested"] else USUAL,
        )
        self._bot: subprocess.Popen[bytes] | None = None
        self._trap: tuple[str, int] | None = None  # (event, how many more of it) that kill the bot
        self._sprung_ms: int | None = None

    # --- what the driver asks ----------------------------------------------------------------------------

    def now(self) -> dict[str, Any]:
        """Fake time, and how the bot is."""
        code = self._bot.poll() if self._bot else None
        return {"now_ms": self._clock(), "exit_code": code, "trap_sprung_ms": self._sprung_ms}

    def start_bot(self, argv: list[str], output: str, cwd: str) -> dict[str, Any]:
        with Path(output).open("ab") as file:
            self._bot = subprocess.Popen(
                mortal(argv, os.getpid()),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                env=on_leap_time(os.environ) if self._leaps else None,
            )
        return {"pid": self._bot.pid, "now_ms": self._clock()}

    def end_bot(self, number: int, wait_real_seconds: float) -> dict[str, Any]:
        """Send a signal and wait for the end. `exit_code` stays None where it did not come."""
        bot = self._bot
        if bot is None:
            return {"exit_code": None}
        if bot.poll() is None:
            bot.send_signal(number)
            self._await_end(bot, wait_real_seconds)
        return {"exit_code": bot.poll(), "now_ms": self._clock()}

    def kill_bot_on(self, event: str, count: int) -> dict[str, Any]:
        """SIGKILL the bot at the `count`-th such event from now on. See `LoopbackVenue.witness`."""
        self._sprung_ms, self._trap = None, (event, count)
        return {}

    def add_fault(self, fault: dict[str, Any]) -> dict[str, Any]:
        """`from` and `to`, where given, count in seconds from now."""
        began = self.venue.chaos.began_ms or self._clock()
        since = (self._clock() - began) / 1000
        timed = {name: fault[name] + since for name in ("from", "to") if name in fault}
        plan = read_faults({"faults": [{**fault, **timed}]})
        return {"number": self.venue.chaos.add(plan.faults[0])}

    def remove_fault(self, number: int) -> dict[str, Any]:
        self.venue.chaos.remove(number)
        return {}

    def clear_faults(self) -> dict[str, Any]:
        self.venue.chaos.clear()
        return {}

    def report(self) -> dict[str, Any]:
        """What the venue saw and what its accounts hold."""
        service, venue = self.venue.service, self.venue
        accounts = {}
        for key, desk in service.desks.items():
            orders = list(desk.matching.orders.values())
            accounts[key] = {
                "orders": [order.row() for order in orders],
                "fills": [row for order in orders for row in order.trade_rows()],
                "open_orders": len(desk.matching.open_orders()),
                "balances": desk.wallet.rows(),
            }
        return {
            "now_ms": self._clock(),
            "requests": dict(venue.requests),
            "events": dict(self.events),
            "violations": dict(venue.violations),
            "bans": service.limits.bans if service.limits else 0,
            "refused": {str(code): count for code, count in service.refused.items()},
            "faults_struck": {kind.value: count for kind, count in venue.chaos.struck.items()},
            "accounts": accounts,
        }

    # --- inside ------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Answer until the input ends."""
        with self.venue:
            _say({"url": self.venue.url, "pid": os.getpid(), "now_ms": self._clock()})
            try:
                for line in sys.stdin:
                    _say(self._answer(json.loads(line)))
            finally:
                self.end_bot(signal.SIGKILL, 5.0)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked.pop("do")
        if name == "overlay":
            make = self.venue.live_overlay if asked["live"] else self.venue.overlay
            return make(asked["config"])
        if name not in COMMANDS:
            return {"error": f"unknown command {name}"}
        try:
            return COMMANDS[name](self, **asked)
        except Exception as error:
            logging.exception("rehearsal host: %s", name)
            return {"error": f"{name}: {error}"}

    def _witness(self, event: str) -> None:
        self.events[event] += 1
        if self._trap and self._trap[0] == event:
            left = self._trap[1] - 1
            self._trap = (event, left) if left else None
            if not left and self._bot and self._bot.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._bot.pid, signal.SIGKILL)
                self._sprung_ms = self._clock()

    def _await_end(self, bot: subprocess.Popen[bytes], real_seconds: float) -> None:
        pause = 0.005 * self._speed
        for _ in range(round(real_seconds * self._speed / pause)):  # not the clock's time: that may leap
            if bot.poll() is not None:
                return
            time.sleep(pause)


COMMANDS = {
    name: getattr(Host, name)
    for name in (
        *("now", "start_bot", "end_bot", "kill_bot_on"),
        *("add_fault", "remove_fault", "clear_faults", "report"),
    )
}


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if "REHEARSAL_CLOCK" not in os.environ:
        mend_waits(float(os.environ["REHEARSAL_SPEED"]))
    # a terminal's Ctrl-C is the driver's to handle; not SIG_IGN, which the bot would inherit
    signal.signal(signal.SIGINT, lambda number, frame: None)
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")
    Host(json.loads(sys.stdin.readline())).serve()
