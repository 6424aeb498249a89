"""The decision journal of a real backtest, and what a learned opinion does to its trades."""

from __future__ import annotations

import argparse
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.cli import journal as journal_command
from adaptive_pkg.journal.candidates import DecidedBy, Decision
from adaptive_pkg.journal.journal import DecisionJournal

WITH_REFUSALS = {"portfolio": {"max_heat": 0.015}}


@pytest.fixture
def journalled(make_config, run_backtest, tmp_path):
    """`journalled(repeats)`: a backtest that keeps the journal, and the journal's rows."""

    def run(**adaptive):
        path = tmp_path / "journal.sqlite"
        adaptive = WITH_REFUSALS | {"journal": {"path": str(path), "backtest": True}} | adaptive
        result = run_backtest(make_config({"adaptive": adaptive}))
        result.strategy.services.end()
        with DecisionJournal(path) as journal:
            return result, journal.rows()

    return run


def test_every_trade_is_a_candidate_that_was_confirmed_and_the_refused_say_why(journalled):
    run, rows = journalled()
    taken = rows[rows["decided_by"] == DecidedBy.CONFIRMED]
    opened = [(trade.pair, pd.Timestamp(trade.open_date_utc).floor("h")) for trade in run.trades]
    closed = pd.to_datetime(taken["closed_ms"], unit="ms", utc=True)
    assert sorted(zip(taken["pair"], closed, strict=True)) == sorted(opened)
    assert taken["open_trades"].notna().all()
    refused = rows[(rows["decision"] == Decision.REFUSED) & (rows["decided_by"] == DecidedBy.LIMITS)]
    assert len(refused) > 3 and refused["reason"].str.contains("heat|cooldown|trades").any()
    by_rules = rows[(rows["decision"] == Decision.REFUSED) & (rows["decided_by"] == DecidedBy.RULES)]
    assert by_rules["reason"].str.len().min() > 5


def test_the_same_backtest_again_adds_no_row(journalled):
    _, once = journalled()
    _, twice = journalled()
    assert len(once) == len(twice) > 50


def test_the_journal_changes_no_trade(journalled, make_config, run_backtest):
    run, _ = journalled()
    plain = run_backtest(make_config({"adaptive": WITH_REFUSALS}))
    assert run.decisions == plain.decisions


def test_a_bot_and_the_command_that_learns_read_a_hyperopt_result_alike(
    make_config, run_backtest, strategy_dir, datadir, tmp_path
):
    shutil.copy(strategy_dir / "AdaptiveGRU.py", tmp_path)
    result = {"regime": {"adx_trend": 27.5}, "risk": {"profile_scale": 1.7}, "stoploss": {"stoploss": -0.04}}
    told = {"strategy_name": "AdaptiveGRU", "params": result}
    (tmp_path / "AdaptiveGRU.json").write_text(json.dumps(told))
    path = tmp_path / "journal.sqlite"
    config = make_config({"adaptive": {"journal": {"path": str(path), "backtest": True}}})
    run = run_backtest(config | {"strategy_path": str(tmp_path)})
    run.strategy.services.end()

    (tmp_path / "config.json").write_text(
        json.dumps({"adaptive": config["adaptive"], "strategy_path": str(tmp_path)})
    )
    parser = argparse.ArgumentParser()
    journal_command.add_commands(parser.add_subparsers())
    command = ["journal", "fill", "--datadir", datadir, "--pairs", "BTC/USDT"]
    options = parser.parse_args([*map(str, command), "--config", str(tmp_path / "config.json")])
    options.run(options)
    with DecisionJournal(path) as journal:
        runs = {summary.run.mode: summary.run.rules for summary in journal.runs()}
    assert set(runs) == {"backtest", "candles"}
    assert runs["backtest"] == runs["candles"]


class Pessimist:
    """An opinion that takes 40 % of every candidate's confidence."""

    def effect(self, rows, side, *rest):
        return np.full(len(side), -0.4)


def test_a_learned_opinion_decides_real_trades(make_config, run_backtest, default_run):
    def prepare(strategy):
        strategy.services.journal.opinion = Pessimist()

    advised = run_backtest(make_config(), prepare)
    assert len(advised.trades) < len(default_run.trades)
