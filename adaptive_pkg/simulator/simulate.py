"""The venue on its own: `simulate` runs it until Ctrl-C and prints the config that sends a bot there."""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TextIO

from adaptive_pkg.errors import VenueError
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.faults import read_faults
from adaptive_pkg.simulator.limits import LimitPlan
from adaptive_pkg.simulator.matching import Terms
from adaptive_pkg.simulator.service import Accounts
from adaptive_pkg.simulator.venue import Clock, LoopbackVenue, wall_clock_ms


def shifted_clock(start_ms: int, speed: float = 1.0, wall: Clock = wall_clock_ms) -> Clock:
    """A clock that is at `start_ms` now and runs `speed` times as fast as the wall's.

    Raises:
        VenueError: the speed is not above 0.
    """
    if not speed > 0:
        raise VenueError(f"speed: {speed} must be above 0")
    began = wall()
    return lambda: start_ms + round((wall() - began) * speed)


def simulate(
    datadir: Path,
    pairs: Sequence[str] = (),
    port: int = 0,
    faults: Path | None = None,
    *,
    clock: Clock | None = None,
    start: datetime | None = None,
    speed: float = 1.0,
    keys: Mapping[str, str] | None = None,
    balances: Mapping[str, float] | None = None,
    limits: LimitPlan | None = None,
    seed: int = 0,
    overlay_path: Path | None = None,
    out: TextIO | None = None,
    wait: Callable[[], None] | None = None,
) -> int:
    """Serve a folder of candles as Binance until Ctrl-C or SIGTERM.

    Prints the freqtrade config to lay over one's own. A bot has to live on the venue's clock, or its signed
    requests are refused. So `start` and `speed` are for clients that measure the difference; for freqtrade
    in another or in fast time, run venue and bot under one `faketime`, as is then printed.

    Args:
        pairs: pairs to list besides those in the folder.
        port: 0: any that is free.
        faults: a plan as a JSON file. See `read_faults`.
        clock: the venue's time in epoch ms; wins over `start` and `speed`.
        start: the venue's time at the start; None: the machine's.
        speed: how fast it runs from there.
        keys: API key → secret; None: a fresh pair.
        balances: what each account owns at the start; None: 10,000 USDT.
        limits: None: Binance's own.
        seed: of fills and, unless the plan names its own, of faults.
        overlay_path: the config is written there, readable by its owner only, instead of printed.
        out: where to print; None: standard output.
        wait: returns when it is time to stop; None: on a signal.

    Returns:
        0.

    Raises:
        DataError: the folder does not exist.
        VenueError: the plan makes no sense, or the port cannot be opened.
    """
    out = out or sys.stdout
    moved = clock is None and (start is not None or speed != 1.0)
    if clock is None:
        start_ms = wall_clock_ms() if start is None else round(start.timestamp() * 1000)
        clock = shifted_clock(start_ms, speed) if moved else wall_clock_ms
    keys = keys or {secrets.token_hex(32): secrets.token_hex(32)}
    accounts = Accounts(keys, balances or {"USDT": 10_000}, Terms(seed=seed))
    plan = read_faults(faults) if faults else None
    venue = LoopbackVenue(
        CandleStore(Path(datadir)),
        pairs,
        clock,
        accounts=accounts,
        limits=limits or LimitPlan(),
        faults=plan,
        port=port,
    )
    with _stop_signal() as stopped, venue:
        overlay = json.dumps(venue.live_overlay(), indent=1)
        now = datetime.fromtimestamp(clock() / 1000, UTC)
        _say(
            out,
            f"the venue is at {venue.url}, streams at {venue.stream_url}, its time is {now:%F %T} UTC",
        )
        if overlay_path:
            _write_private(overlay_path, overlay)
            _say(out, f"lay this over your config: --config {overlay_path}")
        else:
            _say(out, f"lay this over your config (--config, after yours):\n{overlay}")
        if moved:  # a bot cannot be put on this clock from outside, for it starts later
            _say(out, "this is not the machine's time: freqtrade needs both on one clock, so start them as")
            _say(out, f"faketime -f '@{now:%F %T} x{speed:g}' sh -c 'VENUE (without start, speed) & BOT'")
        _say(out, "Ctrl-C ends it")
        (wait or stopped.wait)()
        asked, broken = sum(venue.requests.values()), dict(venue.violations)
        struck = {kind.value: count for kind, count in venue.chaos.struck.items()}
        _say(out, f"{asked} requests, limits broken: {broken or 'none'}, faults: {struck or 'none'}")
    return 0


def _say(out: TextIO, text: str) -> None:
    print(text, file=out, flush=True)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; outside the main thread nothing sets it."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
