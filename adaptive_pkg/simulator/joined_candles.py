"""Longer candles for a folder that has only short ones, without touching that folder."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from adaptive_pkg.market.timeframes import resample, timeframe_hours
from adaptive_pkg.simulator.candles import CandleStore, write_candles


def join_missing(store: CandleStore, pairs: Iterable[str], timeframes: Iterable[str], shelf: Path) -> Path:
    """Make sure that every pair has candles of these timeframes, joined from its shortest where need be.

    Args:
        pairs: those the folder does not know are left to whoever misses them.
        timeframes: ones that are not longer than a pair's shortest are left out.
        shelf: where a folder of links to the store's files and of the joined candles is kept. Its name
            follows from what is in it, so the same candles always come from the same path.

    Returns:
        The store's own folder where nothing is missing, else that one.
    """
    wanted = [
        (pair, timeframe)
        for pair in pairs
        for timeframe in timeframes
        if (known := store.timeframes.get(pair))
        and timeframe not in known
        and timeframe_hours(timeframe) > timeframe_hours(known[0])
    ]
    if not wanted:
        return Path(store.datadir)
    source = Path(store.datadir).resolve()
    files = sorted(path for path in source.rglob("*") if path.is_file())
    content = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    target = shelf / f"joined-{hashlib.sha256(repr((content, wanted)).encode()).hexdigest()[:12]}"
    if target.is_dir():
        return target
    shelf.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="joining-", dir=shelf))
    try:
        for path in files:
            link = building / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
        for pair, timeframe in wanted:
            candles = store.load(pair, store.timeframes[pair][0])
            write_candles({pair: resample(candles, timeframe)}, building, timeframe)
        if not target.is_dir():  # else another run was faster
            building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target
