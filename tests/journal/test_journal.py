"""The journal keeps every candidate of a run once, and says what is wrong with its file."""

import sqlite3
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, event

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import COLUMNS, candidate_rows
from adaptive_pkg.journal.journal import DecisionJournal, Run
from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.settings import load_settings

LIVE = Run("live:mybot", "live", "aaaaaaaaaaaa")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "journal.sqlite"


@pytest.fixture
def rows(judged):
    frame, judgement = judged()
    return candidate_rows("BTC/USDT", "1h", 3600, frame, judgement)


def plain(frame):
    return frame[list(COLUMNS)].reset_index(drop=True)


def test_what_is_written_is_read_back_number_by_number(path, rows):
    with DecisionJournal(path) as journal:
        assert journal.write(LIVE, rows) == len(rows)
        read = journal.rows()
    pd.testing.assert_frame_equal(plain(read), plain(rows), check_dtype=False)
    assert set(read["run"]) == {"live:mybot"}
    assert set(read["mode"]) == {"live"}


def test_the_same_candidate_of_the_same_run_is_one_row_also_after_a_restart(path, rows):
    with DecisionJournal(path) as journal:
        journal.write(LIVE, rows)
        assert journal.write(LIVE, rows) == 0
    with DecisionJournal(path) as again:
        assert again.write(LIVE, rows.iloc[-3:]) == 0
        assert again.write(Run("live:other", "live", "a" * 12), rows.iloc[-3:]) == 3
        assert len(again.rows(run="live:mybot")) == len(rows)


def test_writing_never_reads_the_whole_table(path, rows):
    asked = []

    def note(connection, cursor, statement, *rest):
        asked.append(statement)

    with DecisionJournal(path) as journal:
        journal.write(LIVE, rows.iloc[:30])
        event.listen(Engine, "before_cursor_execute", note)
        try:
            written = journal.write(LIVE, rows.iloc[20:50]), journal.write(LIVE, rows.iloc[49:51])
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    assert written == (20, 1)
    assert asked and not [statement for statement in asked if "SELECT" in statement.upper()]


def test_all_at_once_is_the_same_as_row_by_row(path, tmp_path, rows):
    few = rows.iloc[:40]
    with DecisionJournal(path) as bulk, DecisionJournal(tmp_path / "single.sqlite") as single:
        bulk.write(LIVE, few)
        for i in range(len(few)):
            assert single.write(LIVE, few.iloc[[i]]) == 1
        pd.testing.assert_frame_equal(bulk.rows(), single.rows())


def test_an_answer_changes_the_decision_and_nothing_else(path, rows):
    asked = rows[rows["decision"] == "taken"].iloc[[0]]
    refused = asked.assign(
        decision="refused", decided_by="breaker", reason="it rests", open_trades=2, price=1.0
    )
    with DecisionJournal(path) as journal:
        journal.write(LIVE, rows)
        journal.answer(LIVE, refused)
        read = journal.rows()
        assert journal.write(LIVE, rows) == 0  # a restart does not take it back
        assert journal.rows().equals(read)
    row = read[read["closed_ms"] == asked["closed_ms"].iloc[0]].iloc[0]
    assert (row["decision"], row["decided_by"], row["reason"], row["open_trades"]) == (
        "refused", "breaker", "it rests", 2,
    )  # fmt: skip
    assert row["price"] == asked["price"].iloc[0]
    assert len(read) == len(rows)


def test_an_answer_to_a_candle_that_was_not_journalled_is_a_row_of_its_own(path, rows):
    with DecisionJournal(path) as journal:
        journal.answer(LIVE, rows.iloc[[5]].assign(decided_by="confirmed"))
        assert journal.rows()["decided_by"].tolist() == ["confirmed"]


def test_rows_are_chosen_by_run_rules_pair_timeframe_and_time(path, rows):
    other = Run("backtest:1", "backtest", "bbbbbbbbbbbb")
    with DecisionJournal(path) as journal:
        journal.write(LIVE, rows)
        journal.write(other, rows.assign(pair="ETH/USDT").iloc[:10])
        assert len(journal.rows(rules="b" * 12)) == 10
        assert len(journal.rows(pairs=["ETH/USDT"])) == 10
        assert journal.rows(timeframe="5m").empty
        middle = datetime.fromtimestamp(rows["closed_ms"].iloc[20] / 1000, UTC)
        assert len(journal.rows(run="live:mybot", until=middle)) == 21
        assert journal.rows(run="live:mybot", last=3)["closed_ms"].tolist() == rows["closed_ms"].tolist()[-3:]
        held = {summary.run.name: summary for summary in journal.runs()}
    assert held["live:mybot"].taken == (rows["decision"] == "taken").sum()
    assert held["backtest:1"].candidates == 10


def test_a_locked_journal_says_so_within_its_wait_and_keeps_what_it_had(path, rows):
    with DecisionJournal(path, wait_seconds=0.05) as journal:
        journal.write(LIVE, rows.iloc[:5])
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DataError, match="another program has held it"):
            journal.write(LIVE, rows.iloc[5:6])
        assert len(journal.rows()) == 5  # readers go on
        holder.execute("ROLLBACK")
        holder.close()
        assert journal.write(LIVE, rows.iloc[5:6]) == 1


def test_another_programs_database_is_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE trades (id INTEGER)")
    with pytest.raises(DataError, match="another program's database"):
        DecisionJournal(path)


def test_a_file_that_is_no_database_is_named(path):
    path.parent.mkdir()
    path.write_text("no database at all, just words" * 100)
    with pytest.raises(DataError, match=r"journal\.sqlite: cannot be used"):
        DecisionJournal(path)


def test_a_missing_column_is_named(path, rows):
    with DecisionJournal(path) as journal, pytest.raises(DataError, match="no column 'adx'"):
        journal.write(LIVE, rows.drop(columns="adx"))


def test_what_is_not_known_stays_unknown(path, rows):
    with DecisionJournal(path) as journal:
        journal.write(LIVE, rows.assign(forecast_sigma=np.nan))
        assert journal.rows()["forecast_sigma"].isna().all()


def test_the_fingerprint_follows_what_makes_candidates_and_not_what_chooses_among_them():
    def of(**adaptive):
        return rules_fingerprint(load_settings({"adaptive": {"approach": "by_regime", **adaptive}}))

    assert of() == of(confidence={"full_tier": 0.9}) == of(kelly={"fraction": 0.3})
    assert (
        len({of(), of(regime={"adx_trend": 30}), of(stops={"trail_atr": 2.0}), of(approach="hold_trend")})
        == 4
    )
    assert of() != of(presets={"choppy": {"stop_atr": 3.0}})
