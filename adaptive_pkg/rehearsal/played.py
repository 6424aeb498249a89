"""The same candles twice: traded by a live bot before the venue, and backtested by freqtrade."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.rehearsal.backtest_run import backtest_trades
from adaptive_pkg.rehearsal.busy import merged
from adaptive_pkg.rehearsal.live_bot import Rehearsal
from adaptive_pkg.rehearsal.records import LogLine
from adaptive_pkg.rehearsal.trade_views import TradeView, views_of_backtest, views_of_bot

# What a backtest cannot have: an order book and a connection.
LIVE_ONLY_OFF = {"adaptive": {"components": {"market_gate": False}}}
# A connection that sees hours pass in a leap gives up, so candles come by REST; and less is asked and logged.
QUICK = {
    "exchange": {"enable_ws": False, "markets_refresh_interval": 1440},
    "internals": {"heartbeat_interval": 0},
}
LOOPS_PER_CANDLE = 30


@dataclass(frozen=True)
class Played:
    """The same candles, traded by a live bot and backtested. `log`: of the bot.

    Attributes:
        analysed: candles that the bot analysed, all pairs together.
        violations: limits broken at the venue. errors: logged by the bot.
        real_seconds: how long the live run took.
    """

    start: datetime
    end: datetime
    live: tuple[TradeView, ...]
    backtest: tuple[TradeView, ...]
    analysed: int
    violations: int
    errors: int
    real_seconds: float
    log: tuple[LogLine, ...]
    wallet: float  # at the start


def play_both(
    folder: Path,
    datadir: Path,
    start: datetime,
    candles: int,
    pairs: Sequence[str],
    timeframe: str,
    *,
    live: bool,
    config: Iterable[str | Path],
    config_extra: Mapping[str, Any],
    as_backtested: bool,
    project: Path,
    real_seconds: float,
    longest_leap: float | None = None,
) -> Played:
    """Let a bot trade, then backtest. Arguments as in `parity.run_parity`.

    Args:
        longest_leap: seconds; None: a candle. A connection that sees more pass at once than its own patience
            takes the venue for dead.

    Raises:
        RehearsalError: one of them fails, or the bot takes longer than `real_seconds`.
    """
    length = timedelta(hours=timeframe_hours(timeframe))
    start, end = start.astimezone(UTC), start.astimezone(UTC) + candles * length
    config = tuple(config)
    began = time.monotonic()
    with Rehearsal(
        folder,
        datadir,
        start,
        pairs,
        timeframe,
        throttle_seconds=round(length.total_seconds() / LOOPS_PER_CANDLE),
        longest_leap=length.total_seconds() if longest_leap is None else longest_leap,
        pause=0.001 if longest_leap is None else 0.005,
        live=live,
        config=config,
        config_extra=merged(QUICK, dict(config_extra)),
        limits={},
        as_backtested=as_backtested,
        project=project,
    ) as run:
        bot = run.start_bot()
        run.wait_until(end + length / 2, real_seconds, poll_seconds=0.2)  # not while it loads candles
        bot.stop()
        took = time.monotonic() - began
        trades, violations = run.trades(), run.venue_report()["violations"]
        first, last = start - length, end - length
        log = run.log()
        analysed = {(pair, opened) for pair, opened, _ in run.analysed() if first <= opened < last}
        serious = (line for line in log if line.level in ("ERROR", "CRITICAL"))
        errors = sum(line.at < end for line in serious)  # not those of being stopped
        wallet = run.balances["USDT"]
    rows = backtest_trades(
        run.folder,
        datadir,
        start,
        end,
        pairs,
        timeframe,
        length,
        config=config,
        config_extra=config_extra,
        wallet=wallet,
        project=project,
    )
    return Played(
        start,
        end,
        tuple(views_of_bot(trades, length, end)),
        tuple(views_of_backtest(rows, length, end)),
        len(analysed),
        sum(violations.values()),
        errors,
        took,
        tuple(log),
        wallet,
    )
