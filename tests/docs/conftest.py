"""A copy of the project as a user has it, with a small made-up market in the place of real candles."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from freqtrade.persistence import Trade
from sqlalchemy import create_engine

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets

PAIRS = ("BTC/USDT", "ETH/USDT")
START = pd.Timestamp("2023-01-01", tz="UTC")
DAYS = 440


@pytest.fixture(scope="session")
def candles(tmp_path_factory) -> Path:
    """Folder above `binance`: 440 days of hourly candles, with the longer ones."""
    folder = tmp_path_factory.mktemp("candles")
    frames = simulate_markets(PAIRS, candles=24 * DAYS, seed=11, start=START)
    write_candles(frames, folder / "binance", "1h", also=HIGHER_TIMEFRAMES)
    return folder


@pytest.fixture
def project(project_root: Path, tmp_path: Path) -> Path:
    """Strategy, models, losses, configs and an empty trade database; nothing a run has left behind."""
    for name in ("strategies", "freqaimodels", "hyperopts"):
        target = tmp_path / "user_data" / name
        target.mkdir(parents=True)
        for file in (project_root / "user_data" / name).glob("*.py"):
            shutil.copy(file, target)
    for file in (project_root / "user_data").glob("config*.json"):
        shutil.copy(file, tmp_path / "user_data")
    if (project_root / "examples").is_dir():
        shutil.copytree(project_root / "examples", tmp_path / "examples", ignore=_caches)
    engine = create_engine(f"sqlite:///{tmp_path / 'tradesv3.dryrun.sqlite'}")
    Trade.metadata.create_all(engine)  # the trade database of a dry run that has not traded yet
    engine.dispose()
    return tmp_path


@pytest.fixture
def environment(candles: Path) -> dict[str, str]:
    """What the pages' commands find in the environment, whatever is in that of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FREQTRADE__")}
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "DATA": str(candles / "binance"),
        "COLUMNS": "160",
        "OMP_NUM_THREADS": "1",
    }


_caches: Callable = shutil.ignore_patterns("__pycache__")
