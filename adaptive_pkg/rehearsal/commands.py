"""The long rehearsals of parity and of the models' life, with their report on paper and as JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adaptive_pkg.enums import Approach
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.rehearsal.market import BEGIN, PAIRS, TIMEFRAME, write_market
from adaptive_pkg.rehearsal.model_life import run_model_life
from adaptive_pkg.rehearsal.parity import run_parity
from adaptive_pkg.rehearsal.real_spread import run_real_spread
from adaptive_pkg.simulator.candles import CandleStore

CANDLES = 520


def rehearse_parity(
    datadir: Path | None = None,
    candles: int = CANDLES,
    pairs: Sequence[str] = PAIRS,
    timeframe: str = TIMEFRAME,
    *,
    start: datetime | None = None,
    live: Sequence[bool] = (False, True),
    real_spread: bool = False,
    approach: Approach = Approach.BY_REGIME,
    workdir: Path | None = None,
    json_path: Path | None = None,
) -> int:
    """Rehearse parity in a dry run and with keys; print the tables.

    Args:
        datadir: folder of candles; None: a synthetic market.
        start: None: so that the last candle on file is the span's last.
        live: which of the two to run.
        real_spread: with the venue's order book and the market gate, which no backtest has; the table tells
            what differs then.
        approach: BY_REGIME makes more trades to compare.
        workdir: where logs and databases are left; None: nowhere.

    Returns:
        0 where parity holds in all of them, else 1; with a real spread 0, for none is to be expected.

    Raises:
        RehearsalError, DataError: it cannot be run.
    """
    with _folder(workdir) as folder:
        source, start = _span(folder, datadir, start, candles, pairs, timeframe)
        play = run_real_spread if real_spread else run_parity
        reports = []
        for keys in live:
            where = folder / ("live" if keys else "dry")
            extra = {"adaptive": {"approach": str(approach)}}
            reports.append(
                play(where, source, start, candles, pairs, timeframe, live=keys, config_extra=extra)
            )
            print(reports[-1].table(), flush=True)
        name = "real_spread" if real_spread else "parity"
        _write(json_path, {name: [report.to_dict() for report in reports]})
    return int(not real_spread and not all(report.holds for report in reports))


def rehearse_model(
    datadir: Path | None = None,
    pairs: Sequence[str] = PAIRS[:2],
    timeframe: str = TIMEFRAME,
    *,
    start: datetime | None = None,
    rounds: int = 4,
    live: bool = False,
    training: dict[str, Any] | None = None,
    workdir: Path | None = None,
    json_path: Path | None = None,
) -> int:
    """Rehearse the models' life; print the table. Arguments and errors as above; see `run_model_life`."""
    with _folder(workdir) as folder:
        source, start = _span(folder, datadir, start, 24 * rounds, pairs, timeframe)
        report = run_model_life(
            folder / "model", source, start, pairs, timeframe, rounds=rounds, live=live, training=training
        )
        print(report.table(), flush=True)
        _write(json_path, {"model": report.to_dict()})
    return int(not report.holds)


@contextmanager
def _folder(workdir: Path | None) -> Iterator[Path]:
    if workdir is not None:
        yield Path(workdir)
        return
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        yield Path(name)


def _span(
    folder: Path,
    datadir: Path | None,
    start: datetime | None,
    candles: int,
    pairs: Sequence[str],
    timeframe: str,
) -> tuple[Path, datetime]:
    """The candles' folder and the span's start."""
    if datadir is None:
        return write_market(folder / "market"), start or BEGIN
    if start is None:
        store = CandleStore(Path(datadir))
        last = min(store.load(pair, timeframe)["date"].iloc[-1] for pair in pairs).to_pydatetime()
        start = last - candles * timedelta(hours=timeframe_hours(timeframe))
    return Path(datadir), start.astimezone(UTC)


def _write(path: Path | None, body: dict[str, Any]) -> None:
    if path:
        Path(path).write_text(json.dumps(body, indent=2) + "\n")
