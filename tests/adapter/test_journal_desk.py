"""The strategy's side of the journal: what is written when, and that nothing it does can hurt a trade."""

from __future__ import annotations

import gc
import logging
import pickle
import sqlite3
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.adapter import journal_desk
from adaptive_pkg.adapter.journal_desk import JournalDesk, run_name
from adaptive_pkg.journal.candidates import COLUMNS, asked_at
from adaptive_pkg.journal.journal import DecisionJournal
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.settings import load_settings

PAIR = "BTC/USDT"
CONFIG = {"bot_name": "mybot", "timerange": "2022-2023"}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def settings(path):
    journal = {"path": str(path), "backtest": True}
    return load_settings({"adaptive": {"approach": "by_regime", "journal": journal}})


@pytest.fixture
def market(random_candles, settings):
    candles = random_candles(n=2000, seed=3)
    frame = market_frame(add_higher_trends(candles, settings.indicators), settings.indicators)

    def until(n):
        part = frame.head(n)
        return part, judge(part, settings, can_short=True)

    return until


@pytest.fixture
def make_desk(settings):
    def make(mode, clock=None, chosen=settings):
        desk = JournalDesk(chosen, "1h", 3600, clock or Clock())
        desk.begin(mode, CONFIG, chosen)
        return desk

    return make


def rows(path):
    if not path.exists():
        return pd.DataFrame(columns=["decision"])
    with DecisionJournal(path) as journal:
        return journal.rows()


def some(judgement, taken=True, after=1000):
    """A candle that is journalled, and whether it is long."""
    sides = judgement.decisions.side
    at = next(i for i in asked_at(judgement) if i > after and (sides[i] != 0) == taken)
    return int(at), "long" if judgement.decisions.candidates.side[at] > 0 else "short"


def moment(frame, at):
    """Soon after the candle has closed."""
    return (frame["date"].iloc[at] + timedelta(hours=1, seconds=7)).to_pydatetime()


def test_a_live_bot_writes_the_newest_candle_only_once_and_again_after_no_restart(
    market, make_desk, settings, path
):
    _, judgement = market(2000)
    at, _ = some(judgement)
    frame, judged = market(at + 1)
    for _ in range(2):  # a restart within the candle judges it again
        desk = make_desk("dry_run")
        desk.analysed(PAIR, frame, judged, settings)
        desk.close()
    kept = rows(path)
    assert kept["closed_ms"].tolist() == [int((frame["date"].iloc[at].timestamp() + 3600) * 1000)]
    assert kept["run"].tolist() == ["dry_run:mybot"]
    assert kept["decided_by"].tolist() == ["rules"]


def test_a_candle_without_a_candidate_writes_nothing(market, make_desk, settings, path):
    _, judgement = market(2000)
    quiet = int(np.flatnonzero(judgement.decisions.candidates.side[1000:] == 0)[0]) + 1000
    desk = make_desk("live")
    desk.analysed(PAIR, *market(quiet + 1), settings)
    assert not path.exists()


def test_candle_by_candle_is_what_a_backtest_writes_at_once(market, make_desk, settings, path, tmp_path):
    frame, judgement = market(2000)
    backtest = make_desk("backtest")
    backtest.analysed(PAIR, frame, judgement, settings)
    at_once = rows(path)
    assert len(at_once) == (asked_at(judgement) >= startup_candles(settings.indicators)).sum()

    other = replace(settings, journal=replace(settings.journal, path=str(tmp_path / "live.sqlite")))
    live = make_desk("live", chosen=other)
    some_rows = [i for i in asked_at(judgement) if i >= startup_candles(settings.indicators)][::8]
    for at in some_rows:
        live.analysed(PAIR, *market(at + 1), other)
    one_by_one = rows(tmp_path / "live.sqlite")
    same = at_once[at_once["closed_ms"].isin(one_by_one["closed_ms"])].reset_index(drop=True)
    assert len(one_by_one) == len(some_rows)
    pd.testing.assert_frame_equal(one_by_one[list(COLUMNS)], same[list(COLUMNS)])


@pytest.mark.parametrize("mode", ["hyperopt", "plot", "util_no_exchange"])
def test_other_runs_write_nothing(market, make_desk, settings, path, mode):
    desk = make_desk(mode)
    frame, judgement = market(2000)
    desk.analysed(PAIR, frame, judgement, settings)
    at, side = some(judgement)
    desk.answered(PAIR, moment(frame, at), side, True)
    desk.close()
    assert not path.exists()


def test_backtests_write_nothing_unless_asked_and_live_unless_told_not_to(market, make_desk, settings, path):
    frame, judgement = market(2000)
    for mode, journal in (("backtest", {"backtest": False}), ("live", {"enabled": False})):
        off = replace(settings, journal=replace(settings.journal, **journal))
        make_desk(mode, chosen=off).analysed(PAIR, frame, judgement, off)
    assert not path.exists()


@pytest.mark.parametrize(
    ("answer", "decision", "by", "reason"),
    [
        ((True, "", ""), "taken", "confirmed", ""),
        ((False, "limits", "heat is used up"), "refused", "limits", "heat is used up"),
        ((False, "breaker", "five failures"), "refused", "breaker", "five failures"),
        ((False, "", "unnamed"), "refused", "limits", "unnamed"),
    ],
)
def test_what_was_answered_is_noted_at_the_candles_row(
    market, make_desk, settings, path, answer, decision, by, reason
):
    _, judgement = market(2000)
    at, side = some(judgement)
    frame, judged = market(at + 1)
    desk = make_desk("live")
    desk.analysed(PAIR, frame, judged, settings)
    desk.answered(PAIR, moment(frame, at), side, *answer, open_trades=2)
    row = rows(path).iloc[0]
    assert len(rows(path)) == 1
    assert (row["decision"], row["decided_by"], row["reason"], row["open_trades"]) == (
        decision,
        by,
        reason,
        2,
    )


def test_a_stake_of_nothing_is_a_refusal_by_size(market, make_desk, settings, path):
    _, judgement = market(2000)
    at, side = some(judgement)
    frame, judged = market(at + 1)
    desk = make_desk("live")
    desk.analysed(PAIR, frame, judged, settings)
    desk.sized(PAIR, moment(frame, at), side, 50.0, "enough")
    assert rows(path)["decided_by"].tolist() == ["rules"]
    desk.sized(PAIR, moment(frame, at), side, 0.0, "below the least stake")
    assert rows(path)[["decided_by", "reason"]].iloc[0].tolist() == ["sizing", "below the least stake"]


def test_an_attempt_in_the_middle_of_a_trend_becomes_a_row(random_candles, path, make_desk):
    holding = load_settings({"adaptive": {"approach": "hold_trend", "journal": {"path": str(path)}}})
    candles = random_candles(n=3500, seed=3)
    frame = market_frame(add_higher_trends(candles, holding.indicators), holding.indicators)
    judgement = judge(frame, holding, can_short=False)
    middle = set(np.flatnonzero(judgement.decisions.side > 0)) - set(asked_at(judgement))
    at = min(i for i in middle if i > 2000)
    part = frame.head(at + 1)
    desk = make_desk("dry_run", chosen=holding)
    desk.analysed(PAIR, part, judge(part, holding, can_short=False), holding)
    assert not path.exists()
    desk.answered(PAIR, moment(frame, at), "long", False, "limits", "too hot")
    assert rows(path)[["decision", "decided_by"]].iloc[0].tolist() == ["refused", "limits"]


def test_a_refusal_that_repeats_candle_after_candle_is_one_row(random_candles, path, make_desk):
    journal = {"path": str(path), "backtest": True}
    holding = load_settings({"adaptive": {"approach": "hold_trend", "journal": journal}})
    candles = random_candles(n=3500, seed=3)
    frame = market_frame(add_higher_trends(candles, holding.indicators), holding.indicators)
    judgement = judge(frame, holding, can_short=False)
    taken = judgement.decisions.side > 0
    start = next(i for i in range(2000, 3400) if taken[i : i + 6].all() and i not in asked_at(judgement))
    desk = make_desk("backtest", chosen=holding)
    desk.analysed(PAIR, frame, judgement, holding)
    before = len(rows(path))
    for at in range(start, start + 4):
        for _ in range(2):  # a bot asks again every few seconds
            desk.answered(PAIR, moment(frame, at), "long", False, "limits", "too hot")
    desk.answered(PAIR, moment(frame, start + 4), "long", False, "breaker", "five failures")
    desk.answered(PAIR, moment(frame, start + 5), "long", True)
    desk.close()
    assert rows(path).set_index("closed_ms")["decided_by"].value_counts().to_dict() == {
        "rules": before, "limits": 1, "breaker": 1, "confirmed": 1,
    }  # fmt: skip


def test_a_forced_entry_without_a_candidate_is_not_journalled(market, make_desk, settings, path):
    frame, judgement = market(2000)
    quiet = int(np.flatnonzero(judgement.decisions.candidates.side[1000:] == 0)[0]) + 1000
    part = market(quiet + 1)
    desk = make_desk("live")
    desk.analysed(PAIR, *part, settings)
    desk.answered(PAIR, moment(frame, quiet), "long", True)
    desk.answered("ETH/USDT", moment(frame, quiet), "long", True)  # never analysed
    assert not path.exists()


def test_answers_of_a_backtest_are_written_when_it_is_over(market, make_desk, settings, path):
    frame, judgement = market(2000)
    desk = make_desk("backtest")
    desk.analysed(PAIR, frame, judgement, settings)
    for by in ("limits", "confirmed"):  # asked twice about one candle: the last answer counts
        at, side = some(judgement)
        desk.answered(PAIR, moment(frame, at), side, by == "confirmed", by)
    assert set(rows(path)["decided_by"]) == {"rules"}
    del desk
    gc.collect()
    assert rows(path)["decided_by"].value_counts()["confirmed"] == 1


def test_a_locked_journal_neither_stops_nor_breaks_the_bot_and_loses_no_row(
    market, make_desk, settings, path, caplog
):
    _, judgement = market(2000)
    at, side = some(judgement)
    frame, judged = market(at + 1)
    clock = Clock()
    DecisionJournal(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    desk = make_desk("live", clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            desk.analysed(PAIR, frame, judged, settings)
        desk.answered(PAIR, moment(frame, at), side, False, "market", "thin")
    assert len([line for line in caplog.messages if "misses rows, trading goes on" in line]) == 1
    holder.execute("ROLLBACK")
    holder.close()
    clock.now += journal_desk.RETRY_SECONDS
    desk.analysed(PAIR, frame, judged, settings)
    assert rows(path)[["decision", "decided_by"]].iloc[0].tolist() == ["refused", "market"]


def test_a_defect_of_ours_is_logged_once_and_trading_goes_on(market, make_desk, settings, caplog, path):
    frame, judgement = market(2000)
    desk = make_desk("backtest")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            desk.analysed(PAIR, frame.drop(columns="adx"), judgement, settings)
    assert len([line for line in caplog.messages if "adx" in line]) == 1
    assert not path.exists()


def test_a_path_that_cannot_be_is_logged_and_trading_goes_on(market, settings, make_desk, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    wrong = replace(settings, journal=replace(settings.journal, path=str(tmp_path / "file" / "j.sqlite")))
    desk = make_desk("backtest", chosen=wrong)
    with caplog.at_level(logging.WARNING):
        desk.analysed(PAIR, *market(2000), wrong)
    assert any("its folder cannot be made" in line for line in caplog.messages)


def test_a_backtest_is_named_by_what_makes_it_the_same_one(settings):
    other = replace(settings, kelly=replace(settings.kelly, fraction=0.31))
    name = run_name("backtest", CONFIG, settings)
    assert name == run_name("backtest", dict(CONFIG), settings)
    assert name != run_name("backtest", CONFIG | {"timerange": "2021-2022"}, settings)
    assert name != run_name("backtest", CONFIG, other)
    assert run_name("live", {}, settings) == "live:freqtrade"


@pytest.fixture
def weighed(settings):
    """Settings by which what was learned is asked."""
    learning = replace(settings.journal.learning, confidence_weight=0.3)
    return replace(settings, journal=replace(settings.journal, learning=learning))


def test_an_opinion_is_there_only_with_a_weight(settings, weighed, make_desk):
    assert make_desk("live").opinion is None
    assert make_desk("live", chosen=weighed).opinion is not None


def test_the_default_file_lies_in_freqtrades_folder_wherever_the_bot_was_started(
    market, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings({"adaptive": {"approach": "by_regime"}})
    at, _ = some(market(2000)[1])
    desk = JournalDesk(settings, "1h", 3600)
    desk.begin("dry_run", CONFIG | {"user_data_dir": tmp_path / "bot"}, settings)
    desk.analysed(PAIR, *market(at + 1), settings)
    desk.close()
    assert len(rows(tmp_path / "bot" / "adaptive_journal.sqlite")) == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def waiting_desk(market, make_desk, settings, path, clock, count):
    """A desk with so many writes that wait: another program held the file, and has let it go."""
    desk = make_desk("live", clock)
    at, _ = some(market(2000)[1])
    judged = market(at + 1)
    DecisionJournal(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for i in range(count):
        desk.analysed(f"C{i}/USDT", *judged, settings)
    holder.execute("ROLLBACK")
    holder.close()
    return desk, judged


def test_what_waited_is_written_a_few_at_a_time_and_all_of_it_at_the_end(market, make_desk, settings, path):
    clock = Clock()
    most = journal_desk.MOST_AT_ONCE
    desk, last = waiting_desk(market, make_desk, settings, path, clock, 2 * most + 10)
    assert len(rows(path)) == 0
    clock.now += journal_desk.RETRY_SECONDS
    desk.analysed(PAIR, *last, settings)
    assert len(rows(path)) == most
    desk.close()
    assert len(rows(path)) == 2 * most + 11
    assert rows(path)["pair"].iloc[-1] == PAIR


def test_what_waits_when_the_bot_ends_is_tried_once_more(market, make_desk, settings, path):
    desk, _ = waiting_desk(market, make_desk, settings, path, Clock(), 5)
    desk.close()  # no time has passed
    assert len(rows(path)) == 5


def test_a_pair_that_has_left_is_forgotten_and_one_that_lags_a_little_is_not(market, make_desk, settings):
    desk = make_desk("live")
    for pair, n in (("LEFT/USDT", 1500), ("LATE/USDT", 1997), (PAIR, 2000), ("OLD/USDT", 1600)):
        desk.analysed(pair, *market(n), settings)
    assert set(desk._judged) == {"LATE/USDT", PAIR, "OLD/USDT"}  # the one just analysed is asked about next
    desk.analysed(PAIR, *market(2000), settings)
    assert set(desk._judged) == {"LATE/USDT", PAIR}


def test_a_backtest_remembers_pairs_that_end_early(market, make_desk, settings, path):
    frame, judgement = market(1500)
    desk = make_desk("backtest")
    desk.analysed("DELISTED/USDT", frame, judgement, settings)
    desk.analysed(PAIR, *market(2000), settings)
    at, side = some(judgement)
    desk.answered("DELISTED/USDT", moment(frame, at), side, True)
    desk.close()
    written = rows(path).set_index("pair")["decided_by"]
    assert "confirmed" in written["DELISTED/USDT"].tolist()


def test_a_desk_that_has_not_begun_goes_to_other_processes(settings):
    desk = pickle.loads(pickle.dumps(JournalDesk(settings, "1h", 3600)))
    assert desk.opinion is None
    desk.close()
