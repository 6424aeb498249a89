"""The real freqtrade around the real strategy: its resolver, its backtesting, a loopback venue instead of Binance."""

from __future__ import annotations

import gc
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.misc import deep_merge_dicts
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade, disable_database_use, enable_database_use
from freqtrade.resolvers import ExchangeResolver, StrategyResolver

from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets
from adaptive_pkg.simulator.venue import loopback_venue

CANDLES = 3_400  # startup is taken off the front: about 2,500 are traded
SPOT = ("BTC/USDT", "SOL/USDT")
PERPETUAL = ("BTC/USDT:USDT", "SOL/USDT:USDT")


@pytest.fixture(autouse=True, scope="session")
def _nothing_from_the_environment() -> Iterator[None]:
    """freqtrade lays FREQTRADE__… variables over every config; the tests mean the file alone."""
    with pytest.MonkeyPatch.context() as patch:
        import os

        for name in [name for name in os.environ if name.startswith("FREQTRADE__")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def strategy_dir(project_root: Path, tmp_path_factory) -> Path:
    """A copy without the AdaptiveGRU.json that a user's hyperopt may have left beside the original."""
    folder = tmp_path_factory.mktemp("strategies")
    shutil.copy(project_root / "user_data" / "strategies" / "AdaptiveGRU.py", folder)
    return folder
