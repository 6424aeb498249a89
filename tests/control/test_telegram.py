"""Somebody with a telephone: what the bot tells on its own, and what it does when told."""

from __future__ import annotations

import pytest
from freqtrade.enums import State
from telegram.helpers import escape_markdown

from .bot_api import markdown_problem
from .conftest import CHAT, RISES, SIGNALS


def number_of(owner, pair):
    """The open trade of a pair, if there is one."""
    return next((trade["trade_id"] for trade in owner.client.status() if trade["pair"] == pair), None)


def test_a_message_of_ours_is_taken_as_it_is():
    """What the loopback refuses is what Telegram refuses: strong_trend opens italics that nothing closes."""
    assert "byte offset 6" in markdown_problem("strong_trend.pullback")
    assert markdown_problem(escape_markdown("strong_trend.pullback [a` 2*3")) is None
    assert markdown_problem("*bold* `co_de` _it_ ```all *of [it```") is None


def test_a_trade_told_from_its_entry_to_its_trailing_stop(owner):
    seen = len(owner.told())
    owner.enter(RISES)
    entered = owner.hears(f"{RISES}: entered by hand", seen)
    assert "sized as 0.3 of full; the rules would say force_entry: confidence 0." in entered
    assert "size: stake " in entered and "% of equity at risk (fraction 0.01, size multiplier " in entered
    owner.hours_pass(6)
    moved = owner.hears(f"{RISES}: stop of trade", seen)
    assert "initial → breakeven" in moved and "it ends even after fees" in moved
    assert f"{SIGNALS}: regime transitional → strong trend (confidence 0." in owner.hears(": regime ", seen)
    traded = owner.hears(f"{SIGNALS}: strong_trend.breakout: confidence 0.60 = (macd 1.00×0.20, ", seen)
    assert "; 0.6 of full size\nsize: stake " in traded
    trails = owner.hears("breakeven → trailing", seen)
    assert trails.startswith(f"{SIGNALS}: stop of trade") and "; it keeps " in trails
    assert owner.telegram.refused == []


def test_status_and_the_plan_in_words(owner):
    number = owner.enter(RISES)
    assert "*Enter Tag:* `force_entry`" in owner.ask(f"/status {number}", "*Trade ID:*")
    plan = owner.ask(f"/list_custom_data {number} plan", "*Key:* `plan`")
    lines = plan.splitlines()
    assert lines[2].startswith("*Value:* `long from ") and lines[2].endswith(" USDT")
    assert lines[3].startswith("stop ") and lines[3].endswith(" after fees")
    assert lines[4].startswith("next move of the stop: ")
    assert lines[-3] == "entered by hand (force_entry): no rule has asked for it`"
    machine = owner.ask(f"/list_custom_data {number}", "*Key:* `adaptive plan`")
    assert "'initial_stop': " in machine and "*Type:* `dict`" in machine


def test_what_was_traded_is_told_by_regime_and_reason(owner):
    owner.hours_pass(6) if number_of(owner, SIGNALS) is None else None
    owner.ask("/forceexit all", "Exited")
    owner.until(lambda: not owner.client.status())
    assert "`strong_trend.breakout\t" in owner.ask("/entries", "*Entry Tag Performance:*")
    assert "`strong_trend.breakout force_exit\t" in owner.ask("/mix_tags", "*Mix Tag Performance:*")


def test_pausing_stops_entries_and_nothing_else(owner):
    number = owner.enter(RISES)
    assert "paused" in owner.ask("/stopentry", "aused")
    owner.until(lambda: owner.worker.freqtrade.state is State.PAUSED)
    assert "not running" in str(owner.client.forceenter(SIGNALS, "long", order_type="market"))
    owner.ask(f"/forceexit {number}", f"Exited {RISES}")
    assert number_of(owner, RISES) is None
    seen = len(owner.told())
    owner.telegram.type("/start")
    owner.until(lambda: owner.worker.freqtrade.state is State.RUNNING)
    owner.client.forceenter(RISES, "long", order_type="market")
    refused = owner.hears(f"{RISES}: long entry (force_entry) refused: 0 candles since the last exit", seen)
    owner.client.forceenter(RISES, "long", order_type="market")
    owner.loops(3)
    assert owner.told()[seen:].count(refused) == 1


def test_after_a_reload_the_plan_goes_on(owner):
    number = owner.enter(RISES)
    before = owner.strategy
    plan = before.desk.plan(owner.trade(number))
    owner.reload(lambda: owner.telegram.type("/reload_config"))
    assert owner.strategy is not before
    assert owner.strategy.desk.plan(owner.trade(number)) == plan
    seen = len(owner.told())
    owner.strategy.messages.breaker("entries rest: 5 failures in a row")
    assert owner.hears("entries rest: 5 failures in a row", seen)


@pytest.mark.parametrize("command", ["/forceexit all", "/stopentry", "/reload_config", "/status"])
def test_a_stranger_is_not_answered(owner, command):
    owner.enter(RISES)
    before = (owner.strategy, owner.worker.freqtrade.state, len(owner.client.status()))
    seen = len(owner.log_lines())
    owner.telegram.type(command, chat_id=CHAT + 1)
    owner.until(lambda: any("Rejected unauthorized" in line for line in owner.log_lines()[seen:]))
    owner.loops(3)
    assert before == (owner.strategy, owner.worker.freqtrade.state, len(owner.client.status()))


def test_nothing_was_refused_and_no_token_was_logged(owner):
    assert owner.telegram.refused == []
    assert owner.telegram.tokens == {owner.telegram.token}
    assert not [line for line in owner.log_lines() if owner.telegram.token in line]
