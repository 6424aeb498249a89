"""`JournalDesk`: the strategy's side of the decision journal. Nothing it does blocks or breaks a trade."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.journal.candidates import (
    DecidedBy,
    Decision,
    asked_at,
    candidate_rows,
    closing_times,
)
from adaptive_pkg.journal.journal import DecisionJournal, Run
from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.learning.opinion import BookOpinion
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.policy.decision import LearnedOpinion
from adaptive_pkg.policy.judgement import Judgement
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.settings.journal import JournalSettings
from adaptive_pkg.settings.places import resolve_path

logger = logging.getLogger(__name__)

LIVE = ("live", "dry_run")  # freqtrade's run modes, by value
BACKTEST = "backtest"
WAIT_SECONDS = 0.2  # live: longest wait for another program that holds the file
RETRY_SECONDS = 30.0  # after a failure nothing is tried for so long
MOST_WAITING = 1000  # writes kept until the file can be written again
MOST_AT_ONCE = 50  # writes; more would hold the bot's loop up
KEPT_CANDLES = 3  # live: a pair so far behind the newest candle has left
ANSWERS_AT_ONCE = 500  # of a backtest


def _harmless(note: Callable[..., None]) -> Callable[..., None]:
    """Do nothing until the journal is kept; and never let it break a trade."""

    @wraps(note)
    def guarded(self: JournalDesk, *args: Any, **kwargs: Any) -> None:
        if self._keeper is None:
            return
        try:
            note(self, *args, **kwargs)
        except Exception as error:
            self._keeper.complain(f"{note.__name__}: {error!r}")

    return guarded


@dataclass(frozen=True, slots=True)
class _Judged:
    """A pair's latest judged candles."""

    pair: str
    timeframe: str
    seconds: int
    frame: pd.DataFrame
    judgement: Judgement
    asked: frozenset[int]  # candles that are rows of their own

    @property
    def newest(self) -> pd.Timestamp:
        """Start of the last candle."""
        return self.frame["date"].iloc[-1]

    def last_closed(self, now: datetime) -> int:
        closed = closing_times(self.frame, self.seconds)
        return int(np.searchsorted(closed, int(now.timestamp() * 1000), side="right")) - 1

    def rows(self, at: np.ndarray) -> pd.DataFrame:
        return candidate_rows(self.pair, self.timeframe, self.seconds, self.frame, self.judgement, at)

    def answers(self, given: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
        """Rows with what was answered, by candle."""
        at = sorted(given)
        said = pd.DataFrame([given[i] for i in at]).astype(object)
        return self.rows(np.array(at)).assign(**{name: said[name].to_numpy() for name in said})


class JournalDesk:
    """Writes nothing until `begin`, which says what kind of run it is.

    Args:
        timeframe, timeframe_seconds: of the strategy's candles.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        settings: AdaptiveSettings,
        timeframe: str,
        timeframe_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._settings: JournalSettings = settings.journal
        self._timeframe, self._seconds, self._clock = timeframe, timeframe_seconds, clock
        self._keeper: _Keeper | None = None
        self._judged: dict[str, _Judged] = {}
        self._answered: dict[str, tuple[Decision, str, int]] = {}  # the last of each pair, and its candle
        self._live = False
        self.opinion: LearnedOpinion | None = None  # until `begin`

    def begin(self, mode: str, config: Mapping[str, Any], settings: AdaptiveSettings) -> None:
        """A run begins.

        Args:
            mode: freqtrade's run mode, e.g. "dry_run". config: freqtrade's. settings: those traded by.
        """
        self._live, folder = mode in LIVE, config.get("user_data_dir")
        if settings.journal.learning.confidence_weight > 0 and settings.components.confidence:
            book = resolve_path(settings.journal.learning.book, folder)
            self.opinion = BookOpinion(settings, self._timeframe, self._seconds, book)
        if not (self._settings.enabled if self._live else mode == BACKTEST and self._settings.backtest):
            return
        run = Run(run_name(mode, config, settings), str(mode), rules_fingerprint(settings))
        wait = WAIT_SECONDS if self._live else 30.0
        self._keeper = _Keeper(resolve_path(self._settings.path, folder), run, wait, self._clock)
        if not self._live:  # a backtest does not say when it ends
            weakref.finalize(self, self._keeper.close)

    @_harmless
    def analysed(
        self, pair: str, frame: pd.DataFrame, judgement: Judgement, settings: AdaptiveSettings
    ) -> None:
        """Candles were judged. Live, the newest is journalled; in a backtest, all after the warm-up."""
        at = asked_at(judgement)
        judged = _Judged(pair, self._timeframe, self._seconds, frame, judgement, frozenset(at.tolist()))
        self._judged[pair] = judged
        if self._live:
            self._forget(judged.newest - timedelta(seconds=KEPT_CANDLES * self._seconds))
        at = at[at == len(frame) - 1] if self._live else at[at >= startup_candles(settings.indicators)]
        if len(at):
            self._keeper.put("write", judged.rows(at))

    @_harmless
    def sized(self, pair: str, now: datetime, side: str, stake: float, reason: str) -> None:
        """A stake was decided; nothing at all refuses the entry."""
        if stake <= 0:
            self._note(pair, now, side, Decision.REFUSED, DecidedBy.SIZING, reason, None)

    @_harmless
    def answered(
        self,
        pair: str,
        now: datetime,
        side: str,
        allowed: bool,
        by: str = "",
        reason: str = "",
        open_trades: int | None = None,
    ) -> None:
        """The entry was confirmed or refused; `by` names who refused, e.g. "limits", "breaker", "error"."""
        if allowed:
            self._note(pair, now, side, Decision.TAKEN, DecidedBy.CONFIRMED, reason, open_trades)
        else:
            self._note(pair, now, side, Decision.REFUSED, by or DecidedBy.LIMITS, reason, open_trades)

    def close(self) -> None:
        """Write what waits, and let the file go."""
        if self._keeper is not None:
            self._keeper.close()

    def _forget(self, before: datetime) -> None:
        """Pairs whose candles end before a moment: nobody trades them any more."""
        self._judged = {pair: judged for pair, judged in self._judged.items() if judged.newest >= before}
        self._answered = {pair: last for pair, last in self._answered.items() if pair in self._judged}

    def _note(
        self,
        pair: str,
        now: datetime,
        side: str,
        decision: Decision,
        by: str,
        reason: str,
        open_trades: int | None,
    ) -> None:
        """Answer for the last candle that has closed; a forced entry without a candidate is nobody's."""
        judged = self._judged.get(pair)
        if judged is None:
            return
        at = judged.last_closed(now)
        if at < 0 or judged.judgement.decisions.side[at] != (1 if side == "long" else -1):
            return
        if self._repeats(judged, at, decision, by):
            return
        answer = {
            "decision": str(decision), "decided_by": str(by), "reason": reason, "open_trades": open_trades,
        }  # fmt: skip
        if self._live:
            self._keeper.put("answer", judged.answers({at: answer}))
        else:
            self._keeper.gather(judged, at, answer)

    def _repeats(self, judged: _Judged, at: int, decision: Decision, by: str) -> bool:
        """Refused again within a candle, or candle after candle of a trend: one row is enough."""
        start = int(judged.frame["date"].iloc[at].timestamp())
        before, self._answered[judged.pair] = self._answered.get(judged.pair), (decision, by, start)
        if decision is Decision.TAKEN or before is None or before[:2] != (decision, by):
            return False
        waited = start - before[2]
        return waited == 0 or (waited == self._seconds and at not in judged.asked)


class _Keeper:
    """The journal of one run: opened at the first write, patient with a file that cannot be written."""

    def __init__(self, path: Path, run: Run, wait_seconds: float, clock: Callable[[], float]):
        self._path, self._run, self._wait, self._clock = path, run, wait_seconds, clock
        self._journal: DecisionJournal | None = None
        self._waiting: deque[tuple[str, pd.DataFrame]] = deque(maxlen=MOST_WAITING)
        self._gathered: dict[str, tuple[_Judged, dict[int, dict[str, Any]]]] = {}
        self._count = 0
        self._resting_until = -np.inf
        self._said: set[str] = set()

    def put(self, how: str, rows: pd.DataFrame) -> None:
        """Write rows, and first those that wait, so many at once; on a failure they wait."""
        self._waiting.append((how, rows))
        if self._clock() >= self._resting_until:
            self._write(MOST_AT_ONCE)

    def _write(self, most: int) -> None:
        try:
            if self._journal is None:
                self._journal = DecisionJournal(self._path, self._wait)
            for _ in range(min(most, len(self._waiting))):
                how, rows = self._waiting[0]
                getattr(self._journal, how)(self._run, rows)
                self._waiting.popleft()
        except Exception as error:
            self._resting_until = self._clock() + RETRY_SECONDS
            self.complain(str(error))
            return
        self._said.clear()

    def gather(self, judged: _Judged, at: int, answer: dict[str, Any]) -> None:
        """Keep an answer of a backtest until there are many; the last one about a candle counts."""
        self._gathered.setdefault(judged.pair, (judged, {}))[1][at] = answer
        self._count += 1
        if self._count >= ANSWERS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write the answers gathered."""
        gathered, self._gathered, self._count = self._gathered, {}, 0
        for judged, answers in gathered.values():
            self.put("answer", judged.answers(answers))

    def close(self) -> None:
        """Try once more whatever waits, and let the file go."""
        self.flush()
        if self._waiting:
            self._write(MOST_WAITING)
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def complain(self, what: str) -> None:
        """Say once what keeps the journal from being written."""
        if what not in self._said:
            self._said.add(what)
            logger.warning("the decision journal misses rows, trading goes on: %s", what)


def run_name(mode: str, config: Mapping[str, Any], settings: AdaptiveSettings) -> str:
    """A live bot keeps its name over restarts; a backtest is named by what makes it the same one again."""
    if mode in LIVE:
        return f"{mode}:{config.get('bot_name') or 'freqtrade'}"
    exchange = config.get("exchange") or {}
    told = {
        "settings": settings,
        "timerange": config.get("timerange"),
        "pairs": config.get("pairs") or exchange.get("pair_whitelist"),
        "timeframe": config.get("timeframe"),
        "mode": config.get("trading_mode"),
        "freqai": (config.get("freqai") or {}).get("identifier"),
        "model": config.get("freqaimodel"),
    }
    text = json.dumps(told, sort_keys=True, default=str)
    return f"{mode}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
