"""A rehearsal: the real `freqtrade trade` with AdaptiveGRU, the venue, and fast time, driven from outside.

with Rehearsal(folder, datadir, start, pairs=(…), timeframe="5m") as run:
    bot = run.start_bot()
    run.wait_until(lambda: run.trades())
    bot.kill()                        # as a power cut would; then run.start_bot() again
    bot.stop()
    run.venue_report()["violations"], run.trades(), run.log_counts()
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from adaptive_pkg.rehearsal.bot_config import own_config, write_configs
from adaptive_pkg.rehearsal.fast_time import FastTime, RehearsalError
from adaptive_pkg.rehearsal.leap_time import LeapTime
from adaptive_pkg.rehearsal.mortal import mortal
from adaptive_pkg.rehearsal.records import (
    BotTrade,
    Footprint,
    LogLine,
    footprint,
    read_log,
    read_trades,
)

CONFIGS = ("user_data/config.json", "user_data/config.rules.json")
KEY, SECRET = "rehearsal-key", "rehearsal-secret"  # of an account that exists in the loopback venue only
POLL_SECONDS = 0.02
THROTTLE_REAL_SECONDS = 0.05  # between two loops of the bot, where the config does not say


class Bot:
    """One run of `freqtrade trade`. Attributes: pid; started: the rehearsal's time at its start."""

    def __init__(self, run: Rehearsal, pid: int, started: datetime):
        self.pid, self.started = pid, started
        self._run = run

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below 0: ended by that signal."""
        return self._run.exit_code

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    def kill(self) -> None:
        """SIGKILL, at once: nothing is saved."""
        self._run.ask("end_bot", number=int(signal.SIGKILL), wait_real_seconds=10)

    def stop(self, wait_real_seconds: float = 30.0) -> int:
        """Ctrl-C and wait; its exit code. Raises RehearsalError where it does not end in time."""
        code = self._run.ask("end_bot", number=int(signal.SIGINT), wait_real_seconds=wait_real_seconds)[
            "exit_code"
        ]
        if code is None:
            raise RehearsalError(
                f"the bot did not stop within {wait_real_seconds} real seconds; see {self._run.log_path}"
            )
        return code

    def kill_on(self, event: str, count: int = 1) -> None:
        """SIGKILL it at the `count`-th such event at the venue: "POST /api/v3/order" when the request has
        come, "POST /api/v3/order done" when it was carried out and not yet answered."""
        self._run.ask("kill_bot_on", event=event, count=count)

    def footprint(self) -> Footprint:
        """Memory, threads and sockets now. Raises ProcessLookupError where it has ended."""
        return footprint(self.pid, self._run.now())


class Rehearsal:
    """The venue in fast time, and a folder in which a bot lives. A context manager.

    Args:
        folder: for config, database, logs, models; made if absent. A bot started again finds them.
        datadir: candles the venue replays.
        start: the fake clock's first moment, UTC.
        pairs: the whitelist.
        timeframe: of the strategy.
        speed: an even pace for everything: a candle must be long enough in real time for its work. None: leap
            time, where the clock leaps whenever the bot's main thread sleeps and else keeps the real pace.
        throttle_seconds: between two loops of the bot; None: 5, and at least 0.05 real ones.
        longest_leap, pause: see `LeapTime`. Streams and timers of other threads see gaps of `longest_leap`.
        live: trade with keys and real orders at the venue; else a dry run.
        config: files to start from, in freqtrade's order.
        config_extra: laid over them, last of all.
        balances: of the venue's account, and in a dry run the wallet (its stake currency).
        faults: a fault plan, as `simulator.faults.read_faults` takes it.
        limits: fields of `LimitPlan`; {}: Binance's own; None: nothing is counted.
        seed: of fills.
        as_backtested: prices as a backtest imagines them. See `simulator.replay.AS_BACKTESTED`.
        arguments: more of `freqtrade trade`'s.
        project: where user_data with the strategy is.
    """

    def __init__(
        self,
        folder: Path,
        datadir: Path,
        start: datetime,
        pairs: Sequence[str],
        timeframe: str = "1h",
        *,
        speed: float | None = None,
        throttle_seconds: int | None = None,
        longest_leap: float = 900.0,
        pause: float = 0.005,
        live: bool = False,
        config: Iterable[str | Path] = CONFIGS,
        config_extra: Mapping[str, Any] | None = None,
        balances: Mapping[str, float] | None = None,
        faults: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        seed: int = 0,
        as_backtested: bool = False,
        arguments: Sequence[str] = (),
        project: Path = Path(),
    ):
        self.folder = Path(folder).resolve()
        start = start.astimezone(UTC)
        self.time: FastTime | LeapTime = (
            LeapTime(start, self.folder / "clock", longest_leap, pause)
            if speed is None
            else FastTime(start, speed)
        )
        self._throttle = throttle_seconds or max(round(THROTTLE_REAL_SECONDS * self.time.speed), 5)
        self.database = self.folder / "trades.sqlite"
        self.log_path = self.folder / "bot.log"
        self.output_path = self.folder / "bot.out"
        self.live, self.pairs, self.timeframe = live, tuple(pairs), timeframe
        self.balances = dict(balances or {"USDT": 10_000.0})
        self.bots: list[Bot] = []
        self._project = Path(project).resolve()
        self._config = [str((self._project / path).resolve()) for path in config]
        self._extra = dict(config_extra or {})
        self._arguments = tuple(arguments)
        self._spec = {
            "datadir": str(Path(datadir).resolve()),
            "pairs": list(self.pairs),
            "keys": {KEY: SECRET},
            "balances": self.balances,
            "faults": dict(faults) if faults else None,
            "limits": None if limits is None else dict(limits),
            "seed": seed,
            "as_backtested": as_backtested,
        }
        self._host: subprocess.Popen[str] | None = None
        self.url, self.venue_pid = "", 0

    # --- the venue and its clock -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.time, LeapTime):
            self.time.begin()
        # around `faketime` as well, which waits beside the command that it starts
        command = self.time.command(mortal([sys.executable, "-m", "adaptive_pkg.rehearsal.host"]))
        command = mortal(command, os.getpid())
        self._host = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "venue.log").open("a"),
            text=True,
            # freqtrade logs nothing in a process that looks like one of pytest's
            env=self.time.environment({k: v for k, v in os.environ.items() if "PYTEST" not in k}),
        )
        self._send(self._spec)
        told = self._read()
        self.url, self.venue_pid = told["url"], told["pid"]
        return self

    def __exit__(self, *exception: object) -> None:
        host, self._host = self._host, None
        if host and host.stdin and host.stdout:
            host.stdin.close()
            try:
                host.wait(30)
            except subprocess.TimeoutExpired:
                host.kill()
                host.wait()
            host.stdout.close()

    def now(self) -> datetime:
        """The rehearsal's time."""
        return datetime.fromtimestamp(self.ask("now")["now_ms"] / 1000, UTC)

    @property
    def exit_code(self) -> int | None:
        """Of the last bot; None while it runs, or before the first."""
        return self.ask("now")["exit_code"]

    def trap_sprung(self) -> bool:
        """Whether `Bot.kill_on` has struck since it was last set."""
        return self.ask("now")["trap_sprung_ms"] is not None

    def leap(self, seconds: float) -> None:
        """Let time pass while no bot runs; in leap time only."""
        if not isinstance(self.time, LeapTime) or (self.bots and self.bots[-1].is_running):
            raise RehearsalError("only leap time leaps, and only while no bot runs")
        self.time.leap(seconds)

    def wait_until(
        self,
        goal: datetime | Callable[[], object],
        real_seconds: float = 600.0,
        *,
        bot_may_end: bool = False,
        poll_seconds: float = POLL_SECONDS,
    ) -> datetime:
        """Wait for a moment of the rehearsal's time, or for something to be true; the time it is then.

        Raises:
            RehearsalError: it did not happen within `real_seconds`, or the bot ended meanwhile.
        """
        limit = time.monotonic() + real_seconds
        while True:
            state = self.ask("now")
            now = datetime.fromtimestamp(state["now_ms"] / 1000, UTC)
            if (now >= goal) if isinstance(goal, datetime) else goal():
                return now
            if state["exit_code"] is not None and not bot_may_end:
                raise RehearsalError(
                    f"the bot ended with {state['exit_code']} at {now:%F %T}; see {self.log_path} and "
                    f"{self.output_path}:\n{self._tail()}"
                )
            if time.monotonic() > limit:
                raise RehearsalError(
                    f"not reached in {real_seconds} real seconds ({now:%F %T}); see {self.log_path}:\n"
                    f"{self._tail()}"
                )
            time.sleep(poll_seconds)

    def venue_report(self) -> dict[str, Any]:
        """requests, events, violations, bans, refused, faults_struck; accounts: orders, fills, balances."""
        return self.ask("report")

    def account(self) -> dict[str, Any]:
        """The venue's account of the bot: orders, fills, open_orders, balances (rows as Binance writes)."""
        return self.venue_report()["accounts"][KEY]

    def add_fault(self, **fault: Any) -> int:
        """Let something go wrong from now on; its number. `from` and `to`: seconds from now."""
        return self.ask("add_fault", fault=fault)["number"]

    def remove_fault(self, number: int) -> None:
        self.ask("remove_fault", number=number)

    def clear_faults(self) -> None:
        self.ask("clear_faults")

    # --- the bot -----------------------------------------------------------------------------------------

    def start_bot(self) -> Bot:
        """Start `freqtrade trade`, for the first time or again. Raises RehearsalError if one is running."""
        if self.bots and self.bots[-1].is_running:
            raise RehearsalError("a bot is running already; stop or kill it first")
        argv = [sys.executable, "-m", "adaptive_pkg.rehearsal.bot_process", "trade"]
        own = own_config(
            self.folder,
            self._project,
            self.pairs,
            self.timeframe,
            self.balances.get("USDT", 10_000.0),
            self._throttle,
            self.time.speed,
        )
        venue = self.ask("overlay", live=self.live, config=self._extra)
        for path in [
            *self._config,
            *write_configs(self.folder, {"rehearsal": own, "venue": venue, "extra": self._extra}),
        ]:
            argv += ["--config", path]
        argv += ["--strategy", "AdaptiveGRU", "--strategy-path", str(self._project / "user_data/strategies")]
        argv += ["--logfile", str(self.log_path), *self._arguments]
        answer = self.ask("start_bot", argv=argv, output=str(self.output_path), cwd=str(self.folder))
        bot = Bot(self, answer["pid"], datetime.fromtimestamp(answer["now_ms"] / 1000, UTC))
        self.bots.append(bot)
        return bot

    def trades(self) -> list[BotTrade]:
        """The bot's trades as its database has them, oldest first."""
        return read_trades(self.database)

    def log(self, *levels: str) -> list[LogLine]:
        """Lines of the bots' log, of these levels or all."""
        return [line for line in read_log(self.log_path) if not levels or line.level in levels]

    def log_counts(self) -> Counter[str]:
        """How many lines of each level."""
        return Counter(line.level for line in read_log(self.log_path))

    def analysed(self) -> list[tuple[str, datetime, datetime]]:
        """(pair, when the candle opened, when it was analysed), in order, of all bots so far."""
        path = self.folder / "analysed.csv"
        rows = [line.split(",") for line in path.read_text().splitlines()] if path.exists() else []
        return [
            (pair, datetime.fromtimestamp(float(opened), UTC), datetime.fromtimestamp(float(at), UTC))
            for pair, opened, at in rows
        ]

    # --- inside ------------------------------------------------------------------------------------------

    def ask(self, command: str, **values: Any) -> dict[str, Any]:
        """One request to the host. Raises RehearsalError where it fails."""
        self._send({"do": command, **values})
        return self._read()

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._host is None or self._host.stdin is None:
            raise RehearsalError("the rehearsal is not running; use it as a context manager")
        try:
            self._host.stdin.write(json.dumps(message) + "\n")
            self._host.stdin.flush()
        except BrokenPipeError as error:
            raise self._gone() from error

    def _read(self) -> dict[str, Any]:
        assert self._host and self._host.stdout
        line = self._host.stdout.readline()
        if not line:
            raise self._gone()
        answer = json.loads(line)
        if "error" in answer:
            raise RehearsalError(answer["error"])
        return answer

    def _gone(self) -> RehearsalError:
        path = self.folder / "venue.log"
        return RehearsalError(f"the venue's process has ended; see {path}:\n{path.read_text()[-2000:]}")

    def _tail(self, lines: int = 15) -> str:
        paths = [path for path in (self.log_path, self.output_path) if path.exists()]
        text = paths[0].read_text(errors="replace") if paths else "(no log)"
        return "\n".join(text.splitlines()[-lines:])
