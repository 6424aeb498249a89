"""The database is read as it is, in one moment, and never written to."""

import hashlib
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from adaptive_pkg.enums import Regime, StopStage
from adaptive_pkg.errors import DataError
from adaptive_pkg.risk.ladder_plan import LadderPlan
from adaptive_pkg.upkeep.trade_book import read_only, read_trade_book

from .conftest import NOW, PLAN, Row


def test_each_trade_comes_with_its_plan_its_score_and_its_profit_in_r(book):
    found = read_trade_book(book([Row(30, 2.0, score=0.7), Row(5, open=True, stop=100.2)]))
    closed, still_open = found.trades.iloc[0], found.trades.iloc[1]
    assert closed["r"] == pytest.approx(2.0)
    assert (closed["score"], closed["regime"], closed["plan"]) == (0.7, Regime.STRONG_TREND, PLAN)
    assert closed["close_date"] == NOW - pd.Timedelta(hours=30)
    assert still_open["is_open"] and pd.isna(still_open["r"]) and pd.isna(still_open["score"])
    assert still_open["stage"] is StopStage.BREAKEVEN


def test_with_a_ladder_one_r_is_what_the_whole_of_it_would_have_lost(book):
    ladder = LadderPlan(
        side="long", entry_price=100.0, stop_price=98.0, fee=0.001, rungs=(99.0,), shares=(0.5, 0.5),
        grid=False, sells=(), scale_out_prices=(), scale_out_shares=(), planned_stake=200.0,
    )  # fmt: skip
    profit = Row(30, 1.0, ladder=ladder)
    found = read_trade_book(book([profit])).trades.iloc[0]
    assert found["r"] == pytest.approx(found["close_profit_abs"] / ladder.risk_money())
    assert found["r"] < 0.7  # twice the stake was meant, of which the second half nearer to the stop


@pytest.mark.parametrize(
    ("stop", "stage"),
    [(98.0, "initial"), (98.03, "initial"), (100.2, "breakeven"), (101.0, "trailing"), (90.0, "initial")],
)
def test_the_stage_is_read_off_the_stop(book, stop, stage):
    assert read_trade_book(book([Row(5, open=True, stop=stop)])).trades["stage"].iloc[0] == stage


def test_trades_without_a_usable_plan_say_why_and_do_not_count(book):
    rows = [
        Row(9, 1.0, plan=None),
        Row(8, 1.0, plan={"version": 99}),
        Row(7, 1.0, tag="force_entry"),
        Row(6, 1.0),
    ]
    found = read_trade_book(book(rows))
    assert found.trades["problem"].tolist()[0] == "no stop plan is stored with it"
    assert "version 99" in found.trades["problem"].iloc[1]
    assert [trade.r_multiple for trade in found.closed_trades(NOW)] == [pytest.approx(1.0)]


def test_closed_trades_are_those_before_the_moment_oldest_first(book):
    found = read_trade_book(book([Row(5, 3.0), Row(50, 1.0), Row(20, 2.0)]))
    before = found.closed_trades(NOW - pd.Timedelta(hours=10))
    assert [round(trade.r_multiple) for trade in before] == [1, 2]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_bot_may_be_in_the_middle_of_writing(book, mode):
    path = book([Row(30, 1.0)])
    with closing(sqlite3.connect(path, isolation_level=None)) as bot:
        bot.execute(f"pragma journal_mode = {mode}")
        bot.execute("begin immediate")
        bot.execute("update trades set close_profit_abs = 1e9")
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        assert read_trade_book(path).trades["r"].iloc[0] == pytest.approx(1.0)  # not committed yet
        assert hashlib.sha256(path.read_bytes()).hexdigest() == before
        bot.execute("commit")  # and the reader holds nothing
    assert read_trade_book(path).trades["close_profit_abs"].iloc[0] == 1e9


def test_nothing_can_be_written_through_it(book):
    with closing(read_only(book([Row(30, 1.0)]))) as database, pytest.raises(sqlite3.OperationalError):
        database.execute("delete from trades")


def test_what_is_no_trade_database_is_told(tmp_path: Path, book):
    with pytest.raises(DataError, match="no trade database there"):
        read_trade_book(tmp_path / "none.sqlite")
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as database:
        database.execute("create table something (id integer)")
    with pytest.raises(DataError, match="cannot be read as a freqtrade trade database"):
        read_trade_book(other)
    other.write_bytes(b"no database at all, but long enough to be taken for one" * 40)
    with pytest.raises(DataError, match="cannot be read"):
        read_trade_book(other)
    assert not (tmp_path / "none.sqlite").exists()


def test_a_database_in_a_folder_that_cannot_be_written_is_read(book):
    """SQLite wants to make files beside one in WAL mode. As nobody: root may write anywhere."""
    path = book([Row(30, 1.0)])
    with closing(sqlite3.connect(path)) as bot:
        bot.execute("pragma journal_mode = wal")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "db.sqlite").write_bytes(path.read_bytes())
        (folder / "db.sqlite").chmod(0o444)
        folder.chmod(0o555)
        code = (
            "import os, sys; from pathlib import Path; import adaptive_pkg.upkeep.trade_book as book\n"
            "if os.getuid() == 0: os.setuid(65534)\n"
            "print(len(book.read_trade_book(Path(sys.argv[1], 'db.sqlite')).trades), os.listdir(sys.argv[1]))"
        )
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=False)
        folder.chmod(0o755)
    assert done.stdout == "1 ['db.sqlite']\n", done.stderr[-800:]
