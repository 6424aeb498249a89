"""The backtest beside a rehearsal: what it found, be it nothing, and what it said when it failed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from adaptive_pkg.rehearsal import backtest_run
from adaptive_pkg.rehearsal.fast_time import RehearsalError
from adaptive_pkg.rehearsal.market import BEGIN, PAIRS, TIMEFRAME


@pytest.fixture
def backtest(tmp_path, market, project_root, monkeypatch):
    """`backtest(frame, code)`: freqtrade ends with this code and has left these trades."""

    def run(frame, code=0):
        monkeypatch.setattr(backtest_run.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=code))
        monkeypatch.setattr("freqtrade.data.btanalysis.load_backtest_data", lambda *_: frame)
        return backtest_run.backtest_trades(
            tmp_path,
            market,
            BEGIN,
            BEGIN + timedelta(hours=5),
            PAIRS,
            TIMEFRAME,
            timedelta(hours=1),
            config=(),
            config_extra={},
            wallet=1000.0,
            project=Path(project_root),
        )

    return run


def test_trades_come_oldest_first(backtest):
    frame = pd.DataFrame({"open_date": [2, 1, 1], "pair": ["A", "B", "A"]})
    assert [(row["open_date"], row["pair"]) for row in backtest(frame)] == [(1, "A"), (1, "B"), (2, "A")]


def test_a_span_without_trades_has_none(backtest):
    assert backtest(pd.DataFrame()) == []


def test_a_backtest_that_fails_is_no_backtest_without_trades(backtest):
    with pytest.raises(RehearsalError, match="ended with 2"):
        backtest(pd.DataFrame(), code=2)
