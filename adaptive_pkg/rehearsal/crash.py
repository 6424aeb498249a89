"""Crash: the bot is killed at seeded moments, started again, and its books are set beside the venue's."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adaptive_pkg.errors import RiskError
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.rehearsal.busy import BUSY, merged
from adaptive_pkg.rehearsal.crash_report import Crash, CrashReport
from adaptive_pkg.rehearsal.hand import close_by_hand
from adaptive_pkg.rehearsal.ledger import Differences, compare, owned, venue_orders
from adaptive_pkg.rehearsal.live_bot import Bot, Rehearsal
from adaptive_pkg.rehearsal.records import BotTrade
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan

# What is under way when the bot is killed: the event at the venue, None: any moment.
WINDOWS: dict[str, str | None] = {
    "any moment": None,
    "order placed, answer not read": "POST /api/v3/order done",
    "order open": "GET /api/v3/order",
    "fill told, not recorded": "GET /api/v3/order done",
    "fee of a fill asked": "GET /api/v3/myTrades done",
    "order cancelled": "DELETE /api/v3/order done",
}
MODEL_WINDOW = "model being saved"
ORPHAN_WORDS = "which the bot does not know"  # see adapter.orphans
STAGES = ("initial", "breakeven", "trailing")
SAVING_REAL_SECONDS = 60.0
_STRATEGIES = Path(__file__).parent / "strategies"


class CrashRehearsal:
    """Kills and restarts a live bot, and looks at its books after each restart.

    Args:
        folder: for the run; anew. datadir: candles. start: first moment, at least 30 days into them.
        config_extra: laid over `BUSY`.
        models: FreqAI's folder of models to watch; with it every other kill is while a model is saved.
        longest_minutes: simulated, that an event is waited for before the bot is killed anyway.
    """

    def __init__(
        self,
        folder: Path,
        datadir: Path,
        start: datetime,
        pairs: Sequence[str],
        *,
        seed: int = 0,
        timeframe: str = "5m",
        config_extra: Mapping[str, Any] | None = None,
        models: str | None = None,
        longest_minutes: float = 45.0,
        strategy: tuple[str, Path] = ("StopwatchGRU", _STRATEGIES),
        windows: Sequence[str] = tuple(WINDOWS),
        **rehearsal: Any,
    ):
        self._dice = random.Random(seed)
        self._seed, self._longest = seed, timedelta(minutes=longest_minutes)
        self._stopwatch = Path(folder).resolve() / "stopwatch.jsonl"
        self._candle_ms = round(timeframe_hours(timeframe) * 3_600_000)
        self._models = Path(folder).resolve() / "user_data/models" / models if models else None
        self._windows = list(windows)
        self.run = Rehearsal(
            folder,
            datadir,
            start,
            pairs,
            timeframe,
            live=True,
            limits={},
            seed=seed,
            config_extra=merged(
                BUSY, dict(config_extra or {}), {"rehearsal": {"stopwatch": str(self._stopwatch)}}
            ),
            arguments=("--strategy", strategy[0], "--strategy-path", str(strategy[1])),
            **rehearsal,
        )
        self._by_hand: set[str] = set()
        self._doubled: set[str] = set()
        self._starts = self._said = 0

    def play(self, kills: int, real_seconds: float = float("inf")) -> CrashReport:
        """Run until so many kills are done, or so much time has passed."""
        crashes: list[Crash] = []
        limit = time.monotonic() + real_seconds
        with self.run as run:
            bot = self._start()
            for number in range(kills):
                if time.monotonic() > limit:
                    break
                window = self._window(number)
                window = self._kill(bot, window)
                before = run.trades()
                stages = self._stages()
                at, open_orders = run.now(), run.account()["open_orders"]
                if self._dice.random() < 0.3:  # somebody has to notice first
                    run.leap(self._dice.uniform(60, 1200))
                self._said = self._count(ORPHAN_WORDS)
                bot = self._start()
                crashes.append(self._look(bot, window, at, before, stages, open_orders))
            bot.stop()
            report = run.venue_report()
            return CrashReport(
                self._seed,
                tuple(crashes),
                len(run.account()["orders"]),
                len(run.trades()),
                report["violations"],
            )

    # --- kill --------------------------------------------------------------------------------------------

    def _window(self, number: int) -> str:
        """Each kind in turn, in a seeded order."""
        kinds = [MODEL_WINDOW, *self._windows] if self._models else self._windows
        if number % len(kinds) == 0:
            self._order = self._dice.sample(kinds, len(kinds))
        return self._order[number % len(kinds)]

    def _kill(self, bot: Bot, window: str) -> str:
        run, dice = self.run, self._dice
        if window == MODEL_WINDOW:
            return self._kill_while_saving(bot)
        if (event := WINDOWS[window]) is None:
            run.wait_until(run.now() + timedelta(seconds=dice.uniform(20, 900)))
            bot.kill()
            return window
        bot.kill_on(event, 1 if event.startswith("POST") else dice.randint(1, 3))
        limit = run.now() + self._longest
        run.wait_until(lambda: run.trap_sprung() or run.now() >= limit, bot_may_end=True)
        if run.trap_sprung():
            run.wait_until(lambda: not bot.is_running, bot_may_end=True)
            return window
        bot.kill_on("nothing")  # or it would meet the next bot
        bot.kill()
        return "any moment"

    def _kill_while_saving(self, bot: Bot) -> str:
        """As soon as another file of a model appears or grows, or a few milliseconds later."""
        assert self._models
        before = _sizes(self._models)
        limit = time.monotonic() + SAVING_REAL_SECONDS
        delay = self._dice.uniform(0.0, 0.02)
        while time.monotonic() < limit:
            if _sizes(self._models) != before:
                time.sleep(delay)
                bot.kill()
                return MODEL_WINDOW
            time.sleep(0.0005)
        bot.kill()
        return "any moment"

    # --- restart and look --------------------------------------------------------------------------------

    def _start(self) -> Bot:
        bot = self.run.start_bot()
        self._starts += 1
        self.run.wait_until(lambda: self._count("Changing state to: RUNNING") >= self._starts, 120.0)
        return bot

    def _count(self, words: str) -> int:
        path = self.run.log_path
        return path.read_text(errors="replace").count(words) if path.exists() else 0

    def _look(
        self,
        bot: Bot,
        window: str,
        at: datetime,
        before: Sequence[BotTrade],
        stages: Mapping[int, dict[str, Any]],
        open_orders: int,
    ) -> Crash:
        run = self.run
        limit = run.now() + timedelta(minutes=10)
        run.wait_until(lambda: self._is_ready(bot) or run.now() >= limit)
        run.wait_until(run.now() + timedelta(seconds=90))  # open orders are looked up, filled ones booked
        found = self._settled()
        said = self._count(ORPHAN_WORDS) > self._said
        trades = run.trades()
        with_position = [trade for trade in trades if trade.is_open and trade.amount]
        for order in found.unknown:
            self._by_hand.update(close_by_hand(run, order))
        doubled = {order.order_id for order in found.doubled} - self._doubled
        self._doubled |= doubled
        unknown_pairs = {order.pair for order in found.unknown}
        lines = [line for line in self._lines() if line["pid"] == bot.pid]
        first = {line["trade"]: line for line in reversed(lines)}
        known = {trade.id for trade in before if trade.is_open and trade.amount}
        ready = [first[trade.id] for trade in with_position if trade.id in first and trade.id in known]
        return Crash(
            window,
            f"{at:%F %T}",
            sum(bool(trade.is_open) for trade in before),
            open_orders,
            len(found.unknown),
            len(doubled),
            len(found.unknown_at_venue),
            tuple(pair for pair in found.balances if pair not in unknown_pairs),
            bool(found.unknown) and said,
            tuple(t.id for t in with_position if _plan(t) is None or t.id not in first),
            _changed(before, trades),
            _set_back(stages, first),
            *(max((line[f"{name}_seconds"] for line in ready), default=None) for name in ("real", "cpu")),
            errors=tuple(
                f"{line.logger}: {line.message.splitlines()[0]}"[:160]
                for line in run.log("ERROR", "CRITICAL")
                if line.at >= bot.started and not line.logger.endswith("exchange_ws")
            ),
        )

    def _settled(self) -> Differences:
        """Differences that last: an order placed this very moment is in no database yet."""
        for _ in range(4):
            account, trades = self.run.account(), self.run.trades()
            found = compare(
                venue_orders(account, self.run.pairs),
                trades,
                owned(account, self.run.pairs),
                candle_ms=self._candle_ms,
                by_hand=self._by_hand,
            )
            if not (found.unknown or found.balances):
                break
            self.run.wait_until(self.run.now() + timedelta(seconds=20))
        return found

    def _is_ready(self, bot: Bot) -> bool:
        seen = {line["trade"] for line in self._lines() if line["pid"] == bot.pid}
        return seen >= {trade.id for trade in self.run.trades() if trade.is_open and trade.amount}

    def _lines(self) -> list[dict[str, Any]]:
        if not self._stopwatch.exists():
            return []
        texts = self._stopwatch.read_text().splitlines()
        return [json.loads(text) for text in texts if text.endswith("}")]  # a kill can cut the last one

    def _stages(self) -> dict[int, dict[str, Any]]:
        """Each trade's latest stage and stop, as the strategy that died knew them."""
        return {line["trade"]: line for line in self._lines()}


def _plan(trade: BotTrade) -> StopPlan | None:
    """The trade's stored plan; None without a sound one."""
    try:
        return StopPlan.from_dict(trade.custom_data[PLAN_KEY])
    except (KeyError, RiskError):
        return None


def _changed(before: Sequence[BotTrade], after: Sequence[BotTrade]) -> tuple[int, ...]:
    """Trades with a position whose first stop is another one now; rungs move breakeven and target only."""
    then = {trade.id: _plan(trade) for trade in before if trade.is_open and trade.amount}
    now = {trade.id: _plan(trade) for trade in after}
    return tuple(
        number
        for number, plan in then.items()
        if plan and now.get(number) and now[number].initial_stop != plan.initial_stop
    )


def _set_back(before: Mapping[int, dict[str, Any]], after: Mapping[int, dict[str, Any]]) -> tuple[int, ...]:
    """Trades whose stage or stop is behind what it was."""
    return tuple(
        number
        for number, line in after.items()
        if (then := before.get(number))
        and (
            STAGES.index(line["stage"]) < STAGES.index(then["stage"])
            or line["stop"] < then["stop"] * (1 - 1e-9)
        )
    )


def _sizes(folder: Path) -> Counter[str]:
    """Model files and their sizes."""
    found: Counter[str] = Counter()
    if folder.is_dir():
        for path in folder.glob("sub-train-*/*"):
            try:
                found[str(path)] = path.stat().st_size + 1
            except FileNotFoundError:
                continue
    return found
