"""Limits across pairs, in freqtrade's own backtest: each one refuses real entries, and says which it was."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pandas as pd
import pytest

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets

PAIRS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"]
CANDLES = 1_700  # 837 of them are the strategy's startup
BUSY = {"components": {"confidence": False, "ladder": False}}  # more entries, so that limits meet
HOUR = pd.Timedelta(hours=1)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Four pairs with much in common."""
    folder = tmp_path_factory.mktemp("crowd")
    frames = simulate_markets(PAIRS, CANDLES, seed=5)
    prices = ["open", "high", "low", "close"]
    frames = {pair: frame.round(dict.fromkeys(prices, 4)) for pair, frame in frames.items()}
    write_candles(frames, folder, "1h", also=HIGHER_TIMEFRAMES)
    return folder


@pytest.fixture(scope="module")
def trade(make_config, run_backtest, crowd):
    """`trade(**portfolio)`: a backtest under these limits, with every answer to "may this be opened?"."""

    def run(datadir=crowd, pairs=PAIRS, timerange=None, adaptive=None, **portfolio):
        settings = {"adaptive": {**BUSY, **(adaptive or {}), "portfolio": portfolio}}
        overlay = {"exchange": {"pair_whitelist": pairs}, "max_open_trades": 10}
        config = make_config(overlay, settings, datadir=datadir)
        if timerange:
            config["timerange"] = timerange
        answers = []

        def prepare(strategy):
            ask = strategy.desk.admit

            def admit(pair, plan, notional, now, **asked):
                answer = ask(pair, plan, notional, now, **asked)
                answers.append((pair, now, answer))
                return answer

            strategy.desk.admit = admit

        done = run_backtest(config, prepare)
        done.answers = answers
        done.refused = Counter(answer.limit for _, _, answer in answers if not answer.allowed)
        return done

    return run


OPEN = {
    "max_heat": 1.0, "max_correlated_heat": 1.0, "cooldown_candles": 0,
}  # fmt: skip
LIMITS = {
    "max_heat": ({"max_heat": 0.012}, "heat "),
    "max_correlated_heat": ({"max_correlated_heat": 0.012}, "correlated heat "),
    "cooldown": ({"cooldown_candles": 20}, " since the last exit in "),
}


@pytest.fixture(scope="module")
def unlimited(trade):
    return trade(**OPEN)


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_refuses_real_entries_with_its_reason(trade, unlimited, limit):
    changed, words = LIMITS[limit]
    run = trade(**{**OPEN, **changed})
    assert run.refused[limit] > 3
    assert unlimited.refused[limit] == 0
    reasons = [answer.reason for _, _, answer in run.answers if answer.limit == limit]
    assert all(words in reason for reason in reasons)
    assert set(run.decisions) != set(unlimited.decisions)
    opened = {(t.pair, t.open_date) for t in run.trades}
    assert not opened & {(pair, now) for pair, now, answer in run.answers if not answer.allowed}


def test_heat_is_never_above_its_limit_at_an_entry(trade):
    run = trade(**{**OPEN, "max_heat": 0.012})
    allowed = [answer.heat for _, _, answer in run.answers if answer.allowed]
    assert max(allowed) <= 0.012 * (1 + 1e-9)
    assert max(answer.heat for _, _, answer in run.answers) > 0.012


def test_no_more_positions_than_the_presets_allow(trade):
    presets = {regime: {"max_positions": 1} for regime in ("strong_trend", "volatile_trend", "transitional")}
    presets["tight_range"] = {"max_positions": 1}
    run = trade(**OPEN, adaptive={"presets": presets})
    assert run.refused["max_positions"] > 3
    for held in run.trades:
        overlap = [t for t in run.trades if t.open_date < held.close_date and t.close_date > held.open_date]
        assert set(overlap) <= {held}


def test_a_pair_rests_after_its_exit(trade):
    run = trade(**{**OPEN, "cooldown_candles": 20})
    longest = {"strong_trend": 16, "volatile_trend": 30, "tight_range": 12, "transitional": 30}
    for pair in PAIRS:
        trades = sorted((t for t in run.trades if t.pair == pair), key=lambda t: t.open_date)
        for before, after in pairwise(trades):
            regime = after.enter_tag.partition(".")[0]
            assert after.open_date - before.close_date > longest[regime] * HOUR


def test_a_reversal_is_refused(make_config, run_backtest, futures_config):
    answers = []

    def prepare(strategy):
        ask = strategy.desk.admit

        def admit(pair, plan, *args, **asked):
            answers.append((ask(pair, plan, *args, **asked), plan.side, asked["last_exit"]))
            return answers[-1][0]

        strategy.desk.admit = admit

    settings = {"adaptive": {**BUSY, "portfolio": {**OPEN, "reversal_candles": 200}}}
    run_backtest(make_config(futures_config, settings), prepare)
    refused = [(answer, side, last) for answer, side, last in answers if answer.limit == "avoid_reversals"]
    assert len(refused) > 3
    for answer, side, last in refused:
        assert side != last.side
        assert f"{side} after a {last.side}" in answer.reason
    assert any(answer.allowed and last and last.side == side for answer, side, last in answers)


def entries(run, pair):
    return [(t.open_date, t.enter_tag, t.close_date, t.exit_reason) for t in run.trades if t.pair == pair]


def test_without_cross_pair_limits_a_pairs_trades_are_those_it_has_alone(trade):
    tight = {"max_heat": 0.012, "max_correlated_heat": 0.012, "cross_pair": False}
    together, alone = trade(**tight), trade(pairs=PAIRS[2:3], **tight)
    assert entries(together, PAIRS[2]) == entries(alone, PAIRS[2])
    crossed = trade(**{**tight, "cross_pair": True})
    assert entries(crossed, PAIRS[2]) != entries(alone, PAIRS[2])


def test_switched_off_nothing_is_refused_and_nothing_halts(trade):
    run = trade(adaptive={"components": {**BUSY["components"], "portfolio_limits": False}}, max_heat=0.001)
    assert not run.refused
    assert not run.strategy.protections
    assert {answer.reason for _, _, answer in run.answers} == {"portfolio limits are off"}


@pytest.mark.real_data
def test_limits_bind_on_real_candles_too(trade, real_datadir):
    span = {"datadir": real_datadir, "timerange": "20220601-20220801"}
    ladder = {"components": {"confidence": False}}
    run = trade(adaptive=ladder, max_heat=0.02, max_correlated_heat=0.015, **span)
    assert {"max_correlated_heat", "cooldown"} <= set(run.refused)
    allowed = [answer for _, _, answer in run.answers if answer.allowed]
    assert max(answer.heat for answer in allowed) <= 0.02 * (1 + 1e-9)
    assert max(answer.correlated_heat for answer in allowed) <= 0.015 * (1 + 1e-9)
