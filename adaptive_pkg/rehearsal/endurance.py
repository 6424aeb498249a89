"""The long rehearsals of crash, storm and soak, with their report on paper and as JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adaptive_pkg.rehearsal.busy import write_busy_market
from adaptive_pkg.rehearsal.crash import CrashRehearsal
from adaptive_pkg.rehearsal.soak import rehearse_soak
from adaptive_pkg.rehearsal.storm import rehearse_storm

BEGIN = datetime(2024, 3, 10, tzinfo=UTC)  # of the synthetic market
REAL_BEGIN = datetime(2022, 11, 10, 6, tzinfo=UTC)  # an exchange falls, and with it most stops
PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "LTC/USDT", "LINK/USDT")
TIMEFRAME = "5m"
# FreqAI with the smallest training there is: what counts is that models are saved all the time
MODELS = "crash"
TRAINING: dict[str, Any] = {
    "freqai": {
        "identifier": MODELS,
        "train_period_days": 4,
        "live_retrain_hours": 0,
        "conv_width": 20,
        "feature_parameters": {"include_timeframes": [TIMEFRAME]},
        "model_training_parameters": {
            "window": 20, "units": [8], "epochs": 2, "dense_units": 8, "chunk_candles": 60,
        },
    }
}  # fmt: skip


def crash(
    datadir: Path | None = None,
    kills: int = 30,
    model_kills: int = 6,
    *,
    pairs: Sequence[str] = PAIRS,
    start: datetime | None = None,
    seed: int = 0,
    workdir: Path | None = None,
    json_path: Path | None = None,
    project: Path = Path(),
) -> int:
    """Kill and restart a live bot, then one whose models are being saved; print the tables.

    Args:
        datadir: folder of 5m candles; None: a synthetic market.
        kills: in all. model_kills: of them while a model is saved.
        start: None: 2022-11-10, or the synthetic market's own.
        workdir: where logs and databases are left; None: nowhere.
        project: where user_data with the strategy is.

    Returns:
        0 where both hold, else 1.

    Raises:
        RehearsalError, DataError: it cannot be run.
    """
    reports = {}
    with _folder(workdir) as folder:
        source, begin = _span(folder, datadir, start, pairs, days=4.0)
        common = {"seed": seed, "throttle_seconds": 15, "project": project}
        orders = CrashRehearsal(folder / "orders", source, begin, pairs, **common)
        reports["orders"] = orders.play(kills - model_kills)
        print(reports["orders"].table(), flush=True)
        if model_kills:
            models = CrashRehearsal(
                folder / "models", source, begin, pairs[:3], **common,
                models=MODELS, windows=(), config=("user_data/config.json",), config_extra=TRAINING,
            )  # fmt: skip
            reports["models"] = models.play(model_kills)
            print(reports["models"].table(), flush=True)
    return _finish(reports, json_path)


def storm(
    datadir: Path | None = None,
    candles: int = 288,
    *,
    pairs: Sequence[str] = PAIRS,
    start: datetime | None = None,
    seed: int = 0,
    speed: float | None = None,
    workdir: Path | None = None,
    json_path: Path | None = None,
    project: Path = Path(),
) -> int:
    """Send a live bot through a storm; print the table. As `crash`; `speed` as in `rehearse_storm`."""
    with _folder(workdir) as folder:
        source, begin = _span(folder, datadir, start, pairs, days=candles / 288 + 1)
        report = rehearse_storm(
            folder / "storm", source, begin, pairs, candles=candles, seed=seed, speed=speed, project=project
        )
        print(report.table(), flush=True)
    return _finish({"storm": report}, json_path)


def soak(
    datadir: Path | None = None,
    days: float = 7.0,
    *,
    pairs: Sequence[str] = PAIRS[:3],
    start: datetime | None = None,
    seed: int = 0,
    workdir: Path | None = None,
    json_path: Path | None = None,
    project: Path = Path(),
) -> int:
    """Let a live bot run for days; print the table. As `crash`."""
    with _folder(workdir) as folder:
        source, begin = _span(folder, datadir, start, pairs, days=days + 1)
        report = rehearse_soak(
            folder / "soak", source, begin, pairs, days=days, looks=max(60, round(60 * days)), seed=seed,
            project=project,
        )  # fmt: skip
        print(report.table(), flush=True)
    return _finish({"soak": report}, json_path)


@contextmanager
def _folder(workdir: Path | None) -> Iterator[Path]:
    if workdir is not None:
        yield Path(workdir)
        return
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        yield Path(name)


def _span(
    folder: Path, datadir: Path | None, start: datetime | None, pairs: Sequence[str], days: float
) -> tuple[Path, datetime]:
    """The candles' folder and the first moment."""
    if datadir is not None:
        return Path(datadir), start or REAL_BEGIN
    begin = start or BEGIN
    return write_busy_market(folder / "market", pairs, begin, days=days, timeframe=TIMEFRAME), begin


def _finish(reports: Mapping[str, Any], json_path: Path | None) -> int:
    if json_path:
        body = {name: report.to_dict() for name, report in reports.items()}
        Path(json_path).write_text(json.dumps(body, indent=2) + "\n")
    return int(not all(report.holds for report in reports.values()))
