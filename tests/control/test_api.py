"""freqtrade's REST API, asked by its own client, does with our strategy what it says."""

from __future__ import annotations

import pytest
from freqtrade.enums import State

from adaptive_pkg.journal.journal import DecisionJournal

from .conftest import RISES, SIGNALS


def test_pausing_blocks_the_rules_own_entries_and_starting_lets_them_in(owner):
    """First of all, for the market has its signal in the hours after the start."""
    owner.client.stopbuy()
    owner.until(lambda: owner.worker.freqtrade.state is State.PAUSED)
    owner.hours_pass(4)
    signals = owner.strategy.dp.get_analyzed_dataframe(SIGNALS, "1h")[0]["enter_long"].tail(4)
    assert signals.any()
    assert owner.client.trades()["trades_count"] == 0
    assert "not running" in owner.client.forceenter(SIGNALS, "long", order_type="market")["error"]
    owner.client.start()
    owner.until(lambda: owner.worker.freqtrade.state is State.RUNNING)
    assert owner.enter(RISES)


def test_only_the_generated_credentials_open_it(owner):
    assert owner.log_in("owner", "wrong").status() == {"detail": "Unauthorized"}
    assert owner.log_in("somebody", owner.client._session.auth[1]).balance() == {"detail": "Unauthorized"}
    assert owner.log_in("owner", "").forceexit("all") == {"detail": "Unauthorized"}
    assert owner.client.ping() == {"status": "pong"}


def test_status_shows_our_stop_and_our_tag(owner):
    number = owner.enter(RISES)
    (trade,) = [trade for trade in owner.client.status() if trade["trade_id"] == number]
    assert trade["enter_tag"] == "force_entry"
    assert 0 < trade["stop_loss_abs"] < trade["current_rate"]
    assert trade["stop_loss_abs"] > 0.9 * trade["open_rate"]  # nearer than the outer limit


def test_the_plan_is_there_in_words_and_for_the_machine(owner):
    number = owner.enter(RISES)
    (answer,) = owner.client.list_custom_data(number)
    data = {entry["key"]: entry for entry in answer["custom_data"]}
    assert {"adaptive plan", "adaptive entry", "plan"} <= set(data)
    assert data["plan"]["type"] == "str"
    assert data["plan"]["value"].startswith("long from ")
    assert data["adaptive plan"]["value"]["side"] == "long"
    (alone,) = owner.client.list_custom_data(number, "plan")
    assert [entry["key"] for entry in alone["custom_data"]] == ["plan"]


def test_a_forced_exit_closes_the_trade_and_the_tables_name_its_tag(owner):
    number = owner.enter(RISES)
    assert owner.client.forceexit(str(number)) == {"result": f"Created exit order for trade {number}."}
    trade = owner.client.trade(number)
    assert not trade["is_open"] and trade["exit_reason"] == "force_exit"
    assert "force_entry" in {row["enter_tag"] for row in owner.client.entries()}
    assert "force_entry force_exit" in {row["mix_tag"] for row in owner.client.mix_tags()}


def test_a_refused_entry_says_why_in_the_log_only_the_owner_reads(owner):
    number = owner.enter(RISES)
    owner.client.forceexit(str(number))
    assert "Failed to enter" in owner.client.forceenter(RISES, "long", order_type="market")["error"]
    lines = [line[3] + line[4] for line in owner.client.logs(limit=30)["logs"]]
    assert any("refused: 0 candles since the last exit" in line for line in lines)


def test_reloads_leave_no_thread_behind_and_forget_no_trade(owner):
    number = owner.enter(RISES)
    words = owner.client.list_custom_data(number, "plan")[0]["custom_data"][0]["value"]
    owner.reload(owner.client.reload_config)  # the first may leave one that is made once
    owner.loops(3)
    before = owner.threads()
    for _ in range(3):
        owner.reload(owner.client.reload_config)
    owner.loops(3)
    owner.until(lambda: owner.threads() == before)
    assert owner.client.list_custom_data(number, "plan")[0]["custom_data"][0]["value"] == words


@pytest.mark.parametrize("setting", ["password", "jwt_secret_key"])
def test_no_answer_holds_a_secret(owner, setting):
    secret = owner.secret(setting)
    shown = str(owner.client.show_config()) + str(owner.client.logs(limit=10_000))
    assert secret not in shown
    assert owner.telegram.token not in shown


def test_the_journal_holds_the_candidates_of_the_running_bot(owner):
    """Those of the rules, with who decided; a forced entry is nobody's candidate."""
    with DecisionJournal(owner.strategy.settings.journal.path) as journal:
        (run,) = journal.runs()
        rows = journal.rows()
    assert run.run.mode == "dry_run"
    assert len(rows) > 0 and set(rows["decision"]) <= {"taken", "refused"}
    trades = owner.client.trades()["trades"] + owner.client.status()
    ruled = {trade["pair"] for trade in trades if trade["enter_tag"] != "force_entry"}
    assert set(rows.loc[rows["decided_by"] == "confirmed", "pair"]) == ruled
